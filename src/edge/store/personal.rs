//! What people are called and what they wrote, kept beside the history so that it can be erased from it.
//!
//! In the text of a stored event each such word is a place, `⟦1⟧`, and `mentions` names the digests of what belongs
//! there: `sha256(salt ‖ words)`, the salt as the text of its hex digits. Digests are hashed with the body, words and salts
//! are not: they stand in a table of their own. A word that is changed there no longer has its digest; one that is erased
//! cannot be guessed from it, because its salt is gone too.
//!
//! Kept so are the words that an event says are personal, and every e-mail address.

use super::bulk::{Insert, Taken, parts};
use super::{Result, StoreError};
use crate::edge::secret;
use crate::model::decision::Reason;
use crate::model::event::NewEvent;
use crate::model::manifest::Text;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

pub(super) const TABLE: &str = "personal";
const COLUMNS: [&str; 4] = ["digest", "client", "salt", "words"];
/// What a reader sees where words were.
pub(super) const ERASED: &str = "[erased]";
const MISSING: &str = "[missing]";

/// Words that an event mentions.
pub(super) struct Mention {
    pub digest: String,
    client: String,
    salt: String,
    words: String,
}

/// Words as their table has them.
pub(super) struct Kept {
    pub salt: String,
    pub words: String,
}

impl Kept {
    /// Whether they are what `digest` was made of.
    pub(super) fn are(&self, digest: &str) -> bool {
        digest_of(&self.salt, &self.words) == digest
    }
}

fn digest_of(salt: &str, words: &str) -> String {
    hex::encode(Sha256::new().chain_update(salt).chain_update(words).finalize())
}

/// Takes what is personal out of an event's text and reasons; nothing where there is nothing.
pub(super) fn take_out(event: &NewEvent) -> Result<Option<(NewEvent, Vec<Mention>)>> {
    let texts = || std::iter::once(event.text.as_str()).chain(event.reasons.iter().flat_map(parts_of));
    if event.personal.is_empty() && !texts().any(|text| text.contains('@')) {
        return Ok(None);
    }
    let mut found: Vec<&str> = texts().flat_map(addresses).collect();
    let said = event.personal.iter().map(|words| words.trim()).filter(|words| !words.is_empty());
    found.extend(said.filter(|words| texts().any(|text| places(text, words).next().is_some())));
    // The longest first: an address inside of what somebody wrote goes with it.
    found.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    found.dedup();
    if found.is_empty() {
        return Ok(None);
    }
    let mut mentions = Vec::new();
    for words in &found {
        let salt = secret::generate()?;
        let digest = digest_of(&salt, words);
        mentions.push(Mention { digest, client: event.client.clone(), salt, words: (*words).to_owned() });
    }
    let out = |text: &str| {
        let places = found.iter().enumerate();
        places.fold(text.to_owned(), |text, (n, words)| replaced(&text, words, &place(n)))
    };
    let mut event = rewritten(event, out);
    event.mentions = mentions.iter().map(|mention| mention.digest.clone()).collect();
    Ok(Some((event, mentions)))
}

fn place(n: usize) -> String {
    format!("⟦{}⟧", n + 1)
}

/// Puts back what events mention.
pub(super) async fn put_back(db: &impl ConnectionTrait, events: &mut [&mut NewEvent]) -> Result<()> {
    let digests: Vec<String> = events.iter().flat_map(|event| event.mentions.iter().cloned()).collect();
    if digests.is_empty() {
        return Ok(());
    }
    let kept = read(db, &digests).await?;
    for event in events.iter_mut().filter(|event| !event.mentions.is_empty()) {
        let words = |digest: &String| kept.get(digest).map_or(MISSING, |kept| kept.words.as_str());
        let words: Vec<&str> = event.mentions.iter().map(words).collect();
        **event = rewritten(event, |text| filled(text, &words));
    }
    Ok(())
}

/// A text with words in its places. What the words themselves look like does not matter.
fn filled(text: &str, words: &[&str]) -> String {
    let mut parts = text.split('⟦');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let place = part.split_once('⟧').and_then(|(n, rest)| Some((n.parse::<usize>().ok()?, rest)));
        match place.and_then(|(n, rest)| Some((words.get(n.checked_sub(1)?)?, rest))) {
            Some((words, rest)) => out.extend([words, rest]),
            None => out.extend(["⟦", part]),
        }
    }
    out
}

/// The words of these digests, as far as they are there.
pub(super) async fn read(db: &impl ConnectionTrait, digests: &[String]) -> Result<BTreeMap<String, Kept>> {
    let mut kept = BTreeMap::new();
    for part in parts(digests.len()) {
        let select = Query::select()
            .columns(COLUMNS.map(Alias::new))
            .from(Alias::new(TABLE))
            .and_where(Expr::col(Alias::new("digest")).is_in(digests[part].iter().map(String::as_str)))
            .to_owned();
        for row in db.query_all(&select).await? {
            let words = Kept { salt: row.try_get("", "salt")?, words: row.try_get("", "words")? };
            kept.insert(row.try_get("", "digest")?, words);
        }
    }
    Ok(kept)
}

/// Keeps what the events of one transaction mention.
pub(super) async fn keep<'a>(tx: &DatabaseTransaction, mentions: impl Iterator<Item = &'a Mention>) -> Result<()> {
    let rows = mentions.map(|mention| {
        let values = [&mention.digest, &mention.client, &mention.salt, &mention.words];
        values.map(|value| value.as_str().into()).to_vec()
    });
    let rows: Vec<_> = rows.collect();
    let insert = Insert { table: TABLE, columns: &COLUMNS, taken: Taken::Fails };
    insert.run(tx, rows.into_iter()).await.map_err(StoreError::from)
}

