//! What calendar programs write, and what the closed periods are then.

use super::*;

fn horizon() -> Horizon {
    Horizon::around(NaiveDate::from_ymd_opt(2026, 5, 4).unwrap())
}

fn calendar(events: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n{}END:VCALENDAR\r\n", events.replace('\n', "\r\n"))
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\nUID:1@test\nDTSTAMP:20260101T000000Z\n{lines}\nEND:VEVENT\n")
}

fn read_text(text: &str) -> Result<CalendarFile, CalendarError> {
    parse(Path::new("martin.ics"), text, None, horizon())
}

/// The periods of a calendar with these events, as printed.
fn periods(events: &str) -> Vec<String> {
    match read_text(&calendar(events)) {
        Ok(file) => file.periods.iter().map(ToString::to_string).collect(),
        Err(error) => panic!("{events}: {error}"),
    }
}

fn refused(events: &str) -> String {
    read_text(&calendar(events)).expect_err(events).to_string()
}

#[test]
fn events_become_days_times_and_instants() {
    for (lines, expected) in [
        (
            "SUMMARY:Inventaire\nDTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20270101",
            "2026-12-24 to 2026-12-31 (Inventaire)",
        ),
        ("SUMMARY:Pont\nDTSTART;VALUE=DATE:20260515\nDTEND;VALUE=DATE:20260516", "2026-05-15 (Pont)"),
        ("SUMMARY:Pont\nDTSTART;VALUE=DATE:20260515", "2026-05-15 (Pont)"),
        ("SUMMARY:Pont\nDTSTART;VALUE=DATE:20260515\nDTEND;VALUE=DATE:20260515", "2026-05-15 (Pont)"),
        ("SUMMARY:Pont\nDTSTART:20260515\nDURATION:P2D", "2026-05-15 to 2026-05-16 (Pont)"),
        (
            "SUMMARY:Paie\nDTSTART;TZID=Europe/Paris:20260529T180000\nDTEND;TZID=Europe/Paris:20260530T020000",
            "2026-05-29 16:00 to 2026-05-30 00:00 UTC (Paie)",
        ),
        (
            "SUMMARY:Paie\nDTSTART:20260529T160000Z\nDTEND:20260530T000000Z",
            "2026-05-29 16:00 to 2026-05-30 00:00 UTC (Paie)",
        ),
        ("SUMMARY:Paie\nDTSTART:20260529T160000Z\nDURATION:PT8H", "2026-05-29 16:00 to 2026-05-30 00:00 UTC (Paie)"),
        ("SUMMARY:Paie\nDTSTART:20260529T180000\nDTEND:20260530T020000", "2026-05-29 18:00 to 2026-05-30 02:00 (Paie)"),
        // What Outlook and Thunderbird call Paris.
        (
            "SUMMARY:Paie\nDTSTART;TZID=\"Romance Standard Time\":20260529T180000\nDTEND;TZID=\"Romance Standard Time\":20260529T200000",
            "2026-05-29 16:00 to 2026-05-29 18:00 UTC (Paie)",
        ),
        (
            "SUMMARY:Paie\nDTSTART;TZID=/mozilla.org/20050126_1/Europe/Paris:20260129T180000\nDURATION:PT1H",
            "2026-01-29 17:00 to 2026-01-29 18:00 UTC (Paie)",
        ),
        // Two zones.
        (
            "SUMMARY:Vol\nDTSTART;TZID=Europe/Paris:20260529T180000\nDTEND;TZID=Indian/Reunion:20260530T070000",
            "2026-05-29 16:00 to 2026-05-30 03:00 UTC (Vol)",
        ),
        // The night that loses an hour, from a time that it skips.
        (
            "SUMMARY:Nuit\nDTSTART;TZID=Europe/Paris:20270328T023000\nDTEND;TZID=Europe/Paris:20270328T040000",
            "2027-03-28 01:30 to 2027-03-28 02:00 UTC (Nuit)",
        ),
        ("SUMMARY:Fin d\\'année\\, bureaux\\nfermés\nDTSTART:20261231", "2026-12-31 (Fin d'année, bureaux fermés)"),
        ("DTSTART:20261231", "2026-12-31 (martin)"),
        ("SUMMARY:Long \n titre\nDTSTART:20261231\nTRANSP:TRANSPARENT", "2026-12-31 (Long titre)"),
    ] {
        assert_eq!(periods(&event(lines).replace("\\'", "'")), [expected], "{lines}");
    }
}

