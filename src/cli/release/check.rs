//! `noctule release check MANIFEST… [--package FILE]`: the verdicts that agents would give, before anything is signed.

use super::ReleaseError;
use crate::cli::args::Shape;
use crate::edge::host::archive::Verdict;
use crate::edge::manifest_file::{self, ManifestError};
use crate::edge::publish::{self, PublishError};
use crate::model::manifest::Manifest;
use serde::Serialize;
use std::path::Path;

/// What `--format json` prints.
#[derive(Debug, Serialize)]
struct Report {
    sound: bool,
    manifests: Vec<ManifestRow>,
    /// `null` without `--package`, and where the manifest has to be mended first.
    package: Option<PackageRow>,
}

#[derive(Debug, Serialize)]
struct ManifestRow {
    file: String,
    product: Option<String>,
    version: Option<String>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct PackageRow {
    file: String,
    /// Entries, folders included; `null` for a package that is refused or is no zip.
    entries: Option<u64>,
    unpacked_bytes: Option<u64>,
    /// Why it cannot be judged.
    error: Option<String>,
    refused: Vec<VerdictRow>,
    /// Verdicts that were counted, not kept.
    refused_more: usize,
}

#[derive(Debug, Serialize)]
struct VerdictRow {
    #[serde(flatten)]
    verdict: Verdict,
    text: String,
}

/// What is good.
///
/// # Errors
/// Everything that is wrong; with `--format json` the report is printed all the same.
pub(super) fn run(
    manifests: &[impl AsRef<Path>],
    package: Option<&Path>,
    format: Shape,
) -> Result<String, ReleaseError> {
    if package.is_some() && manifests.len() > 1 {
        return Err(ReleaseError::Usage("--package belongs to one manifest; check the others without it".to_owned()));
    }
    let (mut good, mut wrong, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let mut judged = None;
    for path in manifests {
        let path = path.as_ref();
        match manifest_file::read(path) {
            Ok(manifest) => {
                good.push(format!("{}: {} {} is good", path.display(), manifest.product, manifest.version));
                rows.push(ManifestRow {
                    file: path.display().to_string(),
                    product: Some(manifest.product.clone()),
                    version: Some(manifest.version.to_string()),
                    problems: Vec::new(),
                });
                if let Some(package) = package {
                    judged = Some(judge(package, &manifest, &mut good, &mut wrong));
                }
            }
            Err(error) => {
                let problems = match &error {
                    ManifestError::Problems(lines) => lines.clone(),
                    ManifestError::Toml(_) | ManifestError::Folder { .. } => vec![error.to_string()],
                };
                rows.push(ManifestRow { file: path.display().to_string(), product: None, version: None, problems });
                wrong.push(error.to_string());
                if let Some(package) = package {
                    wrong.push(format!("{} was not looked at: mend the manifest first", package.display()));
                }
            }
        }
    }
    let said = match format {
        Shape::Text => good.join("\n"),
        Shape::Json => {
            let report = Report { sound: wrong.is_empty(), manifests: rows, package: judged };
            serde_json::to_string_pretty(&report).map_err(std::io::Error::from)?
        }
    };
    if wrong.is_empty() {
        return Ok(said);
    }
    if format == Shape::Json {
        super::say(&said)?;
    }
    Err(ReleaseError::Unsound(wrong.join("\n")))
}

/// Judges the package; what is good and what is wrong is told in its list.
fn judge(path: &Path, manifest: &Manifest, good: &mut Vec<String>, wrong: &mut Vec<String>) -> PackageRow {
    let file = path.display().to_string();
    let mut row =
        PackageRow { file, entries: None, unpacked_bytes: None, error: None, refused: Vec::new(), refused_more: 0 };
    let error = match publish::check_package(path, manifest) {
        Ok(None) => {
            good.push(format!("{}: an installer program; agents run it as it is, nothing in it was judged", row.file));
            return row;
        }
        Ok(Some(figures)) => {
            (row.entries, row.unpacked_bytes) = (Some(figures.entries), Some(figures.unpacked_bytes));
            let entries = if figures.entries == 1 { "entry" } else { "entries" };
            good.push(format!(
                "{}: every agent would take it: {} {entries}, {} bytes unpacked",
                row.file, figures.entries, figures.unpacked_bytes
            ));
            return row;
        }
        Err(error) => error,
    };
    wrong.push(error.to_string());
    match error {
        PublishError::Refused { verdicts, .. } => {
            row.refused_more = verdicts.more();
            let told = |verdict: &Verdict| VerdictRow { verdict: verdict.clone(), text: verdict.to_string() };
            row.refused = verdicts.list().iter().map(told).collect();
        }
        other => row.error = Some(other.to_string()),
    }
    row
}
