//! Each refused window with the place it points at and what it says to write; each neighbour that is accepted.

use super::*;

/// The faults of `hours`, each as the text it points at, what it says and what to write.
fn faults(hours: &str) -> Vec<(String, String, String)> {
    CompiledWindow::compile(hours)
        .err()
        .unwrap_or_default()
        .into_iter()
        .map(|f| (f.span.map_or(String::new(), |s| hours[s].to_owned()), f.what, f.fix))
        .collect()
}

#[test]
fn what_is_refused_says_where_why_and_what_to_write() {
    for (hours, place, why, write) in [
        ("Mo-Fr 22:00-07:00; PH off", "PH off", "cut at midnight", "`PH 22:00-07:00 off`"),
        ("Mo-Su 22:00-07:00; Sa off", "Sa off", "cut at midnight", "`Sa 22:00-07:00 off`"),
        ("Mo-Fr 20:00-22:00; Sa 22:00-02:00; PH off", "PH off", "cut at midnight", "`PH 20:00-22:00,22:00-02:00 off`"),
        ("Mo-Su 22:00-07:00; We 00:00-03:00 off", "", "cut at midnight", "night's own hours"),
        ("Mo-Su 22:00-07:00; Su 10:00-12:00", "", "cut at midnight", "night's own hours"),
        ("PH off; Mo-Fr 08:00-18:00", "PH off", "has no effect", "to the end"),
        ("Sa 08:00-16:00; Mo-Su 20:00-22:00", "Sa 08:00-16:00", "has no effect", "remove"),
        ("Mo-Fr 20:00-25:00", "20:00-25:00", "after 24:00", "`20:00-01:00`"),
        ("Mo-Fr 20:00-24:01", "20:00-24:01", "after 24:00", "`20:00-00:01`"),
        ("Mo-Fr 07:00-07:00", "07:00-07:00", "24 hours", "`00:00-24:00`"),
        ("Fr-Mo 20:00-22:00", "Fr-Mo", "end of the week", "`Fr,Sa,Su,Mo`"),
        ("Su-Mo 20:00-22:00", "Su-Mo", "end of the week", "`Su,Mo`"),
        ("Mo-Fr 08:00+", "08:00+", "no end", "`08:00-18:00`"),
        ("Mo-Fr sunset-07:00", "sunset", "follow the sun", "clock times"),
        ("Mo-Fr (sunrise+01:00)-12:00", "sunrise", "follow the sun", "clock times"),
        ("SH 08:00-12:00", "SH", "school holidays", "dates"),
        ("Mo-Fr 10:00-12:00 || 14:00-15:00", "||", "nobody is sure", "`;`"),
        ("Mo-Fr 10:00-12:00 unknown", "unknown", "open or off", "comment"),
        ("Mo-Fr 10:00-12:00 \"sur rendez-vous\"", "sur rendez-vous", "open or off", "comment"),
        ("Mo-Fr 10:00-16:00/02:00", "/", "moments", "`10:00-16:00`"),
        ("Mo-Fr 20:00-22:00+02:00", "+02:00", "wrong half of the year", "Europe/Paris"),
        ("Mo-Fr 20:00+02:00-22:00+02:00", "+02:00", "wrong half of the year", "Europe/Paris"),
        ("Mo-Fr 20:00+1-22:00", "+1", "wrong half of the year", "Europe/Paris"),
        ("Mo-Fr 20:00-04:00-22:00-04:00", "-04:00", "wrong half of the year", "Europe/Paris"),
        ("Mo-Fr 20:00Z-22:00Z", "Z", "wrong half of the year", "Europe/Paris"),
        ("Mo-Fr 20:00-22:00 UTC", "UTC", "wrong half of the year", "Europe/Paris"),
        ("Mo-Fr 20:00-22:00 cet", "cet", "wrong half of the year", "Europe/Paris"),
        ("Mo-Fr 7:00-7:00", "7:00-7:00", "24 hours", "`00:00-24:00`"),
        ("Mo-Fr 20:00 - 25:00", "20:00 - 25:00", "after 24:00", "`20:00-01:00`"),
        ("Mo-Fr 20:00-22:00; Sa 22:00-46:00", "22:00-46:00", "24 hours", "`00:00-24:00`"),
        ("Feb 30 20:00-22:00", "Feb 30", "no Feb 30", "`Feb 29`"),
        ("Apr 31-May 10 Mo 20:00-22:00", "Apr 31", "no Apr 31", "`Apr 30`"),
        ("2027 Feb 29 20:00-22:00", "Feb 29", "no Feb 29", "`Feb 28`"),
        ("PH Mo-Fr 20:00-22:00", "PH Mo", "days that are both", "`PH,Mo-Fr"),
        ("Mo-Fr PH 20:00-22:00", "Fr PH", "days that are both", "`PH,Mo-Fr"),
        ("Mo-Fr 22:00-07:00, PH off", "PH off", "cut at midnight", "`PH 22:00-07:00 off`"),
        ("24/7 off", "", "never opens", "hours on some day"),
        ("2020 Mo-Fr 20:00-22:00", "", "never opens", "hours on some day"),
        ("Mo-Fr 20:00-22:00; Mo-Su off", "", "never opens", "hours on some day"),
        ("", "", "empty", "Mo-Fr 20:00-22:00"),
        ("lundi 20h", "lundi 20h", "cannot be read", "Mo Tu We"),
        ("Mo-Fr 20:00-22h", "", "", "Mo Tu We"),
        ("Mo-Fr 20:00-", "", "", "Mo Tu We"),
    ] {
        let found = faults(hours);
        let [(at, what, fix)] = &found[..] else { panic!("{hours}: {found:?}") };
        assert!(what.contains(why) && fix.contains(write), "{hours}: {what}; {fix}");
        if !why.is_empty() {
            assert_eq!(at, place, "{hours}: {what}");
        }
    }
}

