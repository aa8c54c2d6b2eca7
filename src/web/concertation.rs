//! `/concertation/…`: the page behind the link in a letter (6.1.2). The contact agrees to a slot, chooses another, or confirms
//! that the users are informed.
//!
//! Reading it changes nothing, so that programs which follow links in mail agree to nothing: an answer is a form that is
//! sent. The link is the right to answer one question; whoever guesses is told that there is nothing. The page loads
//! nothing, runs nothing and cannot be framed.

use super::App;
use crate::decide::letters::when;
use crate::edge::store::StoreError;
use crate::model::fleet::{Client, Language, Server};
use crate::model::notice::Consent;
use crate::model::slot::Slot;
use crate::work::concertation::{self, Answer, Asked, ConcertationError, Question};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::{Router, routing};
use base64::Engine as _;
use chrono::DateTime;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::{Arc, LazyLock};

const STYLE: &str = include_str!("pages/concertation.css");
const PAGE: &str = "concertation.html";

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    pages.set_auto_escape_callback(|_| AutoEscape::Html);
    pages.add_template(PAGE, include_str!("pages/concertation.html")).expect("the page is part of the program");
    pages
});

/// Nothing from elsewhere, nothing that runs; this page's own style, by its digest.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    policy.parse().expect("a digest in base64 may stand in a header")
});

pub(super) fn routes() -> Router<Arc<App>> {
    let path = format!("{}/{{deployment}}/{{version}}/{{signature}}", concertation::PATH);
    Router::new().route(&path, routing::get(show).post(take))
}

type Link = Path<(i64, u32, String)>;

/// A form as it is sent.
#[derive(Deserialize)]
struct Sent {
    answer: String,
    /// Place of the contact among the client's.
    who: usize,
    /// Start and end, in seconds since 1970.
    #[serde(default)]
    slot: Option<String>,
}

/// Whom a page is for.
struct Reader {
    client: Client,
    asked: Asked,
}

async fn show(State(app): State<Arc<App>>, Path((deployment, version, signature)): Link) -> Response {
    let question = Question { deployment, version };
    match read(&app, question, &signature).await {
        Ok(reader) => page(StatusCode::OK, &app, &reader, None),
        Err(failure) => failure.into_response(),
    }
}

async fn take(
    State(app): State<Arc<App>>,
    Path((deployment, version, signature)): Link,
    form: Result<Form<Sent>, FormRejection>,
) -> Response {
    let question = Question { deployment, version };
    let reader = match read(&app, question, &signature).await {
        Ok(reader) => reader,
        Err(failure) => return failure.into_response(),
    };
    let language = reader.client.language;
    let Some((answer, contact)) = form.ok().and_then(|Form(sent)| understood(&sent, &reader.client)) else {
        let said = either(
            language,
            "Votre réponse est incomplète : rien n'a été enregistré.",
            "Your answer is incomplete: nothing was recorded.",
        );
        return page(StatusCode::BAD_REQUEST, &app, &reader, Some(said.to_owned()));
    };
    let (o, version) = (&app.o, Some(version));
    let done = match answer {
        Taken::Said(answer) => concertation::answer(o, deployment, version, answer, &contact, None).await.map(|_| ()),
        Taken::Slot(slot) => concertation::choose(o, deployment, version, slot, &contact).await.map(|_| ()),
    };
    match (done, answer) {
        (Ok(()), Taken::Slot(_)) => {
            let said = either(
                language,
                "Merci : votre choix est enregistré. Vous recevrez une invitation pour le nouveau créneau.",
                "Thank you: your choice is recorded. You will get an invitation to the new slot.",
            );
            bare(StatusCode::OK, language, said)
        }
        (Ok(()), Taken::Said(_)) => match read(&app, question, &signature).await {
            Ok(reader) => {
                let said =
                    either(language, "Merci : votre réponse est enregistrée.", "Thank you: your answer is recorded.");
                page(StatusCode::OK, &app, &reader, Some(said.to_owned()))
            }
            Err(failure) => failure.into_response(),
        },
        (Err(error), _) => Failure::of(error, language).into_response(),
    }
}

