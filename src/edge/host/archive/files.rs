//! What a package unpacks to, as one digest: whoever has it can tell whether a tree or another package holds the same.
//!
//! It is the sha256 of a list with a line for each entry, sorted by name as bytes:
//!
//! ```text
//! <sha256 of its content, lower-case hex> <bytes> <x or -> <name>\n     a file; x where it is executable
//! folder <name>\n                                                       a folder that is an entry of its own
//! ```
//!
//! No name holds a line feed, and no two mean one file ([`super::super::entry_name`]), so a list is read in one way only.
//! Publishing signs the digest; thousands of digests in each manifest would travel with every letter and plan.

use super::parallel::{At, each};
use super::source::Source;
use super::{InspectError, Inspected, Judged, Kind, Limits, contents, inspect_with};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};

/// [`super::inspect_file`], and the digest of the list of what the package unpacks to (lower-case hex), in the same
/// reading.
///
/// # Errors
/// Those of [`super::inspect_file`].
pub fn inspect_files(package: &File, limits: Limits) -> Result<(Inspected, String), InspectError> {
    let digests: Mutex<BTreeMap<String, String>> = Mutex::default();
    let at_once = |_: &mut Source<At>, judged: &mut [Judged]| -> io::Result<()> {
        each(judged, |entry| {
            let mut hash = Sha256::new();
            contents(&mut Source::new(At::start(package))?, entry, |piece| {
                hash.update(piece);
                Ok(())
            })?;
            if let (Some(sound), []) = (&entry.0, &entry.1[..]) {
                let mut digests = digests.lock().unwrap_or_else(PoisonError::into_inner);
                digests.insert(sound.name.clone(), hex::encode(hash.finalize()));
            }
            Ok(())
        })
    };
    let inspected = inspect_with(At::start(package), limits, at_once)?;
    let digests = digests.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((inspected.clone(), digest(&inspected, &digests)))
}

fn digest(inspected: &Inspected, digests: &BTreeMap<String, String>) -> String {
    let mut lines = BTreeMap::new();
    for entry in &inspected.entries {
        let name = &entry.name;
        let line = match entry.kind {
            Kind::Folder => format!("folder {name}\n"),
            Kind::File => {
                let sha256 = digests.get(name).map_or("", String::as_str);
                let executable = if entry.executable { 'x' } else { '-' };
                format!("{sha256} {} {executable} {name}\n", entry.size)
            }
        };
        lines.insert(name, line);
    }
    let mut hash = Sha256::new();
    lines.values().for_each(|line| hash.update(line));
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::CompressionMethod::{Deflated, Stored};
    use zip::write::SimpleFileOptions;

    const LIMITS: Limits = Limits { entries: 10, bytes: 1 << 20 };

    type Add<'a> = (&'a str, &'a str, zip::CompressionMethod, u32);

    /// A folder where there is no text.
    fn listed(entries: &[Add]) -> String {
        let mut file = tempfile::tempfile().unwrap();
        let mut zip = zip::ZipWriter::new(&mut file);
        for (name, text, method, mode) in entries {
            let options = SimpleFileOptions::default().compression_method(*method).unix_permissions(*mode);
            if text.is_empty() {
                zip.add_directory(*name, options).unwrap();
            } else {
                zip.start_file(*name, options).unwrap();
                zip.write_all(text.as_bytes()).unwrap();
            }
        }
        zip.finish().unwrap();
        inspect_files(&file, LIMITS).unwrap().1
    }

    #[test]
    fn the_digest_is_of_what_is_unpacked_and_not_of_how_it_is_packed() {
        let all: [Add; 3] =
            [("b/x", "text of x", Deflated, 0o644), ("a", "text of a", Stored, 0o755), ("leer", "", Stored, 0o755)];
        // printf with sha256sum and sort, by hand.
        let list = format!(
            "{} 9 x a\n{} 9 - b/x\nfolder leer\n",
            hex::encode(Sha256::digest("text of a")),
            hex::encode(Sha256::digest("text of x"))
        );
        let expected = hex::encode(Sha256::digest(list));
        assert_eq!(listed(&all), expected);
        let otherwise: [Add; 3] =
            [("leer", "", Stored, 0o700), ("a", "text of a", Deflated, 0o711), ("b/x", "text of x", Stored, 0o600)];
        assert_eq!(listed(&otherwise), expected, "another order, method and mode");
        for changed in [
            [all[0], all[1], ("voll", "", Stored, 0o755)],
            [all[0], ("a", "text of b", Stored, 0o755), all[2]],
            [all[0], ("a", "text of a", Stored, 0o644), all[2]],
            [all[0], ("c", "text of a", Stored, 0o755), all[2]],
        ] {
            assert_ne!(listed(&changed), expected, "{changed:?}");
        }
        assert_ne!(listed(&all[..2]), expected);
    }
}
