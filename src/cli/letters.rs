//! `noctule letters`: the templates letters are written from, checked and looked at before anybody gets one.

use super::access::{Access, Found};
use super::api::Client;
use super::args::Shape;
use super::lang::Lang;
use super::{Failure, Outcome, Usage, output};
use crate::decide::letters::BUILT_IN;
use crate::decide::letters::check::{self, Problem};
use crate::edge::config::Config;
use crate::edge::store::Store;
use crate::work::letters::{self, Complaint, Letters, LettersError};
use chrono_tz::Tz;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct LettersArgs {
    #[command(subcommand)]
    command: LettersCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LettersCommand {
    /// Everything wrong with the operator's templates, with file and line
    Check {
        #[command(flatten)]
        access: Access,
    },
    /// Write a letter with invented facts, as the client would get it: .eml and .html
    Preview {
        /// Which letter, such as minor-planned; without it, every one
        kind: Option<String>,
        /// Whose contacts, language and templates
        #[arg(long, value_name = "CLIENT")]
        client: String,
        /// The client's own without it
        #[arg(long, value_enum)]
        lang: Option<Lang>,
        /// Folder to write into
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
        #[command(flatten)]
        access: Access,
    },
    /// The letters that were given up
    Undelivered {
        /// Only to this client
        #[arg(long)]
        client: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
        #[command(flatten)]
        access: Access,
    },
    /// Send a letter that was given up once more, as the same message
    Again {
        /// As `letters undelivered` numbers it
        id: i64,
        /// Who wants it
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        #[command(flatten)]
        access: Access,
    },
    /// The letters that can be looked at, and the templates that can be replaced
    List,
    /// Print a template of the program, to begin one's own with
    Show {
        /// Such as minor_planned.fr.txt
        name: String,
    },
}

pub async fn run(args: LettersArgs) -> Outcome {
    match args.command {
        LettersCommand::Check { access } => check(&access).await,
        LettersCommand::Preview { kind, client, lang, out, access } => {
            let o = access.open().await?;
            let language = lang.map(Lang::language);
            let previews = letters::preview(&o, kind.as_deref(), &client, language).await?;
            write(&out, &previews)
        }
        LettersCommand::Undelivered { client, format, access } => undelivered(client.as_deref(), format, &access).await,
        LettersCommand::Again { id, by, access } => {
            let row = Client::connect(&access).await?.send_again(id, by.as_deref()).await?;
            output::print(&format!("letter {} ({}) is sent again", row.id, row.letter))
        }
        LettersCommand::List => list(),
        LettersCommand::Show { name } => show(&name),
    }
}

async fn undelivered(client: Option<&str>, format: Shape, access: &Access) -> Outcome {
    let mut rows = Client::connect(access).await?.letters(client).await?;
    rows.retain(|row| row.state == "undelivered");
    if format == Shape::Json {
        return output::print_json(&rows);
    }
    if rows.is_empty() {
        return output::print("no letter was given up");
    }
    let mut table = output::table(&["id", "to", "letter", "written (UTC)", "attempts", "why"]);
    for row in rows {
        table.add_row([
            row.id.to_string(),
            row.client.unwrap_or_else(|| "staff".to_owned()),
            row.letter,
            output::instant(row.at, Tz::UTC),
            row.attempts.to_string(),
            row.error.unwrap_or_default(),
        ]);
    }
    output::print(&output::text(&table))
}

fn write(folder: &Path, previews: &[letters::Preview]) -> Outcome {
    let failed =
        |path: &Path, error: std::io::Error| Failure::from(format!("cannot write {}: {error}", path.display()));
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for preview in previews {
        for (ending, bytes) in [("eml", preview.message.as_slice()), ("html", preview.html.as_bytes())] {
            let path = folder.join(format!("{}.{ending}", preview.name));
            std::fs::write(&path, bytes).map_err(|error| failed(&path, error))?;
            output::print(&path.display().to_string())?;
        }
    }
    Ok(())
}

/// Reads the folder of templates by itself: an orchestrator does not open while something is wrong with one.
async fn check(access: &Access) -> Outcome {
    let Found::Here(path) = access.find()? else {
        return Err(Usage("templates are files of the orchestrator: give --config FILE".to_owned()).into());
    };
    let config = Config::read(&path)?;
    let Some(folder) = &config.mail.templates else {
        return output::print("[mail] has no `templates`: every letter is written with the program's own");
    };
    let (mut complaints, of_clients) = match Letters::read(folder) {
        Ok(letters) => (Vec::new(), letters.clients().map(str::to_owned).collect()),
        Err(LettersError::Wrong(complaints)) => (complaints, Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let store = Store::open(&config.database_url()?).await?;
    for client in of_clients {
        if store.client(&client).await?.is_none() {
            let what = format!("there is no client {client:?}");
            let problem = Problem { line: None, what, fix: "name the folder as the fleet names the client".to_owned() };
            complaints.push(Complaint { path: folder.join(&client), problem });
        }
    }
    match complaints.len() {
        0 => output::print(&format!("{}: nothing is wrong", folder.display())),
        count => {
            let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
            let problems = if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") };
            Err(format!("{problems} in the letter templates\n{}", lines.join("\n")).into())
        }
    }
}

fn list() -> Outcome {
    let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    output::print(&format!(
        "letters to look at:\n  {}\ntemplates to replace:\n  {}",
        letters::names().into_iter().collect::<Vec<_>>().join("\n  "),
        names.join("\n  ")
    ))
}

fn show(name: &str) -> Outcome {
    match BUILT_IN.iter().find(|(known, _)| *known == name) {
        Some((_, source)) => output::print(source.trim_end()),
        None => {
            let near = check::nearest(name).map_or_else(String::new, |near| format!("; did you mean {near}?"));
            Err(format!("there is no template {name:?}{near}; `noctule letters list` says which there are").into())
        }
    }
}
