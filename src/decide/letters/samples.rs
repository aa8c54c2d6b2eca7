//! A letter of each kind, with facts as they come: for previews, for checking templates, and for the tests.

use crate::model::alert::AlertClass;
use crate::model::check::Unfit;
use crate::model::manifest::{Manifest, Text};
use crate::model::notice::{Consent, Installation, Letter, Standing, Visit};
use crate::model::slot::Slot;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use std::fmt::Debug;
use std::str::FromStr;
use std::sync::Arc;

/// Every sample by name, alone or with those it goes with; the first of a kind is the usual one.
pub fn all() -> Vec<(&'static str, Vec<Letter>)> {
    letters().into_iter().map(|(name, letter)| (name, vec![letter])).chain(together()).collect()
}

/// The servers that they are about.
pub const SERVERS: [&str; 2] = ["cab-morel-01", "cab-morel-02"];

fn read<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("samples are written as they are read")
}

fn slot(start: DateTime<Utc>, end: DateTime<Utc>) -> Slot {
    Slot::new(start, end).expect("a sample's slot ends after its start")
}

pub fn manifest(product: &str, version: &str) -> Manifest {
    serde_json::from_value(serde_json::json!({
        "product": product,
        "version": version,
        "change": "minor",
        "notes": {
            "fr": "Mise à jour du plan comptable 2026.\n- Liasse fiscale : correction du cadre C.\n- Rapprochement bancaire : import des relevés CFONB 120.",
            "en": "Chart of accounts updated for 2026.\n- Tax return: frame C corrected.\n- Bank reconciliation: CFONB 120 statements are read.",
        },
        "duration_minutes": 20,
        "rollback_minutes": 10,
        "package": { "file": format!("{product}-{version}.zip") },
        "installer": { "kind": "zip" },
        "health": { "timeout_seconds": 60 },
        "detect": { "version_file": "VERSION" },
    }))
    .expect("the sample is a manifest")
}

pub fn minor() -> Installation {
    Installation {
        server: "cab-morel-01".to_owned(),
        zone: Tz::Europe__Paris,
        product: "isacompta".to_owned(),
        from: Some(read("14.20.003")),
        to: read("14.20.004"),
        slot: slot(read("2026-04-29T20:00:00Z"), read("2026-04-30T05:00:00Z")),
        deadline: Some(read("2026-05-01T05:00:00Z")),
        finished_at: None,
        sequence: None,
        manifest: manifest("isacompta", "14.20.004").into(),
    }
}

pub fn finished(it: Installation, at: &str) -> Installation {
    Installation { finished_at: Some(read(at)), ..it }
}

pub fn manual() -> Installation {
    let mut it = minor();
    it.slot = slot(read("2026-05-04T18:00:00Z"), read("2026-05-04T20:00:00Z"));
    it.deadline = None;
    it.sequence = Some(0);
    let manifest = Arc::make_mut(&mut it.manifest);
    manifest.manual_steps = Some(Text { fr: "Relancer l'indexation.".to_owned(), en: None });
    manifest.closes_access = true;
    it
}

pub fn major() -> Installation {
    let mut it = minor();
    it.slot = slot(read("2026-05-09T06:00:00Z"), read("2026-05-09T14:00:00Z"));
    it.to = read("15.0");
    it.deadline = None;
    it.sequence = Some(0);
    it.manifest = Arc::new(Manifest {
        duration_minutes: 180,
        closes_access: true,
        workstation_action: Some(Text {
            fr: "Lancez SetupClient.exe depuis le partage ISACOMPTA.".to_owned(),
            en: Some("Run SetupClient.exe from the ISACOMPTA share.".to_owned()),
        }),
        ..manifest("isacompta", "15.0")
    });
    it
}

/// Another server's turn, the Saturday after that of [`major`].
fn visit() -> Visit {
    let slot = slot(read("2026-05-16T06:00:00Z"), read("2026-05-16T14:00:00Z"));
    Visit { server: "cab-morel-02".to_owned(), zone: Tz::Europe__Paris, from: None, slot }
}

fn text(fr: &str, en: &str) -> Text {
    Text { fr: fr.to_owned(), en: Some(en.to_owned()) }
}