fn parts_of(reason: &Reason) -> impl Iterator<Item = &str> {
    let remedy = reason.remedy.iter().flat_map(|remedy| [Some(remedy.fr.as_str()), remedy.en.as_deref()]);
    [Some(reason.text.as_str()), Some(reason.fr.as_str())].into_iter().chain(remedy).flatten()
}

/// The event with `change` made to all that is said in it.
fn rewritten(event: &NewEvent, change: impl Fn(&str) -> String) -> NewEvent {
    let reason = |reason: &Reason| Reason {
        rule: reason.rule,
        text: change(&reason.text),
        fr: change(&reason.fr),
        remedy: reason.remedy.as_ref().map(|it| Text { fr: change(&it.fr), en: it.en.as_deref().map(&change) }),
    };
    let reasons = event.reasons.iter().map(reason).collect();
    NewEvent { text: change(&event.text), reasons, ..event.clone() }
}

/// The e-mail addresses in a text.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let in_address = |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '_' | '-' | '+' | '%' | '\'');
    let word = text.split(move |c: char| !in_address(c)).map(|word| word.trim_matches(['.', '\'', '-']));
    word.filter(|word| word.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()))
}

/// Where `words` stand in `text` by themselves, not inside of other words.
pub(super) fn places<'a>(text: &'a str, words: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(words).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[*at + words.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// `text` with `instead` wherever `words` stand by themselves.
pub(super) fn replaced(text: &str, words: &str, instead: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for at in places(text, words) {
        if at >= from {
            out.push_str(&text[from..at]);
            out.push_str(instead);
            from = at + words.len();
        }
    }
    out.push_str(&text[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::EventKind;
    use crate::model::rule::Rule;

    fn taken(text: &str, personal: &[&str]) -> (String, Vec<String>) {
        let at = "2026-04-29T20:00:00Z".parse().unwrap();
        let event = NewEvent::new(at, "martin", EventKind::Planned, text).personal(personal.iter().copied());
        match take_out(&event).unwrap() {
            Some((event, mentions)) => {
                for (digest, mention) in event.mentions.iter().zip(&mentions) {
                    assert_eq!(*digest, digest_of(&mention.salt, &mention.words));
                }
                (event.text, mentions.into_iter().map(|mention| mention.words).collect())
            }
            None => (event.text, Vec::new()),
        }
    }

    #[track_caller]
    fn check(text: &str, personal: &[&str], left: &str, words: &[&str]) {
        assert_eq!(taken(text, personal), (left.to_owned(), words.iter().map(|w| (*w).to_owned()).collect()));
    }

    #[test]
    fn names_and_addresses_become_places() {
        check("isacompta is planned", &[], "isacompta is planned", &[]);
        check("claire@martin.example (main contact) asks", &[], "⟦1⟧ (main contact) asks", &["claire@martin.example"]);
        check("asked by <c.d+e@x.fr>, c.d+e@x.fr.", &[], "asked by <⟦1⟧>, ⟦1⟧.", &["c.d+e@x.fr"]);
        check("Zoé put it on hold: Zoé's leave", &["Zoé"], "⟦1⟧ put it on hold: ⟦1⟧'s leave", &["Zoé"]);
        check("a hold by a", &["a"], "⟦1⟧ hold by ⟦1⟧", &["a"]);
        check("attended by anna, not Hannah", &["anna"], "attended by ⟦1⟧, not Hannah", &["anna"]);
        check("nobody said it", &["anna", " "], "nobody said it", &[]);
        // The longer one goes first, with the address in it.
        check("held: ask c@x.fr first", &["ask c@x.fr first"], "held: ⟦1⟧", &["ask c@x.fr first", "c@x.fr"]);
        check("@ and a@ and @b", &[], "@ and a@ and @b", &[]);
    }

    #[test]
    fn words_come_back_to_their_places_whatever_they_are() {
        for (text, filled_in) in [
            ("no place", "no place"),
            ("⟦1⟧ agreed with ⟦2⟧⟦1⟧", "⟦2⟧ agreed with b⟦2⟧"),
            ("⟦0⟧ ⟦3⟧ ⟦x⟧ ⟦ ⟧ ⟦2", "⟦0⟧ ⟦3⟧ ⟦x⟧ ⟦ ⟧ ⟦2"),
        ] {
            assert_eq!(filled(text, &["⟦2⟧", "b"]), filled_in);
        }
    }

    #[test]
    fn reasons_and_remedies_are_looked_through_and_salts_differ() {
        let at = "2026-04-29T20:00:00Z".parse().unwrap();
        let reason =
            Reason::new(Rule::MajorNotice, "a@b.fr agreed", "a@b.fr a accepté").unless("ask a@b.fr", "a@b.fr ?");
        let event = NewEvent::new(at, "martin", EventKind::Planned, "planned").reasons([reason].into());
        let (one, first) = take_out(&event).unwrap().unwrap();
        let (_, second) = take_out(&event).unwrap().unwrap();
        assert!(!serde_json::to_string(&one).unwrap().contains("a@b.fr"));
        assert_eq!(one.reasons[0].text, "⟦1⟧ agreed");
        assert_ne!(first[0].digest, second[0].digest);
    }
}
