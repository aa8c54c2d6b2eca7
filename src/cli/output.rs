//! What commands print: tables that fit 100 columns, site-local times, colours only on a terminal.

use super::Failure;
pub use super::say::{print, print_json, say};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Width of a table that no terminal limits, in columns.
const WIDTH: u16 = 100;
/// Between the columns of a listing.
const GAP: u16 = 2;

/// Writes bytes to standard output; a text ends with a line's end.
pub fn print_bytes(bytes: &[u8], is_text: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    if is_text && !bytes.ends_with(b"\n") && !bytes.is_empty() {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Writes a file whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let cannot = |error: io::Error| format!("cannot write {}: {error}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".noctule").tempfile_in(folder).map_err(cannot)?;
    file.write_all(bytes).map_err(cannot)?;
    readable(file.as_file()).map_err(cannot)?;
    file.persist(path).map_err(|error| cannot(error.error))?;
    say(&format!("written to {}", path.display()));
    Ok(())
}

/// A temporary file is its owner's alone; what is written out is for others to read.
#[cfg(unix)]
fn readable(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &std::fs::File) -> io::Result<()> {
    Ok(())
}

/// A table without borders, in the width there is.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    let bold =
        |title: &&str| if is_coloured() { Cell::new(title).add_attribute(Attribute::Bold) } else { Cell::new(title) };
    table.set_header(header.iter().map(bold));
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    if !io::stdout().is_terminal() {
        table.set_width(WIDTH);
    }
    table
}

/// Tables without a header, for use below headings: indented by `indent`, their columns below each other where the
/// widest row fits [`WIDTH`]. A column that is empty everywhere is left out.
pub fn listings(indent: usize, mut tables: Vec<Vec<Vec<Cell>>>) -> Vec<String> {
    let mut widths: Vec<u16> = Vec::new();
    for row in tables.iter().flatten() {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(u16::try_from(cell.content().chars().count()).unwrap_or(u16::MAX));
        }
    }
    for row in tables.iter_mut().flatten() {
        let mut used = widths.iter().map(|width| *width > 0);
        row.retain(|_| used.next().unwrap_or(true));
    }
    widths.retain(|width| *width > 0);
    let room = WIDTH - u16::try_from(indent).unwrap_or(WIDTH);
    let fits = widths.iter().fold(0, |sum: u16, width| sum.saturating_add(*width).saturating_add(GAP)) <= room;
    let listed = tables.into_iter().map(|rows| {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(room).add_rows(rows);
        for (column, width) in table.column_iter_mut().zip(&widths) {
            column.set_padding((0, GAP));
            if fits {
                column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + GAP)));
            }
        }
        let before = " ".repeat(indent);
        table.lines().map(|line| format!("{before}{}\n", line.trim_end())).collect()
    });
    listed.collect()
}

/// `text` in lines that fit [`WIDTH`], each below the other: the first after `lead`, the rest after as many spaces.
pub fn hanging(lead: &str, text: &str) -> String {
    let indent = lead.chars().count();
    let mut out = String::new();
    for (number, line) in wrapped(text, usize::from(WIDTH) - indent).iter().enumerate() {
        let before = if number == 0 { lead.to_owned() } else { " ".repeat(indent) };
        out.push_str(&format!("{before}{line}\n"));
    }
    out
}

