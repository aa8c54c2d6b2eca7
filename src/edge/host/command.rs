//! Runs one program of the server with a time-out: argument vectors, never a shell string.
//!
//! What a command started ends with it when its time is up ([`super::process`]). What it prints is kept up to a limit, for the report. A service start is told apart: what it
//! leaves running is the point, and nobody listens to it.

use super::process::Process;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// Most bytes kept of what a command prints on each of its two outputs.
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024;
/// How long an output may stay open after the command ended (something it started holds it).
const DRAIN: Duration = Duration::from_millis(200);

#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("the command is empty; give a program and its arguments")]
    Empty,
    #[error("cannot start {program:?}: {source}")]
    Spawn { program: String, source: std::io::Error },
    #[error("{program:?} did not end within {seconds} s and was ended")]
    TimedOut { program: String, seconds: u64 },
    #[error("{program:?} failed ({status}){said}")]
    Failed { program: String, status: ExitStatus, said: String },
}

/// Whether what the command leaves running is meant to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Ends, and says something worth keeping.
    Ask,
    /// Leaves something running behind it.
    Start,
}

/// How a program ended that ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub status: ExitStatus,
    /// What it printed, up to [`OUTPUT_BYTES_MAX`].
    pub out: String,
    /// What it complained of, up to the same limit.
    pub err: String,
}

impl Ended {
    /// The last line it said that matters: of its complaints, else of what it printed.
    pub fn said(&self) -> Option<String> {
        [self.err.trim(), self.out.trim()].into_iter().find(|text| !text.is_empty()).map(last_line)
    }
}

/// Runs `argv` in `dir` and returns what it printed, or why that did not work.
pub async fn run(
    argv: &[String],
    dir: Option<&Path>,
    timeout: Duration,
    purpose: Purpose,
) -> Result<String, CommandError> {
    let ended = observe(argv, dir, timeout, purpose).await?;
    if ended.status.success() {
        return Ok(ended.out);
    }
    let said = ended.said().map(|line| format!(": {line}")).unwrap_or_default();
    let program = argv.first().cloned().unwrap_or_default();
    Err(CommandError::Failed { program, status: ended.status, said })
}

/// Runs `argv` in `dir` and tells how it ended, whatever its code; errors are for what did not end by itself.
pub async fn observe(
    argv: &[String],
    dir: Option<&Path>,
    timeout: Duration,
    purpose: Purpose,
) -> Result<Ended, CommandError> {
    let (program, arguments) = argv.split_first().ok_or(CommandError::Empty)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    if let Some(dir) = dir {
        command.current_dir(dir);
    }
    watch(program, command, timeout, purpose).await
}

/// The same for a `command` made ready elsewhere; `program` is what it is called when it fails.
pub async fn watch(
    program: &str,
    mut command: Command,
    timeout: Duration,
    purpose: Purpose,
) -> Result<Ended, CommandError> {
    match purpose {
        Purpose::Ask => command.stdout(Stdio::piped()).stderr(Stdio::piped()),
        Purpose::Start => command.stdout(Stdio::null()).stderr(Stdio::null()),
    };
    let not_started = |source| CommandError::Spawn { program: program.to_owned(), source };
    let mut process = Process::spawn(command, purpose).map_err(not_started)?;
    let (out, err) = process.outputs();
    let (out, err) = (collect(out), collect(err));
    let status = match tokio::time::timeout(timeout, process.wait()).await {
        Ok(waited) => waited.map_err(not_started)?,
        Err(_) => {
            process.end().await;
            return Err(CommandError::TimedOut { program: program.to_owned(), seconds: timeout.as_secs() });
        }
    };
    Ok(Ended { status, out: out.finish().await, err: err.finish().await })
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().chars().take(300).collect()
}

/// What is being read of one output.
struct Collected {
    kept: Arc<Mutex<Vec<u8>>>,
    reader: Option<tokio::task::JoinHandle<()>>,
}

fn collect(from: Option<impl AsyncRead + Unpin + Send + 'static>) -> Collected {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let reader = from.map(|mut from| {
        let kept = Arc::clone(&kept);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            // Reads on past the limit so that the command never blocks on a full pipe.
            while let Ok(n) = from.read(&mut buffer).await {
                if n == 0 {
                    break;
                }
                let mut kept = kept.lock().expect("no holder of the output can panic");
                let room = OUTPUT_BYTES_MAX.saturating_sub(kept.len());
                kept.extend_from_slice(&buffer[..n.min(room)]);
            }
        })
    });
    Collected { kept, reader }
}

