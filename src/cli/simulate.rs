//! `noctule simulate`: a fleet under a virtual clock, through the real planner, hand-out, settle and letters.

use super::args::Shape;
use super::{Outcome, Usage, output};
use crate::decide::terms::Terms;
use crate::sim::fleet::{self, Figures, Size, scenario};
use chrono::NaiveDate;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Most servers and nights of one run.
const SERVERS_MAX: usize = 100_000;
const NIGHTS_MAX: i64 = 3660;

/// Schedules that come with the program.
const SCHEDULES: [(&str, &str); 2] = [
    ("pro-controle", include_str!("../../schedules/pro-controle.toml")),
    ("nuit-blanche", include_str!("../../schedules/nuit-blanche.toml")),
];

#[derive(Debug, clap::Args)]
pub struct SimulateArgs {
    /// Servers of the generated fleet
    #[arg(long, default_value_t = 200)]
    servers: usize,
    /// Nights to play
    #[arg(long, default_value_t = 60)]
    nights: i64,
    /// The same seed gives the same run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// First day
    #[arg(long, default_value = "2026-01-01")]
    from: NaiveDate,
    /// The contract of the generated fleet
    #[arg(long, default_value = "pro-controle")]
    schedule: String,
    /// Play this file instead of a generated fleet, and tell every line of it
    #[arg(long, conflicts_with_all = ["servers", "nights", "seed", "from", "schedule"])]
    scenario: Option<PathBuf>,
    /// Tell every line of what happened
    #[arg(long)]
    tell: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
}

pub fn run(args: SimulateArgs) -> Outcome {
    let terms = schedules()?;
    let (mut figures, mut story) = match &args.scenario {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
            let (title, setup) = scenario::read(&text, &terms).map_err(|e| format!("{}: {e}", path.display()))?;
            let (figures, mut story) = fleet::play(setup, true)?;
            story.insert(0, format!("# {title}"));
            (figures, story)
        }
        None => generated(&args, &terms)?,
    };
    if args.format == Shape::Json {
        output::print_json(&figures)?;
    } else {
        story.push(figures.to_string());
        output::print(&story.join("\n"))?;
    }
    match std::mem::take(&mut figures.violations).len() {
        0 => Ok(()),
        n => Err(format!("{n} violation(s)").into()),
    }
}

fn generated(
    args: &SimulateArgs,
    terms: &BTreeMap<String, Arc<Terms>>,
) -> Result<(Figures, Vec<String>), super::Failure> {
    let SimulateArgs { servers, nights, seed, from, .. } = *args;
    if !(1..=SERVERS_MAX).contains(&servers) {
        return Err(Usage(format!("--servers {servers} is out of range: 1 to {SERVERS_MAX}")).into());
    }
    if !(1..=NIGHTS_MAX).contains(&nights) {
        return Err(Usage(format!("--nights {nights} is out of range: 1 to {NIGHTS_MAX}")).into());
    }
    let Some(contract) = terms.get(&args.schedule) else {
        let known = terms.keys().cloned().collect::<Vec<_>>().join(", ");
        return Err(Usage(format!("there is no schedule {:?}; there are: {known}", args.schedule)).into());
    };
    let setup = fleet::generate(Size { servers, nights, seed, from }, &args.schedule, contract.clone());
    let (figures, mut story) = fleet::play(setup, args.tell)?;
    let (schedule, again) =
        (&args.schedule, format!("--servers {servers} --nights {nights} --seed {seed} --from {from}"));
    if args.format == Shape::Text {
        story.push(format!("seed {seed}; again: noctule simulate {again} --schedule {schedule}"));
    }
    Ok((Figures { seed: Some(seed), ..figures }, story))
}

fn schedules() -> Result<BTreeMap<String, Arc<Terms>>, super::Failure> {
    let mut terms = BTreeMap::new();
    for (name, text) in SCHEDULES {
        let compiled = Terms::compile(toml::from_str(text)?)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        terms.insert(name.to_owned(), Arc::new(compiled));
    }
    Ok(terms)
}
