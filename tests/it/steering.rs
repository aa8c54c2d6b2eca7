//! What people may tell the planner, through the API: requests changed and superseded, agreements, holds, resumptions,
//! legal dates. Who may, what is refused, what is written down and who is told.

#![allow(clippy::unwrap_used)] // a story that cannot go on has failed

mod agreements;
mod commands;
mod held;
mod holds;
mod reminders;
mod requests;

use super::site::{Answer, Site};
use serde_json::Value;

const API: &str = "/api/v1";

fn texts(rows: &Value, key: &str) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| row[key].as_str().unwrap_or("null").to_owned()).collect()
}

/// The client's events of this kind, oldest first.
async fn events(site: &Site, client: &str, kind: &str) -> Vec<String> {
    let filter = noctule::edge::store::EventFilter { client: Some(client.into()), ..Default::default() };
    let all = site.o.store.events(&filter).await.unwrap();
    let named = |event: &noctule::model::event::Event| serde_json::to_value(event.body.kind).unwrap() == kind;
    all.into_iter().filter(named).map(|event| event.body.text).collect()
}

/// Everything the letters to the client say, the latest last.
async fn letters(site: &Site, client: &str) -> Vec<String> {
    let notices = site.o.store.notices(Some(client), 100).await.unwrap();
    notices.into_iter().map(|n| format!("{:?}", n.value.body.letter)).collect()
}

#[track_caller]
fn says(answer: &Answer, status: u16, said: &str) {
    let body = answer.refused(status);
    let text = body["error"].as_str().unwrap();
    assert!(text.contains(said), "{text:?} does not say {said:?}");
}
