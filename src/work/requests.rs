//! A client asks for a major version (`major-on-request`, `major-notice`): accepted with its slot, or refused with
//! the arithmetic and the date that would do. Either way it is written down and answered by letter.

use super::Orchestrator;
use super::planning::{PlanningError, Selection, World};
use crate::decide::notice::{self, NoticeCount};
use crate::decide::planner::major;
use crate::edge::store::{Changes, Row, Sequence, StoreError, Stored};
use crate::model::event::{EventKind, NewEvent};
use crate::model::fleet::{Client, Server};
use crate::model::manifest::Text;
use crate::model::notice::{Installation, Letter, NewNotice};
use crate::model::release::Release;
use crate::model::request::{NotCancellable, Request, RequestState};
use crate::model::slot::Slot;
use crate::model::version::Version;
use chrono::{DateTime, Days, NaiveDate, Utc};
use std::sync::Arc;

/// How far ahead a date that would do is looked for, in days.
const SEARCH_DAYS: u64 = 60;

/// What the client asks for.
#[derive(Clone, Debug)]
pub struct Demand {
    pub client: String,
    pub product: String,
    pub version: Version,
    /// Latest date the client wishes, site-local.
    pub before: NaiveDate,
    /// Only these servers; empty means all of the client's that run the product.
    pub servers: Vec<String>,
    /// Who asks: the token's name.
    pub by: String,
}

/// The answer to a demand.
#[derive(Clone, Debug)]
pub enum Answer {
    Accepted { request: Request, slots: Vec<ServerSlot>, count: NoticeCount },
    Refused(Refusal),
}

/// Where and when an accepted request is planned.
#[derive(Clone, Debug)]
pub struct ServerSlot {
    pub server: String,
    pub slot: Slot,
}

/// Why a demand was refused, and the earliest date that would have been accepted, if any would.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub why: Text,
    pub earliest: Option<NaiveDate>,
    pub count: Option<NoticeCount>,
}

#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error(transparent)]
    Planning(#[from] PlanningError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no client {0:?}")]
    NoClient(String),
    #[error("client {client} has no server {server:?}")]
    NoServer { client: String, server: String },
    #[error("there is no request {0}")]
    NoRequest(i64),
    #[error(transparent)]
    NotCancellable(#[from] NotCancellable),
}

/// Answers a demand and records the answer with its event and letter.
pub async fn receive(o: &Orchestrator, demand: Demand) -> Result<Answer, RequestError> {
    let now = o.clock.now();
    let world = World::load(o, &Selection::default(), now).await?;
    let client = world.client(&demand.client).ok_or_else(|| RequestError::NoClient(demand.client.clone()))?;
    if let Some(server) = demand.servers.iter().find(|id| !client.servers.iter().any(|s| s.id == **id)) {
        return Err(RequestError::NoServer { client: client.id.clone(), server: server.clone() });
    }
    match judge(&world, client, &demand, now) {
        Ok(accepted) => accept(o, &world, client, demand, accepted, now).await,
        Err(refusal) => {
            o.store.commit(refused(client, &demand, &refusal, now)).await?;
            Ok(Answer::Refused(refusal))
        }
    }
}

struct Accepted<'a> {
    release: Arc<Release>,
    slots: Vec<(&'a Server, Slot)>,
    count: NoticeCount,
}

fn refuse(en: String, fr: String) -> Refusal {
    Refusal { why: Text { fr, en: Some(en) }, earliest: None, count: None }
}

/// The contract's answer, pure but for the world it reads.
fn judge<'a>(world: &World, client: &'a Client, demand: &Demand, now: DateTime<Utc>) -> Result<Accepted<'a>, Refusal> {
    let Demand { product, version, .. } = demand;
    if !client.order.contains(product) {
        return Err(if world.knows_product(product) {
            refuse(
                format!("{product} is not in the order of {} (III, annexe 1-2)", client.name),
                format!("{product} ne figure pas au bon de commande de {} (III, annexes 1 et 2).", client.name),
            )
        } else {
            refuse(format!("there is no product {product:?}"), format!("Le produit « {product} » n'existe pas."))
        });
    }
    let Some(release) = world.release(product, version).filter(|r| r.published_at() <= now) else {
        return Err(refuse(
            format!("{product} {version} has not been published"),
            format!("{product} {version} n'a pas été mise à disposition."),
        ));
    };
    if let Some(retraction) = &release.retracted {
        return Err(refuse(
            format!("{product} {version} was withdrawn by its publisher: {}", retraction.reason),
            format!("{product} {version} a été retirée par son éditeur : {}", retraction.reason),
        ));
    }
    let targets = targets(world, client, demand, release)?;
    let Some(calendar) = targets.first().and_then(|s| world.calendar(&s.id)) else {
        return Err(refuse("the client has no server".into(), "Le client n'a aucun serveur.".into()));
    };
    let count = notice::count(world.terms_of(client), calendar, now);
    let slots = |before: NaiveDate| -> Option<Vec<(&'a Server, Slot)>> {
        targets
            .iter()
            .map(|server| {
                let slot =
                    world.with_facts(client, server, now, |facts| major::slot_for_request(facts, release, before).0);
                slot.map(|slot| (*server, slot))
            })
            .collect()
    };
    let earliest = || {
        count
            .earliest
            .iter_days()
            .take_while(|d| *d <= count.earliest + Days::new(SEARCH_DAYS))
            .find(|d| slots(*d).is_some())
    };
    let found = if demand.before < count.earliest { None } else { slots(demand.before) };
    if let Some(slots) = found {
        return Ok(Accepted { release: release.clone(), slots, count });
    }
    let earliest = earliest();
    let why = if demand.before < count.earliest {
        short_notice(world, client, demand, &count)
    } else {
        no_slot(demand, release)
    };
    Err(Refusal { why, earliest, count: Some(count) })
}

