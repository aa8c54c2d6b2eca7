//! The service as callers meet it: the router in-process, a database of each kind, a clock that is stepped.

#![allow(clippy::unwrap_used)] // a story that cannot go on has failed

use super::databases;
use super::world::{commit_fleet, manifest, orchestrator, paris, report};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use noctule::edge::store::{Changes, Limits, Row, Scope, Store, Stored};
use noctule::model::manifest::SignedManifest;
use noctule::model::release::Release;
use noctule::work::{Orchestrator, planning, tokens};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tempfile::TempDir;
use tower::ServiceExt;

/// What the packages of these tests hold.
pub const PACKAGE: &[u8] = b"0123456789abcdefghij";

pub struct Site {
    pub o: Arc<Orchestrator>,
    pub router: Router,
    dir: TempDir,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.bytes);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{} {text:?}: {error}", self.status))
    }

    #[track_caller]
    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).expect("the header is there").to_str().unwrap()
    }

    /// An error says what is wrong and what to do.
    #[track_caller]
    pub fn refused(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        let body = self.json();
        for key in ["error", "hint"] {
            assert!(body[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {body}");
        }
        body
    }

    #[track_caller]
    pub fn ok(&self) -> &Answer {
        assert!(self.status.is_success(), "{} {}", self.status, String::from_utf8_lossy(&self.bytes));
        self
    }
}

/// Tells `story` on a fresh site with a database of each kind.
pub async fn each(story: impl AsyncFn(Site)) {
    let story = &story;
    databases::each_url(|url| async move {
        let site = Site::new(&url).await;
        let store = site.o.store.clone();
        story(site).await;
        store.close().await.unwrap();
    })
    .await;
}

/// The same, with an address that the clients' contacts can reach.
pub async fn each_public(story: impl AsyncFn(Site)) {
    let story = &story;
    databases::each_url(|url| async move {
        let site = Site::made(&url, Limits::default(), |o| {
            o.config.public_url = Some("https://noctule.example.net".to_owned());
            o.base_url = "https://noctule.example.net".to_owned();
        })
        .await;
        let store = site.o.store.clone();
        story(site).await;
        store.close().await.unwrap();
    })
    .await;
}

impl Site {
    /// Wednesday 29 April 2026, 17:00 in Paris; both clients' servers run isacompta 14.20.002 and were backed up.
    async fn new(url: &str) -> Site {
        Site::with(url, Limits::default()).await
    }

    /// The same with other limits on the database.
    pub async fn with(url: &str, limits: Limits) -> Site {
        Site::made(url, limits, |_| {}).await
    }

    async fn made(url: &str, limits: Limits, edit: impl FnOnce(&mut Orchestrator)) -> Site {
        let dir = tempfile::tempdir().unwrap();
        let mut o = orchestrator(dir.path(), url, "2026-04-29 17:00").await;
        o.store = Store::open_with(url, limits).await.unwrap();
        edit(&mut o);
        let o = Arc::new(o);
        commit_fleet(&o).await;
        for server in ["martin-1", "rhin-1"] {
            report(&o, server, &[("isacompta", "14.20.002")], Some(o.clock.now())).await;
        }
        Site { router: noctule::web::router(o.clone()), o, dir }
    }

    /// The folder its letters go to.
    pub fn outbox(&self) -> std::path::PathBuf {
        self.dir.path().join("outbox")
    }

    /// Publishes a release whose package is there, and plans.
    pub async fn publish(&self, product: &str, version: &str, change: &str, more: &str) {
        let sha256 = hex::encode(Sha256::digest(PACKAGE));
        std::fs::write(self.o.packages.path(&sha256), PACKAGE).unwrap();
        let now = self.o.clock.now();
        let manifest = manifest(product, version, change, more);
        let size = PACKAGE.len() as u64;
        let release = Release {
            signed: SignedManifest {
                publisher: "agiris".into(),
                published_at: now,
                size,
                sha256,
                manifest: manifest.into(),
            },
            seen_at: now,
            retracted: None,
            sha1: "5a1".into(),
            md5: "3d5".into(),
        };
        let rows = vec![Row::Release(Stored::new(release))];
        self.o.store.commit(Changes { rows, ..Changes::default() }).await.unwrap();
        planning::run(&self.o).await.unwrap();
    }

    /// `TargetToken …` of a server.
    pub async fn target(&self, server: &str) -> String {
        let scope = Scope::Target { server: server.into() };
        format!("TargetToken {}", tokens::issue(&self.o, &format!("target {server}"), scope).await.unwrap())
    }

    pub async fn gateway(&self, client: &str) -> String {
        let scope = Scope::Gateway { client: client.into() };
        format!("GatewayToken {}", tokens::issue(&self.o, &format!("gateway {client}"), scope).await.unwrap())
    }

    pub async fn client(&self, client: &str) -> String {
        let scope = Scope::Client { client: client.into() };
        format!("Bearer {}", tokens::issue(&self.o, &format!("contact {client}"), scope).await.unwrap())
    }

    pub async fn staff(&self) -> String {
        format!("Bearer {}", tokens::issue(&self.o, "zoe", Scope::Staff).await.unwrap())
    }

    /// Everything that a refused call must leave as it was.
    pub async fn kept(&self) -> String {
        let store = &self.o.store;
        format!(
            "{:?}",
            (
                store.events(&Default::default()).await.unwrap(),
                store.deployments(&Default::default()).await.unwrap(),
                store.requests(None).await.unwrap(),
                (store.agreements().await.unwrap(), store.holds(None).await.unwrap()),
                store.alerts(true).await.unwrap(),
                store.notices(None, 1_000).await.unwrap(),
                store.states().await.unwrap(),
            )
        )
    }

    /// Moves the clock to this Paris time.
    pub fn at(&self, text: &str) {
        self.o.clock.advance_to(paris(text));
    }

    pub async fn call(&self, method: &str, path: &str, token: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        request = request.header(header::HOST, "noctule.example:8420");
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, token, &[], "").await
    }

    pub async fn post(&self, path: &str, token: &str, body: &str) -> Answer {
        self.call("POST", path, token, &[("content-type", "application/json")], body).await
    }
}
