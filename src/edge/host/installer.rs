//! Runs the installer program of a package: what it is called with, and what of an earlier run is still under way.
//!
//! Arguments are a vector, never a shell line: winget's own silent switches for the technology, then the manifest's. In
//! these, `{dir}` is the product's folder, as in health checks. Two receivers on Windows take their command line apart by
//! rules of their own and get their arguments as they expect them: msiexec wants `NAME="a value"`, NSIS wants `/D=` last
//! and bare.
//!
//! One installer at a time: the agent holds a lock while one runs. On Unix it hands the lock on as the standard input, so
//! that an installer that outlives its agent still holds it, and so does what reads from it. On Windows the job object
//! ends them with the agent.
//!
//! Sources: winget-cli's default switches (`GetDefaultKnownSwitches`); msiexec's, Inno Setup's and NSIS' manuals.

use super::command::{self, CommandError, Ended, Purpose};
use crate::model::manifest::Installer;
use crate::model::return_code::Technology;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// The program that installs msi packages.
pub const MSIEXEC: &str = "msiexec";
/// Between two looks at something that will pass by itself.
const PAUSE: Duration = Duration::from_millis(200);
/// How often a package is started that somebody still has open for writing.
const BUSY_TRIES: usize = 25;

/// One package and what it is told.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    pub installer: &'a Installer,
    pub package: &'a Path,
    /// Where the product is, or will be.
    pub dir: &'a Path,
    /// Where it writes what it did, if its technology can.
    pub log: &'a Path,
    /// What is called for an msi.
    pub msiexec: &'a str,
}

/// Program and arguments of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    program: String,
    arguments: Vec<String>,
    quoting: Quoting,
}

/// Who takes the arguments apart on Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quoting {
    Usual,
    Msiexec,
    Nsis,
}

impl Run<'_> {
    /// How the package is installed; `None` for one that nobody has to run.
    pub fn install(&self) -> Option<CommandLine> {
        match self.installer {
            Installer::Zip {} => None,
            Installer::Msi { arguments, .. } => Some(self.msi("/i", arguments)),
            Installer::Exe { technology, arguments, .. } => {
                let log = self.log.display();
                let (silent, quoting): (Vec<String>, Quoting) = match technology {
                    Technology::Inno => (
                        ["/SP-", "/VERYSILENT", "/SUPPRESSMSGBOXES", "/NORESTART", &format!("/LOG={log}")]
                            .map(str::to_owned)
                            .into(),
                        Quoting::Usual,
                    ),
                    Technology::Nsis => (vec!["/S".to_owned()], Quoting::Nsis),
                    Technology::Burn => {
                        (["/quiet", "/norestart", "/log", &log.to_string()].map(str::to_owned).into(), Quoting::Msiexec)
                    }
                    Technology::Plain => (Vec::new(), Quoting::Usual),
                };
                let program = self.package.display().to_string();
                Some(CommandLine { program, arguments: [silent, self.own(arguments)].concat(), quoting })
            }
        }
    }

    /// How the package is removed again, where its technology knows how.
    pub fn uninstall(&self) -> Option<CommandLine> {
        match self.installer {
            Installer::Msi { .. } => Some(self.msi("/x", &[])),
            Installer::Zip {} | Installer::Exe { .. } => None,
        }
    }

    fn msi(&self, verb: &str, arguments: &[String]) -> CommandLine {
        let (package, log) = (self.package.display().to_string(), self.log.display().to_string());
        let first = [verb, &package, "/quiet", "/norestart", "/log", &log].map(str::to_owned).to_vec();
        let arguments = [first, self.own(arguments)].concat();
        CommandLine { program: self.msiexec.to_owned(), arguments, quoting: Quoting::Msiexec }
    }

    fn own(&self, arguments: &[String]) -> Vec<String> {
        let dir = self.dir.display().to_string();
        arguments.iter().map(|argument| argument.replace("{dir}", &dir)).collect()
    }
}

impl CommandLine {
    /// Each argument, and whether it goes as it stands where the receiver takes the line apart by itself.
    fn parts(&self) -> Vec<(String, bool)> {
        let last = self.arguments.len().saturating_sub(1);
        let part = |(at, argument): (usize, &String)| match (self.quoting, argument.split_once('=')) {
            (Quoting::Msiexec, Some((name, value))) if is_property(name) && value.contains([' ', '"']) => {
                (format!("{name}=\"{}\"", value.replace('"', "\"\"")), true)
            }
            (Quoting::Nsis, Some(("/D", _))) if at == last => (argument.clone(), true),
            _ => (argument.clone(), false),
        };
        self.arguments.iter().enumerate().map(part).collect()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for (argument, is_raw) in self.parts() {
            #[cfg(windows)]
            if is_raw {
                command.raw_arg(argument);
                continue;
            }
            let _ = is_raw;
            command.arg(argument);
        }
        command
    }

