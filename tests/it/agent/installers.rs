//! Packages of kind exe and msi: real programs as installers, stopped at every point, in every way they end.

use super::stop_at;
use super::world::{Files, World, at, read_all};
use noctule::decide::steps::Outcome;
use noctule::edge::agent_file::InstalledProduct;
use noctule::edge::host::kept_packages::KeptPackages;
use noctule::model::manifest::SignedManifest;
use noctule::work::agent::AgentError;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

pub const PRODUCT: &str = "isapaye";

/// A server on which an installer put isapaye 1.0, and beside its folder what it wrote into the machine's own list.
pub struct Site {
    pub world: World,
    pub dir: PathBuf,
}

impl Site {
    pub async fn new() -> Site {
        let mut world = World::new().await;
        let dir = world.dir.path().join("programs/isapaye");
        fs::create_dir_all(dir.join("data")).unwrap();
        for (file, text) in [("VERSION", "1.0\n"), ("app.bin", "old"), ("data/client.db", "the client's own")] {
            fs::write(dir.join(file), text).unwrap();
        }
        let installed = InstalledProduct {
            directory: dir.clone(),
            version_file: "VERSION".to_owned(),
            timeout_seconds: 60,
            busy_pause_seconds: 0,
        };
        world.config.installed.insert(PRODUCT.to_owned(), installed);
        let site = Site { world, dir };
        fs::write(site.path("list"), "1.0\n").unwrap();
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.world.dir.path().join(name)
    }

    /// An installer of `version`: it replaces files, removes one, brings one, and enters itself into the machine's list.
    fn installer(&self, version: &str, end: &str) -> Vec<u8> {
        let (log, list) = (self.path("runs"), self.path("list"));
        let script = format!(
            "#!/bin/sh\n# isapaye {version}\nset -e\necho \"{version} $*\" >> {log}\ndir=$1\nmkdir -p $dir/data\n\
             echo {version} > $dir/VERSION\necho app {version} > $dir/app.bin\necho empty > $dir/data/client.db\n\
             echo {version} > $dir/only-{version}\necho {version} > {list}\n{end}\n",
            log = log.display(),
            list = list.display()
        );
        script.into_bytes()
    }

    /// Publishes isapaye 2.0, whose installer ends with the shell line `end`.
    pub fn publish(&self, health: &str, end: &str, change: impl FnOnce(&mut Value)) {
        self.world.publish_package(PRODUCT, health, self.installer("2.0", end), |signed| {
            signed["manifest"]["package"]["file"] = json!("isapaye.run");
            signed["manifest"]["installer"] = json!({"kind": "exe", "arguments": ["{dir}", "-q"]});
            change(signed);
        });
        self.world.hand_out(&[PRODUCT]);
    }

    /// The agent installed 1.0 itself and kept its package.
    pub fn keep_previous(&self, change: impl FnOnce(&mut Value)) {
        let package = self.installer("1.0", "exit 0");
        let mut signed = json!({
            "publisher": "agiris", "published_at": "2026-03-01T15:00:00Z",
            "size": package.len(), "sha256": hex::encode(Sha256::digest(&package)),
            "manifest": {
                "product": PRODUCT, "version": "1.0", "change": "minor", "notes": {"fr": "x"},
                "duration_minutes": 20, "rollback_minutes": 10, "package": {"file": "isapaye-1.run"},
                "installer": {"kind": "exe", "arguments": ["{dir}", "-old"]},
                "health": {"timeout_seconds": 20}, "detect": {"version_file": "VERSION"}
            }
        });
        change(&mut signed);
        let signed: SignedManifest = serde_json::from_value(signed).unwrap();
        let staged = self.path("staged");
        fs::write(&staged, package).unwrap();
        KeptPackages::new(self.path("state/packages")).keep(&signed, &staged).unwrap();
        fs::remove_file(staged).unwrap();
    }

    pub fn files(&self) -> Files {
        read_all(&self.dir)
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Versions whose packages are kept.
    fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("state/packages").join(PRODUCT)).into_iter().flatten();
        let mut kept: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        kept.sort();
        kept
    }

    /// Nothing that was only needed meanwhile is left.
    pub fn is_tidy(&self) -> bool {
        fs::read_dir(self.path("state/copies")).into_iter().flatten().next().is_none() && self.world.service_up()
    }
}

