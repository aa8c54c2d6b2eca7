//! Where the agent is killed: a real orchestrator with a real feed behind it, and the folders of one server.

use super::super::world::{commit_fleet, orchestrator_at};
use super::orphans_end;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use noctule::edge::clock::Clock;
use noctule::edge::config::Publisher;
use noctule::edge::publish::{self, InitOptions};
use noctule::edge::store::{Changes, DeploymentFilter, EventFilter, Row, Sequence, Stored};
use noctule::model::deployment::{Deployment, DeploymentState};
use noctule::model::event::{Event, EventKind};
use noctule::model::slot::Slot;
use noctule::model::version::Change;
use noctule::web;
use noctule::work::{Orchestrator, intake, tokens};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

pub type Files = BTreeMap<String, Vec<u8>>;

/// The group that is installed together.
pub const PRODUCTS: [&str; 2] = ["isacompta", "isaged"];
/// What runs before, a release that works, and one whose second product does not.
pub const OLD: &str = "1.0";
pub const GOOD: &str = "2.0";
pub const BAD: &str = "2.1";
const SERVER: &str = "martin-1";
/// Files of a package besides the few with a meaning: laying it down takes a while.
const LEAVES: usize = 24;

pub struct Ground {
    pub dir: tempfile::TempDir,
    pub o: Arc<Orchestrator>,
    held: Arc<Mutex<Option<usize>>>,
}

/// How a life of the agent ended.
pub enum End {
    Killed,
    /// By itself, with what it printed; its complaints, where it made any, come last.
    Exited(ExitStatus, String),
}

/// When a life is ended: once it has come to a point, and a little later.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub point: Point,
    pub spins: usize,
}

/// How far a life has come, as its folders show.
#[derive(Clone, Copy, Debug)]
pub enum Point {
    /// The journal has this many lines.
    Line(usize),
    /// A version of this product is being laid down.
    Unpacking(usize),
    /// This product no longer points to the old version.
    Switched(usize),
    /// This life has begun to put the old version back.
    Restoring,
}

/// Sleeps until something in some folders changes.
struct Watch(OwnedFd);

impl Watch {
    fn of(folders: &[PathBuf]) -> Watch {
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
        let changes = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
        for folder in folders {
            fs::create_dir_all(folder).unwrap();
            inotify::add_watch(&watch, folder, changes).unwrap();
        }
        Watch(watch)
    }

    /// Returns at the next change, or when the other side of `pipe` is closed, which it says.
    fn hung_up(&self, pipe: &impl AsFd) -> bool {
        let mut ready = [PollFd::new(&self.0, PollFlags::IN), PollFd::new(pipe, PollFlags::empty())];
        poll(&mut ready, None).unwrap();
        let over = ready[1].revents().contains(PollFlags::HUP);
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut changes = inotify::Reader::new(&self.0, &mut buffer);
        while changes.next().is_ok() {}
        over
    }
}

