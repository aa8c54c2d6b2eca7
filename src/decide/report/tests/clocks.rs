//! How long alerts and silences lasted.

use super::*;
use crate::model::alert::TakenUp;

#[test]
fn a_clock_runs_in_service_hours_until_somebody_intervenes() {
    let taken = |at: &str| AlertState::Acknowledged { at: utc(at), by: "Nadia".into(), level: 0 };
    // Raised in the night, due at 09:00: the clock begins at 07:00.
    for (state, minutes, in_time) in [
        (taken("2026-05-05 09:00"), 120, Some(true)),
        (taken("2026-05-05 09:01"), 121, Some(false)),
        (taken("2026-05-05 05:00"), 0, Some(true)),
        (AlertState::Open { level: 0 }, 5 * 60, Some(false)),
        (
            AlertState::Resolved {
                at: utc("2026-05-05 20:00"),
                note: "done".into(),
                by: Some("Nadia".into()),
                level: 0,
                taken_up: Some(TakenUp { at: utc("2026-05-05 08:15"), by: "Zoé".into() }),
            },
            75,
            Some(true),
        ),
        (
            AlertState::Resolved {
                at: utc("2026-05-05 08:00"),
                note: "installed since".into(),
                by: None,
                level: 0,
                taken_up: None,
            },
            60,
            Some(true),
        ),
    ] {
        let mut world = World::new("2026-05-05 12:00");
        world.alerts = vec![alert(1, "failed/martin-1/isacompta/1", "2026-05-05 03:00", "2026-05-05 09:00", state)];
        let told = world.report().interventions.remove(0);
        assert_eq!((told.clock_minutes, told.in_time, told.kind.as_str()), (minutes, in_time, "failed"));
    }
    let mut world = World::new("2026-05-05 08:59");
    let state = AlertState::Open { level: 0 };
    world.alerts = vec![alert(1, "failed/x", "2026-05-05 03:00", "2026-05-05 09:00", state)];
    assert_eq!(world.report().interventions[0].in_time, None, "it runs");
}

#[test]
fn silence_is_counted_once_and_within_the_month() {
    let mut world = World::new("2026-05-21 12:00");
    world.found("2026-05-11 00:00", "isapaye 2026.1 found on the server");
    let over =
        |at: &str| AlertState::Resolved { at: utc(at), note: "heard again".into(), by: None, level: 0, taken_up: None };
    // 75 minutes of silence come before the alert.
    let silent = |id, raised: &str, state| alert(id, "silent/martin-1", raised, "2026-05-05 09:00", state);
    world.alerts = vec![
        silent(1, "2026-05-01 00:15", over("2026-05-01 01:00")),
        silent(2, "2026-05-12 09:15", over("2026-05-12 10:00")),
        // Staff ended the second too soon: the third is about the same silence.
        silent(3, "2026-05-12 10:05", over("2026-05-12 11:00")),
    ];
    let heard = world.report().availability.remove(0);
    assert_eq!((heard.silences.len(), heard.silent_minutes), (2, 60 + 180));
    assert_eq!(heard.minutes, (utc("2026-05-21 12:00") - utc("2026-05-01 00:00")).num_minutes());
    assert_eq!(heard.basis_points(), Some((heard.minutes - 240) * 10_000 / heard.minutes));
}
