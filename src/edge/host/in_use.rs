//! Who uses the files below a folder: programs that have one open or mapped, run from it, or work in it.
//!
//! Nothing is changed by looking. On Linux every process is looked at in `/proc`, Samba's for the workstations among
//! them; what this user may not look at is counted, not guessed. On Windows each file and folder is opened for the agent
//! alone, which fails while anybody else has it, over the network or as a running program, and is closed again. What is
//! free now may be taken a moment later: this finds what stays, not what passes.

use std::io;
use std::path::{Path, PathBuf};

/// Most users that are told of one folder.
const USERS_MAX: usize = 5;

/// Somebody who uses a file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// `winword (process 4711)`.
    pub who: String,
    pub path: PathBuf,
}

/// What looking found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub users: Vec<User>,
    /// Processes that this user may not look at.
    pub unseen: usize,
}

/// Whose use does not count.
#[derive(Clone, Debug, Default)]
pub struct Except {
    /// Units of systemd: they are about to be stopped.
    pub units: Vec<String>,
    /// Names of programs, as the system lists them.
    pub programs: Vec<String>,
}

impl Found {
    /// In one line, paths from `dir` on.
    pub fn told(&self, dir: &Path) -> String {
        let told = |user: &User| {
            let path = user.path.strip_prefix(dir).unwrap_or(&user.path);
            let path = if path.as_os_str().is_empty() { "its folder".to_owned() } else { path.display().to_string() };
            format!("{} has {path}", user.who)
        };
        self.users.iter().map(told).collect::<Vec<_>>().join(", ")
    }
}

/// Looks who uses `dir` or anything below it, this process left out.
///
/// # Errors
/// The folder, or the list of processes, cannot be read.
#[cfg(target_os = "linux")]
pub fn look(dir: &Path, except: &Except) -> io::Result<Found> {
    let dir = dir.canonicalize()?;
    let mut found = Found::default();
    let own = std::process::id();
    for process in std::fs::read_dir("/proc")? {
        let path = process?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        let Some(number) = number.filter(|number| *number != own) else { continue };
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default().trim().to_owned();
        if except.programs.contains(&name) || linux::is_of(&path, &except.units) {
            continue;
        }
        match linux::used(&path, &dir) {
            Ok(Some(file)) if found.users.len() < USERS_MAX => {
                found.users.push(User { who: format!("{name} (process {number})"), path: file });
            }
            Ok(_) => {}
            // Gone meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => found.unseen += 1,
        }
    }
    Ok(found)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{self, File};
    use std::io::{self, Read};
    use std::path::{Path, PathBuf};

    /// Most bytes read of the list of what a process has mapped.
    const MAPS_BYTES_MAX: u64 = 8 << 20;
    /// Follows on the name of a file that is not there any more.
    const DELETED: &str = " (deleted)";

    /// Whether a process belongs to one of these units, by its control group.
    pub fn is_of(process: &Path, units: &[String]) -> bool {
        let groups = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
        let is_unit = |part: &str| units.iter().any(|unit| part == unit || part.strip_suffix(".service") == Some(unit));
        groups.split(['/', '\n']).any(is_unit)
    }

    /// The first file below `dir` that a process uses.
    pub fn used(process: &Path, dir: &Path) -> io::Result<Option<PathBuf>> {
        let inside = |path: &Path| path.starts_with(dir) && !path.to_string_lossy().ends_with(DELETED);
        for link in ["cwd", "exe"] {
            match fs::read_link(process.join(link)) {
                Ok(path) if inside(&path) => return Ok(Some(path)),
                Ok(_) => {}
                // A thread of the kernel has neither.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        for descriptor in fs::read_dir(process.join("fd"))? {
            if let Ok(path) = fs::read_link(descriptor?.path())
                && inside(&path)
            {
                return Ok(Some(path));
            }
        }
        let mut maps = Vec::new();
        File::open(process.join("maps"))?.take(MAPS_BYTES_MAX).read_to_end(&mut maps)?;
        let maps = String::from_utf8_lossy(&maps);
        let mapped = maps.lines().filter_map(|line| Some(Path::new(line.get(line.find('/')?..)?)));
        Ok(mapped.into_iter().find(|path| inside(path)).map(Path::to_path_buf))
    }
}

/// Looks who uses `dir` or anything below it; Windows does not say who that is.
///
/// # Errors
/// The folder cannot be read.
#[cfg(windows)]
pub fn look(dir: &Path, _: &Except) -> io::Result<Found> {
    let mut found = Found::default();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && windows::is_taken(&entry.path(), windows::Kind::File)? {
                found.users.push(User { who: windows::SOMEBODY.to_owned(), path: entry.path() });
            }
            if found.users.len() == USERS_MAX {
                return Ok(found);
            }
        }
        if windows::is_taken(&folder, windows::Kind::Folder)? {
            found.users.push(User { who: windows::SOMEBODY.to_owned(), path: folder });
        }
    }
    Ok(found)
}

#[cfg(windows)]
mod windows {
    use std::fs::OpenOptions;
    use std::io;
    use std::os::windows::fs::OpenOptionsExt;
    use std::path::Path;

    pub const SOMEBODY: &str = "another program";
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    const ERROR_ACCESS_DENIED: i32 = 5;
    const ERROR_SHARING_VIOLATION: i32 = 32;
    const ERROR_LOCK_VIOLATION: i32 = 33;

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub enum Kind {
        File,
        Folder,
    }

