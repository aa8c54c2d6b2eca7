//! Publishers and what follows them: publish, serve as files, refresh, take in; and everything that has to be refused.

use super::databases;
use super::hostile::writer::{raw, zip_of};
use super::world::{orchestrator, paris};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use noctule::edge::config::Publisher;
use noctule::edge::feed;
use noctule::edge::publish::{self, InitOptions, PublishError, Rotation};
use noctule::edge::store::EventFilter;
use noctule::model::event::EventKind;
use noctule::work::{Orchestrator, intake};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const START: &str = "2026-04-29 17:00";

/// A publisher's folder served on loopback, and an orchestrator that follows it.
struct World {
    dir: tempfile::TempDir,
    o: Orchestrator,
    served: Served,
}

/// What the publisher's web server shares with its world.
#[derive(Clone, Default)]
struct Served {
    dir: PathBuf,
    /// Paths asked of it.
    asked: Arc<Mutex<Vec<String>>>,
    /// Paths with this ending are answered with 503.
    broken: Arc<Mutex<Option<&'static str>>>,
    /// Packages are cut in the middle of what was asked for, so often.
    cuts: Arc<Mutex<usize>>,
    /// First byte of each part of a package that was sent, and how many.
    sent: Arc<Mutex<Vec<(usize, usize)>>>,
}

/// Tells `story` on a fresh world with a database of each kind.
async fn each(story: impl AsyncFn(World)) {
    let story = &story;
    databases::each_url(|url| async move { story(World::new(&url).await).await }).await;
}

impl World {
    async fn new(database: &str) -> World {
        let dir = tempfile::tempdir().expect("a folder");
        let now = paris(START);
        let options = InitOptions { root_threshold: 2, root_keys: 3 };
        publish::init(&dir.path().join("agiris"), "agiris", &options, now).await.expect("it is made");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let served = Served { dir: dir.path().join("agiris/repository"), ..Served::default() };
        let app = Router::new().fallback(file).with_state(served.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let mut o = orchestrator(dir.path(), database, START).await;
        let root = dir.path().join("agiris/root.json");
        o.publishers = vec![Publisher { name: "agiris".into(), url, root }];
        World { dir, o, served }
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("agiris")
    }

    fn now(&self) -> DateTime<Utc> {
        self.o.clock.now()
    }

    fn pass(&self, time: TimeDelta) {
        self.o.clock.advance_to(self.now() + time);
    }

    /// Publishes a small release of `product`; `more` is further TOML.
    async fn publish(&self, product: &str, version: &str, more: &str) -> Result<(), PublishError> {
        let file = format!("{product}-{}.zip", version.replace('/', "+").replace('+', "-du-"));
        let (manifest, package) = (self.dir.path().join("m.toml"), self.dir.path().join("p.zip"));
        std::fs::write(&manifest, manifest_text(product, version, &file, more)).expect("it writes");
        zip_with(&package, version);
        publish::publish(&self.home(), &manifest, &package, self.now()).await.map(|_| ())
    }

    async fn intake(&self) -> intake::Report {
        intake::run(&self.o).await.expect("the store works")
    }

    /// Releases that were taken in, `-` before those withdrawn.
    async fn releases(&self) -> Vec<String> {
        let all = self.o.store.releases().await.expect("it reads");
        let mut told: Vec<String> =
            all.iter().map(|r| format!("{}{}", if r.retracted.is_some() { "-" } else { "" }, r.id())).collect();
        told.sort();
        told
    }

    /// Texts of the events of one kind.
    async fn events(&self, kind: EventKind) -> Vec<String> {
        let all = self.o.store.events(&EventFilter::default()).await.expect("it reads");
        all.into_iter().filter(|e| e.body.kind == kind).map(|e| e.body.text).collect()
    }

    /// Titles of the alerts that are open.
    async fn alerts(&self) -> Vec<String> {
        self.o.store.alerts(false).await.expect("it reads").into_iter().map(|alert| alert.value.title).collect()
    }

    fn breaks(&self, ending: Option<&'static str>) {
        *self.served.broken.lock().expect("no panic") = ending;
    }

    /// Why the feed is refused.
    async fn error(&self) -> Option<String> {
        self.o.store.feed("agiris").await.expect("it reads").and_then(|feed| feed.value.refused)
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.served.asked.lock().expect("no panic"))
    }

