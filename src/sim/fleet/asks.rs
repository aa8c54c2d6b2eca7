//! Clients ask for majors, and are answered as the contract answers: by the judge of the real requests, in its words.

use super::book::Written;
use super::engine::Play;
use crate::decide::requests::{self, Ask, Granted, New, answer};
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
            Ok(granted) => granted.into_iter().for_each(|granted| match granted {
                Granted::New(new) => self.accept(client, &new),
                Granted::Same(same) => {
                    let id = same.request.id;
                    self.tell(None, || format!("{client} asks again what request {id} asks"));
                }
            }),
            Err(refusal) => {
                let why = refusal.why.en.as_deref().unwrap_or(&refusal.why.fr);
                self.tell(None, || format!("{client} asks for {product} {version} by {day}: refused, {why}"));
                self.figures.requests_refused += 1;
                let (event, notice) = answer::refused(client, &refusal, before, CONTACT, None, self.now);
                let entry = Written { events: vec![event], notices: vec![notice], ..Written::default() };
                self.book.write(entry, self.now, &mut self.figures);
            }
        }
    }

    fn accept(&mut self, client: &str, new: &New) {
        self.request_id += 1;
        let (id, now) = (self.request_id, self.now);
        let Some(customer) = self.world.client(client) else { return };
        let written = match answer::accepted(&self.world, customer, new, id, CONTACT, now) {
            Ok(written) => written,
            Err(error) => {
                let text = format!("request {id}: {error}");
                return self.figures.violate(now, None, "transition", text);
            }
        };
        let (ask, day) = (&new.ask, new.ask.before.format("%a %-d %b"));
        self.tell(None, || {
            format!("{client} asks for {} {} by {day}: request {id} accepted", ask.product, ask.version)
        });
        let entry =
            Written { events: written.events, notices: written.notice.into_iter().collect(), ..Written::default() };
        self.book.write(entry, now, &mut self.figures);
        let Some(customer) = self.world.client_mut(client) else { return };
        for older in written.superseded {
            customer.requests.iter_mut().filter(|r| r.id == older.id).for_each(|r| *r = older.clone());
        }
        customer.requests.push(written.request);
    }
}
