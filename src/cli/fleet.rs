//! `noctule fleet apply FILE` and `noctule fleet show`.

use super::access::Access;
use super::args::Format;
use super::{Failure, Outcome, Usage, api, output};
use crate::edge::fleet_file;
use crate::work::fleet::{self, CODE_DAYS};
use crate::work::views::ServerRow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct FleetArgs {
    #[command(subcommand)]
    command: FleetCommand,
}

#[derive(Debug, clap::Subcommand)]
enum FleetCommand {
    /// Make the database match the file, after showing what changes
    Apply {
        /// The fleet: clients and their servers
        file: PathBuf,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Only show what would change
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
        #[command(flatten)]
        access: Access,
    },
    /// The servers, what runs on them and when they were last heard from
    Show {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        #[command(flatten)]
        access: Access,
    },
}

pub async fn run(args: FleetArgs) -> Outcome {
    match args.command {
        FleetCommand::Apply { file, yes, dry_run, access } => apply(file, yes, dry_run, &access).await,
        FleetCommand::Show { format, access } => show(format, &access).await,
    }
}

async fn apply(path: PathBuf, yes: bool, dry_run: bool, access: &Access) -> Outcome {
    let mut file = fleet_file::read(&path)?;
    let o = access.open().await?;
    let mut findings = fleet::check(&o, &file).await?;
    let calendars = file.read_calendars(o.clock.now().date_naive());
    findings.errors.extend(calendars.errors);
    findings.warnings.extend(calendars.warnings);
    if !findings.errors.is_empty() {
        let count = findings.errors.len();
        let what = if count == 1 { "1 problem" } else { &format!("{count} problems") };
        return Err(format!("{}\n{what}; nothing was changed", findings.errors.join("\n")).into());
    }
    for warning in &findings.warnings {
        output::say(&format!("warning: {warning}"));
    }
    let difference = fleet::compare(&o, &file.fleet).await?;
    if difference.is_empty() {
        return output::print("the database matches the file already; nothing to change");
    }
    output::print(&difference.lines().join("\n"))?;
    if dry_run {
        return output::print("nothing was changed (--dry-run)");
    }
    if !yes && !confirmed()? {
        return output::print("nothing was changed");
    }
    let applied = fleet::commit(&o, difference).await?;
    let mut text = "applied\n".to_owned();
    if !applied.codes.is_empty() {
        let _ = writeln!(text, "\none-time enrolment codes, valid {CODE_DAYS} days and shown only now:");
        for code in &applied.codes {
            let _ = writeln!(text, "  {}  {}", code.server, code.code);
        }
        text.push_str("a new one is made with `noctule enrol SERVER`\n");
    }
    output::print(&text)
}

fn confirmed() -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Usage("nobody is there to confirm; add --yes to apply, or --dry-run to look".to_owned()).into());
    }
    let mut out = io::stdout().lock();
    out.write_all(b"apply? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "o" | "oui"))
}

async fn show(format: Format, access: &Access) -> Outcome {
    let rows: Vec<ServerRow> = api::Client::connect(access).await?.fleet().await?;
    match format {
        Format::Json => output::print_json(&rows),
        Format::Csv => csv(&rows),
        Format::Table if rows.is_empty() => output::print("the fleet is empty; apply one with `noctule fleet apply`"),
        Format::Table => table(&rows),
    }
}

fn products(row: &ServerRow) -> Vec<String> {
    row.inventory.iter().map(|(product, version)| format!("{product} {version}")).collect()
}

fn table(rows: &[ServerRow]) -> Outcome {
    let mut table = output::table(&["client", "server", "ring", "products", "last backup", "last heard from"]);
    for row in rows {
        let zone = output::zone(&row.zone);
        let backup = match &row.backup {
            Some(backup) if backup.succeeded => output::instant(backup.finished_at, zone),
            Some(backup) => format!("failed {}", output::instant(backup.finished_at, zone)),
            None => "unknown".to_owned(),
        };
        let seen = row.last_seen.map_or_else(|| "never".to_owned(), |at| output::instant(at, zone));
        table.add_row([
            row.client.clone(),
            format!("{}\n{}", row.server, row.zone),
            row.ring.clone(),
            products(row).join("\n"),
            backup,
            seen,
        ]);
    }
    output::print(&output::text(&table))
}

fn csv(rows: &[ServerRow]) -> Outcome {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["client", "server", "zone", "ring", "products", "backup", "backup_succeeded", "last_seen"])?;
    for row in rows {
        let backup = row.backup.as_ref();
        csv.write_record([
            row.client.clone(),
            row.server.clone(),
            row.zone.clone(),
            row.ring.clone(),
            products(row).join("; "),
            backup.map_or_else(String::new, |b| b.finished_at.to_rfc3339()),
            backup.map_or_else(String::new, |b| b.succeeded.to_string()),
            row.last_seen.map_or_else(String::new, |at| at.to_rfc3339()),
        ])?;
    }
    output::print(&String::from_utf8(csv.into_inner()?)?)
}
