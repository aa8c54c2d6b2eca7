//! The order of the field's own version strings, and that it is one.

use super::*;
use proptest::prelude::*;

fn version(raw: &str) -> Version {
    raw.parse().unwrap()
}

#[test]
fn versions_of_the_field_order_as_their_publishers_mean() {
    for ascending in [
        &["14.9.120", "14.10.012", "14.20.003", "14.20.004", "14.20.010", "15.0", "15.30.02"][..],
        &["15.30.02", "15.30.02/DU3", "15.30.02/DU4", "15.30.02/DU10", "15.30.03"],
        &["11", "11.0A", "11.0B", "11.1", "11.1A", "12"],
        &["4.0", "4.0_SP1", "4.0_SP2", "4.0.1", "4.1"],
        &["2025.4", "2026.1", "2026.1.1", "2026.2", "2026.10"],
        &["2.0-alpha1", "2.0-alpha2", "2.0-beta", "2.0-rc1", "2.0-rc2", "2.0", "2.0-1", "2.0.1-rc1", "2.0.1"],
        &["14.20.000-beta2", "14.20.000", "14.20.000A", "14.20.001"],
        &["5.6-4", "5.6-5", "5.6-10", "5.6.1-5"],
        &["0-rc1", "0", "0.0.1"],
    ] {
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(version(a).cmp(&version(b)), i.cmp(&j), "{a} against {b}");
            }
        }
    }
}

#[test]
fn one_version_may_be_written_in_several_ways() {
    for (a, b) in [
        ("14.20.003", "14.20.3"),
        ("v2.1", "2.1"),
        ("V2.1", "2.1"),
        ("3.18", "3.18.0"),
        ("2", "2.0.0"),
        ("11.0A", "11.0a"),
        ("11.0A", "11.0-A"),
        ("15.30.02/DU3", "15.30.2_du3"),
        ("1.0-1", "1-1"),
        ("2.0rc1", "2.0-RC-1"),
        (" 2026.1 ", "2026.1"),
    ] {
        assert_eq!(version(a), version(b), "{a} {b}");
    }
    assert_eq!(version("14.20.003").to_string(), "14.20.003");
    assert_ne!(version("0"), version("1"));
    assert_ne!(version("10"), version("1"));
}

#[test]
fn what_is_no_version_is_refused() {
    assert_eq!("".parse::<Version>(), Err(VersionError::Empty));
    assert_eq!("  ".parse::<Version>(), Err(VersionError::Empty));
    assert_eq!("SP".parse::<Version>(), Err(VersionError::NoDigit("SP".into())));
    for (raw, found) in [("14 20", ' '), ("14,20", ','), ("1.0é", 'é'), ("1\n2", '\n'), ("..\\1", '\\')] {
        assert_eq!(raw.parse::<Version>(), Err(VersionError::Character { raw: raw.into(), found }));
    }
    let (fits, long) = ("1".repeat(19) + &".1".repeat(22), "1.".repeat(VERSION_BYTES_MAX / 2) + "1");
    assert!(fits.parse::<Version>().is_ok());
    assert_eq!(long.parse::<Version>(), Err(VersionError::TooLong(long.clone())));
    let huge = "1".repeat(21);
    assert_eq!(huge.parse::<Version>(), Err(VersionError::NumberTooLarge(huge.clone())));
}

#[test]
fn the_first_number_tells_a_major_only_where_it_means_one() {
    let change = |from: &str, to: &str, scheme| version(to).change_from(&version(from), scheme);
    assert_eq!(change("14.20.003", "14.99", Scheme::Dotted), Some(Change::Minor));
    assert_eq!(change("14.20.003", "15.0", Scheme::Dotted), Some(Change::Major));
    assert_eq!(change("v14.20", "14.30", Scheme::Dotted), Some(Change::Minor));
    assert_eq!(change("0.9", "1.0", Scheme::Dotted), Some(Change::Major));
    assert_eq!(change("2025.4", "2026.1", Scheme::Year), None);
}

#[test]
fn a_slug_is_one_safe_segment() {
    for (raw, slug) in
        [("15.30.02/DU3", "15.30.02_DU3"), ("1.0+7", "1.0_7"), ("4.0_SP1", "4.0_SP1"), ("2026.1", "2026.1")]
    {
        assert_eq!(version(raw).slug(), slug);
    }
}

proptest! {
    #[test]
    fn the_order_is_total_and_agrees_with_equality(
        a in "[vV]?[0-2]{1,2}([./_+-]?([0-2]|rc|beta|A|SP)){0,5}",
        b in "[vV]?[0-2]{1,2}([./_+-]?([0-2]|10|99|rc|rcs|beta|A|AB|SP)){0,5}",
        c in "[vV]?[0-2]{1,2}([./_+-]?([0-2]|rc|beta|A|SP)){0,5}",
    ) {
        let (a, b, c) = (version(&a), version(&b), version(&c));
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b) == Ordering::Equal);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        prop_assert_eq!(&version(a.as_str()), &a);
        prop_assert_eq!(a.cmp(&b), key_of(a.as_str()).unwrap().cmp(&key_of(b.as_str()).unwrap()), "the key's text orders as its parts do");
    }

    #[test]
    fn any_text_is_read_or_refused_and_a_slug_never_leaves_its_folder(raw in "\\PC{0,70}") {
        if let Ok(version) = raw.parse::<Version>() {
            let slug = version.slug();
            prop_assert!(!slug.contains(['/', '\\', ' ']) && slug != "." && slug != ".." && !slug.is_empty());
        }
    }
}
