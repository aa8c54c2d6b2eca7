//! Calendar entries as other programs read them (RFC 5545): invitations (RFC 5546, RFC 6047) and feeds.
//!
//! Times are in UTC, which every calendar shows in its owner's own; nothing is written that depends on when. Whatever a
//! fleet file or a manifest says stays inside its property.

use crate::model::entry::Entry;
use chrono::{DateTime, TimeDelta, Utc};
use icalendar::{Calendar, Component, Event, EventLike, EventStatus, Property};

/// Who made the file (RFC 5545, 3.7.3).
const PRODUCT: &str = "-//Noctule//Noctule//FR";
/// How often programs should ask for a feed again, in minutes.
const REFRESH_MINUTES: i64 = 60;
/// Longest text of one property, in characters.
const TEXT_CHARS_MAX: usize = 2_000;

/// A name and an address, as a header has them.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    pub name: Option<&'a str>,
    pub email: &'a str,
}

/// The method of an invitation to `entry`: it asks, or takes back.
pub fn method(entry: &Entry) -> &'static str {
    if entry.cancelled { "CANCEL" } else { "REQUEST" }
}

/// The entry as its guests' calendars take it, written at `stamp`; `domain` makes its UID the provider's.
pub fn invitation(entry: &Entry, organizer: Party, guests: &[Party], domain: &str, stamp: DateTime<Utc>) -> String {
    let mut event = event(entry, domain, stamp);
    event.append_property(party("ORGANIZER", organizer));
    for guest in guests {
        let mut guest = party("ATTENDEE", *guest);
        // An agreement is recorded elsewhere: no answer is asked for here.
        for (key, value) in [("ROLE", "REQ-PARTICIPANT"), ("PARTSTAT", "NEEDS-ACTION"), ("RSVP", "FALSE")] {
            guest.add_parameter(key, value);
        }
        event.append_multi_property(guest);
    }
    let mut calendar = calendar();
    calendar.append_property(Property::new("METHOD", method(entry)));
    calendar.push(event).to_string()
}

/// Entries that a calendar subscribes to, under `name`.
pub fn feed(name: &str, entries: &[Entry], domain: &str, stamp: DateTime<Utc>) -> String {
    let mut calendar = calendar();
    calendar.append_property(Property::new("METHOD", "PUBLISH"));
    calendar.name(&text(name)).ttl(&TimeDelta::minutes(REFRESH_MINUTES));
    calendar.extend(entries.iter().map(|entry| event(entry, domain, stamp)));
    calendar.to_string()
}

fn calendar() -> Calendar {
    let mut calendar = Calendar::empty();
    calendar.append_property(Property::new("VERSION", "2.0"));
    calendar.append_property(Property::new("PRODID", PRODUCT));
    calendar.append_property(Property::new("CALSCALE", "GREGORIAN"));
    calendar
}

fn event(entry: &Entry, domain: &str, stamp: DateTime<Utc>) -> Event {
    let mut event = Event::with_uid(&format!("{}@{domain}", entry.key.replace('/', "-")));
    event
        .timestamp(stamp)
        .sequence(entry.sequence)
        .starts(entry.slot.start)
        .ends(entry.slot.end)
        .summary(&text(&entry.summary))
        .description(&text(&entry.description))
        .location(&text(&entry.location))
        .status(if entry.cancelled { EventStatus::Cancelled } else { EventStatus::Confirmed })
        // Users have to know; nobody of them is busy with it.
        .add_property("TRANSP", "TRANSPARENT");
    event
}

fn party(key: &str, party: Party) -> Property {
    let mut property = Property::new(key, format!("mailto:{}", party.email));
    if let Some(name) = party.name {
        // A quoted value cannot hold quotation marks (RFC 5545, 3.2), and not every reader takes a backslash for itself.
        let name: String = name.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
        property.add_parameter("CN", &format!("\"{name}\""));
    }
    property
}

/// A text without control characters but ends of lines, which are escaped, and not without end.
fn text(value: &str) -> String {
    value.replace("\r\n", "\n").chars().filter(|c| *c == '\n' || !c.is_control()).take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::slot::Slot;
    use proptest::prelude::*;

    fn entry() -> Entry {
        Entry {
            key: "deployment/12".to_owned(),
            sequence: 2,
            slot: Slot::new("2026-05-09T06:00:00Z".parse().unwrap(), "2026-05-09T14:00:00Z".parse().unwrap()).unwrap(),
            summary: "ISACOMPTA 15.0 : installation sur cab-morel-01".to_owned(),
            description: "Durée estimée : 3 h.\nL'application sera fermée, les utilisateurs sont à prévenir."
                .to_owned(),
            location: "cab-morel-01".to_owned(),
            cancelled: false,
        }
    }

    fn stamp() -> DateTime<Utc> {
        "2026-04-29T15:01:30Z".parse().unwrap()
    }

    fn invited(entry: &Entry, name: &str) -> String {
        let organizer = Party { name: Some("Service, infogérance"), email: "s@prestataire.example" };
        invitation(
            entry,
            organizer,
            &[Party { name: Some(name), email: "c@morel.example" }],
            "prestataire.example",
            stamp(),
        )
    }

    #[test]
    fn an_invitation_reads_as_calendars_expect() {
        let cancelled = Entry { cancelled: true, sequence: 3, ..entry() };
        let all = [invited(&entry(), "Mme Claire Morel"), invited(&cancelled, "Mme Claire Morel")];
        let fed = feed("Cabinet Morel", &[entry()], "prestataire.example", stamp());
        insta::assert_snapshot!(all.into_iter().chain([fed]).collect::<Vec<_>>().join("\n").replace("\r\n", "\n"));
    }

    proptest! {
        #[test]
        fn nothing_from_outside_adds_a_property(
            hostile in "(\r\n|\n|\r|;|,|:|\"|\\\\|BEGIN:VEVENT|ATTENDEE:mailto:x@evil.example|[ -~éœ]){0,20}",
        ) {
            let it = Entry { summary: hostile.clone(), description: hostile.clone(), location: hostile.clone(), ..entry() };
            let plain = invited(&entry(), "Mme Claire Morel");
            let text = invited(&it, &hostile);
            let names = |text: &str| -> Vec<String> {
                let unfolded = text.replace("\r\n ", "");
                unfolded.split("\r\n").map(|line| line.split([':', ';']).next().unwrap_or_default().to_owned()).collect()
            };
            prop_assert_eq!(names(&text), names(&plain));
            // 75 octets, and the space that goes on with a line.
            prop_assert!(text.split("\r\n").all(|line| line.len() <= 76 && !line.contains(['\r', '\n'])), "{}", text);
        }
    }
}
