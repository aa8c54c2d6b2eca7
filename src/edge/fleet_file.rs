//! `fleet.toml`: the clients and their servers, as the provider writes them down.
//!
//! Reads, checks what can be seen in the file alone (ids, addresses, duplicates, empty lists), and points. Whether the
//! schedules, regions and products it names exist is checked by who knows them.

use super::calendar_file::{self, Horizon};
use super::config::{is_id, is_mailbox};
use super::toml_errors::{self, TomlError};
use crate::model::closed::{ClosedPeriod, PERIODS_MAX};
use crate::model::fleet::{Client, Fleet};
use chrono::NaiveDate;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Most contacts of one client.
pub const CONTACTS_MAX: usize = 10;

/// A fleet with its text.
#[derive(Clone, Debug)]
pub struct FleetFile {
    pub path: PathBuf,
    pub text: String,
    pub fleet: Fleet,
}

/// One step towards a value: a key of a table, or a position in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    Key(&'a str),
    At(usize),
}

use Step::{At, Key};

/// Reads the file at `path`.
///
/// # Errors
/// [`TomlError`] when it cannot be read or is no fleet.
pub fn read(path: &Path) -> Result<FleetFile, TomlError> {
    let text = toml_errors::read_text(path)?;
    let fleet = toml_errors::parse(path, &text)?;
    Ok(FleetFile { path: path.to_owned(), text, fleet })
}

/// What reading the calendars of a fleet file found, each line with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalendarFindings {
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
}

impl FleetFile {
    /// Reads the `.ics` files that clients name, from the fleet file's own folder, and puts their closed periods in
    /// their stead. Repetitions are unfolded around `today`, by whole years.
    ///
    /// A file that cannot be read stays as it is named, so that places in the text still hold.
    pub fn read_calendars(&mut self, today: NaiveDate) -> CalendarFindings {
        let folder = self.path.parent().unwrap_or(Path::new("")).to_owned();
        let mut findings = CalendarFindings::default();
        for c in 0..self.fleet.clients.len() {
            let client = &self.fleet.clients[c];
            let mut read = Vec::new();
            for (i, period) in client.closed.iter().enumerate() {
                let ClosedPeriod::Calendar(calendar) = period else {
                    read.push(period.clone());
                    continue;
                };
                let place = [Key("client"), At(c), Key("closed"), At(i)];
                let say = |text: &str| self.point(&place, &format!("client {:?}: {text}", client.id));
                let path = folder.join(&calendar.ics);
                match calendar_file::read(&path, calendar.reason.as_deref(), Horizon::around(today)) {
                    Ok(file) => {
                        findings.warnings.extend(file.warnings.iter().map(|warning| say(warning)));
                        read.extend(file.periods);
                    }
                    Err(error) => {
                        findings.errors.extend(error.to_string().lines().map(say));
                        read.push(period.clone());
                    }
                }
            }
            if read.len() > PERIODS_MAX {
                let message = format!(
                    "client {:?}: there are {} closed periods, at most {PERIODS_MAX} are kept; leave out those that are over",
                    client.id,
                    read.len()
                );
                findings.errors.push(self.point(&[Key("client"), At(c), Key("closed")], &message));
            }
            self.fleet.clients[c].closed = read;
        }
        findings
    }

