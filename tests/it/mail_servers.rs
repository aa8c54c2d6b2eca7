//! The outbox against mail servers that nobody here wrote: aiosmtpd, failing in every way, and Debian's Exim.
//!
//! A machine without them says that these are skipped; in CI (`CI` is set) that fails.

use super::databases;
use super::mail::{letter, open_causes, posting_by, relay_at, reopened_by, secured_by, states, wait, write};
use super::smtp::{PASSWORD, certified_pem};
use noctule::edge::config::SmtpSecurity;
use noctule::edge::store::EventFilter;
use noctule::model::event::EventKind;
use noctule::work::post;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;

/// Whether a program that tests need is here; says so where it is not, and fails in CI.
pub(super) fn is_here(what: &str, found: bool) -> bool {
    if !found {
        assert!(std::env::var_os("CI").is_none(), "CI has to have {what}");
        // Not `eprintln!`, which the test runner hides while tests pass.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {what} is not here, so what needs it was NOT tested");
    }
    found
}

/// aiosmtpd with injected faults.
pub(super) struct Faulty {
    child: Child,
    orders: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    pub(super) port: u16,
}

impl Faulty {
    pub(super) fn start(seed: u64, port: Option<u16>) -> Faulty {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp_faults.py");
        let mut command = Command::new("python3");
        command.arg("-u").arg(script).arg(seed.to_string()).args(port.map(|port| port.to_string()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (told, lines) = mpsc::channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        let port = lines.recv().expect("it says its port").parse().expect("a port");
        Faulty { orders: child.stdin.take(), child, lines, port }
    }

    /// Fails no more.
    pub(super) fn mend(&mut self) -> Vec<serde_json::Value> {
        writeln!(self.orders.as_mut().expect("it listens"), "good").expect("it listens");
        let before = self.lines.iter().take_while(|line| line != "good");
        before.map(|line| serde_json::from_str(&line).expect("it speaks JSON")).collect()
    }

    /// Ends it, and returns what it took since it was mended.
    pub(super) fn end(mut self) -> Vec<serde_json::Value> {
        drop(self.orders.take());
        self.child.wait().expect("it ends");
        self.lines.iter().map(|line| serde_json::from_str(&line).expect("it speaks JSON")).collect()
    }
}

pub(super) fn has_aiosmtpd() -> bool {
    let asked = Command::new("python3").args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
    is_here("python3 with aiosmtpd", asked.is_ok_and(|status| status.success()))
}

const LETTERS: usize = 60;
/// Of the faults; over half of the letters meet some.
const SEED: u64 = 20_260_429;

#[tokio::test]
async fn a_server_that_fails_in_every_way_gets_each_letter_and_no_other() {
    if !has_aiosmtpd() {
        return;
    }
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let mut server = Faulty::start(SEED, None);
        let o = posting_by(dir.path(), &url, relay_at(server.port)).await;
        write(
            &o,
            (0..LETTERS).map(|n| letter(&o, &format!("n{n}"), if n % 2 == 0 { "martin" } else { "rhin" })).collect(),
        )
        .await;
        for _ in 0..6 {
            post::run(&o).await.unwrap();
            wait(&o, 61);
        }
        let mut taken = server.mend();
        for _ in 0..4 {
            post::run(&o).await.unwrap();
            wait(&o, 61);
        }
        taken.extend(server.end());
        assert!(states(&o).await.iter().all(|(_, state, _)| *state == "sent"), "{:?}", states(&o).await);
        let mut copies: BTreeMap<String, Vec<&serde_json::Value>> = BTreeMap::new();
        for mail in &taken {
            assert_eq!(mail["defects"], serde_json::json!([]), "{mail}");
            copies.entry(mail["id"].as_str().unwrap().to_owned()).or_default().push(mail);
        }
        assert_eq!(copies.len(), LETTERS);
        for (id, mails) in copies {
            // What came twice is the same, and came twice only because nobody could say that it had come.
            let whole: BTreeSet<String> = mails.iter().map(|mail| mail["sha256"].to_string()).collect();
            let said = mails.iter().filter(|mail| mail["said"] == true).count();
            assert_eq!((whole.len(), said), (1, 1), "{id}: {mails:?}");
        }
        let events = o.store.events(&EventFilter::default()).await.unwrap();
        assert_eq!(events.iter().filter(|event| event.body.kind == EventKind::NoticeSent).count(), LETTERS);
        assert!(open_causes(&o).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_away_for_a_day_gets_each_letter_once_when_it_is_back() {
    if !has_aiosmtpd() {
        return;
    }
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        // A port that nobody listens at for now.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let o = posting_by(dir.path(), &url, relay_at(port)).await;
        for hour in 0..24 {
            write(&o, vec![letter(&o, &format!("n{hour}"), "martin")]).await;
            let report = post::run(&o).await.unwrap();
            assert_eq!((report.sent, report.undelivered), (0, 0));
            wait(&o, 60);
        }
        let mut server = Faulty::start(0, Some(port));
        assert!(server.mend().is_empty());
        for _ in 0..2 {
            post::run(&o).await.unwrap();
            wait(&o, 61);
        }
        let taken = server.end();
        let ids: BTreeSet<&str> = taken.iter().map(|mail| mail["id"].as_str().unwrap()).collect();
        assert_eq!((taken.len(), ids.len()), (24, 24));
        assert!(states(&o).await.iter().all(|(_, state, _)| *state == "sent"));
    })
    .await;
}

/// Exim's own configuration, in a folder of ours. It delivers nothing: what it took lies in its spool.
const EXIM: &str = "\
keep_environment =
spool_directory = DIR/spool
log_file_path = DIR/spool/%slog
primary_hostname = mail.example
queue_only = true
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts = *
tls_certificate = DIR/cert.pem
tls_privatekey = DIR/key.pem
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
acl_smtp_mail = check_mail
acl_smtp_rcpt = check_rcpt
acl_smtp_data = accept
begin acl
check_mail:
  deny !authenticated = *
  accept
check_rcpt:
  deny local_parts = hugo
  accept
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{noctule}}{eq{$auth3}{s3cret}}}}
  server_set_id = $auth2