/// The servers the demand is about: those that run the product, below the version, and for which it is a major.
fn targets<'a>(
    world: &World,
    client: &'a Client,
    demand: &Demand,
    release: &Release,
) -> Result<Vec<&'a Server>, Refusal> {
    let Demand { product, version, .. } = demand;
    let named = |s: &&Server| demand.servers.is_empty() || demand.servers.contains(&s.id);
    let running: Vec<(&Server, &Version)> =
        client.servers.iter().filter(named).filter_map(|s| world.installed(&s.id, product).map(|v| (s, v))).collect();
    if running.is_empty() {
        return Err(refuse(
            format!("no server of {} is known to run {product}", client.name),
            format!("Aucun serveur de {} n'exécute {product} à notre connaissance.", client.name),
        ));
    }
    let below: Vec<(&Server, &Version)> = running.into_iter().filter(|(_, v)| *v < version).collect();
    if below.is_empty() {
        return Err(refuse(
            format!("{product} {version} or newer is already installed"),
            format!("{product} {version} ou plus récent est déjà installé."),
        ));
    }
    let major: Vec<&Server> =
        below.into_iter().filter(|(_, installed)| major::needs_request(release, installed)).map(|(s, _)| s).collect();
    if major.is_empty() {
        return Err(refuse(
            format!("{product} {version} is a minor update: it is installed at night without a request (3.1.b.3)"),
            format!(
                "{product} {version} est une mise à jour mineure : elle est installée de nuit sans demande (3.1.b.3)."
            ),
        ));
    }
    Ok(major)
}

fn short_notice(world: &World, client: &Client, demand: &Demand, count: &NoticeCount) -> Text {
    let days = world.terms_of(client).schedule.major.notice_working_days;
    let list = |format: &str| count.days.iter().map(|d| d.format(format).to_string()).collect::<Vec<_>>().join(", ");
    Text {
        en: Some(format!(
            "{} is under {days} working days away (3.1.b.4): the request counts as received on {}, and the working days after it are {}; the earliest admissible date is {}",
            demand.before,
            count.counted_from,
            list("%a %-d %b"),
            count.earliest
        )),
        fr: format!(
            "Le {} est à moins de {days} jours ouvrés (3.1.b.4) : la demande est réputée reçue le {}, et les jours ouvrés qui suivent sont les {} ; la première date recevable est le {}.",
            demand.before.format("%d/%m/%Y"),
            count.counted_from.format("%d/%m/%Y"),
            list("%d/%m"),
            count.earliest.format("%d/%m/%Y")
        ),
    }
}

fn no_slot(demand: &Demand, release: &Release) -> Text {
    let manifest = release.manifest();
    let minutes = manifest.duration_minutes + manifest.rollback_minutes;
    Text {
        en: Some(format!(
            "no maintenance slot (6.1.3) of {minutes} minutes, rollback included, ends by {}",
            demand.before
        )),
        fr: format!(
            "Aucun créneau de maintenance (6.1.3) de {minutes} minutes, retour arrière compris, ne se termine avant le {}.",
            demand.before.format("%d/%m/%Y")
        ),
    }
}

