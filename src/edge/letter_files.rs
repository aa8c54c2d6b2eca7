//! Letter templates as an operator keeps them: a folder of files named as the program's own, and in it a folder for each
//! client that has its own.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Largest template, in bytes.
pub const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Most templates.
pub const FILES_MAX: usize = 5_000;

/// One template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterFile {
    pub path: PathBuf,
    /// Whose letters it is for; `None` for everybody's.
    pub client: Option<String>,
    /// Its file name: `minor_planned.fr.txt`.
    pub name: String,
    pub source: String,
}

#[derive(Debug, thiserror::Error)]
pub enum LetterFilesError {
    #[error("cannot read the letter templates at {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is larger than {FILE_BYTES_MAX} bytes: it is no letter template", .0.display())]
    TooLarge(PathBuf),
    #[error("{} is no text in UTF-8; save it again as UTF-8", .0.display())]
    NoText(PathBuf),
    #[error("{} holds more than {FILES_MAX} files: it is no folder of letter templates", .0.display())]
    TooMany(PathBuf),
    #[error("{} is a folder within a client's folder; letters have one folder for each client", .0.display())]
    TooDeep(PathBuf),
}

/// Reads the folder: what is for everybody first, then client by client. Names that begin with a dot are left alone.
pub fn read(folder: &Path) -> Result<Vec<LetterFile>, LetterFilesError> {
    let mut files = Vec::new();
    let mut clients = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() { clients.push(path) } else { files.push(file(path, None)?) }
    }
    for of_client in clients {
        let client = name(&of_client);
        for path in entries(&of_client)? {
            if path.is_dir() {
                return Err(LetterFilesError::TooDeep(path));
            }
            if files.len() >= FILES_MAX {
                return Err(LetterFilesError::TooMany(folder.to_owned()));
            }
            files.push(file(path, Some(client.clone()))?);
        }
    }
    Ok(files)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, LetterFilesError> {
    let failed = |source| LetterFilesError::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !name(&path).starts_with('.') {
            paths.push(path);
        }
        if paths.len() > FILES_MAX {
            return Err(LetterFilesError::TooMany(folder.to_owned()));
        }
    }
    paths.sort();
    Ok(paths)
}

fn file(path: PathBuf, client: Option<String>) -> Result<LetterFile, LetterFilesError> {
    let failed = |source| LetterFilesError::Read { path: path.clone(), source };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(&path).map_err(failed)?;
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(LetterFilesError::TooLarge(path));
    }
    let source = String::from_utf8(bytes).map_err(|_| LetterFilesError::NoText(path.clone()))?;
    Ok(LetterFile { name: name(&path), client, source, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_with_those_of_its_clients() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        write("moved.fr.txt", b"# a");
        write("martin/alert.en.txt", b"# b");
        write(".swp", b"\xff");
        let read_all = || read(dir.path());
        let found: Vec<(Option<String>, String, String)> =
            read_all().unwrap().into_iter().map(|it| (it.client, it.name, it.source)).collect();
        let row = |client: Option<&str>, name: &str, source: &str| {
            (client.map(str::to_owned), name.to_owned(), source.to_owned())
        };
        assert_eq!(found, [row(None, "moved.fr.txt", "# a"), row(Some("martin"), "alert.en.txt", "# b")]);
        write("moved.en.txt", b"\xff");
        assert!(read_all().unwrap_err().to_string().contains("moved.en.txt is no text in UTF-8"));
        write("moved.en.txt", &vec![b'a'; FILE_BYTES_MAX as usize + 1]);
        assert!(read_all().unwrap_err().to_string().contains("larger than 65536 bytes"));
        write("moved.en.txt", &vec![b'a'; FILE_BYTES_MAX as usize]);
        assert_eq!(read_all().unwrap().len(), 3);
        write("martin/more/x.txt", b"");
        assert!(read_all().unwrap_err().to_string().contains("one folder for each client"));
        assert!(read(&dir.path().join("nowhere")).unwrap_err().to_string().contains("nowhere"));
    }
}
