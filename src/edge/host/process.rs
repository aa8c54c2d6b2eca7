//! One running program and everything it starts: a process group on Unix, a job object on Windows.
//!
//! A program is born into its group, so nothing that it starts can be missed. On Windows the job also ends with the
//! agent: what an installation had under way never outlives the agent that watches it. On Unix it can; whoever must know
//! asks [`super::installer`]'s lock.

use super::command::Purpose;
use std::io;
use std::process::ExitStatus;
use tokio::process::{ChildStderr, ChildStdout, Command};

#[cfg(windows)]
use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject, KillOnDrop};

/// A program under way.
pub struct Process {
    #[cfg(not(windows))]
    child: tokio::process::Child,
    #[cfg(windows)]
    child: Box<dyn ChildWrapper>,
}

impl Process {
    /// Starts `command`; what is meant to end does not outlive this value.
    #[cfg(not(windows))]
    pub fn spawn(mut command: Command, purpose: Purpose) -> io::Result<Process> {
        command.kill_on_drop(purpose == Purpose::Ask);
        #[cfg(unix)]
        command.process_group(0);
        command.spawn().map(|child| Process { child })
    }

    /// Starts `command`; what is meant to end does not outlive this value, nor does anything it started.
    #[cfg(windows)]
    pub fn spawn(command: Command, purpose: Purpose) -> io::Result<Process> {
        let mut command = CommandWrap::from(command);
        if purpose == Purpose::Ask {
            command.wrap(KillOnDrop);
        }
        command.wrap(JobObject);
        command.spawn().map(|child| Process { child })
    }

    /// What it prints, once, where that is listened to.
    #[cfg(not(windows))]
    pub fn outputs(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// What it prints, once, where that is listened to.
    #[cfg(windows)]
    pub fn outputs(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout().take(), self.child.stderr().take())
    }

    /// How the program itself ends; what it started may go on.
    #[cfg(not(windows))]
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// How the program itself ends; what it started may go on.
    #[cfg(windows)]
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        // The wrapper would wait for the whole job.
        self.child.inner_mut().wait().await
    }

    /// Ends it and everything it started.
    #[cfg(not(windows))]
    pub async fn end(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            // It may have ended by itself in between; then there is nothing to end.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill().await;
    }

    /// Ends it and everything it started.
    #[cfg(windows)]
    pub async fn end(&mut self) {
        // It may have ended by itself in between; then there is nothing to end.
        let _ = self.child.start_kill();
        let _ = self.child.inner_mut().wait().await;
    }
}