#[test]
fn repetitions_are_unfolded_on_the_clock_of_the_event() {
    let of = |lines: &str| periods(&event(&format!("SUMMARY:x\n{lines}")));
    assert_eq!(
        of("DTSTART;TZID=Europe/Paris:20261023T220000\nDURATION:PT2H\nRRULE:FREQ=WEEKLY;COUNT=3"),
        [
            "2026-10-23 20:00 to 2026-10-23 22:00 UTC (x)",
            "2026-10-30 21:00 to 2026-10-30 23:00 UTC (x)",
            "2026-11-06 21:00 to 2026-11-06 23:00 UTC (x)"
        ]
    );
    assert_eq!(
        of("DTSTART;VALUE=DATE:20260131\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20260430"),
        ["2026-01-31 (x)", "2026-02-28 (x)", "2026-03-31 (x)", "2026-04-30 (x)"]
    );
    // A yearly close, from long ago and without an end: the years of the horizon.
    assert_eq!(
        of("DTSTART;VALUE=DATE:20100110\nDTEND;VALUE=DATE:20100121\nRRULE:FREQ=YEARLY"),
        ["2025", "2026", "2027", "2028", "2029", "2030", "2031"].map(|y| format!("{y}-01-10 to {y}-01-20 (x)"))
    );
    assert_eq!(of("DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY"), ["2028-02-29 (x)"]);
    assert_eq!(
        of("DTSTART:20260525T120000\nDURATION:PT2H\nRRULE:FREQ=MONTHLY;BYDAY=-1MO;UNTIL=20260731T000000"),
        [
            "2026-05-25 12:00 to 2026-05-25 14:00 (x)",
            "2026-06-29 12:00 to 2026-06-29 14:00 (x)",
            "2026-07-27 12:00 to 2026-07-27 14:00 (x)"
        ]
    );
    // The end of a repetition is an instant: 22:00 in Paris is in, one second before is not.
    for (until, count) in [("20261030T210000Z", 2), ("20261030T205959Z", 1), ("20261030", 2), ("20261029", 1)] {
        let lines =
            format!("DTSTART;TZID=Europe/Paris:20261023T220000\nDURATION:PT2H\nRRULE:FREQ=WEEKLY;UNTIL={until}");
        assert_eq!(of(&lines).len(), count, "{until}");
    }
    // Further dates, and exceptions as times of any zone or as days.
    assert_eq!(
        of("DTSTART;TZID=Europe/Paris:20260501T080000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4\n\
            EXDATE:20260502T060000Z\nEXDATE;VALUE=DATE:20260503\nRDATE;TZID=Europe/Paris:20260601T080000,20260602T080000"),
        [
            "2026-05-01 06:00 to 2026-05-01 07:00 UTC (x)",
            "2026-05-04 06:00 to 2026-05-04 07:00 UTC (x)",
            "2026-06-01 06:00 to 2026-06-01 07:00 UTC (x)",
            "2026-06-02 06:00 to 2026-06-02 07:00 UTC (x)"
        ]
    );
}

#[test]
fn moved_and_cancelled_occurrences_are_followed() {
    let weekly = event("SUMMARY:Paie\nDTSTART;VALUE=DATE:20260501\nRRULE:FREQ=WEEKLY;COUNT=4");
    let moved = event("SUMMARY:Paie avancée\nRECURRENCE-ID;VALUE=DATE:20260508\nDTSTART;VALUE=DATE:20260507");
    let cancelled =
        event("SUMMARY:Paie\nRECURRENCE-ID;VALUE=DATE:20260515\nDTSTART;VALUE=DATE:20260515\nSTATUS:CANCELLED");
    assert_eq!(
        periods(&format!("{weekly}{moved}{cancelled}")),
        ["2026-05-01 (Paie)", "2026-05-07 (Paie avancée)", "2026-05-22 (Paie)"]
    );
    let gone = event("SUMMARY:Annulé\nDTSTART;VALUE=DATE:20260501\nSTATUS:CANCELLED");
    let file = read_text(&calendar(&gone)).unwrap();
    assert!(file.periods.is_empty() && file.warnings[0].contains("closes nothing"), "{file:?}");
}

#[test]
fn what_else_a_calendar_holds_is_passed_over() {
    let other = "BEGIN:VTIMEZONE\nTZID:Europe/Paris\nBEGIN:STANDARD\nDTSTART:19701025T030000\nTZOFFSETFROM:+0200\n\
        TZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VTODO\nUID:2\nSUMMARY:Ranger\nEND:VTODO\n";
    let alarmed = "BEGIN:VEVENT\nUID:1\nSUMMARY:Paie\nDTSTART;VALUE=DATE:20260501\nBEGIN:VALARM\nTRIGGER:-PT15M\n\
        ACTION:DISPLAY\nEND:VALARM\nEND:VEVENT\n";
    assert_eq!(periods(&format!("{other}{alarmed}{alarmed}")), ["2026-05-01 (Paie)"]);
    let marked = format!("\u{feff}{}", calendar(alarmed));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.ics"), marked).unwrap();
    let file = read(&folder.path().join("m.ics"), Some("fermeture"), horizon()).unwrap();
    assert_eq!(file.periods[0].to_string(), "2026-05-01 (fermeture)");
}

