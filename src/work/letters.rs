//! The templates letters are written from here: the program's own, where the operator has none; and what they give.

use super::Orchestrator;
use super::post::{desk, file};
use crate::decide::letters::check::{self, Problem};
use crate::decide::letters::{LetterError, Reader, Templates, entry, samples};
use crate::edge::letter_files::{self, LetterFilesError};
use crate::edge::mail::{Outgoing, Person, SendError};
use crate::edge::store::StoreError;
use crate::model::fleet::Language;
use crate::model::notice::Letter;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// Templates for everybody, and for the clients that have their own.
#[derive(Clone, Debug)]
pub struct Letters {
    everybody: Templates,
    clients: BTreeMap<String, Templates>,
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub path: PathBuf,
    pub problem: Problem,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.problem.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", check::one_line(&self.problem))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LettersError {
    #[error(transparent)]
    Files(#[from] LetterFilesError),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Complaint>),
}

impl Letters {
    /// Those of the program alone.
    pub fn built_in() -> Letters {
        Letters { everybody: Templates::built_in().clone(), clients: BTreeMap::new() }
    }

    /// Reads the operator's folder over the program's own; all problems at once.
    pub fn read(folder: &Path) -> Result<Letters, LettersError> {
        let mut letters = Letters::built_in();
        let mut complaints = Vec::new();
        // What is for everybody comes first, so that a client's set begins with it.
        for file in letter_files::read(folder)? {
            let set = match file.client {
                None => &mut letters.everybody,
                Some(client) => letters.clients.entry(client).or_insert_with(|| letters.everybody.clone()),
            };
            if let Err(problems) = check::replace(set, &file.name, &file.source) {
                complaints.extend(problems.into_iter().map(|problem| Complaint { path: file.path.clone(), problem }));
            }
        }
        if complaints.is_empty() { Ok(letters) } else { Err(LettersError::Wrong(complaints)) }
    }

    /// What letters to `client` are written from.
    pub fn of(&self, client: Option<&str>) -> &Templates {
        client.and_then(|client| self.clients.get(client)).unwrap_or(&self.everybody)
    }

    /// The clients that have their own.
    pub fn clients(&self) -> impl Iterator<Item = &str> {
        self.clients.keys().map(String::as_str)
    }
}

/// A letter as its reader would get it.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Which sample it is: `minor-planned`.
    pub name: String,
    /// The whole message, as it would be sent.
    pub message: Vec<u8>,
    pub html: String,
}

#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no client {0:?}")]
    NoClient(String),
    #[error("there is no letter {0:?}; {1}")]
    NoLetter(String, String),
    #[error("{error}: {}", error.source)]
    Letter { error: LetterError },
    #[error("the message cannot be written: {0}")]
    Message(#[from] SendError),
}

/// Names of the letters that can be looked at beforehand.
pub fn names() -> BTreeSet<String> {
    samples::all().into_iter().map(|(name, _)| name.replace('_', "-")).collect()
}

/// The letter called `name`, or every one, with invented facts, as `client` would get it.
pub async fn preview(
    o: &Orchestrator,
    name: Option<&str>,
    client: &str,
    language: Option<Language>,
) -> Result<Vec<Preview>, PreviewError> {
    let known = o.store.client(client).await?.ok_or_else(|| PreviewError::NoClient(client.to_owned()))?;
    if let Some(name) = name.filter(|name| !names().contains(*name)) {
        let near = names().into_iter().min_by_key(|known| strsim::damerau_levenshtein(name, known));
        return Err(PreviewError::NoLetter(name.to_owned(), format!("did you mean {}?", near.unwrap_or_default())));
    }
    let language = language.unwrap_or(known.language);
    let reader = Reader { name: known.contacts.first().map(|contact| contact.name.clone()), language };
    let mut previews = Vec::new();
    for (sample, mut letters) in samples::all() {
        let sample = sample.replace('_', "-");
        if name.is_some_and(|name| name != sample) {
            continue;
        }
        let is_alert = letters.iter().any(|letter| matches!(letter, Letter::Alert { .. } | Letter::Checkpoint { .. }));
        // The invented servers by the names of the client's own.
        for it in letters.iter_mut().filter_map(Letter::installation_mut) {
            let place = samples::SERVERS.iter().position(|server| *server == it.server);
            if let Some(own) = place.and_then(|place| known.servers.get(place)) {
                it.server.clone_from(&own.id);
            }
        }
        let to: Vec<Person> = match is_alert {
            true => vec![Person { name: None, email: o.staff.iah.clone() }],
            false => {
                known.contacts.iter().map(|c| Person { name: Some(c.name.clone()), email: c.email.clone() }).collect()
            }
        };
        let reader = if is_alert { Reader { name: None, language: Language::En } } else { reader.clone() };
        let words = o
            .letters
            .of(Some(client))
            .render(&letters.iter().collect::<Vec<_>>(), &reader, &desk(o))
            .map_err(|error| PreviewError::Letter { error })?;
        let entry = letters.first().filter(|_| letters.len() == 1).and_then(|it| entry::of(it, Some(1), language));
        let outgoing = Outgoing {
            key: format!("preview/{sample}"),
            at: o.clock.now(),
            follows: Vec::new(),
            repeat: false,
            slug: sample.clone(),
            to,
            subject: words.subject,
            text: words.text,
            html: words.html.clone(),
            entry,
            file: letters.first().and_then(file),
        };
        previews.push(Preview { name: sample, message: o.mailer.compose(&outgoing)?, html: words.html });
    }
    Ok(previews)
}
