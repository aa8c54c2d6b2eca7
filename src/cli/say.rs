//! How commands speak: on standard output, on standard error, as text or JSON.

use super::Failure;
use serde::Serialize;
use std::io::{self, Write};

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    #[default]
    #[value(alias = "table")]
    Text,
    Json,
}

/// The option that says how an answer is printed.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Print {
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
    /// The same as --format json
    #[arg(long, hide = true, conflicts_with = "format")]
    json: bool,
}

impl Print {
    pub fn is_json(self) -> bool {
        self.json || self.format == Shape::Json
    }
}

/// Writes `text` to standard output, with a line's end.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') && !text.is_empty() {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Says `text` on standard error. When nobody reads that any more, there is nobody left to tell.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes `rows` as pretty JSON.
pub fn print_json<T: Serialize + ?Sized>(rows: &T) -> Result<(), Failure> {
    print(&serde_json::to_string_pretty(rows)?)
}

/// Whether the reader of our output went away, which is no error of ours.
pub fn is_broken_pipe(failure: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(failure);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_told_from_other_errors() {
        let of = |kind: io::ErrorKind| Failure::from(io::Error::from(kind));
        assert!(is_broken_pipe(of(io::ErrorKind::BrokenPipe).as_ref()));
        assert!(!is_broken_pipe(of(io::ErrorKind::NotFound).as_ref()));
    }
}