impl Collected {
    async fn finish(self) -> String {
        if let Some(mut reader) = self.reader
            && tokio::time::timeout(DRAIN, &mut reader).await.is_err()
        {
            reader.abort();
        }
        let kept = self.kept.lock().expect("no holder of the output can panic");
        String::from_utf8_lossy(&kept).into_owned()
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn output_failure_and_absence_are_told_apart() {
        assert_eq!(run(&sh("echo yes"), None, LONG, Purpose::Ask).await.unwrap(), "yes\n");
        let failed = run(&sh("echo first >&2; echo broken >&2; exit 3"), None, LONG, Purpose::Ask).await.unwrap_err();
        assert!(failed.to_string().ends_with(": broken"), "{failed}");
        let absent = run(&["/nowhere/at/all".to_owned()], None, LONG, Purpose::Ask).await.unwrap_err();
        assert!(matches!(absent, CommandError::Spawn { .. }), "{absent}");
        assert!(matches!(run(&[], None, LONG, Purpose::Ask).await.unwrap_err(), CommandError::Empty));
    }

    #[tokio::test]
    async fn a_flood_is_cut_and_does_not_block() {
        let flood = run(&sh("head -c 1000000 /dev/zero | tr '\\0' x"), None, LONG, Purpose::Ask).await.unwrap();
        assert_eq!(flood.len(), OUTPUT_BYTES_MAX);
    }

    #[tokio::test]
    async fn what_outlives_its_time_ends_with_its_children() {
        let deaf = "trap '' TERM INT HUP; while :; do sleep 1000; done";
        for script in [
            "sleep 1000 & echo $! > pid; wait".to_owned(),
            // A grandchild that is deaf to every request to end, and whose parent is gone.
            format!("sh -c \"sh -c \\\"{deaf}\\\" & echo \\$! > pid\"; trap '' TERM; sleep 1000"),
        ] {
            ends_with_its_children(&script).await;
        }
    }

    async fn ends_with_its_children(script: &str) {
        let dir = tempfile::tempdir().unwrap();
        let error = run(&sh(script), Some(dir.path()), Duration::from_millis(400), Purpose::Ask).await.unwrap_err();
        assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
        let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
        // A killed orphan may wait to be reaped; what matters is that it stops running.
        for _ in 0..100_000 {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            if state.is_empty() || state.contains(") Z") {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("the grandchild still runs");
    }
}

#[cfg(test)]
#[cfg(windows)]
mod tests {
    use super::*;

    fn cmd(line: &str) -> Vec<String> {
        ["cmd", "/c", line].map(str::to_owned).to_vec()
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn output_failure_and_absence_are_told_apart() {
        assert_eq!(run(&cmd("echo yes"), None, LONG, Purpose::Ask).await.unwrap().trim(), "yes");
        let failed = run(&cmd("echo broken 1>&2& exit 3"), None, LONG, Purpose::Ask).await.unwrap_err();
        assert!(failed.to_string().contains("exit code: 3") && failed.to_string().contains(": broken"), "{failed}");
        let absent = run(&["C:/nowhere.exe".to_owned()], None, LONG, Purpose::Ask).await.unwrap_err();
        assert!(matches!(absent, CommandError::Spawn { .. }), "{absent}");
    }

    #[tokio::test]
    async fn an_exit_code_keeps_its_32_bits() {
        let ended = observe(&cmd("exit 3010"), None, LONG, Purpose::Ask).await.unwrap();
        assert_eq!(ended.status.code(), Some(3010));
    }

    #[tokio::test]
    async fn what_outlives_its_time_ends_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        // For as long as it lives it makes the file anew.
        std::fs::write(dir.path().join("child.bat"), "@echo off\r\n:again\r\necho x>>alive\r\ngoto again\r\n").unwrap();
        let argv = cmd("cmd /c child.bat");
        let error = run(&argv, Some(dir.path()), Duration::from_secs(2), Purpose::Ask).await.unwrap_err();
        assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
        std::fs::remove_file(dir.path().join("alive")).expect("the child was under way");
        for _ in 0..5 {
            run(&cmd("exit 0"), None, LONG, Purpose::Ask).await.unwrap();
        }
        assert!(!dir.path().join("alive").exists(), "the child still runs");
    }
}
