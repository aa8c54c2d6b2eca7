//! Noctule's feed client with the command line that the public suite `theupdateframework/tuf-conformance` drives.
//!
//! To run the suite (it needs Python and `faketime`), from a clone of it:
//!
//! ```text
//! cargo build --example tuf_conformance
//! pip install . && pytest tuf_conformance --entrypoint .../target/debug/examples/tuf_conformance
//! ```
//!
//! Every test has to pass; there is no list of expected failures.

use clap::{Parser, Subcommand};
use noctule::edge::clock::Clock;
use noctule::edge::feed::{HttpRepository, Session};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The suite's protocol: `CLIENT-CLI.md` of its repository.
#[derive(Parser)]
struct Args {
    #[arg(long)]
    metadata_dir: PathBuf,
    #[arg(long)]
    metadata_url: Option<String>,
    #[arg(long)]
    target_name: Vec<String>,
    #[arg(long)]
    target_base_url: Option<String>,
    #[arg(long)]
    target_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Pin a root.
    Init { trusted_root: PathBuf },
    /// Bring the metadata up to date.
    Refresh,
    /// Bring the metadata up to date and fetch targets.
    Download,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tuf_conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Outcome {
    if let Command::Init { trusted_root } = &args.command {
        std::fs::copy(trusted_root, args.metadata_dir.join("root.json"))?;
        return Ok(());
    }
    let now = Clock::System.now();
    let url = args.metadata_url.as_deref().ok_or("--metadata-url is missing")?;
    let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
    let repository = HttpRepository::at(http, url, args.target_base_url.as_deref().unwrap_or(url))?;
    let root = std::fs::read(args.metadata_dir.join("root.json"))?;
    let mut session = Session::start(repository, &root, read_metadata(&args.metadata_dir)?)?;
    let outcome = follow(args, &mut session, now).await;
    // What was verified before a failure is kept as well.
    write_metadata(&args.metadata_dir, session.metadata())?;
    outcome
}

async fn follow(args: &Args, session: &mut Session, now: chrono::DateTime<chrono::Utc>) -> Outcome {
    session.refresh(now).await?;
    if !matches!(args.command, Command::Download) {
        return Ok(());
    }
    let dir = args.target_dir.as_deref().ok_or("--target-dir is missing")?;
    if args.target_name.is_empty() {
        return Err("--target-name is missing".into());
    }
    for name in &args.target_name {
        // One file per target path, whatever the path holds.
        let path = dir.join(hex::encode(Sha256::digest(name)));
        let held = std::fs::read(&path).ok();
        let bytes = session.target(name, held.clone(), now).await?;
        if held.as_ref() != Some(&bytes) {
            std::fs::write(path, bytes)?;
        }
    }
    Ok(())
}

fn read_metadata(dir: &Path) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            files.insert(name.to_owned(), std::fs::read(&path)?);
        }
    }
    Ok(files)
}

/// The suite wants one file per role, without versions in their names.
fn write_metadata(dir: &Path, files: BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    let versioned = |name: &str| name.split('.').next().is_some_and(|first| first.parse::<u64>().is_ok());
    for (name, bytes) in files.into_iter().filter(|(name, _)| !versioned(name)) {
        std::fs::write(dir.join(name), bytes)?;
    }
    Ok(())
}
