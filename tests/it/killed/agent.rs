//! The agent of one server, killed and started again: old or new, one version, one report, nothing twice.

use super::super::databases;
use super::ground::{BAD, End, GOOD, Ground, Moment, OLD, PRODUCTS, Point};
use super::{Random, seed};
use noctule::model::deployment::DeploymentState;
use noctule::model::event::EventKind;
use std::collections::BTreeMap;

/// Kills at random instants on each database, unless `NOCTULE_TEST_KILLS` says how many.
const RANDOM_KILLS: usize = 20;
/// Furthest instant behind a journal's line, in turns of an idle loop.
const SPINS_MAX: usize = 400_000;

fn random_kills() -> usize {
    let said = std::env::var("NOCTULE_TEST_KILLS").ok();
    said.map_or(RANDOM_KILLS, |text| text.parse().expect("the number of kills is a number"))
}

/// What a run that nobody disturbed leaves behind.
struct Undisturbed {
    lines: usize,
    files: super::ground::Files,
}

async fn undisturbed(ground: &Ground, version: &'static str) -> Undisturbed {
    ground.lay_out();
    let action = ground.plan(version).await;
    let End::Exited(status, printed) = ground.life(None) else { panic!("nobody killed it") };
    assert!(status.success() && printed.contains(&format!("action {action}: ")), "{status}: {printed}");
    let lines = ground.journal("journal.jsonl.last").len();
    judge(ground, action, version, 0).await;
    Undisturbed { lines, files: ground.products().0 }
}

/// Looks at what became of an action after `kills` kills.
async fn judge(ground: &Ground, action: i64, version: &'static str, kills: usize) {
    let states = ground.states(action).await;
    let running = ground.running();
    let all = |version: &'static str| PRODUCTS.map(|product| (product, version)).into();
    let ended: BTreeMap<EventKind, usize> = match &states[..] {
        [DeploymentState::Installed { observed, .. }, DeploymentState::Installed { .. }] => {
            assert_eq!(version, GOOD, "what does not work was reported as installed");
            assert_eq!(observed.as_ref().map(ToString::to_string).as_deref(), Some(version));
            assert_eq!(running, all(version));
            [(EventKind::Started, 1), (EventKind::Installed, 1)].into()
        }
        [DeploymentState::RolledBack { why, .. }, DeploymentState::RolledBack { .. }] => {
            // A release that works goes back only where it was interrupted twice in the same step.
            let said = if version == BAD && kills < 2 { "the test company does not open" } else { "" };
            assert!(why.contains(said), "{why}");
            assert!(version == BAD || (kills > 1 && why.contains("interrupted twice")), "{why}");
            assert_eq!(running, all(OLD));
            [(EventKind::Started, 1), (EventKind::RolledBack, 1)].into()
        }
        _ => panic!("{states:?}"),
    };
    for position in 0..PRODUCTS.len() {
        assert_eq!(ground.events(action + position as i64).await, ended);
    }
    assert!(ground.path("site/up").exists(), "the service does not run");
    // What failed keeps its package for the next try.
    let staged = std::fs::read_dir(ground.path("site/state/staging")).unwrap().count();
    assert!(staged == 0 || running == all(OLD), "{staged} staged files");
    assert!(ground.journal("journal.jsonl").is_empty(), "nothing is left to do");
}

