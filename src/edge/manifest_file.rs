//! `manifests/<publisher>/<product>-<version>.toml`: one release as its publisher writes it.
//!
//! [`read`] parses and then checks what types cannot say, and shows every problem at once, each on its line.
//! [`problems`] is the same check without a file, for manifests that come signed from elsewhere. Whether the packages
//! and the other products exist is not known here.

use super::check_file;
use super::host::archive;
use super::toml_errors::{self, TomlError};
use crate::model::check::Probe;
use crate::model::manifest::{Installer, Manifest, Text, Urgency, target_name};
use crate::model::return_code::{ReturnCodes, exit_code};
use crate::model::version::{Change, Scheme};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Longest product name and package file name, in bytes.
const NAME_BYTES_MAX: usize = 100;
/// Longest text for clients, in characters.
const TEXT_CHARS_MAX: usize = 20_000;
/// Longest installation or restoration that a manifest may announce, in minutes: one day.
const MINUTES_MAX: u32 = 24 * 60;
/// Longest health check, in seconds.
const HEALTH_SECONDS_MAX: u32 = 3600;
/// Most entries of any list.
const ENTRIES_MAX: usize = 200;

/// Something a manifest says that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Keys that lead to the place: `requires.1.product`.
    pub place: String,
    pub what: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error(transparent)]
    Toml(#[from] TomlError),
    /// One line per problem, each with the file's name and line.
    #[error("{}", .0.join("\n"))]
    Problems(Vec<String>),
    #[error("cannot read the manifests in {}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
}

/// Reads and checks one manifest.
pub fn read(path: &Path) -> Result<Manifest, ManifestError> {
    parse(path, &toml_errors::read_text(path)?)
}

/// Checks the text of a manifest; `path` is what its problems are said of.
pub fn parse(path: &Path, text: &str) -> Result<Manifest, ManifestError> {
    let manifest: Manifest = toml_errors::parse(path, text)?;
    let found = problems(&manifest);
    if found.is_empty() {
        return Ok(manifest);
    }
    let shown = |p: Problem| format!("{}:{}: `{}`: {}", path.display(), line_of(text, &p.place), p.place, p.what);
    Err(ManifestError::Problems(found.into_iter().map(shown).collect()))
}

/// Everything wrong with a manifest; empty when it is sound.
pub fn problems(manifest: &Manifest) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    check_identity(manifest, &mut found);
    check_texts(manifest, &mut found);
    check_neighbours(manifest, &mut found);
    check_installation(manifest, &mut found);
    found.0
}

struct Found(Vec<Problem>);

impl Found {
    fn unless(&mut self, sound: bool, place: impl Into<String>, what: impl Into<String>) {
        if !sound {
            self.0.push(Problem { place: place.into(), what: what.into() });
        }
    }
}

fn check_identity(m: &Manifest, found: &mut Found) {
    found.unless(is_product(&m.product), "product", "use lower-case letters, digits and dashes, a letter first");
    found.unless(
        (1..=MINUTES_MAX).contains(&m.duration_minutes),
        "duration_minutes",
        format!("say how long it takes, 1 to {MINUTES_MAX} minutes"),
    );
    found.unless(
        (1..=MINUTES_MAX).contains(&m.rollback_minutes),
        "rollback_minutes",
        format!("say how long putting the old version back takes, 1 to {MINUTES_MAX} minutes"),
    );
    if let Some(from) = &m.upgrade_from {
        found.unless(*from < m.version, "upgrade_from", format!("{from} is not older than version {}", m.version));
        let crosses = m.scheme == Scheme::Dotted && m.version.change_from(from, m.scheme) == Some(Change::Major);
        found.unless(
            !(m.change == Change::Minor && crosses),
            "change",
            format!("a minor release cannot go from {from} to {}: that is a major", m.version),
        );
    }
    found.unless(
        (m.urgency == Urgency::Legal) == m.legal_date.is_some(),
        "legal_date",
        "give it for urgency \"legal\", and only then",
    );
}

