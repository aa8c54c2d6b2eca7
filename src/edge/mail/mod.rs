//! Mail leaves here: over SMTP, or into a folder of `.eml` files.
//!
//! The same letter sent twice is the same message (Message-ID, date, file name), so a repeat after a crash is harmless.
//! Addresses are parsed before they are used: nothing from a fleet file or a letter can add a header or a recipient.
//! Logs name no recipient in full. What a letter says, and how often one is tried, is not decided here.

mod address;
mod folder;
mod message;
mod smtp;

pub use address::{AddressError, mask, parse_address, parse_mailbox};

use crate::edge::config;
use crate::model::entry::Entry;
use chrono::{DateTime, Utc};
use lettre::message::Mailbox;
use std::path::PathBuf;

/// A letter and what goes on its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Makes the message unique; its Message-ID comes from it.
    pub key: String,
    /// The message's date.
    pub at: DateTime<Utc>,
    /// Keys of the messages that it follows, for mail programs that show a conversation; the oldest first.
    pub follows: Vec<String>,
    /// It may have arrived before, as the same message.
    pub repeat: bool,
    /// Name of the file in a folder of letters, after its date.
    pub slug: String,
    /// Never empty: the first is written to, the others get a copy.
    pub to: Vec<Person>,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// What the recipients' calendars are to take.
    pub entry: Option<Entry>,
    /// What goes with it to be kept.
    pub file: Option<File>,
}

/// A text that is attached as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// ASCII.
    pub name: String,
    pub text: String,
}

/// A recipient as configuration names it; checked when the letter leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Goes before a name that `email` brings.
    pub name: Option<String>,
    /// `name@example.fr` or `Name <name@example.fr>`.
    pub email: String,
}

/// What became of a letter that left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// With its angle brackets.
    pub message_id: String,
    /// Recipients, masked, that were refused while others were accepted, and why.
    pub refused: Vec<String>,
}

/// Why a letter did not leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Trying again will not help.
    #[error("refused for good: {0}")]
    Refused(String),
    /// This letter may pass later.
    #[error("refused for now: {0}")]
    Deferred(String),
    /// No letter passes at present: the server cannot be reached, or does not let us in; or the folder cannot be written.
    #[error("mail does not leave: {0}")]
    Unavailable(String),
}

/// A `[mail]` table that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("[mail] {field} {value:?} is no address ({source}); write `Name <name@example.fr>`")]
    Sender { field: &'static str, value: String, source: AddressError },
    #[error("[mail] domain {0:?} is no domain name; write `example.fr`")]
    Domain(String),
    #[error("[mail] needs either `folder` or `smtp`")]
    NoWay,
    #[error("cannot make the folder of letters {}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("cannot read the mail password from {place}: {what}")]
    Password { place: String, what: String },
    #[error("[mail.smtp] {0}")]
    Smtp(String),
}

/// How letters leave. Cloning shares the connections.
#[derive(Clone, Debug)]
pub struct Mailer {
    stamp: Stamp,
    way: Way,
}

/// What every message of this provider carries.
#[derive(Clone, Debug)]
struct Stamp {
    from: Mailbox,
    reply_to: Option<Mailbox>,
    /// Right-hand side of Message-IDs.
    domain: String,
}

#[derive(Clone, Debug)]
enum Way {
    Smtp(smtp::Relay),
    Folder(PathBuf),
}

impl Mailer {
    /// Checks the settings and reads the password; connects to nothing yet. Called within a Tokio runtime, which its connections
    /// live and end in.
    pub fn open(mail: &config::Mail) -> Result<Mailer, MailError> {
        let sender = |field: &'static str, value: &str| {
            parse_mailbox(value).map_err(|source| MailError::Sender { field, value: value.to_owned(), source })
        };
        let stamp = Stamp {
            from: sender("from", &mail.from)?,
            reply_to: mail.reply_to.as_deref().map(|value| sender("reply_to", value)).transpose()?,
            domain: mail.domain.clone(),
        };
        if !is_domain(&stamp.domain) {
            return Err(MailError::Domain(stamp.domain));
        }
        let way = match (&mail.folder, &mail.smtp) {
            (Some(path), None) => {
                std::fs::create_dir_all(path).map_err(|source| MailError::Folder { path: path.clone(), source })?;
                Way::Folder(path.clone())
            }
            (None, Some(settings)) => Way::Smtp(smtp::Relay::new(settings, &stamp.domain)?),
            (Some(_), Some(_)) | (None, None) => return Err(MailError::NoWay),
        };
        Ok(Mailer { stamp, way })
    }

    /// The message as it would be sent, for whoever wants to see it.
    pub fn compose(&self, letter: &Outgoing) -> Result<Vec<u8>, SendError> {
        let (people, _) = address::accept(&letter.to)?;
        Ok(message::build(&self.stamp, letter, &people)?.formatted())
    }

    /// Sends one letter to all its recipients.
    ///
    /// A deputy whose address is refused does not keep the letter from the others: [`Receipt::refused`] says so.
    pub async fn send(&self, letter: &Outgoing) -> Result<Receipt, SendError> {
        let (people, mut refused) = address::accept(&letter.to)?;
        let message = message::build(&self.stamp, letter, &people)?;
        match &self.way {
            Way::Smtp(relay) => refused.extend(relay.send(&message).await?),
            Way::Folder(path) => folder::write(path, letter, &message.formatted())
                .await
                .map_err(|error| SendError::Unavailable(format!("{}: {error}", path.display())))?,
        }
        Ok(Receipt { message_id: message::id(&letter.key, &self.stamp.domain), refused })
    }
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests;