/// One of each, by the name of its snapshot.
pub fn letters() -> Vec<(&'static str, Letter)> {
    let date = read::<NaiveDate>;
    let why = "the health check failed: the test company does not open".to_owned();
    vec![
        ("minor_planned", Letter::MinorPlanned(minor())),
        ("minor_installed", Letter::MinorInstalled(finished(minor(), "2026-04-29T20:41:00Z"))),
        ("minor_installed_late", Letter::MinorInstalled(finished(minor(), "2026-05-01T21:05:00Z"))),
        (
            "minor_failed",
            Letter::MinorFailed { installation: finished(minor(), "2026-04-29T21:02:00Z"), why: why.clone() },
        ),
        ("manual_planned", Letter::ManualPlanned(manual())),
        ("manual_installed", Letter::ManualInstalled(finished(manual(), "2026-05-04T18:50:00Z"))),
        (
            "manual_failed",
            Letter::ManualFailed { installation: finished(manual(), "2026-05-04T19:10:00Z"), why: why.clone() },
        ),
        (
            "major_available",
            Letter::MajorAvailable {
                product: "isacompta".to_owned(),
                version: read("15.0"),
                manifest: major().manifest,
                earliest: date("2026-05-07"),
            },
        ),
        (
            "major_requested",
            Letter::MajorRequested {
                request: 7,
                by: "c.morel@cabinet-morel.example".to_owned(),
                before: date("2026-05-12"),
                installation: major(),
                others: Vec::new(),
                agreed: None,
                replaces: Vec::new(),
            },
        ),
        (
            "major_requested_many",
            Letter::MajorRequested {
                request: 9,
                by: "c.morel@cabinet-morel.example".to_owned(),
                before: date("2026-05-16"),
                installation: major(),
                others: vec![
                    Visit { server: "cab-morel-02".to_owned(), from: Some(read("14.10.001")), ..visit() },
                    Visit { server: "cab-morel-974".to_owned(), zone: Tz::Indian__Reunion, ..visit() },
                ],
                agreed: None,
                replaces: Vec::new(),
            },
        ),
        (
            "major_requested_again",
            Letter::MajorRequested {
                request: 8,
                by: "staff zoe for morel".to_owned(),
                before: date("2026-05-05"),
                installation: major(),
                others: Vec::new(),
                agreed: Some(Consent { by: "Mme Claire Morel".to_owned(), at: read("2026-04-30T07:30:00Z") }),
                replaces: vec![7],
            },
        ),
        (
            "major_refused",
            Letter::MajorRefused {
                product: "isacompta".to_owned(),
                version: read("15.0"),
                by: "c.morel@cabinet-morel.example".to_owned(),
                before: date("2026-05-04"),
                earliest: Some(date("2026-05-09")),
                why: text("Le 4 mai 2026 est à moins de 5 jours ouvrés.", "4 May 2026 is under 5 working days away."),
                stands: None,
            },
        ),
        (
            "major_refused_stands",
            Letter::MajorRefused {
                product: "isacompta".to_owned(),
                version: read("15.0"),
                by: "c.morel@cabinet-morel.example (main contact)".to_owned(),
                before: date("2026-05-04"),
                earliest: Some(date("2026-05-09")),
                why: text("Le 4 mai 2026 est à moins de 5 jours ouvrés.", "4 May 2026 is under 5 working days away."),
                stands: Some(Standing { request: 7, before: date("2026-05-12") }),
            },
        ),
        ("legal_reminder", reminder(Some(date("2026-06-23")))),
        ("legal_reminder_too_late", reminder(None)),
        ("major_planned", Letter::MajorPlanned(major())),
        ("concertation_reminder", Letter::ConcertationReminder(major())),
        ("major_installed", Letter::MajorInstalled(finished(major(), "2026-05-09T09:12:00Z"))),
        (
            "major_failed",
            Letter::MajorFailed { installation: finished(major(), "2026-05-09T10:30:00Z"), why: why.clone() },
        ),
        ("degraded", Letter::Degraded { installation: finished(minor(), "2026-04-30T05:30:00Z"), why }),
        (
            "not_begun_sick",
            Letter::NotBegun {
                installation: finished(minor(), "2026-04-29T20:05:00Z"),
                unfit: Unfit::Sick,
                why: "the test company does not open".to_owned(),
            },
        ),
        (
            "not_begun_not_ready",
            Letter::NotBegun {
                installation: finished(major(), "2026-05-09T08:05:00Z"),
                unfit: Unfit::NotReady,
                why: "open sessions: failed (2 open, 0 allowed)".to_owned(),
            },
        ),
        (
            "moved",
            Letter::Moved {
                installation: minor(),
                was: slot(read("2026-04-28T20:00:00Z"), read("2026-04-29T05:00:00Z")),
                why: text(
                    "La dernière sauvegarde du serveur n'avait pas abouti.",
                    "The server's last backup had not succeeded.",
                ),
            },
        ),
        (
            "cancelled",
            Letter::Cancelled {
                installation: major(),
                why: text("La demande n° 7 a été annulée.", "Request no. 7 was cancelled."),
            },
        ),
        (
            "retracted",
            Letter::Retracted {
                product: "isaged".to_owned(),
                version: read("2026.1"),
                reason: "erreur à l'ouverture des pièces jointes".to_owned(),
                installed_on: Vec::new(),
            },
        ),
        (
            "retracted_installed",
            Letter::Retracted {
                product: "isaged".to_owned(),
                version: read("2026.1"),
                reason: "erreur à l'ouverture des pièces jointes".to_owned(),
                installed_on: vec!["cab-morel-01".to_owned(), "cab-morel-02".to_owned()],
            },
        ),
        (
            "request_cancelled",
            Letter::RequestCancelled {
                request: 7,
                product: "isacompta".to_owned(),
                version: read("15.0"),
                by: "c.morel@cabinet-morel.example".to_owned(),
            },
        ),
        (
            "checkpoint",
            Letter::Checkpoint {
                at: read("2026-05-03T22:00:00Z"),
                chains: 3,
                note: "noctule history of example.net\n2026-05-03T22:00:00Z\n".to_owned(),
            },
        ),
        ("alert", alert(0)),
        ("alert_escalated", alert(2)),
    ]
}