/// The table's text without spaces at the ends of its lines.
pub fn text(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A state or decision, coloured by what it asks of the reader.
pub fn state(name: &str) -> Cell {
    labelled(name, &name.replace('_', " "))
}

/// A state or decision that is called something else here.
pub fn labelled(name: &str, label: &str) -> Cell {
    let cell = Cell::new(label);
    match colour(name) {
        Some(colour) if is_coloured() => cell.fg(colour),
        Some(_) | None => cell,
    }
}

/// The same within a line.
pub fn painted(name: &str, label: &str) -> String {
    let code = match colour(name) {
        Some(Color::Green) => 32,
        Some(Color::Red) => 31,
        Some(Color::Yellow) => 33,
        Some(Color::Cyan) => 36,
        Some(_) | None => return label.to_owned(),
    };
    if is_coloured() { format!("\x1b[{code}m{label}\x1b[0m") } else { label.to_owned() }
}

/// A heading, bold on a terminal.
pub fn heading(text: &str) -> String {
    if is_coloured() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

fn colour(name: &str) -> Option<Color> {
    match name.split(' ').next().unwrap_or_default() {
        "installed" | "up_to_date" | "accepted" | "done" => Some(Color::Green),
        "failed" | "late" | "open" => Some(Color::Red),
        "rolled_back" | "refused" | "held" => Some(Color::Yellow),
        "running" => Some(Color::Cyan),
        _ => None,
    }
}

fn is_coloured() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A site's zone by its name; UTC for a server that left the fleet.
pub fn zone(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

/// `Wed 29 Apr 2026 22:00`, site time.
pub fn instant(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%a %-d %b %Y %H:%M").to_string()
}

/// `Wed 29 Apr 22:00–07:00`, site time; the second day is named when more than a night is between them.
pub fn slot(start: DateTime<Utc>, end: DateTime<Utc>, zone: Tz) -> String {
    let (from, to) = (start.with_timezone(&zone), end.with_timezone(&zone));
    let end = if end - start < TimeDelta::hours(24) { to.format("%H:%M") } else { to.format("%a %-d %b %H:%M") };
    format!("{}–{end}", from.format("%a %-d %b %H:%M"))
}

/// `Wed 29 Apr 2026 22:00–07:00`, site time; the second day is named when more than a night is between them.
pub fn dated_slot(start: DateTime<Utc>, end: DateTime<Utc>, zone: Tz) -> String {
    let (from, to) = (start.with_timezone(&zone), end.with_timezone(&zone));
    let end = if end - start < TimeDelta::hours(24) { to.format("%H:%M") } else { to.format("%a %-d %b %Y %H:%M") };
    format!("{}–{end}", from.format("%a %-d %b %Y %H:%M"))
}

/// `text` in lines of at most `width` characters, broken at spaces, of which that before a French `;` is none.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match words.last_mut() {
            Some(last) if [";", ":", "!", "?", "»", "%"].contains(&word) => last.push_str(&format!(" {word}")),
            Some(_) | None => words.push(word.to_owned()),
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            Some(_) | None => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_sites_own() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (start, end) = (at("2026-04-29T20:00:00Z"), at("2026-04-30T05:00:00Z"));
        assert_eq!(slot(start, end, zone("Europe/Paris")), "Wed 29 Apr 22:00–07:00");
        assert_eq!(slot(start, end, zone("Indian/Reunion")), "Thu 30 Apr 00:00–09:00");
        assert_eq!(slot(start, start + TimeDelta::hours(24), zone("nowhere")), "Wed 29 Apr 20:00–Thu 30 Apr 20:00");
        assert_eq!(instant(start, zone("Europe/Paris")), "Wed 29 Apr 2026 22:00");
    }

    #[test]
    fn lines_break_at_spaces_but_before_no_punctuation() {
        assert_eq!(wrapped("en place ; reste", 8), ["en", "place ;", "reste"]);
        assert_eq!(wrapped("en place ; reste", 100), ["en place ; reste"]);
        assert_eq!(wrapped("14.20.003→14.20.004 a", 5), ["14.20.003→14.20.004", "a"]);
        assert_eq!(hanging("  1. ", &"mot ".repeat(26)).lines().nth(1), Some("     mot mot "));
    }

    #[test]
    fn listings_stand_below_each_other_and_fit() {
        let cells = |row: &[&str]| row.iter().map(Cell::new).collect::<Vec<_>>();
        let tables = vec![vec![cells(&["a", "", "long", "x"])], vec![cells(&["bbb", "", "s", "y"])]];
        assert_eq!(listings(2, tables), ["  a    long  x\n", "  bbb  s     y\n"]);
        let wide = "word ".repeat(20);
        let listed = listings(4, vec![vec![cells(&[&wide, &wide])]]).concat();
        assert!(listed.lines().count() > 1 && listed.lines().all(|line| line.chars().count() <= 100), "{listed}");
    }
}
