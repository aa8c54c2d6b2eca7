//! Clients ask for majors, and are answered as the contract answers: by the judge of the real requests.

use super::book::Written;
use super::engine::Play;
use crate::decide::requests::{self, Ask, Granted, New, Refusal};
use crate::model::event::{EventKind, NewEvent};
use crate::model::notice::{Consent, Installation, Letter, NewNotice, Visit};
use crate::model::request::{Request, RequestState};
use crate::model::slot::Slot;
use crate::model::version::Version;
use chrono::NaiveDate;

/// Who asks.
const CONTACT: &str = "contact";

impl Play {
    pub(super) fn request(&mut self, client: &str, product: &str, version: &Version, before: NaiveDate) {
        let ask = Ask { product: product.to_owned(), version: version.clone(), before, servers: Vec::new() };
        let Some(customer) = self.world.client(client) else { return };
        let day = before.format("%a %-d %b");
        match requests::judge(&self.world, customer, std::slice::from_ref(&ask), None, self.now) {
            Ok(granted) => {
                for granted in granted {
                    match granted {
                        Granted::New(new) => self.accept(client, new),
                        Granted::Same(same) => {
                            let id = same.request.id;
                            self.tell(None, || format!("{client} asks again what request {id} asks"));
                        }
                    }
                }
            }
            Err(refusal) => {
                let why = refusal.why.en.clone().unwrap_or_default();
                self.tell(None, || format!("{client} asks for {product} {version} by {day}: refused, {why}"));
                self.refuse(client, ask, refusal);
            }
        }
    }

    fn refuse(&mut self, client: &str, ask: Ask, refusal: Refusal) {
        self.figures.requests_refused += 1;
        let Ask { product, version, before, .. } = ask;
        let text = format!("{product} {version} by {before}: {}", refusal.why.en.clone().unwrap_or_default());
        let event = NewEvent::new(self.now, client, EventKind::RequestRefused, text).product(&product);
        let key = format!("refused/{client}/{product}/{version}/{before}/{}", self.now.timestamp_millis());
        let (earliest, why) = (refusal.earliest, refusal.why);
        let by = CONTACT.to_owned();
        let letter = Letter::MajorRefused { product, version, by, before, earliest, why, stands: None };
        let entry =
            Written { events: vec![event], notices: vec![self.letter(client, key, letter)], ..Written::default() };
        self.book.write(entry, self.now, &mut self.figures);
    }

    fn accept(&mut self, client: &str, new: New) {
        self.request_id += 1;
        let (id, now) = (self.request_id, self.now);
        let Ask { product, version, before, servers } = new.ask.clone();
        let (day, product_named) = (before.format("%a %-d %b"), product.clone());
        self.tell(None, || format!("{client} asks for {product_named} {version} by {day}: request {id} accepted"));
        let text = format!(
            "request {id}: {product} {version} by {before}; counted from {}, earliest admissible {}",
            new.count.counted_from, new.count.earliest
        );
        let event = NewEvent::new(now, client, EventKind::RequestAccepted, text).product(&product).request(id);
        let notices = self.acknowledgement(client, id, &new).into_iter().collect();
        let entry = Written { events: vec![event.reasons(new.reasons.into())], notices, ..Written::default() };
        self.book.write(entry, now, &mut self.figures);
        let Some(customer) = self.world.client_mut(client) else { return };
        for older in customer.requests.iter_mut().filter(|r| new.supersedes.contains(&r.id)) {
            older.state = RequestState::Superseded { at: now, by: id };
        }
        customer.requests.push(Request {
            id,
            client: client.to_owned(),
            product,
            version,
            servers,
            received_at: now,
            by: CONTACT.to_owned(),
            before,
            state: RequestState::Accepted,
        });
    }

    /// The letter that says when it would be done.
    fn acknowledgement(&self, client: &str, request: i64, new: &New) -> Option<NewNotice> {
        let visit = |(server, slot): &(String, Slot)| -> Option<Visit> {
            let place = self.world.place(server)?;
            let from = self.world.installed(server, &new.ask.product).cloned();
            Some(Visit { server: server.clone(), zone: self.world.server(place).zone, from, slot: *slot })
        };
        let mut visits = new.slots.iter().filter_map(visit);
        let first = visits.next()?;
        let installation = Installation {
            server: first.server,
            zone: first.zone,
            product: new.ask.product.clone(),
            from: first.from,
            to: new.ask.version.clone(),
            slot: first.slot,
            deadline: None,
            finished_at: None,
            manifest: Box::new(new.release.manifest().clone()),
        };
        let letter = Letter::MajorRequested {
            request,
            by: CONTACT.to_owned(),
            before: new.ask.before,
            installation,
            others: visits.collect(),
            agreed: new.agreement.as_ref().map(|a| Consent { by: a.by.clone(), at: a.at }),
            replaces: new.supersedes.clone(),
        };
        Some(self.letter(client, format!("request/{request}"), letter))
    }

    fn letter(&self, client: &str, key: String, letter: Letter) -> NewNotice {
        NewNotice { key, at: self.now, client: Some(client.to_owned()), server: None, deployment: None, letter }
    }
}