    fn file(&self, folder: &str, ending: &str) -> PathBuf {
        let folder = self.home().join("repository").join(folder);
        let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.to_string_lossy().ends_with(ending))
            .collect();
        found.sort();
        found.pop().expect("there is one")
    }
}

async fn file(State(served): State<Served>, request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    served.asked.lock().expect("no panic").push(path.clone());
    if served.broken.lock().expect("no panic").is_some_and(|ending| path.ends_with(ending)) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match std::fs::read(served.dir.join(&path)) {
        Ok(bytes) if path.ends_with(".zip") => package(&served, &request, bytes),
        Ok(bytes) => bytes.into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A package as a web server sends it: the rest from a byte on, of the version that was asked for.
fn package(served: &Served, request: &Request, bytes: Vec<u8>) -> Response {
    let tag = format!("\"{}\"", bytes.iter().map(|b| usize::from(*b)).sum::<usize>());
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().expect("text"));
    let from = header("range").filter(|_| header("if-range") == Some(&tag));
    let from = from.map(|range| range.trim_start_matches("bytes=").trim_end_matches('-').parse::<usize>());
    let first = from.as_ref().map_or(0, |from| *from.as_ref().expect("a number"));
    let mut rest = bytes[first..].to_vec();
    let mut cuts = served.cuts.lock().expect("no panic");
    let cut = *cuts > 0;
    if cut {
        *cuts -= 1;
        rest.truncate(rest.len() / 2);
    }
    served.sent.lock().expect("no panic").push((first, rest.len()));
    let mut response = Response::builder().header("etag", tag);
    if from.is_some() {
        let range = format!("bytes {first}-{}/{}", bytes.len() - 1, bytes.len());
        response = response.status(StatusCode::PARTIAL_CONTENT).header("content-range", range);
    }
    if !cut {
        return response.body(Body::from(rest)).expect("a response");
    }
    let pieces = futures_util::stream::iter([Ok(Bytes::from(rest)), Err(std::io::Error::other("line cut"))]);
    let pieces = futures_util::StreamExt::then(pieces, async |piece| {
        // Lets what comes first leave before the line breaks.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        piece
    });
    response.body(Body::from_stream(pieces)).expect("a response")
}

fn manifest_text(product: &str, version: &str, file: &str, more: &str) -> String {
    format!(
        "product = {product:?}\nversion = {version:?}\nchange = \"minor\"\n\
         notes = {{ fr = \"Corrections diverses.\" }}\nduration_minutes = 20\nrollback_minutes = 10\n\
         package = {{ file = {file:?} }}\ninstaller = {{ kind = \"zip\" }}\n\
         health = {{ files = [\"VERSION\"], timeout_seconds = 10 }}\ndetect = {{ version_file = \"VERSION\" }}\n{more}\n"
    )
}

fn zip_with(path: &Path, version: &str) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).expect("it is made"));
    zip.start_file("VERSION", zip::write::SimpleFileOptions::default()).expect("an entry");
    writeln!(zip, "{version}").expect("it writes");
    zip.finish().expect("it ends");
}

#[tokio::test]
async fn what_is_published_is_taken_in_with_its_package_and_costs_two_requests_afterwards() {
    each(async |w| {
        assert_eq!(w.intake().await.released, 0);
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        w.publish("isacompta", "15.30.02/DU3", "").await.expect("published");
        let published_at = w.now();
        w.pass(TimeDelta::minutes(7));
        assert_eq!(w.intake().await.released, 2);
        assert_eq!(w.releases().await, ["isacompta 14.20.003", "isacompta 15.30.02/DU3"]);
        for release in w.o.store.releases().await.expect("it reads") {
            assert_eq!(release.published_at(), published_at, "the publisher's date, not ours");
            assert_eq!(release.seen_at, w.now());
            let package = std::fs::read(w.o.packages.path(&release.signed.sha256)).expect("it is mirrored");
            assert_eq!(package.len() as u64, release.signed.size);
            assert_eq!((release.sha1.len(), release.md5.len()), (40, 32));
            let (figures, line) = (&release.signed.manifest.package, release.version().as_str().len() as u64 + 1);
            assert_eq!((figures.entries, figures.unpacked_bytes), (Some(1), Some(line)), "counted by publishing");
        }
        let doubted = w.events(EventKind::ReleasePublished).await;
        assert!(doubted[1].contains("its number says major, so it is treated as major"), "{doubted:?}");
        w.asked();
        assert_eq!(w.intake().await, intake::Report { feeds: 1, ..intake::Report::default() });
        assert_eq!(w.asked(), ["metadata/2.root.json", "metadata/timestamp.json"]);
    })
    .await;
}

