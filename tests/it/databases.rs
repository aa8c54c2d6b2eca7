//! The databases the tests run on: SQLite always, PostgreSQL wherever there is one to be had.
//!
//! PostgreSQL is the server `NOCTULE_TEST_POSTGRES` names or, without it, a cluster of our own, made from the machine's
//! `initdb` and `pg_ctl` for as long as this process lives. Every story has databases of its own. A machine without
//! PostgreSQL says that half of the tests is skipped; in CI (`CI` is set) it fails.

use noctule::edge::store::Store;
use sea_orm::{ConnectionTrait, Database};
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Address of a PostgreSQL server on which the tests may create databases: `postgres://user:password@host:port/db`.
const POSTGRES: &str = "NOCTULE_TEST_POSTGRES";

/// Makes a cluster, prints where it is, and takes it away when its standard input ends: with the test process, however
/// that ends. French ICU rules where the build has them, so that an ordering left to the server shows.
const CLUSTER: &str = r#"
trap '' INT TERM HUP
dir=$(mktemp -d "${TMPDIR:-/tmp}/noctule-pg.XXXXXX" 2>/dev/null || mktemp -d /tmp/noctule-pg.XXXXXX) || exit 1
trap '"$1/pg_ctl" -D "$dir/data" -m immediate stop </dev/null >/dev/null 2>&1; rm -rf "$dir"' EXIT
make() { rm -rf "$dir/data"; "$bin/initdb" -D "$dir/data" -U noctule -A trust -E UTF8 --no-sync "$@" >"$dir/log" 2>&1; }
bin=$1
make --locale=C --locale-provider=icu --icu-locale=fr-FR || make --locale=C || { cat "$dir/log" >&2; exit 1; }
"$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start </dev/null >/dev/null 2>&1 \
  -o "-k $dir -c listen_addresses= -c max_connections=400 $2" \
  || { cat "$dir/log" >&2; exit 1; }
echo "$dir"
cat >/dev/null
"#;

/// A cluster for tests outlives no power cut, and has nothing to lose.
const QUICK: &str = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Runs `story` on a fresh, empty store of each kind.
pub async fn each<F: Future<Output = ()>>(story: impl Fn(Store) -> F) {
    let story = &story;
    each_url(|url| async move {
        let store = Store::open(&url).await.expect("the database opens");
        story(store.clone()).await;
        store.close().await.expect("the database closes");
    })
    .await;
}

/// Runs `story` with the address of a fresh, empty database of each kind.
pub async fn each_url<F: Future<Output = ()>>(story: impl Fn(String) -> F) {
    each_url_with(QUICK, story).await;
}

/// Like [`each_url`]; a cluster of our own that is not running yet is started with these settings.
pub async fn each_url_with<F: Future<Output = ()>>(settings: &str, story: impl Fn(String) -> F) {
    eprintln!("on SQLite:");
    let dir = tempfile::tempdir().expect("a temporary folder");
    story(format!("sqlite:{}", dir.path().join("noctule.db").display())).await;
    let Some(server) = postgres(settings) else { return };
    eprintln!("on PostgreSQL:");
    let name = format!("noctule_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let admin = Database::connect(server).await.expect("the PostgreSQL server answers");
    admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}")).await.expect("an old database goes");
    admin.execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE template0")).await.expect("a database is made");
    let mut address: url::Url = server.parse().expect("the address is a URL");
    address.set_path(&name);
    story(address.into()).await;
    admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("the database goes");
    admin.close().await.expect("the connection closes");
}

/// The server's address; started on first use, `None` on a machine without PostgreSQL.
fn postgres(settings: &str) -> Option<&'static str> {
    static SERVER: OnceLock<Option<String>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match std::env::var(POSTGRES) {
        Ok(address) if !address.is_empty() => Some(address),
        _ => match programs() {
            Some(bin) => Some(start(&bin, settings)),
            None => {
                // Not `eprintln!`, which the test runner hides while tests pass.
                let _ = writeln!(std::io::stderr(), "SKIPPED on PostgreSQL: no initdb here, and {POSTGRES} is not set");
                None
            }
        },
    });
    assert!(
        server.is_some() || std::env::var_os("CI").is_none(),
        "in CI the PostgreSQL half may not be skipped: install PostgreSQL or set {POSTGRES}"
    );
    server.as_deref()
}

/// The folder with `initdb` and `pg_ctl`: on the PATH, else the newest of Debian's.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort_by_key(|bin| {
        let version = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<f32>().ok());
        std::cmp::Reverse(version.map_or(0, |number| (number * 10.0) as u32))
    });
    std::env::split_paths(&path).chain(debian).find(|bin| bin.join("initdb").exists() && bin.join("pg_ctl").exists())
}

/// Starts the cluster and returns its address. PostgreSQL refuses to run as root, so root hands it to another user.
fn start(bin: &Path, settings: &str) -> String {
    static KEEPER: OnceLock<Child> = OnceLock::new();
    let mut command = match says("id", &["-u"]).as_deref() {
        Some("0") => {
            let user = if says("id", &["-u", "postgres"]).is_some() { "postgres" } else { "nobody" };
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--", "sh", "-c", CLUSTER, "sh"]);
            command
        }
        _ => {
            let mut command = Command::new("sh");
            command.args(["-c", CLUSTER, "sh"]);
            command
        }
    };
    let spawned = command.arg(bin).arg(settings).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut keeper = spawned.expect("a shell starts");
    let mut dir = String::new();
    BufReader::new(keeper.stdout.take().expect("it is piped")).read_line(&mut dir).expect("the shell answers");
    let dir = dir.trim();
    assert!(!dir.is_empty(), "PostgreSQL in {} does not start; what it said is above", bin.display());
    // The static holds the keeper's standard input open until the process ends.
    KEEPER.set(keeper).expect("the server is started once");
    format!("postgres://noctule@localhost/postgres?host={dir}")
}

fn says(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
