//! Closures one unit either side of every edge, in every form a closed period is written in.

use super::*;
use crate::model::closed::{ClosedInstants, ClosedTimes};

const PARIS: Tz = Tz::Europe__Paris;

fn period(json: &str) -> ClosedPeriod {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn compile(periods: &[ClosedPeriod]) -> Closed {
    Closed::compile(periods, Region::National).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn hours(text: &str) -> Closed {
    compile(&[ClosedPeriod::hours(text, "bilan")])
}

fn days(from: &str, to: &str, reason: &str) -> ClosedPeriod {
    ClosedPeriod::days(from.parse().unwrap(), to.parse().unwrap(), reason)
}

/// A slot in UTC.
fn slot(from: &str, to: &str) -> Slot {
    Slot::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
}

/// What covers a slot, as printed; `-` for nothing.
fn found(closed: &Closed, zone: Tz, from: &str, to: &str) -> String {
    closed.covering(slot(from, to), zone).map_or("-".to_owned(), |closure| closure.to_string())
}

#[test]
fn no_periods_close_nothing() {
    let closed = compile(&[]);
    assert!(closed.is_empty());
    assert_eq!(found(&closed, PARIS, "2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"), "-");
}

#[test]
fn days_are_the_sites_from_midnight_to_midnight() {
    let closed = compile(&[days("2026-05-04", "2026-05-06", "paie")]);
    let shown = "4 May 2026 to 6 May 2026 (paie)";
    for (zone, from, to, expected) in [
        (PARIS, "2026-05-03T20:00:00Z", "2026-05-03T22:00:00Z", "-"),
        (PARIS, "2026-05-03T20:00:00Z", "2026-05-03T22:00:01Z", shown),
        (PARIS, "2026-05-05T10:00:00Z", "2026-05-05T10:00:01Z", shown),
        (PARIS, "2026-05-06T21:59:59Z", "2026-05-07T05:00:00Z", shown),
        (PARIS, "2026-05-06T22:00:00Z", "2026-05-07T05:00:00Z", "-"),
        (Tz::Pacific__Noumea, "2026-05-03T12:59:00Z", "2026-05-03T13:00:00Z", "-"),
        (Tz::Pacific__Noumea, "2026-05-03T13:00:00Z", "2026-05-03T13:01:00Z", shown),
        (Tz::Pacific__Noumea, "2026-05-06T13:00:00Z", "2026-05-06T14:00:00Z", "-"),
        (Tz::America__Miquelon, "2026-05-07T01:59:59Z", "2026-05-07T05:00:00Z", shown),
        (Tz::America__Miquelon, "2026-05-07T02:00:00Z", "2026-05-07T05:00:00Z", "-"),
    ] {
        assert_eq!(found(&closed, zone, from, to), expected, "{zone} {from} {to}");
    }
}

#[test]
fn times_and_instants_close_to_the_second() {
    let times = compile(&[period(r#"{"from":"2026-12-24T12:00","to":"2026-12-24T18:30","reason":"fête"}"#)]);
    let instants = compile(&[period(r#"{"from":"2026-12-24T11:00:00Z","to":"2026-12-24T17:30:00Z","reason":"fête"}"#)]);
    let shown = "24 December 2026 12:00 to 18:30 (fête)";
    for (from, to, expected) in [
        ("2026-12-24T10:00:00Z", "2026-12-24T11:00:00Z", "-"),
        ("2026-12-24T10:00:00Z", "2026-12-24T11:00:01Z", shown),
        ("2026-12-24T17:29:59Z", "2026-12-24T20:00:00Z", shown),
        ("2026-12-24T17:30:00Z", "2026-12-24T20:00:00Z", "-"),
        ("2026-12-24T00:00:00Z", "2026-12-26T00:00:00Z", shown),
    ] {
        assert_eq!(found(&times, PARIS, from, to), expected, "{from} {to}");
        assert_eq!(found(&instants, PARIS, from, to), expected, "{from} {to}");
    }
    // On the site's clock the one follows the site, the other does not.
    let (from, to) = ("2026-12-24T08:00:00Z", "2026-12-24T08:00:01Z");
    assert_eq!(found(&times, Tz::Indian__Reunion, from, to), shown);
    assert_eq!(found(&instants, Tz::Indian__Reunion, from, to), "-");
}

#[test]
fn bounds_that_the_clock_repeats_or_skips_are_read_wide() {
    let repeated = compile(&[period(r#"{"from":"2026-10-25T02:15","to":"2026-10-25T02:45","reason":"x"}"#)]);
    for (from, to, touched) in [
        ("2026-10-25T00:14:00Z", "2026-10-25T00:15:00Z", false),
        ("2026-10-25T00:15:00Z", "2026-10-25T00:16:00Z", true),
        ("2026-10-25T01:00:00Z", "2026-10-25T01:01:00Z", true),
        ("2026-10-25T01:44:00Z", "2026-10-25T01:45:00Z", true),
        ("2026-10-25T01:45:00Z", "2026-10-25T01:46:00Z", false),
    ] {
        assert_eq!(repeated.covering(slot(from, to), PARIS).is_some(), touched, "{from}");
    }
    let skipped = compile(&[period(r#"{"from":"2027-03-28T02:15","to":"2027-03-28T02:45","reason":"x"}"#)]);
    assert_eq!(found(&skipped, PARIS, "2027-03-27T00:00:00Z", "2027-03-29T00:00:00Z"), "-");
    let night = compile(&[days("2026-10-25", "2026-10-25", "x")]);
    assert!(night.covering(slot("2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z"), PARIS).is_some());
    assert!(night.covering(slot("2026-10-25T23:00:00Z", "2026-10-25T23:00:01Z"), PARIS).is_none());
}

#[test]
fn the_closure_that_begins_first_is_the_one_told() {
    let closed = compile(&[
        days("2026-05-08", "2026-05-09", "deux"),
        ClosedPeriod::hours("2026 May 10", "trois"),
        period(r#"{"from":"2026-05-07T10:00:00Z","to":"2026-05-07T11:00:00Z","reason":"un"}"#),
        days("2026-01-01", "2026-03-31", "long"),
        days("2026-02-01", "2026-02-01", "court"),
    ]);
    let whole = ("2026-05-07T00:00:00Z", "2026-05-12T00:00:00Z");
    assert_eq!(found(&closed, PARIS, whole.0, whole.1), "7 May 2026 12:00 to 13:00 (un)");
    assert_eq!(found(&closed, PARIS, "2026-05-07T11:00:00Z", whole.1), "8 May 2026 to 9 May 2026 (deux)");
    assert_eq!(found(&closed, PARIS, "2026-05-09T22:00:00Z", whole.1), "10 May 2026 (trois)");
    assert_eq!(found(&closed, PARIS, "2026-05-10T22:00:00Z", whole.1), "-");
    // A long one that began before is still found behind short ones.
    assert_eq!(
        found(&closed, PARIS, "2026-03-31T10:00:00Z", "2026-03-31T11:00:00Z"),
        "1 January 2026 to 31 March 2026 (long)"
    );
}

#[test]
fn opening_hours_say_when_it_is_closed() {
    for (text, from, to, expected) in [
        ("Jan 10-Jan 20", "2027-01-09T22:59:59Z", "2027-01-09T23:00:00Z", "-"),
        ("Jan 10-Jan 20", "2027-01-09T23:00:00Z", "2027-01-09T23:00:01Z", "10 January 2027 to 20 January 2027 (bilan)"),
        ("Jan 10-Jan 20", "2027-01-20T22:59:59Z", "2027-01-20T23:00:00Z", "10 January 2027 to 20 January 2027 (bilan)"),
        ("Jan 10-Jan 20", "2027-01-20T23:00:00Z", "2027-01-20T23:00:01Z", "-"),
        ("Jan 10-20", "2027-01-15T12:00:00Z", "2027-01-15T12:00:01Z", "10 January 2027 to 20 January 2027 (bilan)"),
        ("Mo[-1]", "2026-05-25T12:00:00Z", "2026-05-25T12:00:01Z", "25 May 2026 (bilan)"),
        ("Mo[-1]", "2026-05-18T12:00:00Z", "2026-05-18T12:00:01Z", "-"),
        ("Mo[-1] 12:00-14:00", "2026-05-25T09:59:59Z", "2026-05-25T10:00:00Z", "-"),
        ("Mo[-1] 12:00-14:00", "2026-05-25T10:00:00Z", "2026-05-25T10:00:01Z", "25 May 2026 12:00 to 14:00 (bilan)"),
        // Over the new year, and over a night.
        ("Dec 24-Jan 02", "2026-12-31T12:00:00Z", "2026-12-31T12:00:01Z", "24 December 2026 to 2 January 2027 (bilan)"),
        ("Dec 24-Jan 02", "2027-01-01T12:00:00Z", "2027-01-01T12:00:01Z", "24 December 2026 to 2 January 2027 (bilan)"),
        ("Dec 24-Jan 02", "2027-01-02T23:00:00Z", "2027-01-02T23:00:01Z", "-"),
        (
            "Fr 22:00-06:00",
            "2027-01-01T22:30:00Z",
            "2027-01-01T22:31:00Z",
            "1 January 2027 22:00 to 2 January 2027 06:00 (bilan)",
        ),
        ("PH", "2026-05-14T12:00:00Z", "2026-05-14T12:00:01Z", "14 May 2026 (bilan)"),
        ("PH", "2026-05-15T12:00:00Z", "2026-05-15T12:00:01Z", "-"),
        ("Feb 29", "2027-02-28T12:00:00Z", "2027-03-01T12:00:00Z", "-"),
        ("Feb 29", "2028-02-29T12:00:00Z", "2028-02-29T12:00:01Z", "29 February 2028 (bilan)"),
        ("week 53", "2026-12-30T12:00:00Z", "2026-12-30T12:00:01Z", "28 December 2026 to 3 January 2027 (bilan)"),
        ("Sa-Su; PH off", "2026-08-15T12:00:00Z", "2026-08-15T12:00:01Z", "-"),
        ("2028 Jul-Aug", "2028-08-31T21:59:59Z", "2028-08-31T22:00:00Z", "1 July 2028 to 31 August 2028 (bilan)"),
        ("2027-2029", "2028-06-01T12:00:00Z", "2028-06-01T12:00:01Z", "1 January 2027 to 31 December 2029 (bilan)"),
    ] {
        assert_eq!(found(&hours(text), PARIS, from, to), expected, "{text} {from}");
    }
    let good_friday = slot("2026-04-03T10:00:00Z", "2026-04-03T11:00:00Z");
    for (region, closed) in [("FR", false), ("FR-ALS", true)] {
        let compiled = Closed::compile(&[ClosedPeriod::hours("PH", "férié")], region.parse().unwrap()).unwrap();
        assert_eq!(compiled.covering(good_friday, PARIS).is_some(), closed, "{region}");
    }
}

#[test]
fn closures_read_in_both_languages() {
    let text = |json: &str, from: &str| {
        let closed = compile(&[period(json)]);
        let at: DateTime<Utc> = from.parse().unwrap();
        let closure = closed.covering(Slot::new(at, at + TimeDelta::hours(1)).unwrap(), PARIS).unwrap();
        (closure.text(Language::Fr), closure.text(Language::En))
    };
    for (json, from, fr, en) in [
        (
            r#"{"from":"2026-05-01","to":"2026-05-06","reason":"paie"}"#,
            "2026-05-05T10:00:00Z",
            "du 1er mai 2026 au 6 mai 2026 (paie)",
            "1 May 2026 to 6 May 2026 (paie)",
        ),
        (
            r#"{"from":"2026-05-05","to":"2026-05-05","reason":"paie"}"#,
            "2026-05-05T10:00:00Z",
            "le 5 mai 2026 (paie)",
            "5 May 2026 (paie)",
        ),
        (
            r#"{"from":"2026-05-05T12:00","to":"2026-05-05T13:30","reason":"paie"}"#,
            "2026-05-05T10:00:00Z",
            "le 5 mai 2026 de 12 h à 13 h 30 (paie)",
            "5 May 2026 12:00 to 13:30 (paie)",
        ),
        (
            r#"{"from":"2026-05-05T12:00","to":"2026-05-06T08:00","reason":"paie"}"#,
            "2026-05-05T10:00:00Z",
            "du 5 mai 2026 à 12 h au 6 mai 2026 à 8 h (paie)",
            "5 May 2026 12:00 to 6 May 2026 08:00 (paie)",
        ),
    ] {
        assert_eq!(text(json, from), (fr.to_owned(), en.to_owned()));
    }
}

#[test]
fn everything_wrong_is_said_at_once_with_its_place() {
    let problems = Closed::problems(
        &[
            days("2026-05-06", "2026-05-04", "paie"),
            days("2026-05-04", "2026-05-06", "paie"),
            days("2026-05-04", "2206-05-06", "paie"),
            ClosedPeriod::hours("Jan 10-Jan 20 off", "bilan"),
            ClosedPeriod::hours("Jan 10-Jan 20; sunset-22:00", "bilan"),
            period(r#"{"ics":"martin.ics"}"#),
        ],
        Region::National,
    );
    let shown: Vec<(usize, String)> = problems.iter().map(|problem| (problem.period, problem.to_string())).collect();
    let expected = [
        (0, "the closed period ends on 2026-05-04, before it begins on 2026-05-06; swap them"),
        (2, "a closed period bound by 2206-05-06 is surely not meant; write a date from 2000 to 2100"),
        (3, "leave it out, as in `Jan 10-Jan 20`"),
        (4, "follow the sun"),
        (5, "the calendar \"martin.ics\" has not been read; apply the fleet from its file"),
    ];
    assert_eq!(shown.len(), expected.len(), "{shown:?}");
    for ((period, text), (at, said)) in shown.iter().zip(expected) {
        assert!(*period == at && text.contains(said), "{text}");
    }
}

#[test]
fn hours_that_close_nothing_or_everything_are_refused() {
    for (text, said) in [
        ("off", "`off` says when not"),
        ("PH off", "`off` says when not"),
        ("2020 Jan 10", "close no day"),
        ("24/7", "close every day"),
        ("Mo-Su", "close every day"),
        ("Jan 10-Jan 20; Jan 15", "has no effect"),
        ("Mo-Fr 22:00-07:00; PH off", "cut at midnight"),
        ("Jan 10 \"bilan\"", "open or off"),
        ("du 10 au 20 janvier", "cannot be read"),
        ("SH", "school holidays"),
        ("", "empty"),
    ] {
        let problems = Closed::problems(&[ClosedPeriod::hours(text, "x")], Region::National);
        assert!(problems.len() == 1 && problems[0].what.contains(said), "{text}: {problems:?}");
    }
}

#[test]
fn what_cannot_be_compiled_has_problems() {
    for text in ["off", "sunset-22:00", "du 10 au 20", "", "SH"] {
        assert!(Closed::compile(&[ClosedPeriod::hours(text, "x")], Region::National).is_err(), "{text}");
    }
    // Hours that do nothing are a matter for whoever writes them; they close nothing.
    assert_eq!(found(&hours("2020 Jan 10"), PARIS, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"), "-");
    assert_eq!(Closed::problems(&[days("2026-05-04", "2026-05-06", "paie")], Region::National), []);
}

#[test]
fn too_many_periods_are_refused() {
    let many = vec![days("2026-05-04", "2026-05-06", "paie"); PERIODS_MAX];
    assert!(Closed::compile(&many, Region::National).is_ok());
    let more = vec![days("2026-05-04", "2026-05-06", "paie"); PERIODS_MAX + 1];
    assert!(Closed::compile(&more, Region::National).unwrap_err()[0].what.contains("at most 2000"));
}

#[test]
fn a_compiled_list_is_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    shared(&compile(&[]));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]
    /// The fast search finds what looking at every period one by one finds.
    #[test]
    fn the_search_finds_what_a_plain_walk_finds(
        bounds in proptest::collection::vec((0_i64..5000, 1_i64..400, 0_u8..3), 0..30),
        from in -50_i64..5400,
        length in 1_i64..100,
        zone in proptest::sample::select(vec![PARIS, Tz::Pacific__Noumea, Tz::America__Miquelon, Tz::Australia__Lord_Howe]),
    ) {
        let origin = NaiveDate::from_ymd_opt(2026, 10, 1).unwrap().and_time(NaiveTime::MIN);
        let at = |hour: i64| origin + TimeDelta::hours(hour);
        let periods: Vec<ClosedPeriod> = bounds.iter().map(|(from, length, kind)| {
            let (from, to, reason) = (at(*from), at(from + length), String::new());
            match kind {
                0 => ClosedPeriod::days(from.date(), to.date(), ""),
                1 => ClosedPeriod::Times(ClosedTimes { from, to, reason }),
                _ => ClosedPeriod::Instants(ClosedInstants { from: from.and_utc(), to: to.and_utc(), reason }),
            }
        }).collect();
        let asked = Slot::new(at(from).and_utc(), at(from + length).and_utc()).unwrap();
        let wide = |from, to| Slot::new(calendar::instant(zone, from, Fold::Earlier), calendar::instant(zone, to, Fold::Later));
        let plain = periods.iter().filter_map(|period| match period {
            ClosedPeriod::Days(d) => {
                wide(d.from.and_time(NaiveTime::MIN), d.to.succ_opt().unwrap().and_time(NaiveTime::MIN))
            }
            ClosedPeriod::Times(t) => wide(t.from, t.to),
            ClosedPeriod::Instants(i) => Slot::new(i.from, i.to),
            ClosedPeriod::Hours(_) | ClosedPeriod::Calendar(_) => None,
        }).filter(|slot| slot.overlaps(&asked)).map(|slot| slot.start).min();
        let found = compile(&periods).covering(asked, zone).map(|closure| closure.slot.start);
        proptest::prop_assert_eq!(found, plain);
    }
}
