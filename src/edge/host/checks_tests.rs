//! Each kind of probe: what passes, what fails and says what was seen, what is too late, what cannot be asked.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Site {
        let dir = tempfile::tempdir().unwrap();
        // Plays the program that knows the services.
        let manager = dir.path().join("systemctl");
        std::fs::write(&manager, "#!/bin/sh\ncase $3 in up) echo active;; *) echo inactive; exit 3;; esac\n").unwrap();
        std::fs::set_permissions(&manager, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Site { dir }
    }

    async fn ask(&self, probe: &str, seconds: u32, patience: Patience) -> String {
        let text = format!("name = 'x'\ntimeout_seconds = {seconds}\nprobe = {{ {probe} }}");
        let check: Check = toml::from_str(&text).unwrap();
        let manager = self.dir.path().join("systemctl");
        let now = "2026-04-29T20:00:00Z".parse().unwrap();
        let service_manager = manager.to_str().unwrap();
        let place = Place { dir: Some(self.dir.path()), now, service_manager, patience };
        ask_all([&check], place).await[0].verdict.to_string()
    }

    #[track_caller]
    fn write(&self, name: &str, age_minutes: u64) {
        let file = std::fs::File::create(self.dir.path().join(name)).unwrap();
        let now: DateTime<Utc> = "2026-04-29T20:00:00Z".parse().unwrap();
        file.set_modified(std::time::SystemTime::from(now) - Duration::from_secs(age_minutes * 60)).unwrap();
    }
}

async fn check(site: &Site, probe: &str, expected: &str) {
    let said = site.ask(probe, 20, Patience::Once).await;
    assert!(said.starts_with(expected), "{probe}: {said}");
}

#[tokio::test]
async fn files_disks_and_services_are_told_as_seen() {
    let site = Site::new();
    site.write("mark", 60);
    let age = |file: &str, minutes: u32| format!("kind = 'file_age', file = '{file}', age_minutes_max = {minutes}");
    check(&site, &age("{dir}/mark", 60), "passed (written at 2026-04-29T19:00:00Z)").await;
    check(&site, &age("{dir}/mark", 59), "failed (written at 2026-04-29T19:00:00Z, more than 59 min ago)").await;
    check(&site, &age("{dir}/none", 59), "failed (the file is not there)").await;
    check(&site, &age("{dir}/mark/x", 59), "could not be asked (").await;
    check(&site, "kind = 'free_disk', path = '{dir}', mib_min = 1", "passed (").await;
    let huge = format!("kind = 'free_disk', path = '{{dir}}', mib_min = {}", u64::MAX >> 21);
    check(&site, &huge, "failed (").await;
    check(&site, "kind = 'service', service = 'up'", "passed (up is active)").await;
    check(&site, "kind = 'service', service = 'down'", "failed (down is inactive)").await;
}

#[tokio::test]
async fn programs_are_judged_by_code_and_words() {
    let site = Site::new();
    let sh = |script: &str, more: &str| format!("kind = 'command', command = ['sh', '-c', '{script}']{more}");
    check(&site, &sh("exit 0", ""), "passed (exit code 0)").await;
    check(&site, &sh("echo base corrompue >&2; exit 3", ""), "failed (exit status: 3: base corrompue)").await;
    check(&site, &sh("exit 3", ", exit = [0, 3]"), "passed (exit code 3)").await;
    check(&site, &sh("echo etat: pret", ", prints = 'pret'"), "passed (printed \"pret\")").await;
    check(&site, &sh("echo etat: arret", ", prints = 'pret'"), "failed (it did not print \"pret\": etat: arret)").await;
    check(&site, &sh("kill -9 $$", ""), "failed (signal: 9").await;
    check(&site, "kind = 'command', command = ['/nowhere/at/all']", "could not be asked (cannot start").await;
    let count = |said: &str| format!("kind = 'sessions', command = ['echo', '{said}']");
    check(&site, &count("0"), "passed (0 open, 0 allowed)").await;
    check(&site, &count("2"), "failed (2 open, 0 allowed)").await;
    check(&site, &format!("{}, sessions_max = 2", count("2")), "passed (2 open, 2 allowed)").await;
    check(&site, &count("nobody"), "could not be asked (it printed \"nobody\"").await;
    check(&site, "kind = 'sessions', command = ['false']", "could not be asked (exit status: 1").await;
    let backup = |said: &str| format!("kind = 'backup_age', age_hours_max = 24, command = ['echo', '{said}']");
    check(&site, &backup("2026-04-28T20:00:00Z ok"), "passed (ended at 2026-04-28T20:00:00Z").await;
    check(&site, &backup("2026-04-28T21:59:00+02:00"), "failed (ended at 2026-04-28T19:59:00Z, at most 24 h").await;
    check(&site, &backup("2026-04-29T19:00:00Z failed"), "failed (the backup that ended at").await;
    check(&site, &backup("NULL"), "could not be asked (it printed \"NULL\"").await;
}

