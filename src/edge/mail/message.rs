//! From a letter to the bytes of a message (RFC 5322, RFC 2045).

use super::{File, Outgoing, SendError, Stamp};
use crate::edge::ics::{self, Party};
use crate::model::entry::Entry;
use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, Header, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, MultiPartKind, SinglePart, header};
use sha2::{Digest, Sha256};
use std::time::SystemTime;

/// Hex digits of the digest in a Message-ID: 128 bits.
const ID_DIGITS: usize = 32;

/// Most messages that one says it follows.
const FOLLOWS_MAX: usize = 20;

/// Tells other machines that no person wrote this, so that they do not answer it (RFC 3834, 5).
#[derive(Clone, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Tells whoever looks into it that the same message may have come before.
#[derive(Clone, Debug)]
struct Repeat;

impl Header for Repeat {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Noctule-Repeat")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Repeat)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "yes".to_owned())
    }
}

/// The Message-ID of the letter with this key, with its angle brackets.
pub(super) fn id(key: &str, domain: &str) -> String {
    format!("<{}@{domain}>", digest(key))
}

fn digest(key: &str) -> String {
    let mut digits = hex::encode(Sha256::digest(key.as_bytes()));
    digits.truncate(ID_DIGITS);
    digits
}

/// The message; the same letter to the same people is the same bytes.
pub(super) fn build(stamp: &Stamp, letter: &Outgoing, people: &[Mailbox]) -> Result<Message, SendError> {
    let mut builder = Message::builder()
        .from(stamp.from.clone())
        .date(SystemTime::from(letter.at))
        .message_id(Some(id(&letter.key, &stamp.domain)))
        .subject(one_line(&letter.subject))
        .header(AutoSubmitted);
    if let Some(reply_to) = &stamp.reply_to {
        builder = builder.reply_to(reply_to.clone());
    }
    if !letter.follows.is_empty() {
        let ids: Vec<String> = letter.follows.iter().take(FOLLOWS_MAX).map(|key| id(key, &stamp.domain)).collect();
        builder = builder.in_reply_to(ids.join(" ")).references(ids.join(" "));
    }
    if letter.repeat {
        builder = builder.header(Repeat);
    }
    for (place, person) in people.iter().enumerate() {
        builder = if place == 0 { builder.to(person.clone()) } else { builder.cc(person.clone()) };
    }
    // `=_` cannot occur in quoted-printable (RFC 2045, 6.7).
    let boundary = digest(&letter.key);
    let words = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(format!("=_{boundary}"))
        .singlepart(part(header::ContentType::TEXT_PLAIN, &letter.text))
        .singlepart(part(header::ContentType::TEXT_HTML, &letter.html));
    let parts = match (&letter.entry, &letter.file) {
        (Some(entry), _) => invited(stamp, letter, entry, people, words)?,
        (None, Some(file)) => MultiPart::builder()
            .kind(MultiPartKind::Mixed)
            .boundary(format!("=_m{boundary}"))
            .multipart(words)
            .singlepart(attached(file)),
        (None, None) => words,
    };
    builder.multipart(parts).map_err(|error| SendError::Refused(format!("the message cannot be put together: {error}")))
}

/// The words with the invitation as one more way to read them, which Outlook and Gmail act on (RFC 6047, 2.4), and as a
/// file for whatever else there is.
fn invited(
    stamp: &Stamp,
    letter: &Outgoing,
    entry: &Entry,
    people: &[Mailbox],
    words: MultiPart,
) -> Result<MultiPart, SendError> {
    let party = |mailbox: &Mailbox| (mailbox.name.clone(), mailbox.email.to_string());
    let (organizer, guests) = (party(&stamp.from), people.iter().map(party).collect::<Vec<_>>());
    let parties: Vec<Party> = guests.iter().map(|(name, email)| Party { name: name.as_deref(), email }).collect();
    let organizer = Party { name: organizer.0.as_deref(), email: &organizer.1 };
    let text = ics::invitation(entry, organizer, &parties, &stamp.domain, letter.at);
    let kind =
        |text: &str| header::ContentType::parse(text).map_err(|error| SendError::Refused(format!("{text}: {error}")));
    let method = ics::method(entry);
    let action = kind(&format!("text/calendar; charset=utf-8; method={method}"))?;
    let file = SinglePart::builder()
        .header(kind("application/ics; name=\"invitation.ics\"")?)
        .header(header::ContentDisposition::attachment("invitation.ics"))
        .body(verbatim(&text));
    let parts = MultiPart::builder()
        .kind(MultiPartKind::Mixed)
        .boundary(format!("=_m{}", digest(&letter.key)))
        .multipart(words.singlepart(SinglePart::builder().header(action).body(verbatim(&text))))
        .singlepart(file);
    Ok(parts)
}

fn attached(file: &File) -> SinglePart {
    SinglePart::builder()
        .header(header::ContentType::TEXT_PLAIN)
        .header(header::ContentDisposition::attachment(&file.name))
        .body(verbatim(&file.text))
}

/// As it is, ends of lines included.
fn verbatim(text: &str) -> Body {
    let text = text.to_owned();
    Body::new_with_encoding(text, ContentTransferEncoding::Base64).unwrap_or_else(Body::new)
}

fn part(kind: header::ContentType, text: &str) -> SinglePart {
    let text = text.to_owned();
    let body = Body::new_with_encoding(text, ContentTransferEncoding::QuotedPrintable).unwrap_or_else(Body::new);
    SinglePart::builder().header(kind).body(body)
}

/// A header's text: no control character survives.
fn one_line(text: &str) -> String {
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    printable.split([' ', '\t']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
