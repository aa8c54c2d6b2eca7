//! From a letter's facts to the words its template takes.

use super::Desk;
use super::markup::{block, line};
use super::{when, who};
use crate::decide::civil::PROVIDER_ZONE;
use crate::model::check::Unfit;
use crate::model::fleet::Language;
use crate::model::manifest::Manifest;
use crate::model::notice::{Installation, Letter, Visit};
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use crate::model::version::Version;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use minijinja::value::merge_maps;
use minijinja::{Value, context};

/// A product as its publisher writes it: the file name of ISACOMPTA is `isacompta`.
pub fn product_name(product: &str) -> String {
    line(product).to_uppercase()
}

/// The template of `letter` and the words for it.
pub fn of(letter: &Letter, language: Language, desk: &Desk) -> (&'static str, Value) {
    let link = desk.answer.as_deref().filter(|_| letter.question().is_some()).map(line);
    let installed = |installation: &Installation| {
        merge_maps([context! { link => link }, installation_words(installation, language)])
    };
    let failed = |installation: &Installation, why: &str, what: &str| {
        merge_maps([context! { why => line(why), what => what }, installation_words(installation, language)])
    };
    let (update, major) = match language {
        Language::Fr => ("mise à jour", "version majeure"),
        Language::En => ("update", "major version"),
    };
    match letter {
        Letter::MinorPlanned(it) => ("minor_planned", installed(it)),
        Letter::MinorInstalled(it) | Letter::ManualInstalled(it) => ("minor_installed", installed(it)),
        Letter::MinorFailed { installation, why } | Letter::ManualFailed { installation, why } => {
            ("failed", failed(installation, why, update))
        }
        Letter::ManualPlanned(it) => ("manual_planned", installed(it)),
        Letter::MajorAvailable { product, version, manifest, earliest } => {
            let words = context! {
                product => product_name(product),
                version => line(version.as_str()),
                earliest => when::day(language, *earliest),
            };
            ("major_available", merge_maps([words, manifest_words(manifest, language)]))
        }
        Letter::LegalReminder { product, version, manifest, legal_date, request_by } => {
            let words = context! {
                product => product_name(product),
                version => line(version.as_str()),
                request_by => request_by.map(|date| when::day(language, date)),
                legal_date => when::day(language, *legal_date),
                legal_date_short => when::short_day(language, *legal_date),
            };
            // The last map that has a word gives it: the letter's own date before the manifest's.
            ("legal_reminder", merge_maps([manifest_words(manifest, language), words]))
        }
        Letter::MajorRequested { request, by, before, installation, others, agreed, replaces } => {
            let visits = match others.as_slice() {
                [] => None,
                others => Some(visits(installation, others, language)),
            };
            let replaced: Vec<String> = replaces.iter().map(i64::to_string).collect();
            let words = context! {
                request => *request,
                asked => who::asked(by, language),
                before => when::day(language, *before),
                agreed_by => agreed.as_ref().map(|consent| line(&consent.by)),
                agreed_at => agreed.as_ref().map(|consent| when::moment(language, consent.at, installation.zone)),
                replaces => (!replaced.is_empty()).then(|| replaced.join(", ")),
                replaces_many => replaced.len() > 1,
                visits => visits,
            };
            ("major_requested", merge_maps([words, installed(installation)]))
        }
        Letter::MajorRefused { product, version, by, before, earliest, why, stands } => (
            "major_refused",
            context! {
                product => product_name(product),
                version => line(version.as_str()),
                asked => who::asked(by, language),
                stands => stands.as_ref().map(|standing| standing.request),
                stands_before => stands.as_ref().map(|standing| when::day(language, standing.before)),
                before => when::day(language, *before),
                before_short => when::short_day(language, *before),
                earliest => earliest.map(|date| when::day(language, date)),
                why => block(why.get(language)),
            },
        ),
        Letter::MajorPlanned(it) => ("major_planned", installed(it)),
        Letter::ConcertationReminder(it) => ("concertation_reminder", installed(it)),
        Letter::MajorInstalled(it) => ("major_installed", installed(it)),
        Letter::MajorFailed { installation, why } => ("failed", failed(installation, why, major)),
        Letter::Degraded { installation, why } => ("degraded", failed(installation, why, update)),
        Letter::NotBegun { installation, unfit, why } => {
            let words = context! { why => line(why), sick => *unfit == Unfit::Sick };
            ("not_begun", merge_maps([words, installed(installation)]))
        }
        Letter::Moved { installation, was, why } => {
            let words = context! {
                was => when::short_slot(language, *was, installation.zone),
                why => block(why.get(language)),
            };
            ("moved", merge_maps([words, installed(installation)]))
        }
        Letter::Cancelled { installation, why } => {
            ("cancelled", merge_maps([context! { why => block(why.get(language)) }, installed(installation)]))
        }
        Letter::Retracted { product, version, reason, installed_on } => (
            "retracted",
            context! {
                product => product_name(product),
                version => line(version.as_str()),
                why => line(reason),
                server => Option::<String>::None,
                installed_on => (!installed_on.is_empty()).then(|| line(&installed_on.join(", "))),
            },
        ),
        Letter::RequestCancelled { request, product, version, by } => (
            "request_cancelled",
            context! {
                request => *request,
                product => product_name(product),
                version => line(version.as_str()),
                done => who::did(by, language),
            },
        ),
        Letter::Checkpoint { at, chains, note: _ } => (
            "checkpoint",
            context! {
                day => when::day(language, at.with_timezone(&desk.zone).date_naive()),
                at => when::moment(language, *at, desk.zone),
                chains => *chains,
                file => checkpoint_file(*at),
            },
        ),
        Letter::Alert { alert, class: _, title, text, due, level } => (
            "alert",
            context! {
                alert => *alert,
                title => line(title),
                why => reasons(text),
                due => when::moment(language, *due, desk.zone),
                level => u32::from(*level),
            },
        ),
    }
}

