//! From a letter to the bytes of a message (RFC 5322, RFC 2045).

use super::{Outgoing, SendError, Stamp};
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
    let parts = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        // `=_` cannot occur in quoted-printable (RFC 2045, 6.7).
        .boundary(format!("=_{}", digest(&letter.key)))
        .singlepart(part(header::ContentType::TEXT_PLAIN, &letter.text))
        .singlepart(part(header::ContentType::TEXT_HTML, &letter.html));
    builder.multipart(parts).map_err(|error| SendError::Refused(format!("the message cannot be put together: {error}")))
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
