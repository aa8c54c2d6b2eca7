//! A server to install on and an orchestrator that is not ours: a fake DDI server with its faults.

use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use noctule::edge::agent_file::{self, AgentConfig};
use noctule::edge::clock::Clock;
use noctule::model::manifest::SignedManifest;
use noctule::work::agent::source::{ReleaseSource, SourceError, Trusted};
use noctule::work::agent::{Agent, AgentError, Checkpoint, Pass, Sources};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

pub type Files = BTreeMap<String, Vec<u8>>;

/// What the fake orchestrator offers, and what it heard.
#[derive(Default)]
pub struct Fake {
    pub deployment: Option<Value>,
    pub cancel: Option<Value>,
    pub packages: BTreeMap<String, Vec<u8>>,
    pub cuts: usize,
    /// Whether it sends files whole only.
    pub whole_only: bool,
    /// Bytes of packages that it sent.
    pub sent: u64,
    /// Packages are sent when it is open.
    pub gate: Option<Gate>,
    pub deaf: usize,
    /// Whether the server cannot be reached.
    pub down: bool,
    pub ranges: Vec<String>,
    pub configs: Vec<Value>,
    pub feedbacks: Vec<Value>,
    pub cancelled: Vec<Value>,
    pub enrolled: usize,
    pub manifests: BTreeMap<String, Result<Trusted, String>>,
}

type Shared = Arc<Mutex<Fake>>;

/// Holds the server's hand until it is opened.
#[derive(Clone)]
pub struct Gate {
    arrived: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    /// Resolves when somebody stands before it.
    pub async fn arrived(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    pub fn open(&self) {
        self.open.add_permits(1);
    }
}

pub struct World {
    pub dir: tempfile::TempDir,
    pub fake: Shared,
    pub clock: Clock,
    pub config: AgentConfig,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

struct FakeSource(Shared);

#[async_trait::async_trait]
impl ReleaseSource for FakeSource {
    async fn manifest(&self, publisher: &str, target: &str, _: DateTime<Utc>) -> Result<Trusted, SourceError> {
        let publisher = publisher.to_owned();
        if self.0.lock().unwrap().down {
            return Err(SourceError::Unreachable { publisher, why: "the line is dead".into() });
        }
        match self.0.lock().unwrap().manifests.get(target) {
            Some(Ok(trusted)) => Ok(trusted.clone()),
            Some(Err(why)) => Err(SourceError::Refused { publisher, why: why.clone() }),
            None => Err(SourceError::Unreachable { publisher, why: "not there".into() }),
        }
    }
}

impl World {
    /// Evening of 29 April 2026, slot open from 20:00 to 05:00 UTC, backup an hour old, two products at 1.0.
    pub async fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let fake = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let app = router(Arc::clone(&fake));
        let server_task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let path = |name: &str| dir.path().join(name).display().to_string();
        fs::write(path("code"), "once\n").unwrap();
        fs::write(path("backup"), "2026-04-29T19:00:00Z ok\n").unwrap();
        fs::write(path("up"), "").unwrap();
        let text = format!(
            r#"
server = "{server}"
state_dir = "{state}"
products_root = "{root}"
enrol_code_file = "{code}"
[disk]
margin_mib = 0
[backup]
file = "{backup}"
[service.compta]
stop = ["sh", "-c", "echo stop >> {log}; rm -f {up}"]
start = ["sh", "-c", "echo start >> {log}; touch {up}"]
"#,
            state = path("state"),
            root = path("root"),
            code = path("code"),
            backup = path("backup"),
            log = path("log"),
            up = path("up"),
        );
        let config = agent_file::parse(Path::new("agent.toml"), &text).unwrap();
        for product in ["isacompta", "isaged"] {
            let old = dir.path().join("root").join(product);
            let tree = old.join("versions/1.0");
            fs::create_dir_all(tree.join("data")).unwrap();
            fs::write(tree.join("VERSION"), "1.0\n").unwrap();
            fs::write(tree.join("app.bin"), format!("old {product}")).unwrap();
            fs::write(tree.join("data/client.db"), "the client's own").unwrap();
            fs::write(old.join("current"), "1.0\n").unwrap();
        }
        let clock = Clock::stepped(at("2026-04-29T20:30:00Z"));
        World { dir, fake, clock, config, server: server_task }
    }

    /// Sends the next package only when the gate is opened.
    pub fn close_the_gate(&self) -> Gate {
        let gate = Gate { arrived: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) };
        self.fake.lock().unwrap().gate = Some(gate.clone());
        gate
    }

    /// The digest of the package of `product`.
    pub fn sha256(&self, product: &str) -> String {
        hex::encode(Sha256::digest(&self.fake.lock().unwrap().packages[product]))
    }

    /// Publishes version 2.0 of `product`; `health` is a shell line.
    pub fn publish(&self, product: &str, health: &str, change: impl FnOnce(&mut Value)) {
        self.publish_package(product, health, good_package(), change);
    }