#[tokio::test]
async fn the_mirror_is_a_whole_repository_to_whoever_pins_the_first_root() {
    each(async |w| {
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        publish::rotate(&w.home(), Rotation::Timestamp, w.now()).await.expect("rotated");
        w.intake().await;
        // The mirrored files alone, served by somebody else.
        let mirror = w.dir.path().join("mirror");
        for file in w.o.store.feed_files("agiris", "").await.expect("it reads") {
            let path = mirror.join(&file.name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            std::fs::write(path, file.bytes).expect("it writes");
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let app = Router::new().fallback(file).with_state(Served { dir: mirror, ..Served::default() });
        tokio::spawn(async move { axum::serve(listener, app).await });
        let root = std::fs::read(w.home().join("root.json")).expect("the root");
        let source = feed::Source { publisher: "agiris", url: &url, root: &root };
        let seen = feed::refresh(&reqwest::Client::new(), &source, Vec::new(), w.now()).await.expect("it verifies");
        assert_eq!(seen.releases.len(), 1);
        assert_eq!(seen.releases[0].get().signed.manifest.product, "isacompta");
    })
    .await;
}

#[tokio::test]
async fn a_retraction_is_taken_in_once() {
    each(async |w| {
        w.publish("isaflux", "5.3.1", "").await.expect("published");
        w.intake().await;
        let version = "5.3.1".parse().expect("a version");
        publish::retract(&w.home(), "isaflux", &version, "contrôle en échec", w.now()).await.expect("retracted");
        assert_eq!(w.intake().await.retracted, 1);
        assert_eq!(w.releases().await, ["-isaflux 5.3.1"]);
        assert_eq!(w.intake().await.retracted, 0);
        assert_eq!(
            w.events(EventKind::ReleaseRetracted).await,
            [format!(
                "isaflux 5.3.1 withdrawn by agiris on {}: contrôle en échec",
                w.now().format("%Y-%m-%dT%H:%M:%SZ")
            )]
        );
        let again = publish::retract(&w.home(), "isaflux", &version, "x", w.now()).await;
        assert!(matches!(again, Err(PublishError::AlreadyRetracted { .. })));
        let unknown = publish::retract(&w.home(), "isaged", &version, "x", w.now()).await;
        assert!(unknown.expect_err("unknown").to_string().ends_with("published: isaflux 5.3.1"));
    })
    .await;
}

#[tokio::test]
async fn expired_metadata_is_refused_once_and_recovers_when_it_is_signed_again() {
    each(async |w| {
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        w.intake().await;
        w.pass(TimeDelta::days(15));
        for _ in 0..3 {
            assert_eq!(w.intake().await.refused, 1);
        }
        let refused = w.events(EventKind::FeedRefused).await;
        assert!(refused.len() == 1 && refused[0].contains("timestamp metadata expired"), "{refused:?}");
        assert_eq!(w.alerts().await, ["the timestamp signature of agiris runs out", "feed of agiris refused"]);
        assert_eq!(w.releases().await, ["isacompta 14.20.003"], "what was verified stays in force");
        publish::resign(&w.home(), w.now()).await.expect("re-signed");
        assert_eq!(w.intake().await.refused, 0);
        assert_eq!(w.events(EventKind::FeedRecovered).await, ["feed of agiris is good again"]);
        assert_eq!((w.error().await, w.alerts().await), (None, Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn a_signature_that_runs_out_is_told_in_time_once_for_each_role_and_until_it_is_renewed() {
    each(async |w| {
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        w.intake().await;
        // The timestamp is good for 14 days, of which a week is left.
        w.pass(TimeDelta::days(7) - TimeDelta::seconds(1));
        w.intake().await;
        assert_eq!(w.alerts().await.len(), 0);
        w.pass(TimeDelta::seconds(1));
        for _ in 0..3 {
            assert_eq!(w.intake().await.refused, 0);
            assert_eq!(w.alerts().await, ["the timestamp signature of agiris runs out"]);
        }
        let alert = w.o.store.open_alert("feed-expires/agiris/timestamp").await.expect("it reads").expect("it is open");
        assert!(alert.text.contains("expires at 2026-05-13T15:00:00Z"), "{}", alert.text);
        // A line that fails makes nothing younger.
        w.breaks(Some(".json"));
        w.intake().await;
        assert_eq!(w.alerts().await, ["the timestamp signature of agiris runs out"]);
        w.breaks(None);
        publish::resign(&w.home(), w.now()).await.expect("re-signed");
        w.intake().await;
        assert_eq!(w.alerts().await, Vec::<String>::new());
        // A year later targets and snapshot near their end; the job goes on renewing the timestamp.
        w.pass(TimeDelta::days(365 - 14 - 7));
        publish::resign(&w.home(), w.now()).await.expect("re-signed");
        assert_eq!(w.intake().await.refused, 0);
        let both = ["the targets signature of agiris runs out", "the snapshot signature of agiris runs out"];
        assert_eq!(w.alerts().await, both);
        publish::renew(&w.home(), w.now()).await.expect("re-signed");
        w.intake().await;
        assert_eq!(w.alerts().await, Vec::<String>::new());
        // Root keys are offline: two weeks to bring them together.
        w.pass(TimeDelta::days(365));
        publish::renew(&w.home(), w.now()).await.expect("re-signed");
        w.intake().await;
        assert_eq!(w.alerts().await, ["the root signature of agiris runs out"]);
        publish::rotate(&w.home(), Rotation::Root, w.now()).await.expect("rotated");
        w.intake().await;
        assert_eq!(w.alerts().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_line_that_fails_is_told_only_when_it_lasts_and_once() {
    each(async |w| {
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        w.intake().await;
        w.breaks(Some(".json"));
        for told in [0, 0, 1, 1] {
            w.pass(TimeDelta::minutes(10));
            assert_eq!(w.intake().await.refused, 1);
            assert_eq!((w.alerts().await.len(), w.events(EventKind::FeedUnreachable).await.len()), (told, told));
        }
        assert_eq!(w.alerts().await, ["feed of agiris cannot be fetched"]);
        let said = w.events(EventKind::FeedUnreachable).await.remove(0);
        assert!(said.contains("since 2026-04-29T15:10:00Z, 3 times in a row: "), "{said}");
        assert!(said.contains(" times in a row: http://127.0.0.1:"), "it names the address: {said}");
        assert!(said.ends_with("the server answered 503 Service Unavailable"), "{said}");
        assert_eq!(w.events(EventKind::FeedRefused).await.len(), 0, "nothing of it was refused");
        w.breaks(None);
        assert_eq!(w.intake().await.refused, 0);
        assert_eq!(w.alerts().await.len(), 0);
        assert_eq!(w.events(EventKind::FeedRecovered).await, ["feed of agiris can be fetched again"]);
        // A short one leaves no trace, not even in the next.
        for ending in [Some(".json"), Some(".json"), None, Some(".json"), Some(".json")] {
            w.breaks(ending);
            w.pass(TimeDelta::minutes(10));
            w.intake().await;
        }
        assert_eq!((w.alerts().await.len(), w.events(EventKind::FeedUnreachable).await.len()), (0, 1));
    })
    .await;
}

#[tokio::test]
async fn a_package_that_cannot_be_had_is_told_when_it_lasts_and_the_rest_is_taken_in() {
    each(async |w| {
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        w.publish("isaged", "3.8.1", "").await.expect("published");
        w.breaks(Some("isacompta-14.20.003.zip"));
        for (released, told) in [(1, 0), (0, 0), (0, 1)] {
            assert_eq!(w.intake().await.released, released);
            assert_eq!(w.alerts().await.len(), told);
        }
        assert_eq!(w.releases().await, ["isaged 3.8.1"]);
        let said = w.events(EventKind::FeedUnreachable).await.remove(0);
        assert!(said.contains("isacompta 14.20.003: ") && said.contains("answered 503"), "{said}");
        w.breaks(None);
        assert_eq!(w.intake().await.released, 1);
        assert_eq!(w.alerts().await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_package_that_was_cut_is_taken_up_where_it_stopped() {
    each(async |w| {
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        let size = std::fs::read(w.file("targets", ".zip")).expect("it reads").len();
        *w.served.cuts.lock().expect("no panic") = 2;
        for released in [0, 0, 1] {
            assert_eq!(w.intake().await.released, released);
        }
        let sent = std::mem::take(&mut *w.served.sent.lock().expect("no panic"));
        let (half, quarter) = (size / 2, (size - size / 2) / 2);
        assert_eq!(sent, [(0, half), (half, quarter), (half + quarter, size - half - quarter)]);
        let kept: Vec<_> = std::fs::read_dir(w.dir.path().join("packages")).expect("it is there").collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
    })
    .await;
}

#[tokio::test]
async fn a_package_that_was_changed_after_a_cut_is_no_mixture() {
    each(async |w| {
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        let package = w.file("targets", ".zip");
        let good = std::fs::read(&package).expect("it reads");
        let mut bad = good.clone();
        bad[20] ^= 1;
        for bytes in [&bad, &good] {
            std::fs::write(&package, bytes).expect("it writes");
            *w.served.cuts.lock().expect("no panic") = usize::from(bytes == &bad);
            w.intake().await;
        }
        assert_eq!(w.releases().await, ["isacompta 14.20.003"]);
        // A part that somebody damaged where it lay is found out, and the package is had whole.
        w.publish("isacompta", "14.20.004", "").await.expect("published");
        *w.served.cuts.lock().expect("no panic") = 1;
        assert_eq!(w.intake().await.released, 0);
        let parts = std::fs::read_dir(w.dir.path().join("packages")).expect("it is there");
        let mut parts = parts.map(|entry| entry.expect("an entry").path()).filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".part-"))
                && path.extension().is_none()
        });
        let part = parts.next().expect("what had arrived");
        let mut bytes = std::fs::read(&part).expect("it reads");
        bytes[10] ^= 1;
        std::fs::write(&part, bytes).expect("it writes");
        assert_eq!(w.intake().await.released, 1);
    })
    .await;
}

#[tokio::test]
async fn a_package_folder_that_cannot_be_used_is_told_at_once_and_passes() {
    each(async |w| {
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        // A file where the folder was: nobody can write there, not even root.
        let folder = w.dir.path().join("packages");
        std::fs::remove_dir(&folder).expect("it is empty");
        std::fs::write(&folder, "").expect("it writes");
        assert_eq!(w.intake().await.released, 0);
        assert!(w.error().await.expect("told").contains("cannot use the package folder"));
        assert_eq!((w.alerts().await.len(), w.releases().await.len()), (1, 0));
        std::fs::remove_file(&folder).expect("it goes");
        std::fs::create_dir(&folder).expect("it is made");
        assert_eq!(w.intake().await.released, 1);
        assert_eq!((w.alerts().await.len(), w.error().await), (0, None));
    })
    .await;
}

#[tokio::test]
async fn feeds_are_fetched_together_up_to_a_bound_and_a_product_stays_its_first_publishers() {
    const AT_ONCE: usize = 4;
    each(async |mut w| {
        // Every feed's first question is answered when as many feeds as may be have asked theirs.
        #[derive(Clone)]
        struct Gate(PathBuf, Arc<tokio::sync::Barrier>, Arc<Mutex<(usize, usize)>>);
        async fn gated(State(Gate(dir, barrier, counts)): State<Gate>, request: Request) -> Response {
            let path = request.uri().path().trim_start_matches('/').to_owned();
            if path.ends_with("metadata/2.root.json") {
                let count = |by: isize| {
                    let mut counts = counts.lock().expect("no panic");
                    counts.0 = counts.0.strict_add_signed(by);
                    counts.1 = counts.1.max(counts.0);
                };
                count(1);
                barrier.wait().await;
                count(-1);
            }
            let (publisher, file) = path.split_once('/').expect("a publisher");
            match std::fs::read(dir.join(publisher).join("repository").join(file)) {
                Ok(bytes) => bytes.into_response(),
                Err(_) => StatusCode::NOT_FOUND.into_response(),
            }
        }
        let counts: Arc<Mutex<(usize, usize)>> = Arc::default();
        let gate = Gate(w.dir.path().to_owned(), Arc::new(tokio::sync::Barrier::new(AT_ONCE)), Arc::clone(&counts));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let app = Router::new().fallback(gated).with_state(gate);
        tokio::spawn(async move { axum::serve(listener, app).await });
        let (manifest, package) = (w.dir.path().join("m.toml"), w.dir.path().join("p.zip"));
        zip_with(&package, "1.0");
        std::fs::write(&manifest, manifest_text("isacompta", "1.0", "isacompta.zip", "")).expect("it writes");
        w.o.publishers.clear();
        for n in 0..2 * AT_ONCE {
            let name = format!("publisher-{n}");
            let home = w.dir.path().join(&name);
            publish::init(&home, &name, &InitOptions::default(), w.now()).await.expect("it is made");
            publish::publish(&home, &manifest, &package, w.now()).await.expect("published");
            w.o.publishers.push(Publisher { url: format!("{url}/{name}"), root: home.join("root.json"), name });
        }
        let report = w.intake().await;
        assert_eq!((report.feeds, report.refused, report.released), (2 * AT_ONCE, 0, 1));
        assert_eq!(counts.lock().expect("no panic").1, AT_ONCE, "feeds under way at once, at most");
        // All of them offered one product: it is the first one's, and the others are told so.
        let owner = w.o.store.releases().await.expect("it reads").remove(0).value.signed.publisher;
        let refused = w.events(EventKind::FeedRefused).await;
        assert_eq!(refused.len(), 2 * AT_ONCE - 1);
        assert!(refused.iter().all(|text| text.contains(&format!("isacompta is a product of {owner}"))), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn tampered_and_older_metadata_are_refused() {
    each(async |w| {
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        let timestamp = w.home().join("repository/metadata/timestamp.json");
        let older = std::fs::read(&timestamp).expect("it reads");
        w.publish("isacompta", "14.20.004", "").await.expect("published");
        let newer = std::fs::read_to_string(&timestamp).expect("it reads");
        std::fs::write(&timestamp, newer.replace("\"version\": 4", "\"version\": 5")).expect("it writes");
        assert_eq!(w.intake().await.refused, 1);
        assert!(w.error().await.expect("refused").contains("threshold not met"));
        std::fs::write(&timestamp, &newer).expect("it writes");
        assert_eq!(w.intake().await.released, 2);
        std::fs::write(&timestamp, older).expect("it writes");
        assert_eq!(w.intake().await.refused, 1);
        assert!(w.error().await.expect("refused").contains("rollback"), "{:?}", w.error().await);
        // And nothing is signed on top of what somebody changed.
        let targets = w.file("metadata", ".targets.json");
        let text = std::fs::read_to_string(&targets).expect("it reads");
        std::fs::write(&timestamp, newer).expect("it writes");
        std::fs::write(&targets, text.replace("14.20.003", "14.20.009")).expect("it writes");
        let refused = publish::resign(&w.home(), w.now()).await;
        assert!(matches!(refused, Err(PublishError::Unsound(_))), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_missing_root_and_a_foreign_root_are_refused() {
    each(async |w| {
        let root = w.home().join("root.json");
        let foreign = w.dir.path().join("other");
        publish::init(&foreign, "agiris", &InitOptions::default(), w.now()).await.expect("it is made");
        std::fs::rename(&root, w.dir.path().join("away.json")).expect("it moves");
        assert_eq!(w.intake().await.refused, 1);
        assert!(w.error().await.expect("refused").contains("cannot read the pinned root"));
        std::fs::copy(foreign.join("root.json"), &root).expect("it copies");
        assert_eq!(w.intake().await.refused, 1);
        assert!(w.error().await.expect("refused").contains("not what the publisher signed"));
    })
    .await;
}

#[tokio::test]
async fn a_package_of_wrong_size_or_hash_is_refused_and_tried_again() {
    each(async |w| {
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        let package = w.file("targets", ".zip");
        let good = std::fs::read(&package).expect("it reads");
        let mut flipped = good.clone();
        flipped[20] ^= 1;
        let mut long = good.clone();
        long.push(0);
        for (bad, said) in [(&flipped[..], "has sha256"), (&long[..], "or more, but"), (&good[1..], "were signed")] {
            std::fs::write(&package, bad).expect("it writes");
            assert_eq!(w.intake().await.released, 0);
            assert!(w.error().await.expect("refused").contains(said), "{:?}", w.error().await);
        }
        let kept: Vec<_> = std::fs::read_dir(w.dir.path().join("packages")).expect("it is there").collect();
        assert!(kept.is_empty(), "{kept:?}");
        assert_eq!(w.events(EventKind::FeedRefused).await.len(), 3);
        std::fs::write(&package, good).expect("it writes");
        assert_eq!(w.intake().await.released, 1);
        assert_eq!(w.events(EventKind::FeedRecovered).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn one_unusable_release_holds_up_neither_the_others_nor_a_retraction() {
    each(async |w| {
        w.publish("isaged", "3.8.1", "").await.expect("published");
        w.intake().await;
        let needs = |product: &str| format!("[[requires]]\nproduct = {product:?}\nat_least = \"1\"");
        w.publish("isapedi", "7.1.1", &needs("isaflux")).await.expect("published");
        w.publish("isaflux", "5.3.1", &needs("isapedi")).await.expect("published");
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        let version = "3.8.1".parse().expect("a version");
        publish::retract(&w.home(), "isaged", &version, "erreur", w.now()).await.expect("retracted");
        let report = w.intake().await;
        assert_eq!((report.released, report.retracted), (1, 1));
        assert_eq!(w.releases().await, ["-isaged 3.8.1", "isacompta 14.20.003"]);
        assert!(w.error().await.expect("told").contains("isaflux 5.3.1: what it requires requires it in turn"));
    })
    .await;
}

#[tokio::test]
async fn companions_that_can_never_go_together_are_refused_and_told_once() {
    each(async |w| {
        let with = "[[installs_with]]\nproduct = \"isapedi\"\nversion = \"7.1.1\"";
        let needs = "[[requires]]\nproduct = \"isaged\"\nat_least = \"3.9\"";
        w.publish("isaged", "3.8.1", with).await.expect("published");
        w.publish("isapedi", "7.1.1", needs).await.expect("published");
        w.publish("isaged", "3.9.0", "").await.expect("published");
        for released in [2, 0] {
            assert_eq!(w.intake().await.released, released);
            assert_eq!(w.releases().await, ["isaged 3.9.0", "isapedi 7.1.1"]);
            let refused = w.events(EventKind::FeedRefused).await;
            let why = "isaged 3.8.1: it installs with isapedi 7.1.1, which requires isaged 3.9, and that can only come \
                       after them, so they can never be installed together";
            assert!(refused.len() == 1 && refused[0].contains(why), "{refused:?}");
            assert_eq!(w.alerts().await.len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn keys_rotate_and_clients_follow() {
    each(async |w| {
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        w.intake().await;
        for (i, rotation) in
            [Rotation::Root, Rotation::Targets, Rotation::Snapshot, Rotation::Timestamp, Rotation::Root]
                .into_iter()
                .enumerate()
        {
            let version = publish::rotate(&w.home(), rotation, w.now()).await.expect("rotated");
            assert_eq!(version, i as u64 + 2);
            assert_eq!(w.intake().await.refused, 0, "{:?}", w.error().await);
        }
        w.publish("isacompta", "14.20.004", "").await.expect("published");
        assert_eq!(w.intake().await.released, 1);
        let keys = std::fs::read_dir(w.home().join("keys")).expect("keys");
        let live = keys.filter(|e| e.as_ref().expect("an entry").path().is_file()).count();
        assert_eq!(live, 6, "three root keys and one of each other role");
        assert!(w.o.store.feed_file("agiris", "metadata/6.root.json").await.expect("it reads").is_some());
    })
    .await;
}

#[tokio::test]
async fn a_rotation_cut_after_its_root_is_finished_by_the_next_command() {
    each(async |w| {
        w.publish("isacompta", "14.20.003", "").await.expect("published");
        let timestamp = w.home().join("repository/metadata/timestamp.json");
        let before = std::fs::read(&timestamp).expect("it reads");
        publish::rotate(&w.home(), Rotation::Targets, w.now()).await.expect("rotated");
        std::fs::write(&timestamp, before).expect("it writes");
        assert_eq!(w.intake().await.refused, 1);
        assert!(
            w.o.store.feed_file("agiris", "metadata/2.root.json").await.expect("it reads").is_some(),
            "the root counts"
        );
        publish::resign(&w.home(), w.now()).await.expect("finished");
        assert_eq!(w.intake().await.released, 1, "{:?}", w.error().await);
    })
    .await;
}

#[tokio::test]
async fn a_publisher_is_told_what_cannot_be_published() {
    each(async |w| {
        w.publish("isacompta", "15.30.02/DU3", "").await.expect("published");
        let said = |result: Result<(), PublishError>| result.expect_err("refused").to_string();
        let twice = said(w.publish("isacompta", "15.30.2/DU3", "").await);
        assert!(twice.contains("already published"), "{twice}");
        let manifest = w.dir.path().join("m.toml");
        let package = w.dir.path().join("p.zip");
        std::fs::write(&manifest, manifest_text("isaged", "3.8.1", "isaged.zip", "")).expect("it writes");
        zip_with(&package, "3.8.0");
        let publish = publish::publish(&w.home(), &manifest, &package, w.now()).await.map(|_| ());
        assert!(said(publish).contains("entry \"VERSION\" says version \"3.8.0\", the manifest says 3.8.1"));
        std::fs::write(&package, b"not a zip").expect("it writes");
        let publish = publish::publish(&w.home(), &manifest, &package, w.now()).await.map(|_| ());
        assert!(said(publish).contains("it is no zip"));
        let repository = || std::fs::read(w.home().join("repository/metadata/timestamp.json")).expect("it reads");
        let before = repository();
        std::fs::write(&package, zip_of(&[raw("VERSION"), raw("../evil"), raw("aux.txt")])).expect("it writes");
        let publish = said(publish::publish(&w.home(), &manifest, &package, w.now()).await.map(|_| ()));
        assert!(publish.contains("p.zip cannot be released: 2 problems\n  entry \"../evil\" has a name"), "{publish}");
        assert!(publish.contains("\n  entry \"aux.txt\" has the name of a device"), "{publish}");
        assert_eq!(repository(), before, "nothing was signed");
        std::fs::write(&manifest, "product = 3").expect("it writes");
        let publish = publish::publish(&w.home(), &manifest, &package, w.now()).await.map(|_| ());
        assert!(said(publish).contains("m.toml:1:"));
        let again = publish::init(&w.home(), "agiris", &InitOptions::default(), w.now()).await;
        assert!(matches!(again, Err(PublishError::Exists(_))));
        let options = InitOptions { root_threshold: 3, root_keys: 2 };
        let few = publish::init(&w.dir.path().join("new"), "agiris", &options, w.now()).await;
        assert!(matches!(few, Err(PublishError::Threshold { .. })) && !w.dir.path().join("new").exists());
        let nowhere = publish::resign(w.dir.path(), w.now()).await;
        assert!(matches!(nowhere, Err(PublishError::NoRepository(_))));
    })
    .await;
}

#[tokio::test]
async fn root_keys_may_stay_away_until_a_rotation_needs_enough_of_them() {
    each(async |w| {
        let away = w.dir.path().join("safe");
        std::fs::create_dir(&away).expect("it is made");
        for entry in std::fs::read_dir(w.home().join("keys")).expect("keys") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_owned();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                assert_eq!(std::fs::metadata(&path).expect("it reads").permissions().mode() & 0o777, 0o600);
            }
            if name.to_string_lossy().starts_with("root-") {
                std::fs::rename(&path, away.join(name)).expect("it moves");
            }
        }
        w.publish("isacompta", "14.20.003", "").await.expect("published without root keys");
        let mut keys = std::fs::read_dir(&away).expect("keys").map(|e| e.expect("an entry").path());
        let mut bring = || {
            let path = keys.next().expect("a key");
            std::fs::rename(&path, w.home().join("keys").join(path.file_name().expect("a name"))).expect("it moves");
        };
        bring();
        let refused = publish::rotate(&w.home(), Rotation::Timestamp, w.now()).await.expect_err("one is not enough");
        assert!(matches!(refused, PublishError::MissingKeys { needed: 2, found: 1, .. }), "{refused}");
        bring();
        publish::rotate(&w.home(), Rotation::Timestamp, w.now()).await.expect("two are");
        assert_eq!(w.intake().await.released, 1);
    })
    .await;
}
