//! What publishers bring out in a year: minors, manual updates, groups, chains, majors, and what they take back.

use super::chance::{About, Chance};
use super::happening::Happening;
use crate::model::manifest::{
    Companion, Detect, Health, Installer, Manifest, Package, Platform, Reboot, Requirement, SignedManifest, Text,
    Urgency,
};
use crate::model::release::Release;
use crate::model::version::{Change, Scheme, Version};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

/// Every product, the base first.
pub const PRODUCTS: [&str; 8] =
    ["isacompta", "isaged", "isapedi", "isaflux", "isapaye", "eic", "teledec", "bureautique"];

/// Days from one release of a product to the next, at least and at most.
const DAYS_BETWEEN: std::ops::Range<u64> = 9..32;

pub fn version(major: u32, minor: u32, patch: u32) -> Version {
    format!("{major}.{minor:02}.{patch:03}").parse().expect("numbers and dots make a version")
}

/// A plain minor of `minutes`.
pub fn manifest(product: &str, version: &Version, change: Change, minutes: u32) -> Manifest {
    Manifest {
        product: product.to_owned(),
        version: version.clone(),
        change,
        scheme: Scheme::Dotted,
        urgency: Urgency::Normal,
        legal_date: None,
        notes: Text { fr: "Corrections diverses.".to_owned(), en: Some("Various corrections.".to_owned()) },
        manual_steps: None,
        workstation_action: None,
        closes_access: change == Change::Major,
        duration_minutes: minutes,
        rollback_minutes: (minutes / 2).max(5),
        upgrade_from: None,
        requires: Vec::new(),
        installs_with: Vec::new(),
        platform: Platform::default(),
        package: Package {
            file: format!("{product}-{}.zip", version.slug()),
            unpacked_mib_max: 512,
            entries: None,
            unpacked_bytes: None,
            files_sha256: None,
        },
        installer: Installer::Zip {},
        reboot: Reboot::Never,
        preserve: Vec::new(),
        services: Vec::new(),
        health: Health {
            command: Vec::new(),
            files: vec!["VERSION".to_owned()],
            timeout_seconds: 60,
            checks: Vec::new(),
        },
        detect: Detect { version_file: "VERSION".to_owned() },
    }
}

/// A release of `manifest` at `published_at`.
pub fn release(manifest: Manifest, published_at: DateTime<Utc>) -> Release {
    let signed = SignedManifest {
        publisher: "publisher".to_owned(),
        published_at,
        size: 1,
        sha256: String::new(),
        manifest: manifest.into(),
    };
    Release { signed, seen_at: published_at, retracted: None, sha1: String::new(), md5: String::new() }
}

/// What everybody runs on the first day.
pub fn at_the_start(from: NaiveDate) -> Vec<Release> {
    let before = from.and_time(NaiveTime::MIN).and_utc() - TimeDelta::days(60);
    let base = version(14, 0, 0);
    PRODUCTS.iter().map(|product| release(manifest(product, &base, Change::Minor, 20), before)).collect()
}

/// The releases of so many days, in the order of their publication.
pub fn of_a_year(chance: Chance, from: NaiveDate, days: i64) -> Vec<Release> {
    let mut releases: Vec<Release> = Vec::new();
    for (p, product) in PRODUCTS.iter().enumerate() {
        let mut draw = chance.on(About::Release, p as u64, 0);
        let mut day = draw.u64(1..20);
        let mut line = Line { major: 14, minor: 0, patch: 0 };
        while i64::try_from(day).unwrap_or(i64::MAX) < days {
            let at = (from + Days::new(day)).and_time(NaiveTime::MIN).and_utc()
                + TimeDelta::minutes(draw.i64(5 * 60..22 * 60));
            releases.push(release(next(product, &mut line, at, &releases, &mut draw), at));
            // Now and then two on one day, the second a correction of the first.
            if draw.u32(0..100) < 8 {
                let soon = at + TimeDelta::minutes(draw.i64(20..240));
                releases.push(release(next(product, &mut line, soon, &releases, &mut draw), soon));
            }
            day += draw.u64(DAYS_BETWEEN);
        }
    }
    releases.sort_by(|a, b| a.published_at().cmp(&b.published_at()).then_with(|| a.product().cmp(b.product())));
    releases
}

/// Where a product's numbers stand.
struct Line {
    major: u32,
    minor: u32,
    patch: u32,
}

fn next(product: &str, line: &mut Line, at: DateTime<Utc>, before: &[Release], draw: &mut fastrand::Rng) -> Manifest {
    if draw.u32(0..100) < 7 {
        *line = Line { major: line.major + 1, minor: 0, patch: 1 };
        let mut major = manifest(product, &version(line.major, 0, 1), Change::Major, draw.u32(45..200));
        let legal = at.date_naive() + Days::new(draw.u64(40..120));
        major.legal_date = (draw.u32(0..100) < 30).then_some(legal);
        return major;
    }
    line.patch += 1;
    if draw.u32(0..100) < 15 {
        (line.minor, line.patch) = (line.minor + 1, 0);
    }
    // Some corrections are still for the line before, which those without a request run.
    let old = line.major > 14 && draw.u32(0..100) < 30;
    let number = if old {
        version(line.major - 1, 90 + line.minor, line.patch)
    } else {
        version(line.major, line.minor, line.patch)
    };
    let mut minor = manifest(product, &number, Change::Minor, draw.u32(4..40));
    let latest = |of: &str| before.iter().rev().find(|r| r.product() == of && r.manifest().change == Change::Minor);
    match draw.u32(0..100) {
        0..10 => minor.manual_steps = Some(Text { fr: "Recalculer les soldes.".to_owned(), en: None }),
        10..20 => minor.upgrade_from = latest(product).map(|r| r.version().clone()).filter(|v| *v < number),
        20..40 if product == "isapaye" => {
            let needs = latest("isacompta")
                .map(|r| Requirement { product: r.product().to_owned(), at_least: r.version().clone() });
            minor.requires.extend(needs);
        }
        20..40 if product == "isaflux" => {
            let with =
                latest("isaged").map(|r| Companion { product: r.product().to_owned(), version: r.version().clone() });
            minor.installs_with.extend(with);
        }
        _ => {}
    }
    minor
}

/// Some releases are taken back: before, during or after their nights.
pub fn retractions(chance: Chance, releases: &[Release]) -> Vec<(DateTime<Utc>, Happening)> {
    let retraction = |(r, release): (usize, &Release)| {
        let mut draw = chance.on(About::Release, 1000 + r as u64, 1);
        (draw.u32(0..100) < 7).then(|| {
            let at = release.published_at() + TimeDelta::minutes(draw.i64(30..60 * 60));
            let (product, version) = (release.product().to_owned(), release.version().clone());
            (at, Happening::Retracted { product, version, reason: "anomalie".to_owned() })
        })
    };
    releases.iter().enumerate().filter_map(retraction).collect()
}