    pub fn publish_package(&self, product: &str, health: &str, package: Vec<u8>, change: impl FnOnce(&mut Value)) {
        let mut signed = json!({
            "publisher": "agiris", "published_at": "2026-04-29T15:00:00Z",
            "size": package.len(), "sha256": hex::encode(Sha256::digest(&package)),
            "manifest": {
                "product": product, "version": "2.0", "change": "minor", "notes": {"fr": "Corrections."},
                "duration_minutes": 20, "rollback_minutes": 10,
                "package": {"file": format!("{product}.zip"), "unpacked_mib_max": 8},
                "installer": {"kind": "zip"}, "preserve": ["data/**"], "services": ["compta"],
                "health": {"command": ["sh", "-c", health], "files": ["app.bin"], "timeout_seconds": 20},
                "detect": {"version_file": "VERSION"}
            }
        });
        change(&mut signed);
        let signed: SignedManifest = serde_json::from_value(signed).unwrap();
        let mut fake = self.fake.lock().unwrap();
        fake.manifests.insert(format!("{product}-2.0.json"), Ok(Trusted { signed, retracted: None }));
        fake.packages.insert(product.to_owned(), package);
    }

    /// Hands out one action with version 2.0 of these products.
    pub fn hand_out(&self, products: &[&str]) {
        self.hand_out_as("7", products, "attempt");
    }

    pub fn hand_out_as(&self, action: &str, products: &[&str], update: &str) {
        let chunks: Vec<Value> = products
            .iter()
            .map(|product| {
                json!({
                    "part": "bApp", "name": product, "version": "2.0",
                    "artifacts": [{"filename": format!("{product}.zip"), "hashes": {}, "size": 1, "_links":
                        {"download": {"href": format!("http://elsewhere.invalid/files/{product}")}}}],
                    "metadata": [
                        {"key": "noctule.publisher", "value": "agiris"},
                        {"key": "noctule.manifest", "value": format!("{product}-2.0.json")},
                        {"key": "noctule.slot.not_before", "value": "2026-04-29T20:00:00Z"},
                        {"key": "noctule.slot.not_after", "value": "2026-04-30T05:00:00Z"},
                    ]
                })
            })
            .collect();
        self.fake.lock().unwrap().deployment =
            Some(json!({"id": action, "deployment": {"download": "attempt", "update": update, "chunks": chunks}}));
    }

    pub async fn agent(&self, checkpoint: Option<Checkpoint>) -> Agent {
        self.try_agent(checkpoint).await.unwrap()
    }

    pub async fn try_agent(&self, checkpoint: Option<Checkpoint>) -> Result<Agent, AgentError> {
        let fake = Arc::clone(&self.fake);
        let sources: Sources = Arc::new(move |_, _| Ok(Box::new(FakeSource(Arc::clone(&fake)))));
        Agent::with(self.config.clone(), self.clock.clone(), sources, checkpoint).await
    }