#[derive(Clone, Copy)]
enum Taken {
    Said(Answer),
    Slot(Slot),
}

fn understood(sent: &Sent, client: &Client) -> Option<(Taken, String)> {
    let contact = client.contacts.get(sent.who)?.name.clone();
    let answer = match sent.answer.as_str() {
        "agreed" => Taken::Said(Answer::Agreed),
        "informed" => Taken::Said(Answer::Informed),
        "slot" => {
            let (start, end) = sent.slot.as_deref()?.split_once('-')?;
            let instant = |text: &str| DateTime::from_timestamp(text.parse().ok()?, 0);
            Taken::Slot(Slot::new(instant(start)?, instant(end)?)?)
        }
        _ => return None,
    };
    Some((answer, contact))
}

/// What the link asks, if it is one of ours and can still be answered.
async fn read(app: &App, question: Question, signature: &str) -> Result<Reader, Failure> {
    let nothing = || Failure { status: StatusCode::NOT_FOUND, language: Language::Fr, said: NOTHING.0 };
    match concertation::is_signed(&app.o, question, signature).await {
        Ok(true) => {}
        Ok(false) => return Err(nothing()),
        Err(error) => return Err(Failure::of(error, Language::Fr)),
    }
    let store = &app.o.store;
    let inside = |error: StoreError| Failure::of(error.into(), Language::Fr);
    let deployment = store.deployment(question.deployment).await.map_err(inside)?.ok_or_else(nothing)?;
    let client = store.client(&deployment.client).await.map_err(inside)?.ok_or_else(nothing)?.value;
    let asked = concertation::asked(&app.o, question.deployment, Some(question.version)).await;
    let asked = asked.map_err(|error| Failure::of(error, client.language))?;
    Ok(Reader { client, asked })
}

const NOTHING: (&str, &str) = ("Il n'y a rien à cette adresse.", "There is nothing at this address.");

/// Why there is no question to answer.
struct Failure {
    status: StatusCode,
    language: Language,
    said: &'static str,
}

impl Failure {
    fn of(error: ConcertationError, language: Language) -> Failure {
        let (status, said) = match &error {
            ConcertationError::NoDeployment(_) | ConcertationError::NotAsked(_) => (StatusCode::NOT_FOUND, NOTHING),
            ConcertationError::Superseded(_) => (
                StatusCode::GONE,
                (
                    "Le créneau a changé depuis ce message : répondez par le lien du message le plus récent.",
                    "The slot has changed since this letter: please answer by the link in the latest one.",
                ),
            ),
            ConcertationError::Over { .. } => (
                StatusCode::GONE,
                (
                    "Il n'y a plus rien à répondre : l'intervention a commencé, est terminée ou est annulée.",
                    "There is nothing to answer any more: the work has begun, is done or is cancelled.",
                ),
            ),
            ConcertationError::Already { .. } => (
                StatusCode::CONFLICT,
                (
                    "Une réponse a déjà été enregistrée ; rien n'a changé.",
                    "An answer was recorded before; nothing has changed.",
                ),
            ),
            ConcertationError::NotOffered | ConcertationError::Agreement(_) | ConcertationError::Unsaid(_) => (
                StatusCode::CONFLICT,
                (
                    "Ce créneau n'est plus disponible : revenez à la page précédente et choisissez-en un autre.",
                    "That slot is no longer available: please go back and choose another.",
                ),
            ),
            ConcertationError::Store(_) | ConcertationError::Planning(_) | ConcertationError::Secret(_) => {
                tracing::error!(%error, "a concertation could not be answered");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    (
                        "Votre réponse n'a pas pu être traitée : réessayez dans quelques minutes.",
                        "Your answer could not be taken: please try again in a few minutes.",
                    ),
                )
            }
        };
        Failure { status, language, said: either(language, said.0, said.1) }
    }

    fn into_response(self) -> Response {
        bare(self.status, self.language, self.said)
    }
}

