//! `noctule release`: everything a publisher needs to sign releases and keep their repository.

mod check;

use super::args::Shape;
use crate::edge::clock::Clock;
use crate::edge::publish::{self, InitOptions, PublishError, Rotation};
use crate::model::version::Version;
use chrono::{DateTime, TimeDelta, Utc};
use std::io::Write;
use std::path::PathBuf;

/// How long before its end an expiry is worth a word, in days.
const WARN_DAYS: i64 = 60;

/// Arguments of `noctule release`.
#[derive(Debug, clap::Args)]
pub struct ReleaseArgs {
    #[command(subcommand)]
    command: ReleaseCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ReleaseCommand {
    /// Make a publisher's folder: keys, and an empty signed repository.
    Init {
        /// A new or empty folder.
        dir: PathBuf,
        /// Name of the publisher, as orchestrators configure it.
        #[arg(long, value_name = "NAME")]
        publisher: String,
        /// How many root keys to make.
        #[arg(long, value_name = "N", default_value_t = 1)]
        root_keys: u32,
        /// How many of them have to sign a new root.
        #[arg(long, value_name = "N", default_value_t = 1)]
        root_threshold: u32,
    },
    /// Check manifests, and a package as agents will, without publishing them; all problems at once.
    Check {
        #[arg(required = true, value_name = "MANIFEST")]
        manifests: Vec<PathBuf>,
        /// The file that the one manifest names as its package
        #[arg(long, value_name = "FILE")]
        package: Option<PathBuf>,
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
    },
    /// Sign and publish a release. Its date of publication is now.
    Publish {
        dir: PathBuf,
        manifest: PathBuf,
        /// The file that the manifest names as its package.
        #[arg(long, value_name = "FILE")]
        package: PathBuf,
    },
    /// Withdraw a release. Who has not installed it yet never will.
    Retract {
        dir: PathBuf,
        product: String,
        version: Version,
        /// Why; clients are told.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Replace the keys of a role: root, targets, snapshot or timestamp.
    Rotate { dir: PathBuf, role: Rotation },
    /// Sign a fresh timestamp; run it daily as a job.
    Resign {
        dir: PathBuf,
        /// Renew targets and snapshot too.
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// What is wrong with manifests and a package, one problem per line.
    #[error("{0}")]
    Unsound(String),
    /// The command line asks for what makes no sense.
    #[error("{0}")]
    Usage(String),
    #[error("cannot write the answer: {0}")]
    Output(#[from] std::io::Error),
}

/// Runs the command; what it did goes to standard output.
pub async fn run(args: ReleaseArgs, clock: Clock) -> Result<(), ReleaseError> {
    let now = clock.now();
    let said = match args.command {
        ReleaseCommand::Init { dir, publisher, root_keys, root_threshold } => {
            let root = publish::init(&dir, &publisher, &InitOptions { root_threshold, root_keys }, now).await?;
            let (dir, root) = (dir.display(), root.display());
            format!(
                "made the repository of {publisher}\n  serve            {dir}/repository\n  \
                 give to clients  {root} (by a way they can trust; they pin it)\n  \
                 keep private     {dir}/keys (root keys offline: only `rotate` needs them)\n  \
                 run daily        noctule release resign {dir}"
            )
        }
        ReleaseCommand::Check { manifests, package, format } => check::run(&manifests, package.as_deref(), format)?,
        ReleaseCommand::Publish { dir, manifest, package } => {
            let signed = publish::publish(&dir, &manifest, &package, now).await?;
            let m = &signed.manifest;
            format!(
                "published {} {} of {}\n  published_at  {}\n  size          {} bytes\n  sha256        {}",
                m.product,
                m.version,
                signed.publisher,
                signed.published_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                signed.size,
                signed.sha256
            )
        }
        ReleaseCommand::Retract { dir, product, version, reason } => {
            let retraction = publish::retract(&dir, &product, &version, &reason, now).await?;
            format!("retracted {product} {version}: {}", retraction.reason)
        }
        ReleaseCommand::Rotate { dir, role } => {
            let version = publish::rotate(&dir, role, now).await?;
            format!(
                "replaced the keys of {}; root version {version} is published\n  \
                 clients follow by themselves; the old keys are in {}/keys/retired",
                role.name(),
                dir.display()
            )
        }
        ReleaseCommand::Resign { dir, all } => {
            if all {
                publish::renew(&dir, now).await?;
            }
            let expiries = publish::resign(&dir, now).await?;
            let warnings =
                expiries.iter().filter(|e| e.at < now + TimeDelta::days(WARN_DAYS)).map(|e| warn(e.role, e.at));
            std::iter::once("signed a fresh timestamp".to_owned()).chain(warnings).collect::<Vec<_>>().join("\n")
        }
    };
    Ok(say(&said)?)
}

/// Writes an answer to standard output.
fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}

fn warn(role: &str, at: DateTime<Utc>) -> String {
    let cure = if role == "root" { "noctule release rotate DIR root" } else { "noctule release resign DIR --all" };
    format!("  {role} runs out on {}: {cure}", at.format("%Y-%m-%d"))
}
