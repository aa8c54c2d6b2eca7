//! The order of versions against the order in which publishers really brought them out (`data/versions.tsv`).
//!
//! Each package's versions are in time order. Where the publisher went back (a release withdrawn, an older branch
//! maintained), a reader has marked the line `back`: there the order must say so too.

use noctule::model::version::Version;

#[test]
fn versions_come_in_the_order_they_were_published() {
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').from_reader(&include_bytes!("data/versions.tsv")[..]);
    let lines: Vec<(String, String, String)> =
        reader.deserialize().collect::<Result<_, _>>().expect("the facts are tab-separated");
    let (mut forward, mut back) = (0, 0);
    let mut wrong = Vec::new();
    for pair in lines.windows(2) {
        let [(package, earlier, _), (same, later, mark)] = pair else { unreachable!("windows of two") };
        if package != same {
            continue;
        }
        let (a, b): (Version, Version) = (earlier.parse().unwrap(), later.parse().unwrap());
        let goes_back = mark == "back";
        let as_expected = if goes_back { b < a } else { a < b };
        if !as_expected {
            wrong.push(format!("{package}: {earlier} then {later} {mark}"));
        }
        (forward, back) = (forward + usize::from(!goes_back), back + usize::from(goes_back));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((forward, back), (195, 9));
}
