//! `noctule serve` as a process that has several lives on one database.

use super::Random;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// From one life to the next: letters leased by a killed one are free again.
pub const BETWEEN_MINUTES: i64 = 16;

/// A service between its lives.
pub struct Service<'a> {
    dir: &'a Path,
    /// The configuration without its clock.
    config: String,
    pub now: DateTime<Utc>,
    pub random: Random,
    pub kills: usize,
}

/// One life of it.
pub struct Life {
    process: Child,
    pub address: String,
    log: mpsc::UnboundedReceiver<String>,
}

impl Service<'_> {
    pub fn new<'a>(dir: &'a Path, random: Random) -> Service<'a> {
        let written = std::fs::read_to_string(dir.join("noctule.toml")).unwrap();
        let config = format!("listen = \"127.0.0.1:0\"\n{written}");
        Service { dir, config, now: DateTime::UNIX_EPOCH, random, kills: 0 }
    }

    pub async fn live(&mut self) -> Life {
        self.now += TimeDelta::minutes(BETWEEN_MINUTES);
        let config = self.dir.join("serve.toml");
        std::fs::write(&config, format!("{}[clock]\nat = {:?}\n", self.config, self.now.to_rfc3339())).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_noctule"));
        command.args(["serve", "--log-format", "json", "--config"]).arg(config).env("NOCTULE_LOG", "noctule=debug");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        // Read on whoever listens: a full pipe would hold the service up.
        let (lines, log) = mpsc::unbounded_channel();
        let mut stderr = BufReader::new(process.stderr.take().unwrap()).lines();
        tokio::spawn(async move {
            while let Ok(Some(line)) = stderr.next_line().await
                && lines.send(line).is_ok()
            {}
        });
        let mut life = Life { process, address: String::new(), log };
        let line: Value = serde_json::from_str(&life.logged("\"serving\"").await).unwrap();
        life.address = format!("http://{}", line["address"].as_str().unwrap());
        life
    }

    /// SIGKILL, a little after now.
    pub async fn kill(&mut self, mut life: Life) {
        for _ in 0..self.random.below(200_000) {
            std::hint::spin_loop();
        }
        life.process.kill().await.unwrap();
        self.kills += 1;
    }
}

impl Life {
    /// The next line of the log that has `text` in it.
    pub async fn logged(&mut self, text: &str) -> String {
        loop {
            let line = self.log.recv().await.expect("the service lives");
            if line.contains(text) {
                return line;
            }
        }
    }

    /// An orderly end: what is under way is finished first.
    pub async fn end(mut self) {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        assert!(self.process.wait().await.unwrap().success());
    }
}
