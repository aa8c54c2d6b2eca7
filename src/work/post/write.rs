//! From notices to a mail: who gets it, in which language, what it says and which messages it follows.

use super::{Failure, Parcel};
use crate::decide::civil::PROVIDER_ZONE;
use crate::decide::letters::{Desk, LetterError, Reader, Rendered, Templates, checkpoint_file, entry};
use crate::edge::mail::{File, Outgoing, Person, parse_mailbox};
use crate::edge::store::StoreError;
use crate::model::alert::AlertClass;
use crate::model::fleet::{Contact, Language};
use crate::model::notice::{Letter, NewNotice};
use crate::work::{Orchestrator, concertation};

/// The mail with its envelope.
pub(super) async fn write(o: &Orchestrator, parcel: &Parcel) -> Result<Outgoing, Failure> {
    let temporary = |error: StoreError| Failure::Temporary(error.to_string());
    let first = &parcel.first().body;
    let (to, language) = match (&first.letter, &first.client) {
        (Letter::Checkpoint { .. }, _) => keepers(o)?,
        (Letter::Alert { class, level, .. }, _) => (staff(o, *class, *level), Language::En),
        (_, Some(id)) => {
            let client = o.store.client(id).await.map_err(temporary)?;
            let client =
                client.ok_or_else(|| Failure::Permanent(format!("client {id} is not in the fleet any more")))?;
            let person = |c: &Contact| Person { name: Some(c.name.clone()), email: c.email.clone() };
            (client.contacts.iter().map(person).collect(), client.language)
        }
        (_, None) => (staff(o, AlertClass::Applications, 0), Language::En),
    };
    let reader = Reader { name: to.first().and_then(|person: &Person| person.name.clone()), language };
    let letters: Vec<&Letter> = parcel.notices.iter().map(|notice| &notice.body.letter).collect();
    let answer = answer(o, first).await?;
    let rendered = render(o, &letters, first.client.as_deref(), &reader, answer)
        .map_err(|error| Failure::Permanent(format!("{error}: {}", error.source)))?;
    let kind =
        if letters.len() > 1 { format!("{}-and-others", first.letter.name()) } else { first.letter.name().to_owned() };
    Ok(Outgoing {
        key: parcel.mail.key.clone(),
        at: parcel.mail.at,
        follows: follows(o, parcel).await.map_err(temporary)?,
        repeat: parcel.is_repeat(),
        slug: format!("{kind}-{}-{}", first.client.as_deref().unwrap_or("staff"), parcel.first().id),
        to,
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
        file: file(&first.letter),
        entry: if letters.len() > 1 { None } else { entry::of(&first.letter, first.deployment, language) },
    })
}

/// What goes with a letter to be kept.
pub(in crate::work) fn file(letter: &Letter) -> Option<File> {
    match letter {
        Letter::Checkpoint { at, note, .. } => Some(File { name: checkpoint_file(*at), text: note.clone() }),
        _ => None,
    }
}

/// Who keeps the checkpoints, in their language.
fn keepers(o: &Orchestrator) -> Result<(Vec<Person>, Language), Failure> {
    let nobody = || Failure::Permanent("[checkpoints] mail_to of noctule.toml names nobody any more".to_owned());
    let checkpoints = o.config.checkpoints.as_ref().filter(|it| !it.mail_to.is_empty()).ok_or_else(nobody)?;
    let person = |email: &String| Person { name: None, email: email.clone() };
    Ok((checkpoints.mail_to.iter().map(person).collect(), checkpoints.language))
}

/// The operator's templates were checked with samples; should a letter not fit them all the same, it is written with the
/// program's own rather than not at all.
fn render(
    o: &Orchestrator,
    letters: &[&Letter],
    client: Option<&str>,
    reader: &Reader,
    answer: Option<String>,
) -> Result<Rendered, LetterError> {
    let desk = Desk { answer, ..desk(o) };
    o.letters.of(client).render(letters, reader, &desk).or_else(|error| {
        tracing::error!(template = error.template, error = %error.source, "a letter is written with the program's own template");
        Templates::built_in().render(letters, reader, &desk)
    })
}

/// Where the client answers, if the letter asks something: about the slot that it tells of, whatever became of that since.
async fn answer(o: &Orchestrator, body: &NewNotice) -> Result<Option<String>, Failure> {
    let (Some(deployment), Some(version)) = (body.deployment, body.letter.question()) else { return Ok(None) };
    concertation::link(o, deployment, version).await.map_err(|error| Failure::Temporary(error.to_string()))
}

/// Who writes.
pub(in crate::work) fn desk(o: &Orchestrator) -> Desk {
    Desk {
        provider: o.staff.signature.clone(),
        email: parse_mailbox(&o.staff.iah).map_or_else(|_| o.staff.iah.clone(), |it| it.email.to_string()),
        phone: o.staff.phone.clone(),
        zone: PROVIDER_ZONE,
        answer: None,
    }
}

/// Who is told of an alert at a level: whoever that level names, and the desk. Beyond the last level, its people again.
fn staff(o: &Orchestrator, class: AlertClass, level: u8) -> Vec<Person> {
    let desk = match class {
        AlertClass::Applications => &o.staff.iah,
        AlertClass::Systems => &o.staff.noc,
    };
    let levels = &o.staff.levels;
    let told = match level {
        0 => None,
        _ => levels.get(usize::from(level) - 1).or(levels.last()),
    };
    told.into_iter().chain([desk]).map(|email| Person { name: None, email: email.clone() }).collect()
}

/// Keys of the mails that this one follows: those that opened the conversations that its letters belong to.
async fn follows(o: &Orchestrator, parcel: &Parcel) -> Result<Vec<String>, StoreError> {
    let mut keys: Vec<String> = Vec::new();
    for notice in &parcel.notices {
        let Some(opening) = opening(o, &notice.body).await? else { continue };
        let Some(first) = o.store.notice(&opening).await? else { continue };
        let key = first.value.mail.map_or(opening, |mail| mail.key);
        if key != parcel.mail.key && !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// Key of the notice that opened the conversation of `body`; its own where it opens one that nothing went before.
async fn opening(o: &Orchestrator, body: &NewNotice) -> Result<Option<String>, StoreError> {
    Ok(match (&body.letter, body.deployment) {
        (Letter::Alert { alert, .. }, _) => Some(format!("alert/{alert}/0")),
        (Letter::MajorRequested { request, .. } | Letter::RequestCancelled { request, .. }, _) => {
            Some(format!("request/{request}"))
        }
        (Letter::MajorRefused { stands, .. }, _) => stands.as_ref().map(|it| format!("request/{}", it.request)),
        // What was asked for goes on from where it was acknowledged.
        (Letter::MajorPlanned(_), Some(deployment)) => {
            let request = o.store.deployment(deployment).await?.and_then(|found| found.request);
            Some(request.map_or_else(|| format!("planned/{deployment}"), |id| format!("request/{id}")))
        }
        (_, Some(deployment)) => Some(format!("planned/{deployment}")),
        (_, None) => None,
    })
}
