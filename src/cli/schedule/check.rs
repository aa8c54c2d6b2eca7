//! `noctule schedule check FILE`: everything wrong with a contract, or what is worth knowing about it and its next slots.

use super::{Contract, Finding, Site, SlotRow, told};
use crate::cli::args::Shape;
use crate::cli::{Outcome, output};
use crate::decide::window_notes;
use crate::edge::clock::Clock;
use crate::model::slot::Slot;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// What `--format json` prints.
#[derive(Debug, Serialize)]
struct Report {
    sound: bool,
    problems: Vec<Finding>,
    notes: Vec<NoteRow>,
    windows: Vec<WindowRow>,
}

/// Something sound that is worth knowing.
#[derive(Debug, Serialize)]
struct NoteRow {
    place: String,
    line: usize,
    column: usize,
    text: String,
    #[serde(skip)]
    shown: String,
}

#[derive(Debug, Serialize)]
struct WindowRow {
    window: String,
    clause: String,
    hours: String,
    slots: Vec<SlotRow>,
}

pub fn run(path: &Path, site: Site, count: u8, format: Shape) -> Outcome {
    let contract = match Contract::read(path)? {
        Ok(contract) => contract,
        Err(problems) => {
            let said = told(&problems);
            if format == Shape::Json {
                let report = Report { sound: false, problems, notes: Vec::new(), windows: Vec::new() };
                output::print_json(&report)?;
            }
            return Err(said.into());
        }
    };
    let (now, calendar) = (Clock::System.now(), site.calendar());
    let next =
        |name: &str| -> Vec<Slot> { contract.terms.window(name).starting_from(&calendar, now, usize::from(count)) };
    let notes = notes(&contract, site);
    if format == Shape::Json {
        let windows = contract.file.schedule.windows.iter().map(|(name, window)| WindowRow {
            window: name.clone(),
            clause: window.clause.clone(),
            hours: window.hours.clone(),
            slots: next(name).into_iter().map(SlotRow::from).collect(),
        });
        let windows = windows.collect();
        return output::print_json(&Report { sound: true, problems: Vec::new(), notes, windows });
    }
    let (zone, holidays) = (site.zone, site.holidays);
    let mut text =
        format!("{}: sound; next slots in {zone}, holidays of {holidays}\n", contract.file.schedule.contract);
    for (name, window) in &contract.file.schedule.windows {
        let _ = writeln!(text, "\n{name} ({}): {}", window.clause, window.hours);
        for slot in next(name) {
            let _ = writeln!(text, "  {}", output::slot(slot.start, slot.end, zone));
        }
    }
    for note in &notes {
        let _ = write!(text, "\nnote: {}\n", note.shown);
    }
    output::print(&text)
}

fn notes(contract: &Contract, site: Site) -> Vec<NoteRow> {
    let (now, calendar) = (Clock::System.now(), site.calendar());
    let mut rows = Vec::new();
    for (name, window) in &contract.file.schedule.windows {
        let place = format!("windows.{name}.hours");
        let keys = ["windows", name.as_str(), "hours"];
        for note in window_notes::notes(&window.hours, contract.terms.window(name), &calendar, now) {
            let span = contract.file.bytes_of(&keys, note.span.clone()).unwrap_or(0..0);
            let (line, column) = crate::edge::toml_errors::place(&contract.file.text, span.start);
            let shown = contract.file.point_at(&keys, note.span, &format!("{place}: {}", note.text));
            rows.push(NoteRow { place: place.clone(), line, column, text: note.text, shown });
        }
    }
    rows
}