fn check_texts(m: &Manifest, found: &mut Found) {
    let texts = [
        ("notes", Some(&m.notes)),
        ("manual_steps", m.manual_steps.as_ref()),
        ("workstation_action", m.workstation_action.as_ref()),
    ];
    for (place, text) in texts {
        let Some(Text { fr, en }) = text else { continue };
        for (language, text) in [("fr", Some(fr)), ("en", en.as_ref())] {
            let Some(text) = text else { continue };
            let place = format!("{place}.{language}");
            found.unless(!text.trim().is_empty(), &place, "write at least one sentence, or leave it out");
            found.unless(
                text.chars().count() <= TEXT_CHARS_MAX,
                place,
                format!("keep it under {TEXT_CHARS_MAX} characters"),
            );
        }
    }
}

fn check_neighbours(m: &Manifest, found: &mut Found) {
    let named = [
        ("requires", m.requires.iter().map(|r| &r.product).collect::<Vec<_>>()),
        ("installs_with", m.installs_with.iter().map(|c| &c.product).collect()),
    ];
    for (list, products) in named {
        check_count(list, products.len(), found);
        let mut seen = BTreeSet::new();
        for (i, product) in products.into_iter().enumerate() {
            let place = format!("{list}.{i}.product");
            found.unless(is_product(product), &place, format!("{product:?} is no product name"));
            found.unless(*product != m.product, &place, "a release cannot depend on its own product; use upgrade_from");
            found.unless(seen.insert(product), place, format!("{product} is there twice"));
        }
    }
    for (i, companion) in m.installs_with.iter().enumerate() {
        let too_old = m.requires.iter().find(|r| r.product == companion.product && companion.version < r.at_least);
        if let Some(r) = too_old {
            let what = format!("{} {} is older than the required {}", companion.product, companion.version, r.at_least);
            found.unless(false, format!("installs_with.{i}.version"), what);
        }
    }
}

fn check_installation(m: &Manifest, found: &mut Found) {
    let file = &m.package.file;
    found.unless(
        is_segment(file),
        "package.file",
        format!("{file:?} is no plain file name: letters, digits and . _ - , a letter or digit first"),
    );
    found.unless(
        *file != target_name(&m.product, &m.version),
        "package.file",
        "this is the name of the signed manifest; name the package differently",
    );
    found.unless(m.package.unpacked_mib_max > 0, "package.unpacked_mib_max", "must be at least 1");
    found.unless(
        m.package.entries.is_none_or(|entries| (1..=archive::ENTRIES_MAX).contains(&entries)),
        "package.entries",
        format!("give 1 to {}, or leave it out: publishing counts them", archive::ENTRIES_MAX),
    );
    found.unless(
        m.package.unpacked_bytes.is_none_or(|bytes| bytes <= m.package.unpacked_mib_max.saturating_mul(1 << 20)),
        "package.unpacked_bytes",
        "is more than package.unpacked_mib_max allows; leave it out: publishing counts them",
    );
    found.unless(
        m.package.files_sha256.as_deref().is_none_or(is_sha256),
        "package.files_sha256",
        "is no sha256; leave it out: publishing makes it",
    );
    match &m.installer {
        Installer::Zip {} => {}
        Installer::Msi { arguments, return_codes } | Installer::Exe { arguments, return_codes, .. } => {
            check_count("installer.arguments", arguments.len(), found);
            check_return_codes(return_codes, found);
        }
    }
    found.unless(
        m.reboot.is_never() || !matches!(m.installer, Installer::Zip {}),
        "reboot",
        "a zip has no installer that could want a restart; leave it out",
    );
    check_count("preserve", m.preserve.len(), found);
    for (i, pattern) in m.preserve.iter().enumerate() {
        let place = format!("preserve.{i}");
        found.unless(is_inside(pattern), &place, format!("{pattern:?} is not inside the product's folder"));
        if let Err(error) = globset::Glob::new(pattern) {
            found.unless(false, place, format!("{pattern:?} is no pattern: {}", error.kind()));
        }
    }
    check_count("services", m.services.len(), found);
    let mut seen = BTreeSet::new();
    for (i, service) in m.services.iter().enumerate() {
        let place = format!("services.{i}");
        found.unless(!service.trim().is_empty(), &place, "name the service");
        found.unless(seen.insert(service), place, format!("{service} is there twice"));
    }
    found.unless(
        !m.health.command.is_empty()
            || !m.health.files.is_empty()
            || m.health.checks.iter().any(|c| c.when().is_after()),
        "health",
        "give a command, files, or a check, so that the installation can be checked",
    );
    found.unless(
        m.health.command.first().is_none_or(|program| !program.trim().is_empty()),
        "health.command",
        "name a program first",
    );
    check_count("health.files", m.health.files.len(), found);
    for (i, file) in m.health.files.iter().enumerate() {
        found.unless(
            is_inside(file),
            format!("health.files.{i}"),
            format!("{file:?} is not inside the product's folder"),
        );
    }
    found.unless(
        (1..=HEALTH_SECONDS_MAX).contains(&m.health.timeout_seconds),
        "health.timeout_seconds",
        format!("give 1 to {HEALTH_SECONDS_MAX} seconds"),
    );
    check_checks(m, found);
    let version_file = &m.detect.version_file;
    found.unless(
        is_inside(version_file),
        "detect.version_file",
        format!("{version_file:?} is not inside the product's folder"),
    );
}

