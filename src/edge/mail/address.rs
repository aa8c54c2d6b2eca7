//! Recipients: parsed before use, masked in logs.

use super::{Person, SendError};
use lettre::Address;
use lettre::message::Mailbox;
use std::borrow::Cow;

/// Longest address, in bytes (RFC 5321, 4.5.3.1.3, less the brackets).
pub const ADDRESS_BYTES_MAX: usize = 254;
/// Most recipients of one letter.
pub const RECIPIENTS_MAX: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("longer than {ADDRESS_BYTES_MAX} bytes")]
    TooLong,
    #[error("{0}")]
    Syntax(String),
    #[error("holds a character that no mail server is sure to take")]
    Character,
}

/// Reads `name@example.fr`. A domain with letters beyond ASCII is written as servers know it (IDNA, RFC 5891):
/// `name@société.example` is `name@xn--socit-esab.example`. Quoted and non-ASCII local parts are refused: few servers
/// take them.
pub fn parse_address(text: &str) -> Result<Address, AddressError> {
    if text.len() > ADDRESS_BYTES_MAX {
        return Err(AddressError::TooLong);
    }
    let text = &*in_ascii(text)?;
    if text.len() > ADDRESS_BYTES_MAX {
        return Err(AddressError::TooLong);
    }
    if text.chars().any(|c| !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>' | ',' | ';' | '\\')) {
        return Err(AddressError::Character);
    }
    text.parse().map_err(|error: lettre::address::AddressError| AddressError::Syntax(error.to_string()))
}

/// The address with its domain in ASCII.
fn in_ascii(text: &str) -> Result<Cow<'_, str>, AddressError> {
    match text.rsplit_once('@') {
        Some((local, domain)) if !domain.is_ascii() => match url::Host::parse(domain) {
            Ok(url::Host::Domain(ascii)) => Ok(Cow::Owned(format!("{local}@{ascii}"))),
            Ok(url::Host::Ipv4(_) | url::Host::Ipv6(_)) | Err(_) => {
                Err(AddressError::Syntax("the part after @ is no domain name".to_owned()))
            }
        },
        Some(_) | None => Ok(Cow::Borrowed(text)),
    }
}

/// Reads `Name <name@example.fr>` or `name@example.fr`.
pub fn parse_mailbox(text: &str) -> Result<Mailbox, AddressError> {
    let Some((name, rest)) = text.trim().split_once('<') else {
        return Ok(Mailbox::new(None, parse_address(text.trim())?));
    };
    let address = rest.strip_suffix('>').ok_or_else(|| AddressError::Syntax("the `>` is missing".to_owned()))?;
    Ok(Mailbox::new(display_name(name.trim().trim_matches('"')), parse_address(address)?))
}

/// The recipients that can be written to, and the others, masked. Refused for good when none is left.
pub(super) fn accept(people: &[Person]) -> Result<(Vec<Mailbox>, Vec<String>), SendError> {
    let mut accepted: Vec<Mailbox> = Vec::new();
    let mut refused = Vec::new();
    for person in people.iter().take(RECIPIENTS_MAX) {
        match parse_mailbox(&person.email) {
            Ok(found) if accepted.iter().any(|known| known.email == found.email) => {}
            Ok(found) => {
                let name = person.name.as_deref().and_then(display_name).or(found.name);
                accepted.push(Mailbox::new(name, found.email));
            }
            Err(error) => refused.push(format!("{}: {error}", mask(&person.email))),
        }
    }
    if accepted.is_empty() {
        let why = if refused.is_empty() { "the letter has no recipient".to_owned() } else { refused.join("; ") };
        return Err(SendError::Refused(why));
    }
    Ok((accepted, refused))
}

/// A name as a header may carry it: one line, printable.
fn display_name(name: &str) -> Option<String> {
    let printable: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = printable.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// An address as a log may show it: `c…@example.fr`.
pub fn mask(address: &str) -> String {
    let clean = |text: &str| text.chars().filter(|c| c.is_ascii_graphic()).take(64).collect::<String>();
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{}…@{}", clean(local).chars().take(1).collect::<String>(), clean(domain)),
        None => "…".to_owned(),
    }
}