    /// Runs it to its end. Errors are for what could not be started or did not end by itself.
    pub async fn run(&self, dir: &Path, lock: &File, timeout: Duration) -> Result<Ended, CommandError> {
        for _ in 0..BUSY_TRIES {
            match self.run_now(dir, lock, timeout).await {
                // A process that was just being started elsewhere has it open for an instant.
                Err(CommandError::Spawn { source, .. }) if source.kind() == io::ErrorKind::ExecutableFileBusy => {
                    tokio::time::sleep(PAUSE).await;
                }
                ended => return ended,
            }
        }
        self.run_now(dir, lock, timeout).await
    }

    async fn run_now(&self, dir: &Path, lock: &File, timeout: Duration) -> Result<Ended, CommandError> {
        let failed = |source| CommandError::Spawn { program: self.program.clone(), source };
        let mut command = self.command();
        let stdin = if cfg!(unix) { Stdio::from(lock.try_clone().map_err(failed)?) } else { Stdio::null() };
        command.stdin(stdin).current_dir(dir);
        command::watch(&self.program, command, timeout, Purpose::Ask).await
    }
}

/// The lock under which installers run, once no earlier one does; `None` when one still runs after `patience`.
pub async fn alone(lock: &Path, patience: Duration) -> io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).read(true).write(true).open(lock)?;
    let until = tokio::time::Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
            Err(std::fs::TryLockError::WouldBlock) if tokio::time::Instant::now() >= until => return Ok(None),
            Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Public and private properties of Windows Installer.
fn is_property(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(installer: &str) -> CommandLine {
        let installer: Installer = toml::from_str(installer).unwrap();
        let (package, dir, log) = (Path::new("p.bin"), Path::new("C:/Program Files/Isa"), Path::new("l.log"));
        Run { installer: &installer, package, dir, log, msiexec: MSIEXEC }.install().unwrap()
    }

    #[test]
    fn each_technology_is_called_with_wingets_switches_then_the_manifests() {
        for (installer, expected) in [
            ("kind = 'msi'\narguments = ['X=1']", "msiexec /i p.bin /quiet /norestart /log l.log X=1"),
            (
                "kind = 'exe'\ntechnology = 'inno'\narguments = ['/DIR={dir}']",
                "p.bin /SP- /VERYSILENT /SUPPRESSMSGBOXES /NORESTART /LOG=l.log /DIR=C:/Program Files/Isa",
            ),
            ("kind = 'exe'\ntechnology = 'nsis'\narguments = ['/X']", "p.bin /S /X"),
            ("kind = 'exe'\ntechnology = 'burn'", "p.bin /quiet /norestart /log l.log"),
            ("kind = 'exe'\narguments = ['-q', '{dir}/a']", "p.bin -q C:/Program Files/Isa/a"),
        ] {
            let line = line(installer);
            assert_eq!([&[line.program][..], &line.arguments].concat().join(" "), expected);
        }
        let zip = Installer::Zip {};
        let nothing = Path::new("");
        let run = Run { installer: &zip, package: nothing, dir: nothing, log: nothing, msiexec: MSIEXEC };
        assert_eq!((run.install(), run.uninstall()), (None, None));
    }

    #[test]
    fn only_msi_packages_are_known_to_be_removed_again() {
        let run = |installer: &str| {
            let installer: Installer = toml::from_str(installer).unwrap();
            let nothing = Path::new("p");
            let run = Run { installer: &installer, package: nothing, dir: nothing, log: nothing, msiexec: MSIEXEC };
            run.uninstall().map(|line| line.arguments.join(" "))
        };
        assert_eq!(run("kind = 'msi'\narguments = ['X=1']").as_deref(), Some("/x p /quiet /norestart /log p"));
        assert_eq!(run("kind = 'exe'"), None);
    }

    #[test]
    fn receivers_with_rules_of_their_own_get_their_arguments_as_they_expect_them() {
        let raw = |installer: &str| -> Vec<String> {
            line(installer).parts().into_iter().filter(|(_, is_raw)| *is_raw).map(|(argument, _)| argument).collect()
        };
        assert_eq!(
            raw("kind = 'msi'\narguments = ['DIR={dir}', 'A=b', '/lv', 'Q=a \"b\"']"),
            ["DIR=\"C:/Program Files/Isa\"", "Q=\"a \"\"b\"\"\""]
        );
        assert_eq!(
            raw("kind = 'exe'\ntechnology = 'nsis'\narguments = ['/A=b c', '/D={dir}']"),
            ["/D=C:/Program Files/Isa"]
        );
        assert!(raw("kind = 'exe'\narguments = ['A=b c', '/D={dir}']").is_empty());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_an_installer_left_running_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join("lock");
        let held = alone(&lock, Duration::ZERO).await.unwrap().unwrap();
        let arguments = ["-c", "exec 3<&0; sleep 1000 <&3 >/dev/null 2>&1 & echo $! > pid"].map(str::to_owned).into();
        let line = CommandLine { program: "sh".to_owned(), arguments, quoting: Quoting::Usual };
        let ended = line.run(dir.path(), &held, Duration::from_secs(20)).await.unwrap();
        assert_eq!(ended.status.code(), Some(0));
        drop(held);
        assert!(alone(&lock, Duration::ZERO).await.unwrap().is_none(), "it still runs");
        let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
        let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        assert!(alone(&lock, Duration::from_secs(20)).await.unwrap().is_some());
    }
}
