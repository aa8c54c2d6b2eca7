//! What publishers, clients and staff do when their hour has come.

use super::book::Written;
use super::engine::Play;
use super::happening::Happening;
use crate::decide::notice;
use crate::decide::planner::major;
use crate::model::agreement::{Agreed, Agreement};
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::model::hold::{Hold, Lifted};
use crate::model::release::{Release, Retraction};
use crate::model::request::{Request, RequestState};
use crate::model::version::Version;
use chrono::NaiveDate;

impl Play {
    pub(super) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Published(release) => self.publish(*release),
            Happening::Retracted { product, version, reason } => self.retract(&product, &version, reason),
            Happening::Requested { client, product, version, before } => {
                self.request(&client, &product, &version, before)
            }
            Happening::RequestCancelled { client, product } => self.cancel_request(&client, &product),
            Happening::Agreed { client, agreed } => self.agree(&client, agreed),
            Happening::Held { on, until, reason } => {
                self.tell(None, || format!("staff hold {on}: {reason}"));
                let hold = Hold {
                    id: self.book.allocate(1),
                    on,
                    until,
                    reason,
                    by: "staff".to_owned(),
                    at: self.now,
                    lifted: None,
                };
                self.world.holds_mut().push(hold);
            }
            Happening::Lifted { on } => {
                self.tell(None, || format!("staff lift the hold on {on}"));
                let lifted = Lifted { at: self.now, by: "staff".to_owned() };
                let holds = self.world.holds_mut();
                holds.iter_mut().filter(|h| h.on == on).for_each(|h| h.lifted = Some(lifted.clone()));
                holds.retain(|h| h.lifted.is_none());
            }
            Happening::Resumed { product, version } => {
                self.tell(None, || format!("staff resume {product} {version}"));
                let progress = self.world.rollout_mut().entry(&product, &version);
                (progress.failed, progress.canaries_failed) = (0, 0);
            }
            Happening::BackupsFail { server, fail } => {
                if let Some(place) = self.world.place(&server) {
                    self.lives[place].backups_fail = fail;
                }
            }
            Happening::Silent { server, until } => {
                if let Some(place) = self.world.place(&server) {
                    self.lives[place].silent_until = Some(until);
                    self.silent(place);
                }
            }
            Happening::NextInstall { server, ends } => {
                if let Some(place) = self.world.place(&server) {
                    self.lives[place].next = Some(ends);
                }
            }
            Happening::Restarted => {
                self.tell(None, || "the orchestrator restarts".to_owned());
                self.restart();
            }
        }
    }

    fn publish(&mut self, release: Release) {
        self.figures.releases += 1;
        self.tell(None, || format!("published: {}", release.id()));
        let event = NewEvent::new(self.now, PROVIDER, EventKind::ReleasePublished, release.id().to_string());
        self.book.write(Written { events: vec![event], ..Written::default() }, self.now, &mut self.figures);
        self.world.publish(release);
    }

    fn retract(&mut self, product: &str, version: &Version, reason: String) {
        let Some(release) = self.world.release(product, version) else { return };
        let release =
            Release { retracted: Some(Retraction { at: self.now, reason: reason.clone() }), ..Release::clone(release) };
        self.tell(None, || format!("withdrawn: {}: {reason}", release.id()));
        let event = NewEvent::new(self.now, PROVIDER, EventKind::ReleaseRetracted, release.id().to_string());
        self.book.write(Written { events: vec![event], ..Written::default() }, self.now, &mut self.figures);
        self.world.publish(release);
    }

    /// A client asks for a major: accepted when its notice is kept and every server gets a slot.
    fn request(&mut self, client: &str, product: &str, version: &Version, before: NaiveDate) {
        let refused = match self.refusal(client, product, version, before) {
            Some(why) => why,
            None => {
                self.accept(client, product, version, before);
                return;
            }
        };
        self.figures.requests_refused += 1;
        self.tell(None, || format!("{client} asks for {product} {version} by {before}: refused, {refused}"));
        let event = NewEvent::new(self.now, client, EventKind::RequestRefused, refused).product(product);
        self.book.write(Written { events: vec![event], ..Written::default() }, self.now, &mut self.figures);
    }

    fn refusal(&self, client: &str, product: &str, version: &Version, before: NaiveDate) -> Option<String> {
        let customer = self.world.client(client)?;
        let release = self.world.release(product, version).filter(|r| r.retracted.is_none());
        let Some(release) = release else { return Some("it is not offered".to_owned()) };
        let places: Vec<usize> = customer.sites.clone().filter(|p| self.goes_on(*p, release)).collect();
        let Some(first) = places.first() else { return Some("no server needs it".to_owned()) };
        let calendar = self.world.site(*first).almanac.calendar();
        let earliest = notice::count(&customer.terms, calendar, self.now).earliest;
        let agreed = customer.agreements.iter().any(|a| {
            matches!(&a.agreed, Agreed::ShortNotice { product: p, version: v, before: b }
                if p == product && v == version && *b <= before)
        });
        if before < earliest && !agreed {
            return Some(format!("the earliest date is {earliest}"));
        }
        let fits = |place: &usize| {
            self.world.with_facts(*place, self.now, |facts| major::slot_for_request(facts, release, before).0.is_some())
        };
        (!places.iter().all(fits)).then(|| "no slot is left before that date".to_owned())
    }

    /// Whether the release would be a major for the server.
    fn goes_on(&self, place: usize, release: &Release) -> bool {
        let installed = self.world.site(place).state.inventory.get(release.product());
        self.world.customer(place).client.order.iter().any(|p| p == release.product())
            && installed.is_some_and(|v| v < release.version() && major::needs_request(release, v))
    }

    fn accept(&mut self, client: &str, product: &str, version: &Version, before: NaiveDate) {
        self.request_id += 1;
        let (id, now) = (self.request_id, self.now);
        self.tell(None, || format!("{client} asks for {product} {version} by {before}: request {id} accepted"));
        let request = Request {
            id,
            client: client.to_owned(),
            product: product.to_owned(),
            version: version.clone(),
            servers: Vec::new(),
            received_at: now,
            by: "contact".to_owned(),
            before,
            state: RequestState::Accepted,
        };
        let Some(customer) = self.world.client_mut(client) else { return };
        for older in customer.requests.iter_mut().filter(|r| r.product == product && r.state == RequestState::Accepted)
        {
            older.state = RequestState::Superseded { at: now, by: id };
        }
        customer.requests.push(request);
        let text = format!("request {id} accepted: {product} {version} by {before}");
        let event = NewEvent::new(now, client, EventKind::RequestAccepted, text).product(product).request(id);
        self.book.write(Written { events: vec![event], ..Written::default() }, now, &mut self.figures);
    }

    fn cancel_request(&mut self, client: &str, product: &str) {
        let now = self.now;
        let Some(customer) = self.world.client_mut(client) else { return };
        let accepted = |r: &&mut Request| r.product == product && r.state == RequestState::Accepted;
        let Some(request) = customer.requests.iter_mut().find(accepted) else { return };
        request.state = RequestState::Cancelled { at: now, by: "contact".to_owned() };
        let id = request.id;
        self.tell(None, || format!("{client} gives up request {id}"));
        let event = NewEvent::new(now, client, EventKind::RequestCancelled, format!("request {id} cancelled"));
        self.book.write(Written { events: vec![event.request(id)], ..Written::default() }, now, &mut self.figures);
    }

    fn agree(&mut self, client: &str, agreed: Agreed) {
        let (id, now) = (self.book.allocate(1), self.now);
        self.tell(None, || format!("{client} agrees: {}", agreed.name()));
        let Some(customer) = self.world.client_mut(client) else { return };
        customer.agreements.push(Agreement {
            id,
            client: client.to_owned(),
            agreed,
            by: "contact".to_owned(),
            at: now,
        });
        let event = NewEvent::new(now, client, EventKind::Agreed, format!("agreement {id}"));
        self.book.write(Written { events: vec![event], ..Written::default() }, now, &mut self.figures);
    }

    /// An agent that is not heard any more is an alert (`hourly-checks`).
    pub(super) fn silent(&mut self, place: usize) {
        let (client, server) = (self.world.customer(place).client.id.clone(), self.world.server(place).id.clone());
        self.tell(Some(place), || format!("{server}: its agent falls silent"));
        let alert = NewAlert {
            cause: format!("silent/{server}"),
            class: AlertClass::Systems,
            client: Some(client),
            server: Some(server.clone()),
            product: None,
            deployment: None,
            title: format!("{server} is silent"),
            text: "its agent was not heard for over an hour".to_owned(),
        };
        let entry = Written { alerts: vec![alert], resolved: vec![format!("silent/{server}")], ..Written::default() };
        self.book.write(entry, self.now, &mut self.figures);
    }

    /// Requests whose date has passed everywhere are over.
    pub(super) fn expire_requests(&mut self) {
        let now = self.now;
        let overdue: Vec<(String, i64)> = self.world.overdue_requests(now).map(|r| (r.client.clone(), r.id)).collect();
        for (client, id) in overdue {
            let Some(customer) = self.world.client_mut(&client) else { continue };
            if let Some(request) = customer.requests.iter_mut().find(|r| r.id == id) {
                request.state = RequestState::Expired { at: now };
            }
            self.tell(None, || format!("request {id} of {client} expired"));
            let event = NewEvent::new(now, &client, EventKind::RequestExpired, format!("request {id} expired"));
            self.book.write(Written { events: vec![event.request(id)], ..Written::default() }, now, &mut self.figures);
        }
    }
}