";

const EXIM_PROGRAM: &str = "/usr/sbin/exim4";

/// Answers each connection with an Exim of its own, for as long as the test process lives; returns the port.
fn exim(dir: &Path, certificate: &str, key: &str) -> u16 {
    std::fs::create_dir(dir.join("spool")).unwrap();
    std::fs::write(dir.join("cert.pem"), certificate).unwrap();
    std::fs::write(dir.join("key.pem"), key).unwrap();
    std::fs::write(dir.join("exim.conf"), EXIM.replace("DIR", &dir.display().to_string())).unwrap();
    // Started by root, it goes on as its own user.
    let own = |path: &Path| {
        let _ = Command::new("chown").arg("Debian-exim").arg(path).stderr(Stdio::null()).status();
    };
    ["spool", "cert.pem", "key.pem"].iter().for_each(|name| own(&dir.join(name)));
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = dir.join("exim.conf");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (input, output) = (stream.try_clone().unwrap(), stream);
            let mut command = Command::new(EXIM_PROGRAM);
            command.arg("-C").arg(&config).arg("-bs");
            command.stdin(Stdio::from(std::os::fd::OwnedFd::from(input)));
            command.stdout(Stdio::from(std::os::fd::OwnedFd::from(output))).stderr(Stdio::null());
            if let Ok(mut child) = command.spawn() {
                std::thread::spawn(move || child.wait());
            }
        }
    });
    port
}

#[tokio::test]
async fn debians_exim_takes_letters_encrypted_under_a_name_and_refuses_whom_it_does_not_know() {
    if !is_here("Debian's exim4", Path::new(EXIM_PROGRAM).exists()) {
        return;
    }
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = certified_pem();
        let spool = dir.path().join("exim");
        std::fs::create_dir(&spool).unwrap();
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let port = exim(&spool, &certificate, &key);
        let smtp =
            |password: &str| secured_by(dir.path(), relay_at(port), &certificate, SmtpSecurity::Starttls, password);
        let o = posting_by(dir.path(), &url, smtp(PASSWORD)).await;
        write(&o, vec![letter(&o, "a", "rhin"), letter(&o, "b", "martin")]).await;
        let report = post::run(&o).await.unwrap();
        // Both, and the alert that says that Hugo's address is refused.
        assert_eq!((report.sent, report.deferred, report.undelivered), (3, 0, 0));
        assert_eq!(open_causes(&o).await, ["refused-recipient/martin"]);
        let ids: BTreeSet<String> = spooled(&spool.join("spool/input"));
        assert_eq!(ids.len(), 3, "{ids:?}");
        assert!(ids.iter().all(|id| id.ends_with("@provider.example>")), "{ids:?}");

        let stranger = reopened_by(dir.path(), &url, smtp("guess")).await;
        write(&stranger, vec![letter(&stranger, "c", "rhin")]).await;
        let report = post::run(&stranger).await.unwrap();
        assert_eq!((report.sent, report.deferred), (0, 1));
        assert_eq!(spooled(&spool.join("spool/input")), ids);
    })
    .await;
}

/// The Message-IDs of what lies in Exim's spool.
fn spooled(input: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(input).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.to_string_lossy().ends_with("-H"))
        .filter_map(|path| {
            let head = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
            head.lines().find_map(|line| Some(line.split_once("Message-ID: ")?.1.to_owned()))
        })
        .collect()
}
