//! The start of the machine that this is in: a name that stays until the next one.
//!
//! Linux gives each start a random id. Windows gives none that a program can rely on: the time of the start moves with the
//! clock. There, a name is put into a key of the registry that Windows keeps in memory alone, so that it is gone with the
//! machine and nothing else. Time is never compared.

use std::io;
use std::path::Path;

#[cfg(windows)]
mod windows;

/// Restarts the machine. Planned, for an installation, in the words of Windows' own event log; `/f` because a program
/// that asks whether it may be closed would put the restart off into the morning.
#[cfg(windows)]
pub const COMMAND: &[&str] =
    &["shutdown.exe", "/r", "/f", "/t", "0", "/d", "p:4:2", "/c", "Noctule: an installation needs it"];
/// Restarts the machine.
#[cfg(not(windows))]
pub const COMMAND: &[&str] = &["systemctl", "reboot"];

/// Where Linux says which start this is.
#[cfg(not(windows))]
const LINUX: &str = "/proc/sys/kernel/random/boot_id";
/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// The name of this start of the machine, read from `file` where one is given.
pub fn name(file: Option<&Path>) -> io::Result<String> {
    let name = match file {
        Some(file) => std::fs::read_to_string(file)?,
        None => of_system()?,
    };
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(io::Error::other(format!("it has to be a text of at most {NAME_BYTES_MAX} bytes")));
    }
    Ok(name.to_owned())
}

#[cfg(not(windows))]
fn of_system() -> io::Result<String> {
    std::fs::read_to_string(LINUX)
}

#[cfg(windows)]
use windows::of_system;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_has_one_name() {
        let now = name(None).unwrap();
        assert!(!now.is_empty() && name(None).unwrap() == now, "{now}");
    }

    #[test]
    fn a_file_names_it_where_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("boot");
        assert!(name(Some(&file)).is_err());
        for (text, named) in [("one\n", Some("one")), (" \n", None), (&"x".repeat(201), None)] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(name(Some(&file)).ok().as_deref(), named);
        }
    }
}
