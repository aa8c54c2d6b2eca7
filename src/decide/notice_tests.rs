//! Counting, one unit either side of every edge. Dates: 1, 8 and 14 May 2026 are holidays; 29 April is a Wednesday.

use super::*;
use chrono_tz::Tz;

fn terms(file: &str) -> Terms {
    Terms::compile(toml::from_str(file).unwrap()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn pro_controle() -> Terms {
    terms(include_str!("../../schedules/pro-controle.toml"))
}

fn nuit_blanche() -> Terms {
    terms(include_str!("../../schedules/nuit-blanche.toml"))
}

fn site(zone: Tz) -> Calendar {
    Calendar::new(zone, "FR".parse().unwrap())
}

fn paris() -> Calendar {
    site(Tz::Europe__Paris)
}

/// An instant from the site's own clock.
fn local(calendar: &Calendar, civil: &str) -> DateTime<Utc> {
    calendar.instant(civil.parse().unwrap_or_else(|_| format!("{civil}:00").parse().unwrap()), Fold::Earlier)
}

fn shown(calendar: &Calendar, instant: DateTime<Utc>) -> String {
    calendar.local(instant).format("%F %H:%M").to_string()
}

#[test]
fn a_request_counts_from_the_day_the_service_hears_it() {
    let terms = pro_controle();
    for (received, from, earliest) in [
        ("2026-04-29T21:59:59", "2026-04-29", "2026-05-07"),
        ("2026-04-29T22:00:00", "2026-04-30", "2026-05-11"),
        ("2026-04-29T23:59:59", "2026-04-30", "2026-05-11"),
        ("2026-04-30T00:00:00", "2026-04-30", "2026-05-11"),
        ("2026-05-01T10:00:00", "2026-05-04", "2026-05-12"),
        ("2026-05-02T10:00:00", "2026-05-04", "2026-05-12"),
    ] {
        let count = count(&terms, &paris(), local(&paris(), received));
        assert_eq!((count.counted_from.to_string().as_str(), count.earliest.to_string().as_str()), (from, earliest));
        assert_eq!(add_working_days(&paris(), count.counted_from, 5), count.earliest);
    }
}

#[test]
fn another_contract_counts_its_own_notice() {
    let terms = nuit_blanche();
    for (received, earliest) in [("2026-04-29T19:59", "2026-05-05"), ("2026-04-29T20:00", "2026-05-06")] {
        let count = count(&terms, &paris(), local(&paris(), received));
        assert_eq!((count.days.len(), count.earliest.to_string().as_str()), (3, earliest), "{received}");
    }
}

#[test]
fn the_day_of_a_request_is_the_sites() {
    let terms = pro_controle();
    // 18:30Z on Wednesday: Wednesday in Paris, after hours in Réunion (22:30), Thursday in Nouméa, Wednesday in Miquelon.
    let received = "2026-04-29T18:30:00Z".parse().unwrap();
    for (zone, from) in [
        (Tz::Europe__Paris, "2026-04-29"),
        (Tz::Indian__Reunion, "2026-04-30"),
        (Tz::Pacific__Noumea, "2026-04-30"),
        (Tz::America__Miquelon, "2026-04-29"),
    ] {
        assert_eq!(count(&terms, &site(zone), received).counted_from.to_string(), from, "{zone}");
    }
}

#[test]
fn a_minor_has_the_first_night_and_is_due_by_the_next() {
    let terms = pro_controle();
    for zone in [Tz::Europe__Paris, Tz::Indian__Reunion, Tz::America__Miquelon, Tz::Pacific__Noumea] {
        let site = site(zone);
        for (published, target, deadline) in [
            ("2026-04-29T00:00:00", "2026-04-29 22:00", "2026-05-01 07:00"),
            ("2026-04-29T03:00:00", "2026-04-29 22:00", "2026-05-01 07:00"),
            ("2026-04-29T17:00:00", "2026-04-29 22:00", "2026-05-01 07:00"),
            ("2026-04-29T22:00:00", "2026-04-29 22:00", "2026-05-01 07:00"),
            ("2026-04-29T22:00:01", "2026-04-30 22:00", "2026-05-01 07:00"),
            ("2026-04-29T23:59:59", "2026-04-30 22:00", "2026-05-01 07:00"),
            ("2026-04-30T00:00:00", "2026-04-30 22:00", "2026-05-02 07:00"),
            // A Friday's weekend, holiday included.
            ("2026-05-01T12:00:00", "2026-05-01 22:00", "2026-05-03 07:00"),
        ] {
            let at = local(&site, published);
            let nights = minor_nights(&terms, &site, at, 2);
            assert_eq!(shown(&site, nights[0].start), target, "{zone} {published}");
            assert_eq!(nights[1].start, nights[0].start + TimeDelta::days(1), "{zone} {published}");
            assert_eq!(shown(&site, minor_deadline(&terms, &site, at)), deadline, "{zone} {published}");
        }
    }
}

#[test]
fn a_deadline_ends_with_the_night_whatever_the_clock_does() {
    let terms = pro_controle();
    for (published, deadline) in [
        ("2026-10-23T17:00", "2026-10-25T06:00:00Z"),
        ("2026-10-25T02:30", "2026-10-27T06:00:00Z"),
        ("2027-03-26T17:00", "2027-03-28T05:00:00Z"),
        ("2027-03-27T23:00", "2027-03-29T05:00:00Z"),
    ] {
        let due = minor_deadline(&terms, &paris(), local(&paris(), published));
        assert_eq!(due, deadline.parse::<DateTime<Utc>>().unwrap(), "{published}");
    }
}

#[test]
fn nights_that_do_not_happen_are_not_counted() {
    // Nuit Blanche: Sunday to Thursday from 23:30, not on holidays; five nights.
    let terms = nuit_blanche();
    for (published, target, deadline) in [
        ("2026-04-29T12:00", "2026-04-29 23:30", "2026-05-06 05:00"),
        ("2026-04-30T23:45", "2026-05-03 23:30", "2026-05-07 05:00"),
        ("2026-05-13T12:00", "2026-05-13 23:30", "2026-05-21 05:00"),
    ] {
        let at = local(&paris(), published);
        assert_eq!(shown(&paris(), minor_nights(&terms, &paris(), at, 1)[0].start), target, "{published}");
        assert_eq!(shown(&paris(), minor_deadline(&terms, &paris(), at)), deadline, "{published}");
    }
}

#[test]
fn intervention_is_due_after_two_hours_of_service() {
    let terms = pro_controle();
    for (raised, due) in [
        ("2026-04-29T03:00:00", "2026-04-29 09:00"),
        ("2026-04-29T06:59:59", "2026-04-29 09:00"),
        ("2026-04-29T07:00:00", "2026-04-29 09:00"),
        ("2026-04-29T07:01:00", "2026-04-29 09:01"),
        ("2026-04-29T20:00:00", "2026-04-29 22:00"),
        ("2026-04-29T20:01:00", "2026-04-30 07:01"),
        ("2026-04-29T21:59:00", "2026-04-30 08:59"),
        ("2026-04-29T22:00:00", "2026-04-30 09:00"),
        // Thursday evening before a holiday and its weekend.
        ("2026-04-30T21:30:00", "2026-05-04 08:30"),
        ("2026-05-01T10:00:00", "2026-05-04 09:00"),
        ("2026-10-24T23:00:00", "2026-10-26 09:00"),
    ] {
        let at = local(&paris(), raised);
        assert_eq!(shown(&paris(), intervention_due(&terms, &paris(), at)), due, "{raised}");
    }
}

#[test]
fn a_clock_that_never_stops_counts_elapsed_time() {
    let terms = nuit_blanche();
    for raised in ["2026-04-29T03:00", "2026-05-01T23:30", "2026-10-25T01:30"] {
        let at = local(&paris(), raised);
        assert_eq!(intervention_due(&terms, &paris(), at), at + TimeDelta::hours(4), "{raised}");
    }
}

#[test]
fn an_intervention_longer_than_a_week_of_service_is_still_counted() {
    let mut schedule = pro_controle().schedule;
    schedule.intervention.within_minutes = 20 * 15 * 60; // twenty days of service
    let terms = Terms::compile(schedule).unwrap();
    // From 1 June 2026, a Monday, no holiday until July: the twentieth working day ends on Friday 26.
    let due = intervention_due(&terms, &paris(), local(&paris(), "2026-06-01T07:00"));
    assert_eq!(shown(&paris(), due), "2026-06-26 22:00");
}

#[test]
fn a_backup_must_be_newer_than_the_close_before_the_slot_began() {
    let terms = pro_controle();
    for (at, since) in [
        // Wednesday: during the day, in the maintenance slot, in the gap, in the night on both sides of midnight.
        ("2026-04-29T12:00:00", "2026-04-28 18:00"),
        ("2026-04-29T20:30:00", "2026-04-28 18:00"),
        ("2026-04-29T21:59:59", "2026-04-28 18:00"),
        ("2026-04-29T22:30:00", "2026-04-28 18:00"),
        ("2026-04-29T23:59:59", "2026-04-28 18:00"),
        ("2026-04-30T00:00:00", "2026-04-28 18:00"),
        ("2026-04-30T06:59:59", "2026-04-28 18:00"),
        ("2026-04-30T07:00:00", "2026-04-29 18:00"),
        // Around a holiday and its weekend.
        ("2026-04-30T22:00:00", "2026-04-29 18:00"),
        ("2026-05-01T12:00:00", "2026-04-30 18:00"),
        ("2026-05-02T08:00:00", "2026-04-30 18:00"),
        ("2026-05-03T22:00:00", "2026-04-30 18:00"),
        ("2026-05-04T06:00:00", "2026-04-30 18:00"),
        ("2026-05-04T22:00:00", "2026-04-30 18:00"),
        ("2026-05-05T22:00:00", "2026-05-04 18:00"),
    ] {
        let since_at = backup_not_before(&terms, &paris(), local(&paris(), at));
        assert_eq!(shown(&paris(), since_at), since, "{at}");
    }
}
