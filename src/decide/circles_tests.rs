//! Circles and what only looks like one.

use super::*;

/// `a 1 requires b 1, c 2 with d 1`.
fn release(text: &str) -> Manifest {
    let mut words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let mut next = || words.next();
    let (product, version) = (next().unwrap(), next().unwrap());
    let mut manifest: Manifest = toml::from_str(&format!(
        "product = {product:?}\nversion = {version:?}\nchange = \"minor\"\nnotes = {{ fr = \"Corrections.\" }}\n\
         duration_minutes = 5\nrollback_minutes = 5\npackage = {{ file = \"p.zip\" }}\ninstaller = {{ kind = \"zip\" }}\n\
         health = {{ timeout_seconds = 5 }}\ndetect = {{ version_file = \"VERSION\" }}\n"
    ))
    .unwrap();
    let mut with = false;
    while let Some(word) = next() {
        match word {
            "requires" => with = false,
            "with" => with = true,
            product => {
                let (product, version) = (product.to_owned(), next().unwrap().parse().unwrap());
                if with {
                    manifest.installs_with.push(crate::model::manifest::Companion { product, version });
                } else {
                    manifest.requires.push(Requirement { product, at_least: version });
                }
            }
        }
    }
    manifest
}

/// What is said of the releases, one a line; those that nothing is said of are left out.
#[track_caller]
fn check(releases: &[&str], expected: &[&str]) {
    let releases: Vec<Manifest> = releases.iter().map(|text| release(text)).collect();
    // The order of arrival does not matter.
    for order in [releases.iter().collect::<Vec<_>>(), releases.iter().rev().collect()] {
        let circular = circular(&order);
        let mut said: Vec<String> = circular.iter().map(|(id, circle)| format!("{id}: {circle}")).collect();
        let apart = |m: &&&Manifest| {
            Some(format!("{}: {}", id(m), apart(m, &order)?)).filter(|_| !circular.contains_key(&id(m)))
        };
        said.extend(order.iter().filter_map(|m| apart(&m)));
        said.sort();
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.starts_with(expected), "{said}\nis not\n{expected}");
        }
    }
}

#[test]
fn releases_that_require_each_other_are_a_circle_and_so_is_what_leads_into_it() {
    check(&["a 1 requires b 1", "b 1 requires a 1"], &["a 1: what it requires requires it in turn (", "b 1: what"]);
    check(
        &["a 1 requires b 1", "b 1 requires c 1", "c 1 requires a 1", "d 1 requires a 1"],
        &["a 1: ", "b 1: ", "c 1: ", "d 1: what it requires requires it in turn (a 1, b 1, c 1)"],
    );
    check(&["a 2 requires b 1", "b 1 requires a 2"], &["a 2: ", "b 1: "]);
    check(&["a 1 requires a 1"], &["a 1: what it requires requires it in turn (a 1)"]);
}

#[test]
fn a_circle_is_one_only_when_nothing_leads_into_it() {
    check(&["a 1", "a 2 requires b 1", "b 1 requires a 1"], &[]);
    // A server may run b 1 already.
    check(&["a 1 requires b 1"], &[]);
    check(&["a 1 requires b 1", "b 2 requires a 1", "b 1"], &[]);
}

#[test]
fn companions_that_name_or_require_each_other_go_in_one_slot() {
    check(&["a 1 with b 1", "b 1 with a 1"], &[]);
    check(&["a 1 with b 1", "b 1 requires a 1"], &[]);
    check(&["a 1 requires b 1 with b 1", "b 1"], &[]);
    check(&["a 1 with b 1", "b 1 with c 1", "c 1 with a 1"], &[]);
    // In this order: a, c, b.
    check(&["a 1 with b 1", "b 1 requires c 1", "c 1 requires a 1"], &[]);
    // Nobody knows b 1, and who knows what it requires.
    check(&["a 1 with b 1"], &[]);
}

#[test]
fn companions_that_need_more_than_goes_with_them_never_go() {
    check(
        &["a 1 with b 1", "b 1 requires a 2", "a 2"],
        &["a 1: it installs with b 1, which requires a 2, and that can only come after them"],
    );
    // Through a third, of whatever publisher.
    check(
        &["a 1 with b 1", "b 1 requires c 1", "c 1 requires a 2", "a 2"],
        &["a 1: it installs with b 1, which requires c 1, and that can only come after them"],
    );
    check(&["a 1 with b 1", "b 1 requires c 1", "c 1 requires a 2", "c 2", "a 2"], &[]);
    check(
        &["a 1 with b 1", "b 1 with a 2", "a 2"],
        &["a 1: what it installs with (`installs_with`) asks for a 1 and for a 2 in one slot"],
    );
    check(&["a 1 with b 1, c 1", "b 1 with c 2"], &["a 1: what it installs with (`installs_with`) asks for c "]);
    // Its companion is in a circle of its own, and it waits for one that is not.
    check(
        &["a 1 with b 1", "b 1 requires c 1", "c 1 requires b 1"],
        &["b 1: what it requires", "c 1: what it requires"],
    );
}