    /// What is wrong with the file in itself, each complaint with its line.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.fleet.clients.is_empty() {
            found.push(
                self.point(
                    &[],
                    "there is no [[client]]; an empty fleet is not applied, because it would remove everyone",
                ),
            );
        }
        let mut clients = BTreeMap::new();
        let mut servers = BTreeMap::new();
        for (c, client) in self.fleet.clients.iter().enumerate() {
            let place = [Key("client"), At(c), Key("id")];
            self.check_id(&place, "client", &client.id, &mut clients, &mut found);
            for (s, server) in client.servers.iter().enumerate() {
                let place = [Key("client"), At(c), Key("server"), At(s), Key("id")];
                self.check_id(&place, "server", &server.id, &mut servers, &mut found);
            }
            self.check_contents(c, client, &mut found);
        }
        found
    }

    fn check_id<'a>(
        &self,
        place: &[Step<'_>],
        what: &str,
        id: &'a str,
        known: &mut BTreeMap<&'a str, usize>,
        found: &mut Vec<String>,
    ) {
        if !is_id(id) {
            found.push(self.point(place, &format!("{what} id {id:?} has to be made of a-z, 0-9 and -, at most 64")));
        }
        let line = self.line(place);
        match known.get(id) {
            Some(first) => found
                .push(self.point(place, &format!("{what} {id:?} is there already, on line {first}; ids are unique"))),
            None => {
                known.insert(id, line);
            }
        }
    }

    fn check_contents(&self, c: usize, client: &Client, found: &mut Vec<String>) {
        let mut say = |rest: &[Step<'_>], message: String| {
            let place: Vec<Step<'_>> = [Key("client"), At(c)].into_iter().chain(rest.iter().copied()).collect();
            found.push(self.point(&place, &format!("client {:?}: {message}", client.id)));
        };
        if client.name.trim().is_empty() {
            say(&[Key("name")], "the name is empty; letters need it".to_owned());
        }
        if client.order.is_empty() {
            say(&[Key("order")], "the order names no product; nothing would ever be done (III, annexe 1)".to_owned());
        }
        for (i, product) in client.order.iter().enumerate() {
            if client.order[..i].contains(product) {
                say(&[Key("order"), At(i)], format!("the order names {product:?} twice; remove one"));
            }
        }
        if client.contacts.is_empty() || client.contacts.len() > CONTACTS_MAX {
            say(
                &[Key("contacts")],
                format!(
                    "has {} contacts; name the main one first, then a deputy if there is one (annexe 3)",
                    client.contacts.len()
                ),
            );
        }
        for (i, contact) in client.contacts.iter().enumerate() {
            if !is_mailbox(&contact.email) || contact.email.contains('<') {
                say(
                    &[Key("contacts"), At(i), Key("email")],
                    format!("{:?} is no e-mail address; write x@y", contact.email),
                );
            }
        }
        for (i, period) in client.closed.iter().enumerate() {
            if let Some((from, to)) = period.backwards() {
                let message = format!("the closed period ends on {to}, before it begins on {from}; swap them");
                say(&[Key("closed"), At(i)], message);
            }
        }
        if client.servers.is_empty() {
            say(&[], "has no [[client.server]]; add one".to_owned());
        }
    }

    /// `path:line: message` for the value at `steps`.
    pub fn point(&self, steps: &[Step<'_>], message: &str) -> String {
        format!("{}:{}: {message}", self.path.display(), self.line(steps))
    }

    fn line(&self, steps: &[Step<'_>]) -> usize {
        toml_errors::place(&self.text, self.span(steps).map_or(0, |span| span.start)).0
    }

    /// Where the value at `steps` is, or the nearest table around it.
    fn span(&self, steps: &[Step<'_>]) -> Option<Range<usize>> {
        let root = DeTable::parse(&self.text).ok()?;
        let (Key(first), rest) = steps.split_first()? else { return None };
        let mut value = root.get_ref().get(*first)?;
        for step in rest {
            let inner = match (step, value.get_ref()) {
                (Key(key), DeValue::Table(table)) => table.get(*key),
                (At(index), DeValue::Array(array)) => array.get(*index),
                (Key(_) | At(_), _) => None,
            };
            let Some(inner) = inner else { break };
            value = inner;
        }
        Some(value.span())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"[[client]]
id = "martin"
name = "Cabinet Martin"
schedule = "pro-controle"
holidays = "FR"
order = ["isacompta"]
contacts = [{ name = "Mme Martin", email = "c@martin.example" }]
closed = [{ from = "2026-12-24", to = "2026-12-31", reason = "inventaire" }]

[[client.server]]
id = "martin-1"
zone = "Europe/Paris"

[[client]]
id = "rhin"
name = "Fiduciaire du Rhin"
schedule = "pro-controle"
holidays = "FR-ALS"
order = ["isacompta"]
contacts = [{ name = "M. Muller", email = "m@rhin.example" }]

[[client.server]]
id = "rhin-1"
zone = "Europe/Paris"
"#;

    fn problems(text: &str) -> Vec<String> {
        let fleet = toml_errors::parse(Path::new("fleet.toml"), text).unwrap();
        FleetFile { path: "fleet.toml".into(), text: text.to_owned(), fleet }.problems()
    }

    #[test]
    fn a_sound_fleet_has_nothing_to_say() {
        assert_eq!(problems(GOOD), Vec::<String>::new());
        assert_eq!(problems(include_str!("../sim/fleet.toml")), Vec::<String>::new());
    }

    #[test]
    fn each_problem_has_its_line() {
        for (from, to, shown) in [
            ("\"rhin-1\"", "\"martin-1\"", "fleet.toml:23: server \"martin-1\" is there already, on line 11"),
            ("\"rhin\"", "\"martin\"", "fleet.toml:15: client \"martin\" is there already, on line 2"),
            ("\"rhin\"", "\"Le Rhin\"", "fleet.toml:15: client id \"Le Rhin\" has to be made of"),
            ("m@rhin.example", "m.rhin.example", "fleet.toml:20: client \"rhin\": \"m.rhin.example\" is no e-mail"),
            (
                "order = [\"isacompta\"]\n",
                "order = []\n",
                "fleet.toml:6: client \"martin\": the order names no product",
            ),
            (
                "order = [\"isacompta\"]",
                "order = [\"x\", \"x\"]",
                "fleet.toml:6: client \"martin\": the order names \"x\" twice",
            ),
            (
                "[{ name = \"M. Muller\", email = \"m@rhin.example\" }]",
                "[]",
                "fleet.toml:20: client \"rhin\": has 0 contacts",
            ),
            ("2026-12-31", "2026-12-23", "fleet.toml:8: client \"martin\": the closed period ends on 2026-12-23"),
            ("name = \"Cabinet Martin\"", "name = \" \"", "fleet.toml:3: client \"martin\": the name is empty"),
            (
                "[[client.server]]\nid = \"rhin-1\"\nzone = \"Europe/Paris\"\n",
                "",
                "fleet.toml:14: client \"rhin\": has no",
            ),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let found = problems(&GOOD.replacen(from, to, 1));
            assert!(found.len() == 1 && found[0].starts_with(shown), "{to}: {found:#?}");
        }
        assert!(problems("")[0].starts_with("fleet.toml:1: there is no [[client]]"));
        let both = GOOD.replace("FR-ALS", "FR").replace("\"rhin\"", "\"martin\"").replace("@", "");
        assert_eq!(problems(&both).len(), 3);
    }
}
