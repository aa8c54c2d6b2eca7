//! Packages for the demo: small zips that behave like a publisher's, made from their manifests.

use crate::model::manifest::Manifest;
use std::io::Write;
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;

/// Whether the package's own check passes after its installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Good,
    /// The publisher's mistake: it installs, and then its check fails.
    Bad,
}

/// Writes `<folder>/<package file>` for `manifest` and returns its path.
pub fn build(folder: &Path, manifest: &Manifest, health: Health) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(&manifest.package.file);
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path)?);
    let plain = SimpleFileOptions::default();
    let program = plain.unix_permissions(0o755);
    zip.start_file(manifest.detect.version_file.as_str(), plain)?;
    writeln!(zip, "{}", manifest.version)?;
    let verdict = match health {
        Health::Good => "exit 0",
        Health::Bad => "echo 'dossier normalise : ecritures illisibles' >&2\nexit 1",
    };
    for file in check_files(manifest) {
        zip.start_file(file.as_str(), program)?;
        write!(
            zip,
            "#!/bin/sh\n# {} {}: opens the normalised test company.\n{verdict}\n",
            manifest.product, manifest.version
        )?;
    }
    for file in manifest.health.files.iter().filter(|f| **f != manifest.detect.version_file) {
        if check_files(manifest).contains(file) {
            continue;
        }
        zip.start_file(file.as_str(), plain)?;
        writeln!(zip, "{} {}", manifest.product, manifest.version)?;
    }
    for part in 0..4_u32 {
        zip.start_file(format!("lib/module{part}.bin"), plain)?;
        zip.write_all(&filler(manifest, part))?;
    }
    zip.finish()?.sync_all()?;
    Ok(path)
}

/// The program of the health command, relative to the tree, when the package brings it.
fn check_files(manifest: &Manifest) -> Vec<String> {
    let program = manifest.health.command.first();
    program
        .and_then(|p| p.strip_prefix("./").or_else(|| p.strip_prefix("{dir}/")))
        .map(str::to_owned)
        .into_iter()
        .collect()
}

/// 16 kB that differ by product, version and part, without any randomness.
fn filler(manifest: &Manifest, part: u32) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    (0..512_u32)
        .flat_map(|block| Sha256::digest(format!("{}/{}/{part}/{block}", manifest.product, manifest.version)))
        .collect()
}