fn either<T>(language: Language, fr: T, en: T) -> T {
    match language {
        Language::Fr => fr,
        Language::En => en,
    }
}

/// A page that only says something.
fn bare(status: StatusCode, language: Language, said: &str) -> Response {
    let title = either(language, "Intervention sur votre serveur", "Work on your server");
    html(status, language, context! { title => title, said => said, footer => "" })
}

fn page(status: StatusCode, app: &App, reader: &Reader, said: Option<String>) -> Response {
    let (language, asked) = (reader.client.language, &reader.asked);
    let deployment = &asked.deployment;
    let zone = reader.client.servers.iter().find(|s: &&Server| s.id == deployment.server);
    let zone = zone.map_or(crate::decide::civil::PROVIDER_ZONE, |server| server.zone);
    let named = crate::decide::letters::product_name(&deployment.product);
    let consent = |it: &Consent| {
        let at = when::moment(language, it.at, zone);
        either(language, format!("{}, {at}", it.by), format!("{}, {at}", it.by))
    };
    let (agreed, informed) = (&asked.concertation.agreed, &asked.concertation.informed);
    let open = |language| either(language, "pas encore", "not yet").to_owned();
    let facts = [
        (either(language, "Produit", "Product"), format!("{named} {}", deployment.to)),
        (either(language, "Serveur", "Server"), deployment.server.clone()),
        (either(language, "Créneau prévu", "Planned slot"), when::short_slot(language, deployment.slot, zone)),
        (either(language, "Accord", "Agreed"), agreed.as_ref().map_or_else(|| open(language), consent)),
        (
            either(language, "Utilisateurs informés", "Users informed"),
            informed.as_ref().map_or_else(|| open(language), consent),
        ),
    ];
    let slots: Vec<(String, String)> = asked
        .offered
        .iter()
        .map(|slot| {
            let value = format!("{}-{}", slot.start.timestamp(), slot.end.timestamp());
            (value, when::short_slot(language, *slot, zone))
        })
        .collect();
    let words = context! {
        who => either(language, "Vous êtes :", "You are:"),
        agree_title => either(language, "Le créneau vous convient", "The slot suits you"),
        agree => either(language, "Donner mon accord", "Agree"),
        other_title => either(language, "Le créneau ne vous convient pas", "The slot does not suit you"),
        slots => either(language, "Autres créneaux possibles :", "Other slots that are possible:"),
        choose => either(language, "Choisir ce créneau", "Choose this slot"),
        informed_title => either(language, "Vos utilisateurs sont informés", "Your users are informed"),
        informed => either(language, "Le confirmer", "Confirm it"),
    };
    let staff = &app.o.staff;
    let phone = staff.phone.as_ref().map_or_else(String::new, |phone| format!(", {phone}"));
    let title = either(
        language,
        format!("{named} {} : intervention sur {}", deployment.to, deployment.server),
        format!("{named} {}: work on {}", deployment.to, deployment.server),
    );
    html(
        status,
        language,
        context! {
            title => title,
            said => said,
            facts => facts,
            contacts => reader.client.contacts.iter().map(|contact| contact.name.clone()).collect::<Vec<_>>(),
            can_agree => agreed.is_none(),
            can_inform => informed.is_none(),
            slots => if agreed.is_none() { slots } else { Vec::new() },
            words => words,
            footer => format!("{}{phone}", staff.signature),
        },
    )
}

fn html(status: StatusCode, language: Language, words: Value) -> Response {
    let lang = either(language, "fr", "en");
    let page = PAGES.get_template(PAGE).and_then(|page| page.render(context! { lang, style => STYLE, ..words }));
    let page = match page {
        Ok(page) => page,
        Err(error) => {
            tracing::error!(%error, "the page of a concertation cannot be rendered");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, Html(page)).into_response()
}
