//! A restart of the machine, which ends the real agent as it ends everything: it goes on after it, and asks once.

use super::ground::{End, Ground, Moment, OLD, PRODUCTS, Point, read_all};
use noctule::edge::publish;
use noctule::edge::store::EventFilter;
use noctule::model::deployment::DeploymentState;
use noctule::work::intake;
use std::fs;

/// A release whose second product has an installer that wants a restart.
const NEW: &str = "2.2";
/// Most lives of one installation: until it is killed, until the restart, until staff restart the machine, the last.
const LIVES_MAX: usize = 5;

/// isaged is in a folder of its installer's; the restart gives the start another name and ends the agent.
async fn prepare(ground: &Ground) {
    let site = ground.path("site").display().to_string();
    let more = format!(
        "[installed.isaged]\ndirectory = \"{site}/programs/isaged\"\n[reboot]\nboot_id_file = \"{site}/boot\"\n\
         command = [\"sh\", \"-c\", \"echo x >> {site}/restarts; echo two > {site}/boot; kill -9 $PPID\"]\n"
    );
    let file = fs::read_to_string(ground.path("agent.toml")).unwrap();
    fs::write(ground.path("agent.toml"), file + &more).unwrap();
    let now = ground.o.clock.now();
    let feed = ground.path("agiris");
    super::ground::publish_one(ground.dir.path(), &feed, PRODUCTS[0], NEW, now).await;
    let text = format!(
        "product = \"isaged\"\nversion = {NEW:?}\nchange = \"minor\"\nnotes = {{ fr = \"Corrections.\" }}\n\
         duration_minutes = 20\nrollback_minutes = 10\nservices = [\"compta\"]\nreboot = \"allowed\"\n\
         package = {{ file = \"isaged-{NEW}.run\" }}\n\
         installer = {{ kind = \"exe\", arguments = [\"{{dir}}\"], return_codes = {{ expected = [\
         {{ code = 9, response = \"rebootRequiredToFinish\" }}] }} }}\n\
         health = {{ command = [\"grep\", \"-q\", \"two\", \"../../boot\"], timeout_seconds = 20 }}\n\
         detect = {{ version_file = \"VERSION\" }}\n"
    );
    let (manifest, program) = (ground.path("m.toml"), ground.path("p.run"));
    fs::write(&manifest, text).unwrap();
    fs::write(&program, format!("#!/bin/sh\necho {NEW} > $1/VERSION\necho x >> {site}/runs\nexit 9\n")).unwrap();
    publish::publish(&feed, &manifest, &program, now).await.unwrap();
    assert_eq!(intake::run(&ground.o).await.unwrap().released, 2);
}

fn lay_out(ground: &Ground) {
    ground.lay_out();
    fs::remove_dir_all(ground.path("site/root/isaged")).unwrap();
    fs::create_dir_all(ground.path("site/programs/isaged")).unwrap();
    fs::write(ground.path("site/programs/isaged/VERSION"), format!("{OLD}\n")).unwrap();
    fs::write(ground.path("site/boot"), "one\n").unwrap();
}

fn lines(ground: &Ground, file: &str) -> usize {
    fs::read_to_string(ground.path(file)).unwrap_or_default().lines().count()
}

/// One installation, killed at a line of its journal and by its restart; how many lines it came to, and restarts.
async fn round(ground: &Ground, line: Option<usize>) -> (usize, usize) {
    lay_out(ground);
    let action = ground.plan(NEW).await;
    let mut moment = line.map(|lines| Moment { point: Point::Line(lines), spins: 0 });
    let mut by_hand = false;
    for life in 1.. {
        assert!(life <= LIVES_MAX, "line {line:?}: it does not come to an end");
        match ground.life(moment.take()) {
            End::Killed => continue,
            End::Exited(status, printed) => assert!(status.success(), "line {line:?}: {status}: {printed}"),
        }
        if ground.journal("journal.jsonl").is_empty() {
            break;
        }
        // It was killed after it wrote that it asks and before it did; it waits, and somebody restarts the machine.
        assert_eq!((lines(ground, "site/restarts"), by_hand), (0, false), "line {line:?}");
        fs::write(ground.path("site/boot"), "two\n").unwrap();
        by_hand = true;
    }
    let states = ground.states(action).await;
    assert!(states.iter().all(|state| matches!(state, DeploymentState::Installed { .. })), "line {line:?}: {states:?}");
    let restarts = lines(ground, "site/restarts");
    assert_eq!(restarts + usize::from(by_hand), 1, "line {line:?}");
    for position in 0..PRODUCTS.len() {
        let filter = EventFilter { deployment: Some(action + position as i64), ..EventFilter::default() };
        let events = ground.o.store.events(&filter).await.unwrap();
        let told = events.iter().filter(|event| event.body.text.ends_with("the machine was restarted for it")).count();
        assert_eq!(told, 1, "line {line:?}");
    }
    let programs = read_all(&ground.path("site/programs/isaged"));
    assert_eq!(programs["VERSION"], format!("{NEW}\n").into_bytes(), "line {line:?}");
    assert!(ground.path("site/up").exists(), "line {line:?}: the service does not run");
    (ground.journal("journal.jsonl.last").len(), restarts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_by_the_restart_it_asked_for_and_at_each_line_around_it_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let ground = Ground::new(&format!("sqlite:{}/noctule.db", dir.path().display())).await;
    prepare(&ground).await;
    let (whole, restarts) = round(&ground, None).await;
    assert_eq!((restarts, lines(&ground, "site/runs")), (1, 1));
    // `asked for` is the line after which nobody knows whether the machine heard it.
    let journal = ground.journal("journal.jsonl.last");
    let asked = journal.iter().position(|line| line["line"] == "reboot_asked").unwrap() + 1;
    for line in asked - 3..=whole {
        round(&ground, Some(line)).await;
    }
    assert_eq!(ground.o.store.verify_chain(None).await.unwrap(), []);
}