fn files(of: &[(&str, &str)]) -> Files {
    of.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

pub fn new() -> Files {
    files(&[
        ("VERSION", "2.0\n"),
        ("app.bin", "app 2.0\n"),
        ("data/client.db", "the client's own"),
        ("only-2.0", "2.0\n"),
    ])
}

#[tokio::test]
async fn an_installer_program_is_run_and_the_customers_files_stay() {
    let site = Site::new().await;
    site.publish("test \"$(cat VERSION)\" = 2.0", "exit 0", |_| {});
    let pass = site.world.pass().await.unwrap();
    assert_eq!(pass.ended, [("7".to_owned(), Outcome::Installed)]);
    assert_eq!(site.files(), new());
    assert_eq!(site.text("runs"), format!("2.0 {} -q\n", site.dir.display()));
    assert_eq!(site.world.service_log(), "stop\nstart\n");
    assert!(site.is_tidy() && site.kept() == ["2.0"], "{:?}", site.kept());
    let closing = &site.world.closings()[0];
    assert!(closing.contains(&"noctule.observed.isapaye=2.0".to_owned()), "{closing:?}");
    let told = "\"name\":\"isapaye 2.0, installer\"";
    assert!(closing.iter().any(|line| line.contains(told) && line.contains("exit code 0: success")), "{closing:?}");
    let fake = site.world.fake.lock().unwrap();
    assert_eq!(fake.configs.last().unwrap()["data"]["noctule.inventory.isapaye"], "2.0");
}

/// Stops the agent at every point of an installation of two products, one of them by an installer.
async fn killed_everywhere(health: &str, end: &str, result: &str, least_points: usize) {
    let prepare = async || {
        let site = Site::new().await;
        site.keep_previous(|_| {});
        site.publish(health, end, |_| {});
        site.world.publish("isaged", "true", |_| {});
        site.world.hand_out(&["isaged", PRODUCT]);
        site
    };
    let whole = prepare().await;
    let old = whole.files();
    let (checkpoint, points, _) = stop_at(usize::MAX);
    whole.world.agent(Some(checkpoint)).await.run_once().await.unwrap();
    assert_eq!(whole.world.closing().0, result);
    let installed = result == "installed";
    let (files, version) = if installed { (new(), "2.0") } else { (old, "1.0") };
    let look = |site: &Site, after: &str| {
        assert_eq!(site.files(), files, "after {after}");
        assert_eq!(site.text("list"), format!("{version}\n"), "after {after}");
        assert_eq!(site.world.running("isaged")["VERSION"], format!("{version}\n").as_bytes(), "after {after}");
        assert!(site.is_tidy(), "after {after}");
        assert_eq!(site.kept(), [version], "after {after}");
    };
    look(&whole, "nothing");
    let points = points.load(Ordering::SeqCst);
    assert!(points > least_points, "{points} points");
    for point in 0..points {
        let site = prepare().await;
        let (checkpoint, _, name) = stop_at(point);
        let killed = site.world.agent(Some(checkpoint)).await.run_once().await;
        assert!(matches!(killed, Err(AgentError::Stopped(_))), "{killed:?}");
        let name = name.lock().unwrap().clone();
        site.world.pass().await.unwrap();
        look(&site, &name);
        assert_eq!(site.world.closing().0, result, "after {name}");
        let runs = site.text("runs");
        if name == "installer's end written" && installed {
            assert_eq!(runs.lines().count(), 1, "what ended well is not run twice: {runs}");
        }
    }
}

#[tokio::test]
async fn killed_at_any_point_an_installation_is_finished() {
    killed_everywhere("true", "exit 0", "installed", 40).await;
}

#[tokio::test]
async fn killed_at_any_point_of_a_failure_folder_and_list_of_programs_are_put_back() {
    killed_everywhere("exit 1", "exit 0", "rolled_back", 50).await;
}

#[tokio::test]
async fn killed_at_any_point_of_an_installer_that_fails_everything_is_put_back() {
    killed_everywhere("true", "exit 5", "rolled_back", 40).await;
}

#[tokio::test]
async fn what_its_exit_code_means_decides_what_follows() {
    let expected = |response: &str| json!({"expected": [{"code": 9, "response": response}]});
    let once_busy = "n=$(wc -l < runs-seen 2>/dev/null || echo 0); echo x >> runs-seen; [ \"$n\" -ge 1 ] || exit 9";
    for (end, codes, result, said, runs) in [
        ("exit 9", json!({"success": [9]}), "installed", "exit code 9: success", 1),
        ("exit 9", expected("rebootRequiredToFinish"), "installed", "a restart of the machine finishes it", 1),
        (once_busy, expected("fileInUse"), "installed", "exit code 0: success", 2),
        ("exit 9", expected("fileInUse"), "refused", "a file that it replaces is in use", 3),
        ("exit 9", expected("diskFull"), "refused", "the disk is full", 1),
        ("echo no licence >&2; exit 9", expected("contactSupport"), "rolled_back", "(no licence)", 1),
        ("exit 9", expected("contactSupport"), "rolled_back", "it will end the same until somebody changes", 1),
        ("exit 9", json!({}), "rolled_back", "a failure that its manifest does not explain", 1),
        ("kill -9 $$", json!({}), "rolled_back", "it was ended from outside", 1),
    ] {
        let site = Site::new().await;
        let before = site.files();
        site.publish("true", end, |signed| signed["manifest"]["installer"]["return_codes"] = codes.clone());
        site.world.pass().await.unwrap();
        let (got, why) = site.world.closing();
        let closing = site.world.closings()[0].join("\n");
        assert_eq!(got, result, "{end} {codes}: {why}");
        assert!(closing.contains(said), "{end} {codes}: {closing}");
        assert_eq!(site.text("runs").lines().count(), runs, "{end} {codes}");
        if result == "refused" {
            assert!(closing.contains("noctule.unfit=not_ready"), "{closing}");
        }
        assert_eq!(site.files(), if result == "installed" { new() } else { before }, "{end} {codes}");
        assert!(site.is_tidy());
    }
}

#[tokio::test]
async fn an_installer_that_does_not_end_is_ended_with_everything_it_started() {
    let mut site = Site::new().await;
    site.world.config.installed.get_mut(PRODUCT).unwrap().timeout_seconds = 1;
    let before = site.files();
    let pid = site.path("pid");
    site.publish("true", &format!("sleep 1000 & echo $! > {}; wait", pid.display()), |_| {});
    site.world.pass().await.unwrap();
    let (result, why) = site.world.closing();
    assert!(result == "rolled_back" && why.contains("did not end within"), "{result}: {why}");
    assert_eq!(site.files(), before);
    let stat = PathBuf::from(format!("/proc/{}/stat", site.text("pid").trim()));
    let mut state = fs::read_to_string(&stat).unwrap_or_default();
    for _ in 0..100_000 {
        if state.is_empty() || state.contains(") Z") {
            return;
        }
        tokio::task::yield_now().await;
        state = fs::read_to_string(&stat).unwrap_or_default();
    }
    panic!("what it started still runs: {state}");
}

#[tokio::test]
async fn an_installer_gets_no_more_time_than_the_slot_leaves_for_going_back() {
    let site = Site::new().await;
    // 30 minutes are needed and left at the beginning; the clock stands still, so 20 of them are the installer's.
    site.world.clock.advance_to(at("2026-04-30T04:30:00Z"));
    site.publish("true", "exit 0", |_| {});
    site.world.pass().await.unwrap();
    assert_eq!(site.world.closing().0, "installed");
    let site = Site::new().await;
    site.world.clock.advance_to(at("2026-04-30T04:30:01Z"));
    site.publish("true", "exit 0", |_| {});
    site.world.pass().await.unwrap();
    assert_eq!((site.world.closing().0.as_str(), site.text("runs").as_str()), ("rolled_back", ""));
}

#[tokio::test]
async fn where_its_previous_package_is_not_kept_the_report_says_what_may_be_wrong() {
    let site = Site::new().await;
    let before = site.files();
    site.publish("exit 1", "exit 0", |_| {});
    site.world.pass().await.unwrap();
    assert_eq!((site.world.closing().0.as_str(), site.files()), ("rolled_back", before));
    let closing = site.world.closings()[0].join("\n");
    assert!(closing.contains("the package of 1.0 is not kept here"), "{closing}");
    assert!(site.kept().is_empty());
}

#[tokio::test]
async fn a_first_installation_that_fails_leaves_no_folder() {
    let site = Site::new().await;
    fs::remove_dir_all(&site.dir).unwrap();
    site.publish("exit 1", "exit 0", |_| {});
    site.world.pass().await.unwrap();
    assert_eq!(site.world.closing().0, "rolled_back");
    assert!(!site.dir.exists() && site.is_tidy());
}

#[tokio::test]
async fn what_a_server_is_not_ready_for_is_refused_before_anything_stops() {
    type Change = fn(&mut Site);
    let cases: [(&str, Change, &str); 4] = [
        (
            "add [installed.isapaye] with its directory to agent.toml",
            |site| {
                site.world.config.installed.clear();
            },
            "refused",
        ),
        (
            "is neither a file nor a folder",
            |site| std::os::unix::fs::symlink("/etc", site.dir.join("etc")).unwrap(),
            "refused",
        ),
        (
            "is of kind msi, which only Windows installs",
            |site| site.publish("true", "exit 0", |s| s["manifest"]["installer"] = json!({"kind": "msi"})),
            "rolled_back",
        ),
        (
            "an installer keeps isapaye in",
            |site| {
                site.world.publish(PRODUCT, "true", |_| {});
                site.world.hand_out(&[PRODUCT]);
            },
            "rolled_back",
        ),
    ];
    for (said, change, result) in cases {
        let mut site = Site::new().await;
        site.publish("true", "exit 0", |_| {});
        change(&mut site);
        site.world.pass().await.unwrap();
        let (got, why) = site.world.closing();
        assert!(got == result && why.contains(said), "{said}: {got}: {why}");
        assert_eq!((site.world.service_log(), site.text("runs")), (String::new(), String::new()), "{said}");
    }
}

/// A stand-in for msiexec: it keeps its arguments, writes a log, and runs or undoes what it is given.
fn msiexec(site: &mut Site, install_code: u8) {
    let script = format!(
        "#!/bin/sh\necho \"$1 $(basename $2) $3 $4 $5 $7\" >> {calls}\necho done > \"$6\"\n\
         case $1 in\n/x) rm -f {list}; exit 0;;\n/i) sh \"$2\" {dir}; exit $(grep -q 'isapaye 2.0' \"$2\" && echo {install_code} || echo 0);;\nesac\n",
        calls = site.path("calls").display(),
        list = site.path("list").display(),
        dir = site.dir.display(),
    );
    let program = site.path("msiexec");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    site.world.config.windows_installer = program.display().to_string();
}

#[tokio::test]
async fn an_msi_is_installed_silently_with_its_log_and_goes_back_by_being_removed() {
    let as_msi = |signed: &mut Value| {
        signed["manifest"]["package"]["file"] =
            json!(format!("p-{}.msi", signed["manifest"]["version"].as_str().unwrap()));
        signed["manifest"]["installer"] = json!({"kind": "msi", "arguments": ["INSTALLDIR={dir}"]});
    };
    let silent = "/quiet /norestart /log";
    for (health, code, result, calls) in [
        ("true", 0, "installed", vec![format!("/i p-2.0.msi {silent} DIR")]),
        (
            "exit 1",
            0,
            "rolled_back",
            vec![
                format!("/i p-2.0.msi {silent} DIR"),
                format!("/x p-2.0.msi {silent} "),
                format!("/i p-1.0.msi {silent} DIR"),
            ],
        ),
        // Windows Installer undoes by itself what fails in its hands.
        ("true", 67, "rolled_back", vec![format!("/i p-2.0.msi {silent} DIR")]),
    ] {
        let mut site = Site::new().await;
        msiexec(&mut site, code);
        site.keep_previous(as_msi);
        let before = site.files();
        site.publish(health, "exit 0", as_msi);
        site.world.pass().await.unwrap();
        assert_eq!(site.world.closing().0, result, "{:?}", site.world.closings());
        let dir = format!("INSTALLDIR={}", site.dir.display());
        let told: Vec<String> = site.text("calls").lines().map(|line| line.replace(&dir, "DIR")).collect();
        assert_eq!(told, calls);
        assert_eq!(site.text("state/logs/isapaye-install.log"), "done\n");
        assert_eq!(site.files(), if result == "installed" { new() } else { before });
        if code == 67 {
            assert!(site.world.closing().1.contains("its log is"), "{}", site.world.closing().1);
        } else {
            assert_eq!(site.text("list"), if result == "installed" { "2.0\n" } else { "1.0\n" });
        }
    }
}
