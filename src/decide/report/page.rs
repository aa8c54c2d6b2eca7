//! The report as one HTML page that prints on A4: no script, nothing from elsewhere, French or English.

use super::sheet::{Attempt, Intervention, Major, Manual, Minor, MinorOutcome, Report, Visit, Why};
use super::words::{self, pick};
use super::{chart, sheet};
use crate::decide::letters::{brief, markup, when, who};
use crate::model::fleet::Language;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use std::sync::LazyLock;

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .expect("the delimiters are the default ones"),
    );
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    for (name, source) in [
        ("page.html", include_str!("templates/page.html")),
        ("report.html", include_str!("templates/report.html")),
        ("overview.html", include_str!("templates/overview.html")),
        ("style.css", include_str!("templates/style.css")),
    ] {
        environment.add_template(name, source).expect("the templates are part of the program and parse");
    }
    environment
});

/// A template that does not fit its report: a defect of this program.
#[derive(Debug, thiserror::Error)]
#[error("the report's page cannot be made: {0}")]
pub struct PageError(#[from] minijinja::Error);

/// The page about one client, or about several with an overview before them.
pub fn html(reports: &[Report], language: Language) -> Result<String, PageError> {
    let say = |fr: &'static str, en: &'static str| pick(language, (fr, en));
    let parts: Vec<Value> = reports.iter().map(|report| Page { report, language }.context()).collect();
    let month = reports.first().map_or_else(String::new, |report| month(report, language));
    let title = match reports {
        [one] => format!("{} – {} – {month}", say("Rapport de conformité", "Compliance report"), one.client_name),
        _ => format!("{} – {month}", say("Rapports de conformité", "Compliance reports")),
    };
    let context = context! {
        fr => language == Language::Fr,
        lang => say("fr", "en"),
        title => title,
        month => month,
        reports => parts,
        many => reports.len() > 1,
    };
    Ok(TEMPLATES.get_template("page.html")?.render(context)?)
}

fn month(report: &Report, language: Language) -> String {
    let first = format!("{}-01", report.month).parse().unwrap_or_default();
    when::month_year(language, first)
}

struct Page<'a> {
    report: &'a Report,
    language: Language,
}