    pub async fn pass(&self) -> Result<Pass, AgentError> {
        self.agent(None).await.run_once().await
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Every file below the products' root.
    pub fn files(&self) -> Files {
        read_all(&self.root())
    }

    /// What the users of one product run now.
    pub fn running(&self, product: &str) -> Files {
        let dir = self.root().join(product);
        let slug = fs::read_to_string(dir.join("current")).unwrap();
        read_all(&dir.join("versions").join(slug.trim()))
    }

    pub fn service_log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    pub fn service_up(&self) -> bool {
        self.dir.path().join("up").exists()
    }

    /// Details of every closing report heard, machine-read ones.
    pub fn closings(&self) -> Vec<Vec<String>> {
        let fake = self.fake.lock().unwrap();
        fake.feedbacks
            .iter()
            .filter(|f| f["status"]["execution"] == "closed")
            .map(|f| serde_json::from_value(f["status"]["details"].clone()).unwrap())
            .collect()
    }

    /// The only closing report: its result and why.
    pub fn closing(&self) -> (String, String) {
        let closings = self.closings();
        assert_eq!(closings.len(), 1, "{closings:?}");
        let value = |key: &str| closings[0].iter().find_map(|d| d.strip_prefix(key)).unwrap_or_default().to_owned();
        (value("noctule.result="), value("noctule.why="))
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

/// A package of version 2.0 that also brings a file the client owns.
pub fn good_package() -> Vec<u8> {
    package(&[("VERSION", "2.0\n"), ("app.bin", "new"), ("data/client.db", "empty"), ("lib/x/y.txt", "y")])
}

pub fn package(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn router(fake: Shared) -> Router {
    let base = "/DEFAULT/controller/v1/srv";
    Router::new()
        .route("/api/v1/enrol", post(enrol))
        .route(base, get(poll))
        .route(&format!("{base}/configData"), put(config_data))
        .route(&format!("{base}/deploymentBase/{{action}}"), get(deployment))
        .route(&format!("{base}/deploymentBase/{{action}}/feedback"), post(feedback))
        .route(&format!("{base}/cancelAction/{{id}}"), get(cancellation))
        .route(&format!("{base}/cancelAction/{{id}}/feedback"), post(cancel_feedback))
        .route("/files/{product}", get(file))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&fake), down))
        .with_state(fake)
}

async fn down(State(fake): State<Shared>, request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    if fake.lock().unwrap().down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    next.run(request).await
}

async fn enrol(State(fake): State<Shared>, Json(body): Json<Value>) -> Response {
    assert_eq!(body["code"], "once");
    let mut fake = fake.lock().unwrap();
    fake.enrolled += 1;
    if fake.enrolled > 1 {
        return StatusCode::GONE.into_response();
    }
    Json(json!({"server": "srv", "tenant": "DEFAULT", "token": "t0ken", "roots": {"agiris": "e30="}})).into_response()
}

fn authorized(headers: &HeaderMap) {
    assert_eq!(headers["authorization"], "TargetToken t0ken");
}

async fn poll(State(fake): State<Shared>, headers: HeaderMap) -> Json<Value> {
    authorized(&headers);
    let fake = fake.lock().unwrap();
    let base = "http://elsewhere.invalid/DEFAULT/controller/v1/srv";
    let mut links = json!({});
    if let Some(cancel) = &fake.cancel {
        links["cancelAction"] = json!({"href": format!("{base}/cancelAction/{}", cancel["id"].as_str().unwrap())});
    } else if let Some(deployment) = &fake.deployment {
        links["deploymentBase"] =
            json!({"href": format!("{base}/deploymentBase/{}", deployment["id"].as_str().unwrap())});
    }
    Json(json!({"config": {"polling": {"sleep": "00:10:00"}}, "_links": links, "unknown": 1}))
}

async fn config_data(State(fake): State<Shared>, Json(body): Json<Value>) {
    fake.lock().unwrap().configs.push(body);
}

async fn deployment(State(fake): State<Shared>) -> Response {
    match &fake.lock().unwrap().deployment {
        Some(deployment) => Json(deployment.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn feedback(State(fake): State<Shared>, Json(body): Json<Value>) -> StatusCode {
    let mut fake = fake.lock().unwrap();
    if body["status"]["execution"] == "closed" {
        if fake.deaf > 0 {
            fake.deaf -= 1;
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        if fake.deployment.take().is_none() {
            return StatusCode::GONE;
        }
    }
    fake.feedbacks.push(body);
    StatusCode::OK
}

async fn cancellation(State(fake): State<Shared>) -> Json<Value> {
    Json(fake.lock().unwrap().cancel.clone().unwrap())
}

async fn cancel_feedback(State(fake): State<Shared>, Json(body): Json<Value>) {
    let mut fake = fake.lock().unwrap();
    fake.cancelled.push(body);
    fake.cancel = None;
    fake.deployment = None;
}

/// Serves ranges, and breaks the line in the middle as often as asked.
async fn file(State(fake): State<Shared>, UrlPath(product): UrlPath<String>, headers: HeaderMap) -> Response {
    let gate = fake.lock().unwrap().gate.take();
    if let Some(gate) = gate {
        gate.arrived.add_permits(1);
        gate.open.acquire().await.unwrap().forget();
    }
    let mut fake = fake.lock().unwrap();
    let whole = fake.packages[&product].clone();
    let range = headers.get("range").map(|r| r.to_str().unwrap().to_owned()).filter(|_| !fake.whole_only);
    let (from, to) = range.as_ref().map_or((0, whole.len()), |range| {
        let (from, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        (from.parse().unwrap(), last.parse::<usize>().map_or(whole.len(), |last| last + 1))
    });
    fake.ranges.extend(range.clone());
    let mut part = whole[from..to].to_vec();
    let cut = fake.cuts > 0;
    if cut {
        fake.cuts -= 1;
        part.truncate(part.len() / 2);
    }
    fake.sent += part.len() as u64;
    let part = Bytes::from(part);
    let body = if cut {
        let broken = std::io::Error::other("line cut");
        let pieces = futures_util::stream::iter([Ok(part), Err(broken)]);
        // Lets the first half leave before the line breaks.
        Body::from_stream(pieces.then(async |piece| {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            piece
        }))
    } else {
        Body::from(part)
    };
    let mut response = Response::builder().header("etag", "\"v1\"").header("accept-ranges", "bytes");
    if let Some(range) = range {
        // A rest is asked for of one version only; the first part of a file tells which that is.
        let is_rest = range.ends_with('-');
        let if_range = headers.get("if-range").map(|tag| tag.to_str().unwrap());
        assert!(if_range == Some("\"v1\"") || (if_range.is_none() && !is_rest), "{if_range:?}");
        let total = whole.len();
        response = response.status(206).header("content-range", format!("bytes {from}-{}/{total}", to - 1));
    }
    response.body(body).unwrap()
}