    /// Whether somebody else has it. To write as well, because a running program may be read by anybody.
    pub fn is_taken(path: &Path, kind: Kind) -> io::Result<bool> {
        let open = |write: bool| {
            let mut options = OpenOptions::new();
            options.read(true).write(write).share_mode(0);
            if kind == Kind::Folder {
                options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
            }
            options.open(path).map(drop)
        };
        let mut opened = open(kind == Kind::File);
        if opened.as_ref().is_err_and(|error| error.raw_os_error() == Some(ERROR_ACCESS_DENIED)) {
            // A read-only file is nobody's to write.
            opened = open(false);
        }
        match opened {
            Ok(()) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => match error.raw_os_error() {
                Some(ERROR_SHARING_VIOLATION | ERROR_LOCK_VIOLATION) => Ok(true),
                // Not even the agent may open it: that says nothing of its use.
                Some(ERROR_ACCESS_DENIED) => Ok(false),
                _ => Err(error),
            },
        }
    }
}

/// Nobody can be asked on this system.
///
/// # Errors
/// None.
#[cfg(not(any(target_os = "linux", windows)))]
pub fn look(_: &Path, _: &Except) -> io::Result<Found> {
    Ok(Found::default())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    /// A shell that does something with files in `dir` and then waits for its end.
    struct Holder(Child);

    impl Holder {
        fn new(dir: &Path, script: &str) -> Holder {
            let script = format!("{script}; echo ready; read end");
            let mut command = Command::new("/bin/sh");
            command.args(["-c", &script]).current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            assert_eq!(line, "ready\n");
            Holder(child)
        }
    }

    impl Drop for Holder {
        fn drop(&mut self) {
            drop(self.0.stdin.take());
            let _ = self.0.wait();
        }
    }

    #[test]
    fn an_open_file_and_a_folder_somebody_works_in_are_found_while_they_are_used() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, other) = (dir.path().join("1.0"), dir.path().join("1.0.1"));
        for folder in [&tree, &other] {
            std::fs::create_dir_all(folder.join("data")).unwrap();
            std::fs::write(folder.join("data/client.db"), "x").unwrap();
        }
        let free = |except: &Except| look(&tree, except).unwrap().told(&tree);
        assert_eq!(free(&Except::default()), "");
        // What is beside it is something else, whatever its name begins with.
        let beside = Holder::new(&other, "exec 3< data/client.db");
        assert_eq!(free(&Except::default()), "");
        drop(beside);
        for (folder, script, used) in [
            (dir.path(), "exec 3< 1.0/data/client.db", "data/client.db"),
            (dir.path(), "exec 3>> 1.0/data/client.db", "data/client.db"),
            (tree.as_path(), "true", "its folder"),
        ] {
            let holder = Holder::new(folder, script);
            let told = free(&Except::default());
            assert_eq!(told, format!("sh (process {}) has {used}", holder.0.id()), "{script}");
            assert_eq!(free(&Except { programs: vec!["sh".into()], ..Except::default() }), "");
            drop(holder);
            assert_eq!(free(&Except::default()), "");
        }
        // Deleted while it was open: no file of the tree's any more.
        let holder = Holder::new(dir.path(), "exec 3< 1.0/data/client.db; rm 1.0/data/client.db");
        assert_eq!(free(&Except::default()), "");
        drop(holder);
    }

    #[test]
    fn a_process_belongs_to_the_unit_of_its_control_group() {
        let process = tempfile::tempdir().unwrap();
        let cgroup = "0::/system.slice/isacompta.service/worker\n";
        std::fs::write(process.path().join("cgroup"), cgroup).unwrap();
        let is_of = |unit: &str| linux::is_of(process.path(), &[unit.to_owned()]);
        assert!(is_of("isacompta.service") && is_of("isacompta"));
        assert!(!is_of("isacompta2.service") && !is_of("compta.service"));
    }
}

#[cfg(test)]
#[cfg(windows)]
mod on_windows {
    use super::*;
    use std::fs::{self, File, OpenOptions};
    use std::os::windows::fs::OpenOptionsExt;

    #[test]
    fn what_somebody_has_open_is_found_while_it_is_and_what_is_only_read_only_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("1.0");
        fs::create_dir_all(tree.join("data")).unwrap();
        let (database, manual) = (tree.join("data").join("client.db"), tree.join("manual.txt"));
        fs::write(&database, "x").unwrap();
        fs::write(&manual, "x").unwrap();
        let mut read_only = fs::metadata(&manual).unwrap().permissions();
        read_only.set_readonly(true);
        fs::set_permissions(&manual, read_only.clone()).unwrap();
        let told = || look(&tree, &Except::default()).unwrap().told(&tree);
        assert_eq!(told(), "");
        // To read, sharing everything; to write, sharing nothing.
        let reads = || File::open(&database).unwrap();
        let writes = || OpenOptions::new().append(true).share_mode(0).open(&database).unwrap();
        for hold in [&reads as &dyn Fn() -> File, &writes] {
            let held = hold();
            assert_eq!(told(), "another program has data\\client.db");
            drop(held);
            assert_eq!(told(), "");
        }
        assert_eq!(fs::read_to_string(&database).unwrap(), "x", "looking changes nothing");
        #[allow(clippy::permissions_set_readonly_false)] // Windows knows one owner
        read_only.set_readonly(false);
        fs::set_permissions(&manual, read_only).unwrap();
    }
}
