//! What an answer changes and who is told of it: the request, what gives way to it, the events and the letter.

use super::{New, Refusal};
use crate::decide::world::{Customer, World};
use crate::model::event::{EventKind, NewEvent};
use crate::model::fleet::Server;
use crate::model::notice::{Consent, Installation, Letter, NewNotice, Standing, Visit};
use crate::model::request::{NotAccepted, Request, RequestState};
use crate::model::slot::Slot;
use chrono::{DateTime, NaiveDate, Utc};

/// To be written together.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub request: Request,
    /// Requests that give way to it, as they are from now on.
    pub superseded: Vec<Request>,
    pub events: Vec<NewEvent>,
    /// None where no server gets a slot.
    pub notice: Option<NewNotice>,
}

/// Request `id` of `customer`, asked for by `by` and granted at `now`.
pub fn accepted(
    world: &World,
    customer: &Customer,
    new: &New,
    id: i64,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Accepted, NotAccepted> {
    let client = &customer.client.id;
    let ask = &new.ask;
    let (mut superseded, mut events) = (Vec::new(), Vec::new());
    for older in customer.requests.iter().filter(|r| new.supersedes.contains(&r.id)) {
        let text = format!("request {} for {} by {} gives way to request {id}", older.id, older.version, older.before);
        let event = NewEvent::new(now, client, EventKind::RequestSuperseded, text);
        events.push(event.product(&ask.product).request(older.id));
        superseded.push(older.clone().supersede(now, id)?);
    }
    let text = format!(
        "request {id}: {} {} by {}; counted from {}, earliest admissible {}",
        ask.product, ask.version, ask.before, new.count.counted_from, new.count.earliest
    );
    let event = NewEvent::new(now, client, EventKind::RequestAccepted, text);
    let agreed = new.agreement.as_ref().map(|agreement| agreement.by.clone());
    let event = event.product(&ask.product).request(id).reasons(new.reasons.clone().into());
    events.push(event.personal([by]).personal(agreed));
    let letter = letter(world, customer, new, id, by);
    Ok(Accepted {
        request: Request {
            id,
            client: client.clone(),
            product: ask.product.clone(),
            version: ask.version.clone(),
            servers: ask.servers.clone(),
            received_at: now,
            by: by.to_owned(),
            before: ask.before,
            state: RequestState::Accepted,
        },
        superseded,
        events,
        notice: letter.map(|letter| notice(client, format!("request/{id}"), letter, now)),
    })
}

/// The letter that says when it would be done.
fn letter(world: &World, customer: &Customer, new: &New, id: i64, by: &str) -> Option<Letter> {
    let (product, servers) = (&new.ask.product, &customer.client.servers);
    let site = |(id, slot): &(String, Slot)| Some((servers.iter().find(|s| s.id == *id)?, *slot));
    let visit = |(server, slot): (&Server, Slot)| Visit {
        server: server.id.clone(),
        zone: server.zone,
        from: world.installed(&server.id, product).cloned(),
        slot,
    };
    let mut visits = new.slots.iter().filter_map(site).map(visit);
    let first = visits.next()?;
    let installation = Installation {
        server: first.server,
        zone: first.zone,
        product: product.clone(),
        from: first.from,
        to: new.ask.version.clone(),
        slot: first.slot,
        deadline: None,
        finished_at: None,
        // The letters about each server's deployment bring the entries.
        sequence: None,
        manifest: new.release.signed.manifest.clone(),
    };
    Some(Letter::MajorRequested {
        request: id,
        by: by.to_owned(),
        before: new.ask.before,
        installation,
        others: visits.collect(),
        agreed: new.agreement.as_ref().map(|a| Consent { by: a.by.clone(), at: a.at }),
        replaces: new.supersedes.clone(),
    })
}

/// What is written down of a refusal: of an ask by `before`, or of a change of `replaced`, which stands.
pub fn refused(
    client: &str,
    refusal: &Refusal,
    before: NaiveDate,
    by: &str,
    replaced: Option<&Request>,
    now: DateTime<Utc>,
) -> (NewEvent, NewNotice) {
    let Refusal { product, version, .. } = refusal;
    let why = refusal.why.en.as_deref().unwrap_or(&refusal.why.fr);
    let stands = replaced.map_or_else(String::new, |old| format!("; request {} by {} stands", old.id, old.before));
    let text = format!("{product} {version} by {before}: {why}{stands}");
    let event = NewEvent::new(now, client, EventKind::RequestRefused, text).product(product);
    let letter = Letter::MajorRefused {
        product: product.clone(),
        version: version.clone(),
        by: by.to_owned(),
        before,
        earliest: refusal.earliest,
        why: refusal.why.clone(),
        stands: replaced.map(|old| Standing { request: old.id, before: old.before }),
    };
    let key = format!("refused/{client}/{product}/{version}/{before}/{}", now.timestamp_millis());
    let event = match replaced {
        Some(old) => event.request(old.id),
        None => event,
    };
    (event, notice(client, key, letter, now))
}

/// A letter to `client` about what it asked for.
pub fn notice(client: &str, key: String, letter: Letter, at: DateTime<Utc>) -> NewNotice {
    NewNotice { key, at, client: Some(client.to_owned()), server: None, deployment: None, letter }
}
