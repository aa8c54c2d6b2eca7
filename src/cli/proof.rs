//! `noctule history verify|checkpoint|checkpoint-key`: that the history is what was written, and what it is held against.
//!
//! Done on the database itself, where the orchestrator runs: an answer over HTTP would be worth as much as whoever gives it.

use super::access::Access;
use super::args::Print;
use super::{Failure, Outcome, output};
use crate::edge::signed_note::{self, Signer, Verifier};
use crate::edge::store::{ChainBreak, Store};
use crate::model::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint};
use crate::work::checkpoints;
use serde::Serialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub enum ProofCommand {
    /// Walk the chains and name every event that was changed, removed, reordered or forged
    Verify(VerifyArgs),
    /// Say where every chain ends now, signed, to be kept elsewhere
    Checkpoint(CheckpointArgs),
    /// Make the key that signs checkpoints, and print the line that others verify them with
    CheckpointKey(KeyArgs),
}

#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Only this client's chain
    #[arg(long)]
    client: Option<String>,
    /// A checkpoint that was kept elsewhere; several may be given
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// Who has to have signed the checkpoints: NAME+ID+KEY, as `history checkpoint-key` printed it
    #[arg(long, value_name = "KEY", requires = "checkpoint")]
    key: Option<String>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, clap::Args)]
pub struct CheckpointArgs {
    /// Write it to this file, which must not be there yet, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, clap::Args)]
pub struct KeyArgs {
    /// Where the key goes; [checkpoints] key_file of noctule.toml names it then
    file: PathBuf,
    #[command(flatten)]
    access: Access,
}

/// What `history verify` found, as JSON has it.
#[derive(Serialize)]
struct Found {
    /// Events in each chain that was walked.
    chains: Vec<Chain>,
    checkpoints: usize,
    breaks: Vec<Break>,
}

#[derive(Serialize)]
struct Chain {
    client: String,
    events: i64,
    hash: String,
}

#[derive(Serialize)]
struct Break {
    client: String,
    seq: i64,
    what: String,
}

impl From<ChainBreak> for Break {
    fn from(ChainBreak { client, seq, what }: ChainBreak) -> Break {
        Break { client, seq, what }
    }
}

pub async fn run(command: ProofCommand) -> Outcome {
    match command {
        ProofCommand::Verify(args) => verify(args).await,
        ProofCommand::Checkpoint(args) => checkpoint(args).await,
        ProofCommand::CheckpointKey(args) => make_key(args).await,
    }
}

async fn verify(args: VerifyArgs) -> Outcome {
    let key: Option<Verifier> = args.key.as_deref().map(str::parse).transpose()?;
    let checkpoints: Vec<Checkpoint> =
        args.checkpoint.iter().map(|path| read(path, key.as_ref())).collect::<Result<_, _>>()?;
    let o = args.access.open().await?;
    let ours = &o.config.mail.domain;
    if let Some((path, theirs)) = args.checkpoint.iter().zip(&checkpoints).find(|(_, one)| one.origin != *ours) {
        let what = format!("of the history of {}, not of {ours} (mail.domain)", theirs.origin);
        return Err(format!("{}: a checkpoint {what}", path.display()).into());
    }
    let found = look(&o.store, args.client.as_deref(), &checkpoints).await?;
    if let Some(client) = args.client.as_deref().filter(|_| found.chains.is_empty() && found.breaks.is_empty()) {
        return Err(format!("no event of client {client} is known").into());
    }
    match args.print.is_json() {
        true => output::print_json(&found)?,
        false => output::print(&text(&found, key.is_some()))?,
    }
    match found.breaks.len() {
        0 => Ok(()),
        places => Err(format!("the history is not what was written: {}", count(places, "place")).into()),
    }
}

async fn look(store: &Store, client: Option<&str>, checkpoints: &[Checkpoint]) -> Result<Found, Failure> {
    let mut breaks = store.verify_chain(client).await?;
    for checkpoint in checkpoints {
        breaks.extend(store.verify_against(checkpoint, client).await?);
    }
    let heads = store.heads().await?.into_iter().filter(|(one, _)| client.is_none_or(|client| client == one));
    Ok(Found {
        chains: heads.map(|(client, head)| Chain { client, events: head.seq, hash: head.hash }).collect(),
        checkpoints: checkpoints.len(),
        breaks: breaks.into_iter().map(Break::from).collect(),
    })
}

fn text(found: &Found, signed: bool) -> String {
    let mut lines = Vec::new();
    for chain in &found.chains {
        let wrong = found.breaks.iter().filter(|b| b.client == chain.client).count();
        let verdict = if wrong == 0 { "unbroken" } else { "BROKEN" };
        lines.push(format!("{}: {}, {verdict}", chain.client, count(chain.events, "event")));
    }
    lines.extend(found.breaks.iter().map(|b| format!("  {} event {}: {}", b.client, b.seq, b.what)));
    lines.push(match (found.checkpoints, signed) {
        (0, _) => "held against no checkpoint: a chain forged from its first event on would not show".to_owned(),
        (n, true) => format!("held against {}", count(n, "signed checkpoint")),
        (n, false) => format!("held against {}, whose signature nobody asked for (--key)", count(n, "checkpoint")),
    });
    lines.join("\n")
}

/// `1 event`, `2 events`.
fn count<N: Display + PartialEq + From<u8>>(n: N, what: &str) -> String {
    let s = if n == N::from(1) { "" } else { "s" };
    format!("{n} {what}{s}")
}

/// Reads a checkpoint, which `key` has to have signed where there is one.
fn read(path: &Path, key: Option<&Verifier>) -> Result<Checkpoint, Failure> {
    let wrong = |what: String| -> Failure { format!("{}: {what}", path.display()).into() };
    let bytes = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if bytes > CHECKPOINT_BYTES_MAX as u64 {
        return Err(wrong(format!("longer than {CHECKPOINT_BYTES_MAX} bytes, so no checkpoint")));
    }
    // As it came in a letter, lines may end in the way of letters.
    let note = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?.replace("\r\n", "\n");
    let text = match key {
        Some(key) => key.open(&note).map_err(|error| wrong(error.to_string()))?,
        None => signed_note::text_of(&note),
    };
    text.parse().map_err(|error| wrong(format!("no checkpoint: {error}")))
}

async fn checkpoint(args: CheckpointArgs) -> Outcome {
    let o = args.access.open().await?;
    let note = checkpoints::take(&o).await?;
    if !note.signed {
        output::say(
            "not signed: [checkpoints] key_file of noctule.toml names no key; make one with `noctule history checkpoint-key FILE`",
        );
    }
    let Some(path) = args.out else { return output::print(note.text.trim_end_matches('\n')) };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    let written = options.open(&path).and_then(|mut file| {
        std::io::Write::write_all(&mut file, note.text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| format!("{}: {error}", path.display()))?;
    output::say(&format!(
        "checkpoint of {} chains in {}; keep it where nobody can change it",
        note.chains,
        path.display()
    ));
    Ok(())
}

async fn make_key(args: KeyArgs) -> Outcome {
    let o = args.access.open().await?;
    let signer = Signer::generate(&o.config.mail.domain, &args.file)?;
    output::say(&format!(
        "the key is in {}: name it in noctule.toml as [checkpoints] key_file. Others verify with:",
        args.file.display()
    ));
    output::print(&signer.verifier().to_string())
}
