//! What publishers, clients and staff do when their hour has come.

use super::book::Written;
use super::engine::{Play, Task};
use super::happening::Happening;
use crate::decide::civil::PROVIDER_ZONE;
use crate::decide::{reconcile, silence};
use crate::model::agreement::{Agreed, Agreement};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::model::hold::{Hold, Lifted};
use crate::model::release::{Release, Retraction};
use crate::model::request::{Request, RequestState};
use crate::model::version::Version;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

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
                let text = format!("{product} {version} goes on");
                let event = NewEvent::new(self.now, PROVIDER, EventKind::ReleaseResumed, text).product(&product);
                let resolved = vec![reconcile::halted(&product, &version)];
                let entry = Written { events: vec![event], resolved, ..Written::default() };
                self.book.write(entry, self.now, &mut self.figures);
            }
            Happening::BackupsFail { server, fail } => {
                if let Some(place) = self.world.place(&server) {
                    self.lives[place].backups_fail = fail;
                }
            }
            Happening::BackedUp { server } => {
                if let Some(place) = self.world.place(&server) {
                    self.backed_up(place);
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
        let resolved = vec![reconcile::halted(product, version)];
        self.book.write(Written { events: vec![event], resolved, ..Written::default() }, self.now, &mut self.figures);
        self.world.publish(release);
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
        self.tell(None, || format!("{client} agrees to {}", in_words(&agreed)));
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

    /// An agent falls silent: an alert once it has missed a check (`hourly-checks`).
    pub(super) fn silent(&mut self, place: usize) {
        let server = self.world.server(place).id.clone();
        self.tell(Some(place), || format!("{server}: its agent falls silent"));
        let grace = self.world.customer(place).terms.schedule.agents.silent_after_minutes;
        self.at(self.now + TimeDelta::minutes(i64::from(grace) + 1), Task::Missed(place));
        if let Some(until) = self.lives[place].silent_until {
            self.at(until, Task::Heard(place));
        }
    }

    pub(super) fn missed(&mut self, place: usize) {
        if self.lives[place].silent_until.is_none_or(|until| until <= self.now) {
            return;
        }
        let customer = self.world.customer(place);
        let missed = i64::from(customer.terms.schedule.agents.silent_after_minutes) + 1;
        let last = self.now - TimeDelta::minutes(missed);
        let alert = silence::alert(&customer.client, self.world.server(place), last);
        let entry = Written { alerts: vec![alert], ..Written::default() };
        self.book.write(entry, self.now, &mut self.figures);
    }

    pub(super) fn heard(&mut self, place: usize) {
        if self.lives[place].silent_until.is_some_and(|until| self.now < until) {
            return;
        }
        let server = self.world.server(place).id.clone();
        self.tell(Some(place), || format!("{server}: its agent is heard again"));
        let entry = Written { resolved: vec![silence::cause(&server)], ..Written::default() };
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
            self.tell(None, || format!("request {id} of {client} has expired: its date has passed"));
            let event = NewEvent::new(now, &client, EventKind::RequestExpired, format!("request {id} expired"));
            self.book.write(Written { events: vec![event.request(id)], ..Written::default() }, now, &mut self.figures);
        }
    }
}

/// What a client agreed to, for the story.
fn in_words(agreed: &Agreed) -> String {
    let day = |day: &NaiveDate| day.format("%a %-d %b").to_string();
    let at = |at: DateTime<Utc>| at.with_timezone(&PROVIDER_ZONE).format("%a %-d %b %H:%M").to_string();
    match agreed {
        Agreed::Slot { server, product, slot } => {
            format!("{product} on {server} from {} to {}", at(slot.start), at(slot.end))
        }
        Agreed::ClosedPeriod { server, from, to } => {
            let on = server.as_ref().map_or_else(String::new, |server| format!(" on {server}"));
            format!("work{on} in its closed days {} to {}", day(from), day(to))
        }
        Agreed::ShortNotice { product, version, before } => {
            format!("{product} {version} by {} without the full notice", day(before))
        }
    }
}