impl Ground {
    /// Releases published, taken in and mirrored; the agent enrolled; `once` kept for every round.
    pub async fn new(database: &str) -> Ground {
        let dir = tempfile::tempdir().unwrap();
        // The binary reads the machine's clock, so the orchestrator stands still at this instant of it. Nothing here
        // depends on which it is.
        let now = Clock::System.now();
        let mut o = orchestrator_at(dir.path(), database, now).await;
        commit_fleet(&o).await;
        let home = dir.path().join("agiris");
        publish::init(&home, "agiris", &InitOptions::default(), now).await.unwrap();
        for version in [GOOD, BAD] {
            for product in PRODUCTS {
                publish_one(dir.path(), &home, product, version, now).await;
            }
        }
        let feed = listen(Router::new().fallback(file).with_state(home.join("repository"))).await;
        o.publishers = vec![Publisher { name: "agiris".into(), url: feed, root: home.join("root.json") }];
        assert_eq!(intake::run(&o).await.unwrap().released, 4);
        let o = Arc::new(o);
        let held = Arc::new(Mutex::new(None));
        let hold = Hold { journal: dir.path().join("site/state/journal.jsonl"), lines: held.clone() };
        let router = web::router(o.clone()).layer(axum::middleware::from_fn_with_state(hold, hold_back));
        let server = listen(router).await;
        let ground = Ground { dir, o, held };
        ground.write_agent_file(&server);
        fs::write(ground.path("code"), tokens::issue_enrolment(&ground.o, SERVER, TimeDelta::days(1)).await.unwrap())
            .unwrap();
        fs::write(ground.path("backup"), format!("{} ok\n", now.to_rfc3339())).unwrap();
        ground.lay_out();
        // One pass that has nothing to install: enrols, and tells that there is a backup.
        assert!(matches!(ground.life(None), End::Exited(status, _) if status.success()));
        fs::rename(ground.path("site/state"), ground.path("enrolled")).unwrap();
        ground
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write_agent_file(&self, server: &str) {
        let site = self.path("site").display().to_string();
        let mark = |word: &str| format!("echo {word} >> {site}/log");
        let text = format!(
            "server = {server:?}\nstate_dir = \"{site}/state\"\nproducts_root = \"{site}/root\"\n\
             enrol_code_file = {code:?}\n[disk]\nmargin_mib = 0\n[backup]\nfile = {backup:?}\n[service.compta]\n\
             stop = [\"sh\", \"-c\", \"{stop}; rm -f {site}/up\"]\nstart = [\"sh\", \"-c\", \"{start}; touch {site}/up\"]\n",
            code = self.path("code"),
            backup = self.path("backup"),
            stop = mark("stop"),
            start = mark("start"),
        );
        fs::write(self.path("agent.toml"), text).unwrap();
    }

    /// A server as it was before: both products at [`OLD`], the service running, nothing of an agent but who it is.
    pub fn lay_out(&self) {
        let site = self.path("site");
        drop(fs::remove_dir_all(&site));
        for product in PRODUCTS {
            let dir = site.join("root").join(product);
            write_all(&dir.join("versions").join(OLD), &tree(product, OLD));
            fs::write(dir.join("current"), format!("{OLD}\n")).unwrap();
        }
        fs::write(site.join("up"), "").unwrap();
        if self.path("enrolled").exists() {
            write_all(&site.join("state"), &read_all(&self.path("enrolled")));
        }
    }

    /// Plans `version` of both products for now; returns the action.
    pub async fn plan(&self, version: &str) -> i64 {
        let first = self.o.store.allocate(Sequence::Deployment, 2).await.unwrap();
        let now = self.o.clock.now();
        let deployment = |(position, product): (usize, &&str)| Deployment {
            id: first + position as i64,
            action: first,
            position: position as u32,
            client: "martin".into(),
            server: SERVER.into(),
            product: (*product).into(),
            from: Some(OLD.parse().unwrap()),
            to: version.parse().unwrap(),
            change: Change::Minor,
            manual: false,
            attended_by: None,
            concertation: None,
            slot: Slot::new(now - TimeDelta::hours(1), now + TimeDelta::hours(20)).unwrap(),
            published_at: now,
            deadline: None,
            request: None,
            attempt: 1,
            reasons: [].into(),
            transfer: None,
            state: DeploymentState::Planned,
        };
        let rows = PRODUCTS.iter().enumerate().map(deployment).map(|d| Row::Deployment(Stored::new(d))).collect();
        self.o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
        first
    }

    /// Lets the agent do one pass, and kills it at `moment` if it lives to see it.
    pub fn life(&self, moment: Option<Moment>) -> End {
        let products = PRODUCTS.map(|product| self.path("site/root").join(product));
        let versions = products.iter().map(|product| product.join("versions"));
        let folders: Vec<PathBuf> =
            [self.path("site/state")].into_iter().chain(versions).chain(products.clone()).collect();
        let watch = Watch::of(&folders);
        drop(fs::remove_file(self.path("stderr")));
        let mut agent = self.spawn();
        let mut stdout = agent.stdout.take().unwrap();
        *self.held.lock().unwrap() = moment.and_then(|moment| match moment.point {
            Point::Line(lines) if moment.spins == 0 => Some(lines),
            Point::Line(_) | Point::Unpacking(_) | Point::Switched(_) | Point::Restoring => None,
        });
        let restored_before = self.restores();
        if let Some(moment) = moment {
            while !self.has_come(moment.point, restored_before) {
                if watch.hung_up(&stdout) {
                    break;
                }
            }
            if self.has_come(moment.point, restored_before) {
                for _ in 0..moment.spins {
                    std::hint::spin_loop();
                }
                agent.kill().unwrap();
            }
        }
        let mut printed = String::new();
        stdout.read_to_string(&mut printed).unwrap();
        let status = agent.wait().unwrap();
        // What a failure leads to is asserted by others: what the agent complained of is shown with it.
        let complaints = fs::read_to_string(self.path("stderr")).unwrap_or_default();
        if !complaints.is_empty() {
            eprintln!("the agent ({status}, {moment:?}) said:\n{complaints}");
            printed += &complaints;
        }
        if status.code().is_some() {
            return End::Exited(status, printed);
        }
        orphans_end(self.dir.path());
        End::Killed
    }

    /// How often restoring was begun, by the journal.
    fn restores(&self) -> usize {
        let begun = |line: &serde_json::Value| line["line"] == "begun" && line["step"] == "restore";
        self.journal("journal.jsonl").iter().filter(|line| begun(line)).count()
    }

    fn has_come(&self, point: Point, restored_before: usize) -> bool {
        let product = |at: usize| self.path("site/root").join(PRODUCTS[at]);
        match point {
            // The last line is there for an instant only before the journal is put away.
            Point::Line(lines) => {
                let count = |name| self.journal(name).len();
                lines <= count("journal.jsonl") || (0 < lines && lines <= count("journal.jsonl.last"))
            }
            Point::Unpacking(at) => {
                [GOOD, BAD].iter().any(|version| product(at).join(format!("versions/.{version}.partial")).exists())
            }
            Point::Switched(at) => fs::read_to_string(product(at).join("current")).unwrap().trim() != OLD,
            Point::Restoring => restored_before < self.restores(),
        }
    }

    fn spawn(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_noctule"));
        command.args(["agent", "--once", "--config"]).arg(self.path("agent.toml")).current_dir(self.dir.path());
        command.env_remove("NOCTULE_ENROL_CODE").env("NOCTULE_LOG", "warn");
        // A file, which no reader has to keep up with.
        let complaints = fs::File::options().create(true).append(true).open(self.path("stderr")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(complaints).spawn().unwrap()
    }

    /// Whole lines of a journal.
    pub fn journal(&self, name: &str) -> Vec<serde_json::Value> {
        let whole = lines_of(&self.path("site/state").join(name));
        whole.iter().map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    /// What users run now, by product: exactly one version, and that one whole.
    pub fn running(&self) -> BTreeMap<&'static str, &'static str> {
        let mut running = BTreeMap::new();
        for product in PRODUCTS {
            let dir = self.path("site/root").join(product);
            let current = fs::read_to_string(dir.join("current")).unwrap();
            let version = [OLD, GOOD, BAD].into_iter().find(|version| current == format!("{version}\n"));
            let version = version.unwrap_or_else(|| panic!("{product} points to {current:?}"));
            assert!(
                read_all(&dir.join("versions").join(version)) == tree(product, version),
                "{product} {version} is torn"
            );
            running.insert(product, version);
        }
        running
    }

    /// Everything below the products' folder, and when each file was made what it is.
    pub fn products(&self) -> (Files, BTreeMap<PathBuf, std::time::SystemTime>) {
        let root = self.path("site/root");
        let files = read_all(&root);
        let times = files.keys().map(|name| root.join(name));
        let times = times.map(|path| (path.clone(), fs::metadata(path).unwrap().modified().unwrap())).collect();
        (files, times)
    }

    pub fn service_log(&self) -> String {
        fs::read_to_string(self.path("site/log")).unwrap_or_default()
    }

    /// The states of an action's deployments, as the server has them.
    pub async fn states(&self, action: i64) -> Vec<DeploymentState> {
        let filter = DeploymentFilter { action: Some(action), ..DeploymentFilter::default() };
        self.o.store.deployments(&filter).await.unwrap().into_iter().map(|d| d.value.state).collect()
    }

    /// How often each thing happened to one deployment, progress left out.
    pub async fn events(&self, deployment: i64) -> BTreeMap<EventKind, usize> {
        let filter = EventFilter { deployment: Some(deployment), ..EventFilter::default() };
        let all: Vec<Event> = self.o.store.events(&filter).await.unwrap();
        let mut counts = BTreeMap::new();
        let done = [EventKind::Started, EventKind::Installed, EventKind::RolledBack, EventKind::Failed];
        for event in all.into_iter().filter(|event| done.contains(&event.body.kind)) {
            *counts.entry(event.body.kind).or_default() += 1;
        }
        counts
    }
}

fn lines_of(journal: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(journal).unwrap_or_default();
    bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).map(<[u8]>::to_vec).collect()
}

/// Keeps an agent that is to be killed at a line of its journal from going far beyond it.
#[derive(Clone)]
struct Hold {
    journal: PathBuf,
    lines: Arc<Mutex<Option<usize>>>,
}

/// Answers nothing any more once the line is there: whoever watches may be slow on a busy machine.
async fn hold_back(State(hold): State<Hold>, request: Request, next: Next) -> Response {
    let lines = *hold.lines.lock().unwrap();
    if lines.is_some_and(|lines| lines <= lines_of(&hold.journal).len()) {
        std::future::pending::<()>().await;
    }
    next.run(request).await
}

/// What a version of a product is on the disk: what its package brings, and the customer's own file.
fn tree(product: &str, version: &str) -> Files {
    let mut files = package(product, version);
    files.insert("data/client.db".into(), b"the client's own".to_vec());
    files
}

fn package(product: &str, version: &str) -> Files {
    let mut files = Files::new();
    files.insert("VERSION".into(), format!("{version}\n").into_bytes());
    files.insert("data/client.db".into(), b"empty".to_vec());
    for leaf in 0..LEAVES {
        let text = format!("{product} {version} {leaf}\n").repeat(60 * (leaf + 1));
        files.insert(format!("lib/{}/{leaf}.bin", leaf % 5), text.into_bytes());
    }
    files
}

pub async fn publish_one(dir: &Path, home: &Path, product: &str, version: &str, now: DateTime<Utc>) {
    let health = if version == BAD && product == "isaged" {
        "echo the test company does not open >&2; exit 1".to_owned()
    } else {
        format!("test $(cat VERSION) = {version}")
    };
    let text = format!(
        "product = {product:?}\nversion = {version:?}\nchange = \"minor\"\nnotes = {{ fr = \"Corrections.\" }}\n\
         duration_minutes = 20\nrollback_minutes = 10\nservices = [\"compta\"]\npreserve = [\"data/**\"]\n\
         package = {{ file = \"{product}-{version}.zip\" }}\ninstaller = {{ kind = \"zip\" }}\n\
         health = {{ command = [\"sh\", \"-c\", {health:?}], files = [\"VERSION\"], timeout_seconds = 20 }}\n\
         detect = {{ version_file = \"VERSION\" }}\n"
    );
    let (manifest, zip) = (dir.join("m.toml"), dir.join("p.zip"));
    fs::write(&manifest, text).unwrap();
    let mut writer = zip::ZipWriter::new(fs::File::create(&zip).unwrap());
    for (name, bytes) in package(product, version) {
        let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file(name, stored).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    writer.finish().unwrap();
    publish::publish(home, &manifest, &zip, now).await.unwrap();
}

async fn listen(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

async fn file(State(dir): State<PathBuf>, request: Request) -> Response {
    match fs::read(dir.join(request.uri().path().trim_start_matches('/'))) {
        Ok(bytes) => bytes.into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

fn write_all(dir: &Path, files: &Files) {
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

pub fn read_all(dir: &Path) -> Files {
    let mut found = Files::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(dir).unwrap().display().to_string(), fs::read(&path).unwrap());
            }
        }
    }
    found
}