/// One installation that is killed at each of `moments`; returns how often it was.
async fn round(ground: &Ground, version: &'static str, moments: &[Moment], whole: &Undisturbed) -> usize {
    eprintln!("seed {}: {version} killed at {moments:?}", seed());
    ground.lay_out();
    let action = ground.plan(version).await;
    let mut kills = 0;
    for moment in moments {
        match ground.life(Some(*moment)) {
            End::Killed => kills += 1,
            End::Exited(status, printed) => {
                assert!(status.success(), "{status}: {printed}");
                break;
            }
        }
        // Whatever it was doing, users have one whole version of everything.
        ground.running();
    }
    let ended = |line: &serde_json::Value| line["line"] == "closed";
    let closed = ground.journal("journal.jsonl").iter().any(ended);
    let (products, log) = (ground.products(), ground.service_log());
    let End::Exited(status, printed) = ground.life(None) else { panic!("nobody killed it") };
    assert!(status.success(), "{status}: {printed}");
    judge(ground, action, version, kills).await;
    let installed = ground.running()[PRODUCTS[0]] != OLD;
    if installed == (version == GOOD) {
        let same = ground.products().0 == whole.files;
        assert!(same, "what is left is not what an undisturbed run leaves");
    }
    if closed {
        // The end was written down: the next life only reports it.
        assert!(ground.products() == products && ground.service_log() == log, "it was done twice");
    }
    kills
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_each_line_of_its_journal_it_finishes_or_restores() {
    databases::each_url(|url| async move {
        let ground = Ground::new(&url).await;
        // Each way on one of the databases: the agent does not know which it is.
        let version = if url.starts_with("sqlite") { GOOD } else { BAD };
        let whole = undisturbed(&ground, version).await;
        assert!(whole.lines > 18, "{} lines", whole.lines);
        for lines in 1..=whole.lines {
            let kills = round(&ground, version, &[Moment { point: Point::Line(lines), spins: 0 }], &whole).await;
            // The last one says that the report was heard; the agent may have ended before anybody can kill it.
            assert!(kills == 1 || lines == whole.lines, "line {lines} of {} was not seen", whole.lines);
        }
        assert_eq!(ground.o.store.verify_chain(None).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_instants_it_finishes_or_restores() {
    databases::each_url(|url| async move {
        let ground = Ground::new(&url).await;
        let whole = [undisturbed(&ground, GOOD).await, undisturbed(&ground, BAD).await];
        let mut random = Random(seed() ^ url.starts_with("sqlite") as u64);
        let (wanted, mut kills, mut restoring, mut rounds) = (random_kills(), 0, 0, 0);
        while kills < wanted {
            rounds += 1;
            // Some moments lie behind the end of a life, more of them on a busy machine.
            assert!(rounds <= 10 + wanted * 3, "only {kills} kills");
            // A round of every four in which nothing but the way back is disturbed, each time it is tried.
            let back = rounds % 4 == 0;
            let bad = back || random.below(3) == 0;
            let whole = &whole[usize::from(bad)];
            let lives = 1 + random.below(3);
            let moments: Vec<Moment> = (0..lives)
                .map(|_| {
                    let product = random.below(PRODUCTS.len());
                    match random.below(4) {
                        _ if back => Moment { point: Point::Restoring, spins: random.below(SPINS_MAX / 40) },
                        0 => Moment { point: Point::Unpacking(product), spins: random.below(SPINS_MAX / 10) },
                        1 => Moment { point: Point::Switched(product), spins: random.below(SPINS_MAX / 100) },
                        _ => {
                            let line = random.below(whole.lines);
                            Moment { point: Point::Line(line), spins: random.below(SPINS_MAX) }
                        }
                    }
                })
                .collect();
            let killed = round(&ground, if bad { BAD } else { GOOD }, &moments, whole).await;
            restoring += if back { killed } else { 0 };
            kills += killed;
        }
        eprintln!("{kills} kills in {rounds} installations, {restoring} of them while restoring");
        assert!(restoring > 0, "none while restoring");
        assert_eq!(ground.o.store.verify_chain(None).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_each_time_it_restores_it_restores_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let ground = Ground::new(&format!("sqlite:{}/noctule.db", dir.path().display())).await;
    let whole = undisturbed(&ground, BAD).await;
    let moments = [Moment { point: Point::Restoring, spins: 0 }; 6];
    let kills = round(&ground, BAD, &moments, &whole).await;
    assert!(kills > 3, "only {kills} kills: the way back was not begun that often");
}