async fn accept(
    o: &Orchestrator,
    world: &World,
    client: &Client,
    demand: Demand,
    accepted: Accepted<'_>,
    now: DateTime<Utc>,
) -> Result<Answer, RequestError> {
    let id = o.store.allocate(Sequence::Request, 1).await?;
    let request = Request {
        id,
        client: client.id.clone(),
        product: demand.product,
        version: demand.version,
        servers: demand.servers,
        received_at: now,
        by: demand.by,
        before: demand.before,
        state: RequestState::Accepted,
    };
    let mut changes = Changes::default();
    for older in world.accepted_requests(&client.id, &request.product) {
        let by = format!("request {id}");
        let text = format!("request {} is superseded by request {id}", older.id);
        changes.events.push(
            NewEvent::new(now, &client.id, EventKind::RequestCancelled, text)
                .product(&request.product)
                .request(older.id),
        );
        changes.rows.push(Row::Request(older.with(older.value.clone().cancel(now, by)?)));
    }
    let text = format!(
        "request {id}: {} {} by {}; counted from {}, earliest admissible {}",
        request.product, request.version, request.before, accepted.count.counted_from, accepted.count.earliest
    );
    changes
        .events
        .push(NewEvent::new(now, &client.id, EventKind::RequestAccepted, text).product(&request.product).request(id));
    if let Some((server, slot)) = accepted.slots.first() {
        let installation = Installation {
            server: server.id.clone(),
            zone: server.zone,
            product: request.product.clone(),
            from: world.installed(&server.id, &request.product).cloned(),
            to: request.version.clone(),
            slot: *slot,
            deadline: None,
            finished_at: None,
            manifest: Box::new(accepted.release.manifest().clone()),
        };
        changes.notices.push(NewNotice {
            key: format!("request/{id}"),
            at: now,
            client: Some(client.id.clone()),
            server: None,
            deployment: None,
            letter: Letter::MajorRequested {
                request: id,
                by: request.by.clone(),
                before: request.before,
                installation,
            },
        });
    }
    changes.rows.push(Row::Request(Stored::new(request.clone())));
    o.store.commit(changes).await?;
    let slots = accepted.slots.into_iter().map(|(s, slot)| ServerSlot { server: s.id.clone(), slot }).collect();
    Ok(Answer::Accepted { request, slots, count: accepted.count })
}

fn refused(client: &Client, demand: &Demand, refusal: &Refusal, now: DateTime<Utc>) -> Changes {
    let Demand { product, version, before, .. } = demand;
    let why = refusal.why.en.as_deref().unwrap_or(&refusal.why.fr);
    let event =
        NewEvent::new(now, &client.id, EventKind::RequestRefused, format!("{product} {version} by {before}: {why}"));
    Changes {
        rows: Vec::new(),
        events: vec![event.product(product)],
        notices: vec![NewNotice {
            key: format!("refused/{}/{product}/{version}/{before}/{}", client.id, now.timestamp_millis()),
            at: now,
            client: Some(client.id.clone()),
            server: None,
            deployment: None,
            letter: Letter::MajorRefused {
                product: product.clone(),
                version: version.clone(),
                by: demand.by.clone(),
                before: *before,
                earliest: refusal.earliest,
                why: refusal.why.clone(),
            },
        }],
    }
}

/// Withdraws request `id`; the planner then cancels what was planned for it. `client` limits whose it may be.
pub async fn cancel(o: &Orchestrator, id: i64, client: Option<&str>, by: &str) -> Result<Request, RequestError> {
    let now = o.clock.now();
    let request = o
        .store
        .request(id)
        .await?
        .filter(|r| client.is_none_or(|c| r.client == c))
        .ok_or(RequestError::NoRequest(id))?;
    let cancelled = request.value.clone().cancel(now, by.to_owned())?;
    let event = NewEvent::new(now, &cancelled.client, EventKind::RequestCancelled, format!("request {id} cancelled"));
    let changes = Changes {
        events: vec![event.product(&cancelled.product).request(id)],
        notices: vec![NewNotice {
            key: format!("request-cancelled/{id}"),
            at: now,
            client: Some(cancelled.client.clone()),
            server: None,
            deployment: None,
            letter: Letter::RequestCancelled {
                request: id,
                product: cancelled.product.clone(),
                version: cancelled.version.clone(),
                by: by.to_owned(),
            },
        }],
        rows: vec![Row::Request(request.with(cancelled.clone()))],
    };
    o.store.commit(changes).await?;
    Ok(cancelled)
}