impl Page<'_> {
    fn say(&self, fr: &'static str, en: &'static str) -> &'static str {
        pick(self.language, (fr, en))
    }

    fn zone(&self, name: &str) -> Tz {
        name.parse().unwrap_or(Tz::UTC)
    }

    /// `mer. 29 avr. 17:00`, on the clock of the site.
    fn at(&self, at: DateTime<Utc>, zone: &str) -> String {
        let local = at.with_timezone(&self.zone(zone));
        format!("{} {}", self.day(local.date_naive()), brief::Clock(local.time()))
    }

    fn maybe(&self, at: Option<DateTime<Utc>>, zone: &str) -> String {
        at.map_or_else(|| "–".to_owned(), |at| self.at(at, zone))
    }

    fn day(&self, date: NaiveDate) -> String {
        brief::Day(self.language, date).to_string()
    }

    /// `mer. 6 mai 22:00–07:00`.
    fn slot(&self, slot: sheet::Span, zone: &str) -> String {
        let end = slot.end.with_timezone(&self.zone(zone));
        format!("{}–{}", self.at(slot.start, zone), brief::Clock(end.time()))
    }

    /// A server, with its clock where that is not the report's.
    fn server(&self, server: &str, zone: &str) -> String {
        if zone == self.report.zone {
            return server.to_owned();
        }
        format!("{server} ({})", when::zone_name(self.language, self.zone(zone)))
    }

    fn figure(&self, name: &str) -> i64 {
        self.report.figures.get(name).copied().unwrap_or_default()
    }

    /// Hundredths of a percent as people write them.
    fn percent(&self, basis_points: i64) -> String {
        let (whole, rest) = (basis_points / 100, basis_points % 100);
        match (rest, self.language) {
            (0, Language::Fr) => format!("{whole}\u{a0}%"),
            (0, Language::En) => format!("{whole}%"),
            (_, Language::Fr) => format!("{whole},{rest:02}\u{a0}%"),
            (_, Language::En) => format!("{whole}.{rest:02}%"),
        }
    }

    fn minutes(&self, minutes: i64) -> String {
        when::duration(self.language, u32::try_from(minutes.max(0)).unwrap_or(u32::MAX))
    }

    fn context(&self) -> Value {
        let report = self.report;
        let chart = chart::draw(&report.nights, self.language);
        let legend = chart.legend.iter().map(|(class, name)| context! { class => *class, name => *name });
        let zone = self.zone(&report.zone);
        let kinds = report.letters.kinds.iter();
        let kinds = kinds.map(|(kind, n)| context! { name => pick(self.language, words::letter(kind)), number => n });
        context! {
            fr => self.language == Language::Fr,
            client => &report.client_name,
            contract => &report.contract,
            month => month(report, self.language),
            made => when::moment(self.language, report.made_at, zone),
            clock => when::zone_name(self.language, zone),
            is_over => report.is_over,
            figures => &report.figures,
            on_time_share => self.on_time_share(),
            heard_share => self.heard_share(),
            is_kept => self.figure("minors.late") + self.figure("minors.missed") + self.figure("alerts.late")
                + self.figure("letters.undelivered") == 0,
            svg => Value::from_safe_string(chart.svg),
            legend => legend.collect::<Vec<_>>(),
            holidays => self.holidays(),
            minors => report.minors.iter().map(|m| self.minor(m)).collect::<Vec<_>>(),
            carried => report.carried.iter().map(|m| self.minor(m)).collect::<Vec<_>>(),
            manuals => report.manuals.iter().map(|m| self.manual(m)).collect::<Vec<_>>(),
            majors => report.majors.iter().map(|m| self.major(m)).collect::<Vec<_>>(),
            refused => report.refused.iter().map(|r| self.refused(r)).collect::<Vec<_>>(),
            alerts => report.interventions.iter().map(|i| self.alert(i)).collect::<Vec<_>>(),
            kinds => kinds.collect::<Vec<_>>(),
            post => report.letters.post.iter().map(|p| self.post(p)).collect::<Vec<_>>(),
            agents => report.availability.iter().map(|a| self.agent(a)).collect::<Vec<_>>(),
            rules => report.rules.iter().map(|r| self.rule(r)).collect::<Vec<_>>(),
        }
    }

    fn on_time_share(&self) -> Option<String> {
        let due = self.figure("minors.due");
        (due > 0).then(|| self.percent(self.figure("minors.on_time") * 10_000 / due))
    }

    fn heard_share(&self) -> Option<String> {
        let of = |count: fn(&sheet::Availability) -> i64| self.report.availability.iter().map(count).sum::<i64>();
        let minutes = of(|a| a.minutes);
        (minutes > 0).then(|| self.percent((minutes - of(|a| a.silent_minutes)) * 10_000 / minutes))
    }

    fn holidays(&self) -> Vec<String> {
        let named = self.report.nights.iter().filter_map(|n| Some((n.date, n.holiday.as_ref()?)));
        match self.language {
            Language::Fr => named.map(|(date, name)| format!("{} ({name})", self.day(date))).collect(),
            Language::En => named.map(|(date, _)| self.day(date)).collect(),
        }
    }

    fn why(&self, why: &Why) -> String {
        let text = match self.language {
            Language::Fr => &why.fr,
            Language::En => &why.text,
        };
        let text = brief(text);
        let colon = self.say("\u{a0}: ", ": ");
        match (&why.rule, &why.clause) {
            (Some(rule), Some(clause)) => format!("{rule} ({clause}){colon}{text}"),
            (Some(rule), None) => format!("{rule}{colon}{text}"),
            (None, _) => format!("{}{colon}{text}", self.say("l’agent rapporte", "the agent reports")),
        }
    }

    fn attempt(&self, attempt: &Attempt, zone: &str) -> String {
        let state = pick(self.language, words::state(&attempt.state));
        let began = attempt.started_at.unwrap_or(attempt.slot.start);
        let said = attempt.why.as_deref().map(|why| format!(" ({})", brief(why))).unwrap_or_default();
        format!("{}, {state}{said}", self.at(began, zone))
    }

    fn minor(&self, minor: &Minor) -> Value {
        let class = match minor.outcome {
            MinorOutcome::OnTime => "good",
            MinorOutcome::Late | MinorOutcome::Missed => "bad",
            MinorOutcome::Withdrawn | MinorOutcome::Open => "plain",
        };
        let mut notes: Vec<String> = Vec::new();
        notes.extend(minor.instead.as_ref().map(|by| match self.language {
            Language::Fr => format!("remplacée par {} {by}", minor.product),
            Language::En => format!("{} {by} went in its place", minor.product),
        }));
        if minor.attempts.iter().any(|a| a.state != "installed") {
            let told: Vec<String> = minor.attempts.iter().map(|a| self.attempt(a, &minor.zone)).collect();
            notes.push(format!("{}{}", self.say("essais\u{a0}: ", "attempts: "), told.join(" ; ")));
        }
        notes.extend(minor.why.iter().filter(|why| why.rule.is_some()).map(|why| self.why(why)));
        context! {
            server => self.server(&minor.server, &minor.zone),
            product => &minor.product,
            versions => versions(minor.from.as_deref(), &minor.version),
            published => self.at(minor.published_at, &minor.zone),
            deadline => self.at(minor.deadline, &minor.zone),
            installed => self.maybe(minor.installed_at, &minor.zone),
            outcome => pick(self.language, words::outcome(minor.outcome)),
            class => class,
            notes => notes,
        }
    }

    fn manual(&self, manual: &Manual) -> Value {
        context! {
            server => self.server(&manual.server, &manual.zone),
            product => &manual.product,
            versions => versions(manual.from.as_deref(), &manual.version),
            announced => self.maybe(manual.announced_at, &manual.zone),
            slot => self.slot(manual.slot, &manual.zone),
            by => manual.attended_by.as_deref().map_or_else(|| "–".to_owned(), markup::line),
            state => self.ended(&manual.state, manual.finished_at, &manual.zone),
            class => class_of(&manual.state, manual.in_slot),
            out_of_slot => manual.in_slot == Some(false),
            why => manual.why.as_deref().map(brief),
        }
    }

    /// `installée mar. 12 mai 20:04`.
    fn ended(&self, state: &str, at: Option<DateTime<Utc>>, zone: &str) -> String {
        let name = pick(self.language, words::state(state));
        at.map_or_else(|| name.to_owned(), |at| format!("{name} {}", self.at(at, zone)))
    }

    fn major(&self, major: &Major) -> Value {
        let zone = &self.report.zone;
        let visit = |v: &Visit| {
            context! {
                server => self.server(&v.server, &v.zone),
                slot => self.slot(v.slot, &v.zone),
                state => self.ended(&v.state, v.finished_at, &v.zone),
                class => class_of(&v.state, v.in_slot),
                why => v.why.as_deref().map(brief),
            }
        };
        let date = match major.on_time {
            Some(true) => ("date respectée", "date met"),
            Some(false) => ("date manquée", "date missed"),
            None => ("", ""),
        };
        let asked_in_time = if major.notice_kept {
            ("délai respecté", "notice kept")
        } else {
            ("délai trop court", "notice too short")
        };
        context! {
            request => major.request,
            product => &major.product,
            version => &major.version,
            received => self.at(major.received_at, zone),
            by => who::named(&major.by, self.language),
            counted => self.day(major.counted_from),
            earliest => self.day(major.earliest),
            before => self.day(major.before),
            notice => pick(self.language, asked_in_time),
            agreed => major.agreed_by.as_deref().map(markup::line),
            state => pick(self.language, words::request(&major.state)),
            date => pick(self.language, date),
            class => match major.on_time { Some(false) => "bad", Some(true) => "good", None => "plain" },
            visits => major.visits.iter().map(visit).collect::<Vec<_>>(),
        }
    }

    fn refused(&self, refused: &sheet::Refused) -> Value {
        let why = match self.language {
            Language::Fr => &refused.fr,
            Language::En => &refused.text,
        };
        context! {
            at => self.at(refused.at, &self.report.zone),
            product => &refused.product,
            version => &refused.version,
            by => who::named(&refused.by, self.language),
            before => self.day(refused.before),
            earliest => refused.earliest.map(|date| self.day(date)),
            why => markup::line(why),
        }
    }

    fn alert(&self, alert: &Intervention) -> Value {
        let zone = &self.report.zone;
        let about: Vec<&str> = [alert.product.as_deref(), alert.server.as_deref()].into_iter().flatten().collect();
        let (kept, class) = match alert.in_time {
            Some(true) => (("dans le délai", "in time"), "good"),
            Some(false) => (("hors délai", "too late"), "bad"),
            None => (("en cours", "running"), "plain"),
        };
        context! {
            number => alert.alert,
            trouble => pick(self.language, words::trouble(&alert.kind)),
            about => about.join(", "),
            raised => self.at(alert.raised_at, zone),
            due => self.at(alert.due, zone),
            taken => alert.taken.as_ref().map(|t| format!("{}, {}", self.at(t.at, zone), markup::line(&t.by))),
            is_open => alert.taken.is_some() && alert.resolved_at.is_none(),
            resolved => alert.resolved_at.map(|at| self.at(at, zone)),
            note => alert.note.as_deref().map(|note| words::note(self.language, &markup::line(note))),
            clock => self.minutes(alert.clock_minutes),
            level => alert.level,
            kept => pick(self.language, kept),
            class => class,
        }
    }

    fn post(&self, post: &sheet::Post) -> Value {
        let about: Vec<&str> =
            [post.product.as_deref(), post.version.as_deref(), post.server.as_deref()].into_iter().flatten().collect();
        context! {
            at => self.at(post.sent_at.unwrap_or(post.written_at), &self.report.zone),
            kind => pick(self.language, words::letter(&post.kind)),
            about => about.join(" "),
            state => pick(self.language, words::post(&post.state)),
            class => if post.state == "undelivered" { "bad" } else { "plain" },
            error => post.error.as_deref().map(markup::line),
        }
    }

    fn agent(&self, agent: &sheet::Availability) -> Value {
        let silences = agent.silences.iter().map(|s| {
            let (start, end) = (self.at(s.start, &agent.zone), self.at(s.end, &agent.zone));
            format!("{start} – {end}")
        });
        context! {
            server => self.server(&agent.server, &agent.zone),
            share => agent.basis_points().map_or_else(|| "–".to_owned(), |points| self.percent(points)),
            silent => if agent.silent_minutes == 0 { "–".to_owned() } else { self.minutes(agent.silent_minutes) },
            silences => silences.collect::<Vec<_>>(),
        }
    }

    fn rule(&self, rule: &sheet::RuleFigure) -> Value {
        let number = |n: Option<u32>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
        context! {
            id => &rule.rule,
            clause => rule.clause.as_deref().unwrap_or("–"),
            what => pick(self.language, words::rule(&rule.rule)),
            decisions => rule.decisions,
            kept => number(rule.kept),
            broken => number(rule.broken),
            class => if rule.broken.is_some_and(|n| n > 0) { "bad" } else { "plain" },
        }
    }
}

/// Longest word that is told whole: a digest tells nobody more than its beginning does.
const WORD_CHARS_MAX: usize = 40;
/// Longest remark, in characters; the history has all of it.
const REMARK_CHARS_MAX: usize = 400;

/// What an agent or a person wrote, as one line that a page has room for.
fn brief(text: &str) -> String {
    let line = markup::line(text);
    let words = line.split(' ').map(|word| cut(word, WORD_CHARS_MAX, 12));
    cut(&words.collect::<Vec<_>>().join(" "), REMARK_CHARS_MAX, REMARK_CHARS_MAX)
}

fn cut(text: &str, chars_max: usize, keep: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(keep).chain(['…']).collect()
}

fn versions(from: Option<&str>, to: &str) -> String {
    from.map_or_else(|| to.to_owned(), |from| format!("{from} → {to}"))
}

fn class_of(state: &str, in_slot: Option<bool>) -> &'static str {
    match (state, in_slot) {
        (_, Some(false)) | ("failed", _) => "bad",
        ("installed", _) => "good",
        _ => "plain",
    }
}
