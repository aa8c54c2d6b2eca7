//! `noctule version`: versions compared, sorted and told apart as the planner does it.

use super::args::Shape;
use super::{Outcome, output};
use crate::model::version::{Change, Scheme, Version};
use serde::Serialize;
use std::cmp::Ordering;
use std::io::{self, Read};

/// Most text that `sort` reads, in bytes.
const SORT_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub struct VersionArgs {
    #[command(subcommand)]
    command: VersionCommand,
}

#[derive(Debug, clap::Subcommand)]
enum VersionCommand {
    /// Print <, = or >: whether A is older than, the same as or newer than B
    Compare {
        #[arg(allow_hyphen_values = true)]
        a: String,
        #[arg(allow_hyphen_values = true)]
        b: String,
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
    },
    /// Sort versions, one a line, from standard input: oldest first, equal ones in the order they came
    Sort {
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
    },
    /// Print what the numbers make of going from one version to another: minor, major, none or downgrade
    Change {
        from: String,
        to: String,
        /// Where the product keeps its major number: dotted, in the first number; year, nowhere
        #[arg(long, value_enum, default_value_t)]
        scheme: SchemeArg,
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
    },
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum SchemeArg {
    #[default]
    Dotted,
    Year,
}

impl From<SchemeArg> for Scheme {
    fn from(scheme: SchemeArg) -> Scheme {
        match scheme {
            SchemeArg::Dotted => Scheme::Dotted,
            SchemeArg::Year => Scheme::Year,
        }
    }
}

#[derive(Debug, Serialize)]
struct Comparison<'a> {
    a: &'a Version,
    order: &'a str,
    b: &'a Version,
}

#[derive(Debug, Serialize)]
struct ChangeRow<'a> {
    from: &'a Version,
    to: &'a Version,
    scheme: Scheme,
    change: &'a str,
    why: &'a str,
}

pub fn run(args: VersionArgs) -> Outcome {
    match args.command {
        VersionCommand::Compare { a, b, format } => compare(&a.parse()?, &b.parse()?, format),
        VersionCommand::Sort { format } => {
            let mut text = Vec::new();
            io::stdin().lock().take(SORT_BYTES_MAX + 1).read_to_end(&mut text)?;
            if text.len() as u64 > SORT_BYTES_MAX {
                return Err(format!("more than {SORT_BYTES_MAX} bytes to sort; split them").into());
            }
            let sorted = sorted(&text)?;
            match format {
                Shape::Json => output::print_json(&sorted),
                Shape::Text => output::print(&sorted.iter().map(|version| format!("{version}\n")).collect::<String>()),
            }
        }
        VersionCommand::Change { from, to, scheme, format } => {
            change(&from.parse()?, &to.parse()?, scheme.into(), format)
        }
    }
}

fn compare(a: &Version, b: &Version, format: Shape) -> Outcome {
    let order = match a.cmp(b) {
        Ordering::Less => "<",
        Ordering::Equal => "=",
        Ordering::Greater => ">",
    };
    match format {
        Shape::Text => output::print(order),
        Shape::Json => output::print_json(&Comparison { a, order, b }),
    }
}

/// The lines' versions in order; or every line that holds none, by its number.
fn sorted(text: &[u8]) -> Result<Vec<Version>, String> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let (mut versions, mut wrong) = (Vec::<Version>::new(), Vec::new());
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let read = match std::str::from_utf8(line) {
            Ok(line) => line.parse().map_err(|error| format!("{error}")),
            Err(_) => Err("this is no text in UTF-8".to_owned()),
        };
        match read {
            Ok(version) => versions.push(version),
            Err(error) => wrong.push(format!("line {}: {error}", index + 1)),
        }
    }
    if !wrong.is_empty() {
        return Err(format!("nothing was sorted\n{}", wrong.join("\n")));
    }
    versions.sort();
    Ok(versions)
}

fn change(from: &Version, to: &Version, scheme: Scheme, format: Shape) -> Outcome {
    let (change, why) = judge(from, to, scheme);
    match format {
        Shape::Text => output::print(change),
        Shape::Json => output::print_json(&ChangeRow { from, to, scheme, change, why }),
    }
}

/// What the numbers alone make of a change; a release's manifest has the last word.
fn judge(from: &Version, to: &Version, scheme: Scheme) -> (&'static str, &'static str) {
    match (to.cmp(from), to.change_from(from, scheme)) {
        (Ordering::Equal, _) => ("none", "it is the same version"),
        (Ordering::Less, _) => ("downgrade", "the second version is the older one"),
        (Ordering::Greater, Some(Change::Major)) => ("major", "the first number changes"),
        (Ordering::Greater, Some(Change::Minor)) => ("minor", "the first number stays"),
        (Ordering::Greater, None) => {
            ("minor", "under this scheme no number is a major: it is minor unless the release says otherwise")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_judged_by_their_numbers() {
        for (from, to, scheme, expected) in [
            ("14.20.003", "14.20.004", Scheme::Dotted, "minor"),
            ("14.99", "15.0", Scheme::Dotted, "major"),
            ("15.0", "14.99", Scheme::Dotted, "downgrade"),
            ("14.20.003", "14.20.3", Scheme::Dotted, "none"),
            ("2025.4", "2026.1", Scheme::Dotted, "major"),
            ("2025.4", "2026.1", Scheme::Year, "minor"),
            ("2026.1", "2025.4", Scheme::Year, "downgrade"),
            ("15.30.02", "15.30.02/DU3", Scheme::Dotted, "minor"),
        ] {
            assert_eq!(judge(&from.parse().unwrap(), &to.parse().unwrap(), scheme).0, expected, "{from} {to}");
        }
    }

    #[test]
    fn sorting_keeps_equal_ones_in_their_order_and_names_bad_lines() {
        let text = |lines: &[u8]| sorted(lines).map(|v| v.iter().map(|v| v.to_string()).collect::<Vec<_>>().join(" "));
        for (lines, expected) in [
            (&b"2.0\n1.0\n"[..], "1.0 2.0"),
            (b"2.0\r\n1.0", "1.0 2.0"),
            (b"1.0.0\n1\n0.9\n1.0\n", "0.9 1.0.0 1 1.0"),
            (b"", ""),
            (b"\n", ""),
        ] {
            assert_eq!(text(lines).as_deref(), Ok(expected));
        }
        let wrong = text(b"1.0\nSP\n\n2.0\n\xff\n").unwrap_err();
        let lines: Vec<&str> = wrong.lines().collect();
        assert_eq!(lines[0], "nothing was sorted");
        for (line, said) in
            lines[1..].iter().zip(["line 2: version \"SP\"", "line 3: a version cannot be empty", "line 5: "])
        {
            assert!(line.starts_with(said), "{wrong}");
        }
        assert_eq!(lines.len(), 4);
    }
}
