//! History as a table for programs: CSV, or a workbook of one sheet. One list of columns for both.

use super::super::Failure;
use super::super::api::EventRow;
use crate::work::views::HistoryRow;
use chrono::{DateTime, NaiveDate, Utc};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};

/// Most rows of a worksheet below its header.
const XLSX_ROWS_MAX: usize = 1_048_575;
/// Longest text of a workbook's cell, in characters.
const XLSX_CHARS_MAX: usize = 32_767;

/// One cell. Instants are UTC.
#[derive(Clone, Debug, PartialEq)]
enum Field {
    Text(String),
    Number(i64),
    At(DateTime<Utc>),
    Day(NaiveDate),
    Truth(bool),
    Nothing,
}

/// Rows below a header, with the columns' names as the API has them.
pub struct Sheet {
    header: &'static [&'static str],
    rows: Vec<Vec<Field>>,
}

impl From<&str> for Field {
    fn from(text: &str) -> Field {
        Field::Text(text.to_owned())
    }
}

fn text(value: &Option<String>) -> Field {
    value.as_deref().map_or(Field::Nothing, Field::from)
}

fn at(value: Option<DateTime<Utc>>) -> Field {
    value.map_or(Field::Nothing, Field::At)
}

fn number(value: Option<i64>) -> Field {
    value.map_or(Field::Nothing, Field::Number)
}

fn bytes(value: Option<u64>) -> Field {
    number(value.and_then(|bytes| i64::try_from(bytes).ok()))
}

/// A row for each deployment.
pub fn deployments(rows: &[HistoryRow]) -> Sheet {
    let row = |row: &HistoryRow| {
        let request = row.request.as_ref();
        let reasons: Vec<String> = row.reasons.iter().map(|r| format!("{}: {}", r.rule, r.text)).collect();
        vec![
            number(row.id),
            row.client.as_str().into(),
            row.server.as_str().into(),
            row.product.as_str().into(),
            text(&row.from),
            text(&row.to),
            text(&row.change),
            Field::Truth(row.manual),
            text(&row.state),
            row.zone.as_str().into(),
            at(row.published_at),
            number(request.map(|r| r.id)),
            at(request.map(|r| r.received_at)),
            request.map_or(Field::Nothing, |r| Field::Day(r.before)),
            at(row.slot.as_ref().map(|s| s.start)),
            at(row.slot.as_ref().map(|s| s.end)),
            at(row.deadline),
            at(row.started_at),
            at(row.finished_at),
            Field::Number(row.attempts.into()),
            row.on_time.map_or(Field::Nothing, Field::Truth),
            bytes(row.transfer.as_ref().map(|transfer| transfer.package_bytes)),
            bytes(row.transfer.as_ref().map(|transfer| transfer.moved_bytes)),
            Field::Text(reasons.join("\n")),
        ]
    };
    Sheet {
        header: &[
            "id",
            "client",
            "server",
            "product",
            "from",
            "to",
            "change",
            "manual",
            "state",
            "zone",
            "published_at",
            "request",
            "request_received_at",
            "request_before",
            "slot_start",
            "slot_end",
            "deadline",
            "started_at",
            "finished_at",
            "attempts",
            "on_time",
            "package_bytes",
            "moved_bytes",
            "reasons",
        ],
        rows: rows.iter().map(row).collect(),
    }
}

/// A row for each event.
pub fn events(rows: &[EventRow]) -> Sheet {
    let row = |event: &EventRow| {
        vec![
            event.client.as_str().into(),
            Field::Number(event.seq),
            Field::At(event.at),
            text(&event.server),
            text(&event.product),
            number(event.deployment),
            number(event.request),
            event.kind.as_str().into(),
            event.text.as_str().into(),
            event.hash.as_str().into(),
        ]
    };
    Sheet {
        header: &["client", "seq", "at", "server", "product", "deployment", "request", "kind", "text", "hash"],
        rows: rows.iter().map(row).collect(),
    }
}

impl Sheet {
    pub fn csv(&self) -> Result<String, Failure> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(self.header)?;
        for row in &self.rows {
            csv.write_record(row.iter().map(|field| match field {
                Field::Text(text) => text.clone(),
                Field::Number(number) => number.to_string(),
                Field::At(at) => at.to_rfc3339(),
                Field::Day(day) => day.to_string(),
                Field::Truth(truth) => truth.to_string(),
                Field::Nothing => String::new(),
            }))?;
        }
        Ok(String::from_utf8(csv.into_inner()?)?)
    }

    /// A workbook: instants are dates that can be reckoned with, and no text is ever a formula.
    pub fn xlsx(&self) -> Result<Vec<u8>, Failure> {
        if self.rows.len() > XLSX_ROWS_MAX {
            return Err(format!(
                "{} rows are more than a worksheet holds, {XLSX_ROWS_MAX}; narrow them, or write csv",
                self.rows.len()
            )
            .into());
        }
        let (bold, moment, day) = (
            Format::new().set_bold(),
            Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            Format::new().set_num_format("yyyy-mm-dd"),
        );
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet().set_name("noctule")?;
        for (column, name) in (0_u16..).zip(self.header) {
            sheet.write_string_with_format(0, column, *name, &bold)?;
            sheet.set_column_width(column, 18)?;
        }
        for (line, row) in (1_u32..).zip(&self.rows) {
            for (column, field) in (0_u16..).zip(row) {
                match field {
                    Field::Text(text) => {
                        let text: String = text.chars().take(XLSX_CHARS_MAX).collect();
                        sheet.write_string(line, column, text)?;
                    }
                    // Every number here is an id, a count or a size, far below where a workbook's numbers lose their last digit.
                    Field::Number(number) => drop(sheet.write_number(line, column, *number as f64)?),
                    Field::At(at) => {
                        let at = ExcelDateTime::from_timestamp(at.timestamp())?;
                        sheet.write_datetime_with_format(line, column, &at, &moment)?;
                    }
                    Field::Day(date) => {
                        let at =
                            ExcelDateTime::from_timestamp(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp())?;
                        sheet.write_datetime_with_format(line, column, &at, &day)?;
                    }
                    Field::Truth(truth) => drop(sheet.write_boolean(line, column, *truth)?),
                    Field::Nothing => {}
                }
            }
        }
        sheet.set_freeze_panes(1, 0)?;
        let (last, columns) = (u32::try_from(self.rows.len())?, u16::try_from(self.header.len())?);
        sheet.autofilter(0, 0, last, columns - 1)?;
        Ok(workbook.save_to_buffer()?)
    }
}