#[test]
fn a_repetition_that_goes_on_is_told() {
    let goes_on = |rule: &str| {
        let text = calendar(&event(&format!("SUMMARY:Paie\nDTSTART;VALUE=DATE:20260501\nRRULE:{rule}")));
        !read_text(&text).unwrap().warnings.is_empty()
    };
    assert!(goes_on("FREQ=YEARLY"));
    assert!(goes_on("FREQ=YEARLY;COUNT=7"));
    assert!(!goes_on("FREQ=YEARLY;COUNT=6"));
    assert!(goes_on("FREQ=YEARLY;UNTIL=20320501"));
    assert!(!goes_on("FREQ=YEARLY;UNTIL=20320430"));
    // Nothing depends on the day within a year.
    let text = calendar(&event("SUMMARY:Paie\nDTSTART;VALUE=DATE:20260501\nRRULE:FREQ=WEEKLY"));
    let on = |day: &str| parse(Path::new("m.ics"), &text, None, Horizon::around(day.parse().unwrap())).unwrap();
    assert_eq!(on("2026-01-01"), on("2026-12-31"));
    assert_ne!(on("2026-12-31"), on("2027-01-01"));
}

#[test]
fn what_cannot_be_read_names_the_event() {
    for (lines, said) in [
        ("SUMMARY:Paie", "martin.ics: event \"Paie\": it has no start (DTSTART)"),
        ("SUMMARY:Paie\nDTSTART:20260501T100000Z", "event \"Paie\" of 20260501T100000Z: it has no end"),
        ("DTSTART:20260501T100000Z", "event \"without a title\" of 20260501T100000Z"),
        ("SUMMARY:Paie\nDTSTART:20260501T100000Z\nDTEND:20260501T100000Z", "ends before it starts"),
        ("SUMMARY:Paie\nDTSTART;VALUE=DATE:20260501\nDTEND;VALUE=DATE:20260430", "ends before it starts"),
        ("SUMMARY:Paie\nDTSTART;VALUE=DATE:20260501\nDTEND:20260502T100000Z", "make both the same"),
        ("SUMMARY:Paie\nDTSTART:20260501T080000\nDTEND:20260502T100000Z", "give both one"),
        ("SUMMARY:Paie\nDTSTART;VALUE=DATE:20260501\nDURATION:PT2H", "lasts hours"),
        ("SUMMARY:Paie\nDTSTART:20260501T100000Z\nDURATION:2 hours", "DURATION \"2 hours\" is no duration"),
        ("SUMMARY:Paie\nDTSTART:1 May 2026", "DTSTART \"1 May 2026\" is no date or time"),
        ("SUMMARY:Paie\nDTSTART:20260230", "is no date or time"),
        ("SUMMARY:Paie\nDTSTART:20260501T250000Z\nDURATION:PT1H", "is no date or time"),
        ("SUMMARY:Paie\nDTSTART:99990501", "in the year 9999"),
        ("SUMMARY:Paie\nDTSTART;TZID=Paris:20260501T100000\nDURATION:PT1H", "its zone \"Paris\" is not known"),
        ("SUMMARY:Paie\nDTSTART:20260501\nRRULE:FREQ=WEEKLY\nRRULE:FREQ=DAILY", "two rules"),
        ("SUMMARY:Paie\nDTSTART:20260501\nEXRULE:FREQ=WEEKLY", "EXRULE is not supported"),
        ("SUMMARY:Paie\nDTSTART:20260501\nRDATE;VALUE=PERIOD:20260601T000000Z/PT5H", "is a period"),
        ("SUMMARY:Paie\nDTSTART:20260501\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260501", "moves all later occurrences"),
        ("SUMMARY:Paie\nDTSTART:20260501\nRRULE:FREQ=HOURLY", "happens within a day"),
        ("SUMMARY:Paie\nDTSTART:20260501\nRRULE:FREQ=DAILY;BYHOUR=1,2", "happens within a day"),
        (
            "SUMMARY:Paie\nDTSTART:20260501\nRRULE:FREQ=FORTNIGHTLY",
            "its repetition \"FREQ=FORTNIGHTLY\" cannot be read",
        ),
        ("SUMMARY:Paie\nDTSTART:20260501\nRRULE:toutes les semaines", "cannot be read at"),
        ("SUMMARY:Paie\nDTSTART:20260501\nRRULE:FREQ=DAILY", "repeats more than 1000 times"),
        ("SUMMARY:Paie\nDTSTART:20260501\nRRULE:FREQ=WEEKLY;UNTIL=20260401", "cannot be read"),
        ("SUMMARY:Paie\nDTSTART:20260501\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", ""),
    ] {
        if said.is_empty() {
            assert_eq!(periods(&event(lines)), ["2026-05-01 (Paie)"], "{lines}");
            continue;
        }
        let error = refused(&event(lines));
        assert!(error.starts_with("martin.ics: event ") && error.contains(said), "{lines}: {error}");
    }
    let both = refused(&format!("{}{}", event("SUMMARY:A"), event("SUMMARY:B")));
    assert_eq!(both.lines().count(), 2, "{both}");
}