#[test]
fn each_of_two_equal_mistakes_has_its_own_place() {
    let spans = |hours: &str| -> Vec<usize> {
        let faults = CompiledWindow::compile(hours).unwrap_err();
        faults.into_iter().map(|fault| fault.span.unwrap().start).collect()
    };
    assert_eq!(spans("Mo 20:00-25:00; Tu 20:00-25:00"), [3, 19]);
    assert_eq!(spans("Fr-Mo 08:00+; Fr-Mo 20:00-25:00"), [0, 6, 14, 20]);
}

#[test]
fn what_is_sound_is_accepted() {
    for hours in [
        "Mo-Su 22:00-07:00",
        "Mo-Fr 20:00-22:00; Sa 08:00-16:00; PH off",
        "Mo-Fr 22:00-07:00; PH 22:00-07:00 off",
        "Mo-Fr 20:00-24:00",
        "2027+ Mo-Fr 20:00-22:00",
        "Jul 01-Aug 31 Mo-Fr 20:00-22:00",
        "Mo-Fr 20:00-00:00",
        "00:00-24:00",
        "24/7",
        "Mo-Fr 08:00-18:00; Sa-Su off",
        "Mo-Fr 08:00-18:00; Sa-Su,PH off",
        "Fr,Sa,Su,Mo 22:00-07:00",
        "Sa 22:00-24:00; Su 00:00-05:00",
        "Jul-Aug Mo-Fr 20:00-22:00",
        "week 53 Mo 20:00-22:00",
        "Feb 29 20:00-22:00",
        "2028 Feb 29 20:00-22:00",
        "Jan 31-Apr 30 Mo 20:00-22:00",
        "PH,Mo-Fr 20:00-22:00",
        "Su[-1] 06:00-14:00; PH off",
        "easter -2 days 08:00-12:00",
        "PH 10:00-12:00",
        "PH +1 day 20:00-22:00",
        "Mo-Fr 20:00-22:00; PH +1 day off",
    ] {
        assert_eq!(faults(hours), [], "{hours}");
    }
}

#[test]
fn what_a_fix_says_to_write_is_accepted() {
    for hours in ["Mo-Fr 22:00-07:00; PH off", "Mo-Su 22:00-07:00; Sa off", "Mo-Fr 20:00-23:00; Sa 22:00-02:00; PH off"]
    {
        let (place, _, fix) = faults(hours).remove(0);
        let write = fix.split('`').nth(1).unwrap();
        assert_eq!(faults(&hours.replace(&place, write)), [], "{hours}: {fix}");
    }
}

#[test]
fn hours_too_long_are_not_read() {
    let fits = format!("Mo 20:00-22:00{}", ",08:00-09:00".repeat((HOURS_BYTES_MAX - 14) / 12));
    assert_eq!(faults(&fits), []);
    let long = format!("{fits}{}", ",10:00-11:00".repeat(2));
    assert!(long.len() > HOURS_BYTES_MAX && faults(&long)[0].1.contains("bytes long"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_written_is_read_or_refused(
        hours in "((Mo|Fr|Su|PH|SH|week 5|Feb 29|Jan|easter|2027)[-, ]{0,2}){1,3} ?[0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}( off)?(; (PH|Sa|Mo-Fr)( 22:00-07:00)?( off)?)?"
    ) {
        for (at, what, fix) in faults(&hours) {
            proptest::prop_assert!(!what.is_empty() && !fix.is_empty() && hours.contains(&at));
        }
    }

    #[test]
    fn noise_is_read_or_refused_and_never_pointed_at_past_its_end(hours in "\\PC{0,40}") {
        for (at, what, fix) in faults(&hours) {
            proptest::prop_assert!(!what.is_empty() && !fix.is_empty() && hours.contains(&at));
        }
    }
}
