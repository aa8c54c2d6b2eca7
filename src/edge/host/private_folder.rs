//! A folder that nobody but the agent's own account and the administrators can look into: its identity is in there.
//!
//! On Windows that is a matter of access lists, which `icacls` writes: by the numbers of the accounts, whose names are
//! translated. What is in the folder inherits them. Source: Microsoft Learn, `icacls`, "Well-known SIDs".

#[cfg(windows)]
use super::command::{self, Purpose};
use std::io;
use std::path::Path;

/// Makes the folder, or makes one that is there private.
#[cfg(unix)]
pub async fn make(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)?;
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}

/// Makes the folder, or makes one that is there private.
#[cfg(windows)]
pub async fn make(path: &Path) -> io::Result<()> {
    /// The machine itself, its administrators, and whoever owns the folder.
    const ACCOUNTS: [&str; 3] = ["S-1-5-18", "S-1-5-32-544", "S-1-3-4"];
    /// Longest that writing the lists of everything in it takes.
    const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

    std::fs::create_dir_all(path)?;
    let system = std::env::var("SystemRoot").unwrap_or_else(|_| r"C:\Windows".to_owned());
    let words = [format!(r"{system}\System32\icacls.exe"), path.display().to_string(), "/inheritance:r".to_owned()];
    let grants = ACCOUNTS.map(|account| ["/grant:r".to_owned(), format!("*{account}:(OI)(CI)F")]);
    let argv: Vec<String> = words.into_iter().chain(grants.into_iter().flatten()).collect();
    command::run(&argv, None, TIMEOUT, Purpose::Ask).await.map(drop).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_made_and_may_be_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        make(&path).await.unwrap();
        std::fs::write(path.join("identity"), "x").unwrap();
        make(&path).await.unwrap();
        assert_eq!(std::fs::read_to_string(path.join("identity")).unwrap(), "x");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o700);
        }
    }
}
