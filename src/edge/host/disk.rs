//! How much room a disk has.

use std::io;
use std::path::Path;

/// Bytes an ordinary process may still write on the disk that holds `path` (or will hold it).
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let existing = path.ancestors().find(|p| p.exists()).unwrap_or(path);
    fs4::available_space(existing)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_not_made_yet_counts_as_its_disk() {
        let dir = tempfile::tempdir().unwrap();
        assert!(super::free_bytes(&dir.path().join("not/yet")).unwrap() > 0);
    }
}