#[test]
fn what_is_no_calendar_is_refused_whole() {
    let good = calendar(&event("SUMMARY:Paie\nDTSTART:20260501"));
    for (text, said) in [
        (String::new(), "is no iCalendar file"),
        ("bonjour".to_owned(), "at its line 1 (\"bonjour\")"),
        (good.replace("END:VCALENDAR\r\n", ""), "it stops short"),
        (good[..good.len() / 2].to_owned(), "it stops short"),
        (good.replace("END:VEVENT", "END:VTODO"), "is no iCalendar file"),
        (format!("{good}END:VEVENT\r\n"), "at its line"),
        (good.replace("VCALENDAR", "VCARD"), "is no iCalendar file"),
        (format!("{}{}", "BEGIN:A\r\n".repeat(100_000), "END:A\r\n".repeat(100_000)), "at its line 9"),
    ] {
        let error = read_text(&text).expect_err(&text[..text.len().min(300)]).to_string();
        assert!(error.starts_with("martin.ics ") && error.contains(said), "{error}");
    }
    let many = event("SUMMARY:Paie\nDTSTART:20260501").repeat(EVENTS_MAX);
    assert!(read_text(&calendar(&many)).is_ok());
    let more = event("SUMMARY:Paie\nDTSTART:20260501").repeat(EVENTS_MAX + 1);
    assert!(refused(&more).contains("holds more than 2000 events"));
    let repeated = event("SUMMARY:Paie\nDTSTART:20260501\nRRULE:FREQ=YEARLY;COUNT=1");
    assert!(read_text(&calendar(&repeated.repeat(REPEATED_MAX))).is_ok());
    assert!(refused(&repeated.repeat(REPEATED_MAX + 1)).contains("more than 200 repeated events"));
    let spread: String = (0..1001).map(|day| event(&format!("SUMMARY:{day}\nDTSTART:20260501"))).collect();
    assert!(refused(&spread).contains("comes to more than 1000 closed periods"));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.ics");
    let failed = || read(&path, None, horizon()).unwrap_err().to_string();
    assert!(failed().starts_with("cannot read "));
    std::fs::write(&path, [0xff, 0xfe, 0x42]).unwrap();
    assert!(failed().contains("is no text in UTF-8"));
    std::fs::write(&path, vec![b' '; FILE_BYTES_MAX as usize + 1]).unwrap();
    assert!(failed().contains("is larger than"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn noise_is_read_or_refused(noise in "\\PC{0,200}", rule in "(FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)|COUNT=[0-9]{1,4}|INTERVAL=[0-9]{1,3}|BYDAY=(-?[1-5])?(MO|SU)|BYMONTH=1?[0-9]|BYMONTHDAY=-?[0-3]?[0-9]|BYSETPOS=-?[1-9]|WKST=SU|UNTIL=20[23][0-9]0101)(;(FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)|COUNT=[0-9]{1,4}|INTERVAL=[0-9]{1,3}|BYDAY=(-?[1-5])?(MO|SU)|BYMONTH=1?[0-9]|BYMONTHDAY=-?[0-3]?[0-9]|BYSETPOS=-?[1-9]|UNTIL=20[23][0-9]0101)){0,4}") {
        drop(read_text(&noise));
        drop(read_text(&calendar(&event(&noise))));
        let repeated = read_text(&calendar(&event(&format!("SUMMARY:x\nDTSTART:20260501\nRRULE:{rule}"))));
        match repeated {
            Ok(file) => proptest::prop_assert!((1..=PERIODS_MAX).contains(&file.periods.len())),
            Err(error) => proptest::prop_assert!(error.to_string().starts_with("martin.ics: event \"x\" of 20260501: it")),
        }
    }
}
