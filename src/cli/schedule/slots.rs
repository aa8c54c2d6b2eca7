//! `noctule schedule slots FILE --window NAME --from T --to T`: the slots of a window.

use super::{Contract, Site, SlotRow};
use crate::cli::args::Shape;
use crate::cli::{Outcome, Usage, output};
use crate::decide::calendar::Fold;
use crate::decide::civil::Moment;
use crate::edge::toml_errors::nearest;
use std::path::Path;

pub fn run(path: &Path, window: &str, from: Moment, to: Moment, site: Site, format: Shape) -> Outcome {
    let contract = Contract::sound(path)?;
    let windows = &contract.file.schedule.windows;
    if !windows.contains_key(window) {
        let names = || windows.keys().map(String::as_str);
        let fix = match nearest(window, names()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
        };
        return Err(format!("{}: there is no window {window:?}; {fix}", path.display()).into());
    }
    // A span that begins or ends in a repeated hour is read wide.
    let (from, to) = (from.start(site.zone, Fold::Earlier), to.start(site.zone, Fold::Later));
    if from >= to {
        return Err(Usage(format!("--to {to} has to be after --from {from}")).into());
    }
    let slots = contract.terms.window(window).slots(&site.calendar(), from, to);
    if format == Shape::Json {
        let rows: Vec<SlotRow> = slots.into_iter().map(SlotRow::from).collect();
        return output::print_json(&rows);
    }
    if slots.is_empty() {
        return output::print(&format!("no slot of {window:?} between {from} and {to}"));
    }
    let mut table = output::table(&["slot (site time)", "start (UTC)", "end (UTC)", "minutes"]);
    for slot in slots {
        let row = SlotRow::from(slot);
        let local = output::dated_slot(slot.start, slot.end, site.zone);
        table.add_row([local, row.start, row.end, row.minutes.to_string()]);
    }
    output::print(&output::text(&table))
}