/// Where the contract says so, for the small print; `None` for letters to staff.
pub fn clauses(letters: &[&Letter], language: Language) -> Option<String> {
    let mut clauses: Vec<&str> = Vec::new();
    for clause in letters.iter().flat_map(|letter| rules(letter)).filter_map(|rule| rule.clause()) {
        if !clauses.contains(&clause) {
            clauses.push(clause);
        }
    }
    match language {
        _ if clauses.is_empty() => None,
        Language::Fr => Some(format!("Références au contrat : {}.", clauses.join(" ; "))),
        Language::En => Some(format!("Contract references: {}.", clauses.join("; "))),
    }
}

/// What the file is called that a checkpoint goes in.
pub fn checkpoint_file(at: DateTime<Utc>) -> String {
    format!("checkpoint-{}.txt", at.with_timezone(&PROVIDER_ZONE).format("%Y-%m-%d"))
}

fn rules(letter: &Letter) -> &'static [Rule] {
    match letter {
        Letter::MinorPlanned(it) if it.manifest.closes_access => {
            &[Rule::MinorNight, Rule::Concertation, Rule::ServersOnly]
        }
        Letter::MinorPlanned(_) | Letter::MinorInstalled(_) => &[Rule::MinorNight, Rule::ServersOnly],
        Letter::ManualInstalled(_) => &[Rule::ManualSlots, Rule::ServersOnly],
        Letter::MinorFailed { .. } | Letter::ManualFailed { .. } | Letter::MajorFailed { .. } => {
            &[Rule::HealthAfter, Rule::Gti2h]
        }
        Letter::NotBegun { unfit: Unfit::Sick, .. } => &[Rule::HealthAfter, Rule::Gti2h],
        Letter::NotBegun { unfit: Unfit::NotReady, .. } => &[Rule::BackupFirst, Rule::Gti2h],
        Letter::Degraded { .. } => &[Rule::HealthAfter, Rule::Gti2h, Rule::Escalation],
        Letter::ManualPlanned(_) => &[Rule::ManualSlots, Rule::MaintenanceSlots, Rule::Concertation, Rule::ServersOnly],
        Letter::MajorAvailable { .. } => &[Rule::MajorOnRequest, Rule::ServersOnly],
        Letter::LegalReminder { .. } => &[Rule::MajorOnRequest, Rule::MajorNotice],
        Letter::MajorRequested { .. } | Letter::MajorPlanned(_) => {
            &[Rule::MajorOnRequest, Rule::MaintenanceSlots, Rule::Concertation, Rule::ServersOnly]
        }
        Letter::ConcertationReminder(_) => &[Rule::MaintenanceSlots, Rule::Concertation],
        Letter::MajorInstalled(_) => &[Rule::MajorOnRequest, Rule::ServersOnly],
        Letter::MajorRefused { .. } | Letter::RequestCancelled { .. } => &[Rule::MajorNotice],
        Letter::Moved { .. } | Letter::Cancelled { .. } => &[Rule::Concertation],
        Letter::Retracted { .. } => &[Rule::MinorContentNotice],
        Letter::Checkpoint { .. } | Letter::Alert { .. } => &[],
    }
}

fn installation_words(it: &Installation, language: Language) -> Value {
    let finished = it.finished_at.map(|at| at.with_timezone(&it.zone).date_naive());
    let words = context! {
        product => product_name(&it.product),
        version => line(it.to.as_str()),
        from => it.from.as_ref().map(|from| line(from.as_str())),
        server => line(&it.server),
        when => when::slot(language, it.slot, it.zone),
        short => when::short_slot(language, it.slot, it.zone),
        deadline => it.deadline.map(|at| when::moment(language, at, it.zone)),
        finished => it.finished_at.map(|at| when::moment(language, at, it.zone)),
        finished_day => finished.map(|date| when::short_day(language, date)),
        late => it.is_late(),
    };
    merge_maps([words, manifest_words(&it.manifest, language)])
}

/// Every server of a request with its slot, in the order of the request.
fn visits(first: &Installation, others: &[Visit], language: Language) -> Vec<Value> {
    let visit = |server: &str, from: Option<&Version>, slot: Slot, zone: Tz| {
        context! {
            server => line(server),
            from => from.map(|from| line(from.as_str())),
            when => when::slot(language, slot, zone),
        }
    };
    let mut visits = vec![visit(&first.server, first.from.as_ref(), first.slot, first.zone)];
    visits.extend(others.iter().map(|other| visit(&other.server, other.from.as_ref(), other.slot, other.zone)));
    visits
}

pub(super) fn manifest_words(manifest: &Manifest, language: Language) -> Value {
    context! {
        notes => block(manifest.notes.get(language)),
        workstations => manifest.workstation_action.as_ref().map(|text| line(text.get(language))),
        closes_access => manifest.closes_access,
        duration => when::duration(language, manifest.duration_minutes),
        legal_date => manifest.legal_date.map(|date| when::day(language, date)),
    }
}

/// Lines of an alert as a list, when there are several.
fn reasons(text: &str) -> String {
    let text = block(text);
    if text.lines().count() < 2 {
        return text;
    }
    let lines = text.lines().filter(|text| !text.is_empty());
    lines
        .map(|text| if text.starts_with("- ") { text.to_owned() } else { format!("- {text}") })
        .collect::<Vec<_>>()
        .join("\n")
}