fn check_checks(m: &Manifest, found: &mut Found) {
    for (place, what) in check_file::problems(&m.health.checks) {
        found.unless(false, format!("health.check.{place}").trim_end_matches('.'), what);
    }
    for (i, check) in m.health.checks.iter().enumerate() {
        // A publisher knows the product's folder and nothing else of a server's files.
        let (field, path) = match &check.probe {
            Probe::FileAge { file, .. } => ("file", file),
            Probe::FreeDisk { path, .. } => ("path", path),
            Probe::Command { .. }
            | Probe::Tcp { .. }
            | Probe::Http { .. }
            | Probe::Service { .. }
            | Probe::Sessions { .. }
            | Probe::BackupAge { .. } => continue,
        };
        let is_own = path == "{dir}" || path.strip_prefix("{dir}/").is_some_and(is_inside);
        let what = format!("{path:?} is not inside the product's folder; begin with {{dir}}/");
        found.unless(is_own, format!("health.check.{i}.probe.{field}"), what);
    }
}

fn check_return_codes(codes: &ReturnCodes, found: &mut Found) {
    let place = "installer.return_codes";
    check_count(&format!("{place}.success"), codes.success.len(), found);
    check_count(&format!("{place}.expected"), codes.expected.len(), found);
    let success = codes.success.iter().enumerate().map(|(i, code)| (format!("{place}.success.{i}"), *code));
    let expected = codes.expected.iter().enumerate().map(|(i, e)| (format!("{place}.expected.{i}.code"), e.code));
    let mut seen = BTreeSet::new();
    for (place, written) in success.chain(expected) {
        match exit_code(written) {
            None => {
                found.unless(false, place, format!("{written} is no exit code: it has 32 bits, signed or unsigned"))
            }
            Some(0) => found.unless(false, place, "0 always is success; leave it out"),
            Some(code) => found.unless(
                seen.insert(code),
                place,
                format!("{written} is there twice, perhaps in its other spelling"),
            ),
        }
    }
}

fn check_count(list: &str, count: usize, found: &mut Found) {
    found.unless(count <= ENTRIES_MAX, list, format!("at most {ENTRIES_MAX} entries"));
}

/// One segment of `[a-z0-9-]` that begins with a letter.
fn is_product(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// One segment of `[A-Za-z0-9._-]+` that is no hidden file.
pub(super) fn is_segment(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A relative path with slashes that stays where it starts, on every system.
fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains(['\\', ':', '\0'])
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// The line of the value at `place`, or of the table that should hold it.
fn line_of(text: &str, place: &str) -> usize {
    let Ok(root) = DeTable::parse(text) else { return 1 };
    let mut keys = place.split('.');
    let Some(mut value) = keys.next().and_then(|key| root.get_ref().get(key)) else { return 1 };
    for key in keys {
        let inner = match value.get_ref() {
            DeValue::Table(table) => table.get(key),
            DeValue::Array(items) => key.parse::<usize>().ok().and_then(|i| items.get(i)),
            _ => None,
        };
        let Some(inner) = inner else { break };
        value = inner;
    }
    toml_errors::place(text, value.span().start).0
}

#[cfg(test)]
#[path = "manifest_file_tests.rs"]
mod tests;