fn reminder(request_by: Option<NaiveDate>) -> Letter {
    Letter::LegalReminder {
        product: "isacompta".to_owned(),
        version: read("15.0"),
        // Another date than the letter's, whose own it says.
        manifest: Arc::new(Manifest { legal_date: Some(read("2020-01-01")), ..(*major().manifest).clone() }),
        legal_date: read("2026-07-01"),
        request_by,
    }
}

fn alert(level: u8) -> Letter {
    Letter::Alert {
        alert: 31,
        class: AlertClass::Systems,
        title: "isacompta held on cab-morel-01 (backup-first)".to_owned(),
        text: "minor-night: due by Friday 1 May 07:00\nbackup-first: the last backup is from 27 April".to_owned(),
        due: read("2026-04-30T07:00:00Z"),
        level,
    }
}

/// A night's letters that go in one mail, by the name of their snapshot.
pub fn together() -> Vec<(&'static str, Vec<Letter>)> {
    let isaged = |it: Installation| Installation {
        product: "isaged".to_owned(),
        from: Some(read("2026.0")),
        to: read("2026.1"),
        manifest: Arc::new(Manifest {
            legal_date: Some(read("2026-07-01")),
            closes_access: true,
            workstation_action: Some(text("Redémarrez ISAGED.", "Restart ISAGED.")),
            ..manifest("isaged", "2026.1")
        }),
        ..it
    };
    let other = |it: Installation| Installation { server: "cab-morel-02".to_owned(), from: None, ..it };
    let late = finished(isaged(minor()), "2026-05-01T21:05:00Z");
    let done = || finished(minor(), "2026-04-29T20:41:00Z");
    vec![
        ("planned_together", vec![Letter::MinorPlanned(minor()), Letter::MinorPlanned(isaged(minor()))]),
        (
            "planned_together_on_many",
            vec![
                Letter::MinorPlanned(minor()),
                Letter::MinorPlanned(isaged(minor())),
                Letter::MinorPlanned(other(minor())),
            ],
        ),
        ("planned_together_one_release", vec![Letter::MinorPlanned(minor()), Letter::MinorPlanned(other(minor()))]),
        ("installed_together", vec![Letter::MinorInstalled(done()), Letter::MinorInstalled(late)]),
        ("installed_together_one_release", vec![Letter::MinorInstalled(done()), Letter::MinorInstalled(other(done()))]),
    ]
}