/// Answers every connection with these bytes; returns its address.
async fn listen(answer: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut line, _)) = listener.accept().await {
            let _ = line.read(&mut [0; 1024]).await;
            let _ = line.write_all(answer.as_bytes()).await;
            if answer.is_empty() {
                // Says nothing and keeps the line.
                std::mem::forget(line);
            }
        }
    });
    address
}

/// A port that nothing listens on.
async fn closed() -> String {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn ports_and_pages_are_told_as_seen() {
    let site = Site::new();
    let page = listen("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\netat: bon").await;
    check(&site, &format!("kind = 'tcp', address = '{page}'"), "passed (").await;
    let port = closed().await;
    check(&site, &format!("kind = 'tcp', address = '{port}'"), &format!("failed ({port}: Connection refused")).await;
    let http = |address: &str, more: &str| format!("kind = 'http', url = 'http://{address}/'{more}");
    check(&site, &http(&page, ""), "passed (status 200)").await;
    check(&site, &http(&page, ", status = 204"), "failed (status 200, 204 is needed)").await;
    check(&site, &http(&page, ", contains = 'bon'"), "passed (status 200 with \"bon\")").await;
    check(&site, &http(&page, ", contains = 'mauvais'"), "failed (status 200 without \"mauvais\")").await;
    check(&site, &http(&port, ""), "failed (Connection refused").await;
}

#[tokio::test]
async fn what_does_not_answer_in_time_is_said_so() {
    let site = Site::new();
    let silent = listen("").await;
    let page = format!("kind = 'http', url = 'http://{silent}/'");
    assert_eq!(site.ask(&page, 1, Patience::Once).await, "gave no answer within 1 s");
    let program = "kind = 'command', command = ['sleep', '1000']";
    assert_eq!(site.ask(program, 1, Patience::Once).await, "gave no answer within 1 s");
}

#[tokio::test]
async fn what_is_still_starting_is_asked_again_until_its_time_is_up() {
    let site = Site::new();
    let service = "kind = 'service', service = 'later'";
    let manager = site.dir.path().join("systemctl");
    let marks = site.dir.path().join("asked");
    let script = format!(
        "#!/bin/sh\nif [ -e {0} ]; then echo active; else touch {0}; echo activating; exit 3; fi\n",
        marks.display()
    );
    std::fs::write(&manager, script).unwrap();
    assert_eq!(site.ask(service, 20, Patience::WhileStarting).await, "passed (later is active)");
    std::fs::remove_file(&marks).unwrap();
    assert_eq!(site.ask(service, 20, Patience::Once).await, "failed (later is activating)");
    let port = closed().await;
    let said = site.ask(&format!("kind = 'tcp', address = '{port}'"), 1, Patience::WhileStarting).await;
    assert!(said.starts_with(&format!("failed ({port}")), "{said}");
}
