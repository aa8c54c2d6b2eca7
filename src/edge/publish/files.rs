//! Files of a repository: read within a limit, written whole or not at all.

use super::PublishError;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Reads a file of at most `bytes_max` bytes.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, PublishError> {
    let io = |source| PublishError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(bytes_max + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > bytes_max {
        return Err(PublishError::TooLarge { path: path.to_owned(), bytes_max });
    }
    Ok(bytes)
}

/// Writes `bytes` to a neighbouring file, syncs it, and renames it into place, readable by a web server.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), PublishError> {
    let io = |source| PublishError::Io { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new().prefix(".part-").tempfile_in(folder).map_err(io)?;
    temporary.write_all(bytes).map_err(io)?;
    place(temporary, path)
}

/// Copies `from` into `folder`; what is hashed is what is kept. `name` makes the final name from the sha256.
pub(super) fn copy(
    from: &Path,
    folder: &Path,
    bytes_max: u64,
    name: impl FnOnce(&str) -> String,
) -> Result<(u64, String), PublishError> {
    let read = |source| PublishError::Io { path: from.to_owned(), source };
    let io = |source| PublishError::Io { path: folder.to_owned(), source };
    let mut source = File::open(from).map_err(read)?;
    let mut temporary = tempfile::Builder::new().prefix(".part-").tempfile_in(folder).map_err(io)?;
    let (mut size, mut hash, mut buffer) = (0_u64, Sha256::new(), vec![0; 64 * 1024]);
    loop {
        let n = source.read(&mut buffer).map_err(read)?;
        if n == 0 {
            break;
        }
        size += n as u64;
        if size > bytes_max {
            return Err(PublishError::TooLarge { path: from.to_owned(), bytes_max });
        }
        hash.update(&buffer[..n]);
        temporary.write_all(&buffer[..n]).map_err(io)?;
    }
    let sha256 = hex::encode(hash.finalize());
    place(temporary, &folder.join(name(&sha256)))?;
    Ok((size, sha256))
}

fn place(temporary: tempfile::NamedTempFile, path: &Path) -> Result<(), PublishError> {
    let io = |source| PublishError::Io { path: path.to_owned(), source };
    set_mode(temporary.path(), 0o644).map_err(io)?;
    temporary.as_file().sync_all().map_err(io)?;
    temporary.persist(path).map_err(|error| io(error.error))?;
    sync_folder(path.parent().unwrap_or(Path::new("."))).map_err(io)
}

/// Makes a rename in `folder` survive a power cut, where the system can.
pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Sets a Unix mode; does nothing elsewhere.
pub(super) fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    #[cfg(unix)]
    return std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    {
        let _ = (path, mode);
        Ok(())
    }
}
