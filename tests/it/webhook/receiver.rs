//! A receiver of another make (`tests/webhook_receiver.py`), and an orchestrator that calls it.

use super::super::mail_servers::is_here;
use super::super::world::{commit_fleet, orchestrator, paris};
use noctule::edge::clock::Clock;
use noctule::edge::config::Config;
use noctule::edge::webhook;
use noctule::work::Orchestrator;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long calls wait here for an answer.
const TIMEOUT: Duration = Duration::from_millis(400);

pub fn has_python() -> bool {
    let asked = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    is_here("python3", asked.is_ok_and(|status| status.success()))
}

pub struct Receiver {
    child: Child,
    orders: Option<ChildStdin>,
    lines: mpsc::Receiver<Value>,
    pub port: u16,
}

impl Receiver {
    /// One that knows the key of `dir`, which is made if need be.
    pub fn start(dir: &Path, port: Option<u16>) -> Receiver {
        let key = dir.join("webhook.key");
        if !key.exists() {
            webhook::generate(&key).unwrap();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/webhook_receiver.py");
        let mut command = Command::new("python3");
        command.arg("-u").arg(script).arg(&key).args(port.map(|port| port.to_string()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (told, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let read = |line: String| serde_json::from_str::<Value>(&line).expect("it speaks JSON");
            stdout.lines().map_while(Result::ok).try_for_each(|line| told.send(read(line)))
        });
        let port = lines.recv().expect("it says its port").as_u64().expect("a port") as u16;
        Receiver { orders: child.stdin.take(), child, lines, port }
    }

    /// From now on; returns the requests until then.
    pub fn set(&mut self, mood: &str) -> Vec<Value> {
        writeln!(self.orders.as_mut().expect("it listens"), "{mood}").expect("it listens");
        self.lines.iter().take_while(|line| line["mood"] != mood).collect()
    }

    /// The next request.
    pub fn next(&self) -> Value {
        self.lines.recv_timeout(Duration::from_secs(60)).expect("a request comes")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}

/// The configuration's last table.
pub fn table(port: u16) -> String {
    format!("[webhook]\nurl = \"http://127.0.0.1:{port}/s3cret/path?token=s3cret\"\nsecret_file = \"webhook.key\"\n")
}

/// An orchestrator that calls a receiver at `port`, with the fleet, at 17:00 on 29 April.
pub async fn calling(dir: &Path, database: &str, port: u16) -> Orchestrator {
    drop(orchestrator(dir, database, "2026-04-29 17:00").await);
    let path = dir.join("noctule.toml");
    let written = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, written + &table(port)).unwrap();
    let o = reopened(dir).await;
    commit_fleet(&o).await;
    o
}

/// Another replica of it.
pub async fn reopened(dir: &Path) -> Orchestrator {
    let config = Config::read(&dir.join("noctule.toml")).unwrap();
    let mut o = Orchestrator::open(config, Some(Clock::stepped(paris("2026-04-29 17:00")))).await.unwrap();
    o.webhook = o.webhook.map(|webhook| webhook.patient_for(TIMEOUT));
    o
}
