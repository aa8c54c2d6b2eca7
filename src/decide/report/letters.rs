//! The letters to the client: what left, what could not be delivered, what waits.

use super::Scene;
use super::sheet::{Letters, Post};
use crate::model::notice::{Letter, Notice, NoticeState};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

pub(super) fn of(scene: &Scene) -> Letters {
    let own = scene.notices.iter().filter(|n| n.body.client.as_deref() == Some(&scene.client.id));
    let mut post: Vec<Post> = own.filter(|n| scene.is_within(when(n))).map(of_notice).collect();
    post.sort_by_key(|p| (p.sent_at.unwrap_or(p.written_at), p.letter));
    let count = |state: &str| u32::try_from(post.iter().filter(|p| p.state == state).count()).unwrap_or(u32::MAX);
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for sent in post.iter().filter(|p| p.state == "sent") {
        *kinds.entry(sent.kind.clone()).or_default() += 1;
    }
    Letters { sent: count("sent"), undelivered: count("undelivered"), waiting: count("pending"), kinds, post }
}

/// The moment that says in which month a letter stands: when it left or was given up, else when it was written.
fn when(notice: &Notice) -> DateTime<Utc> {
    match &notice.state {
        NoticeState::Sent { at } | NoticeState::Undelivered { at, .. } => *at,
        NoticeState::Pending { .. } | NoticeState::Waiting { .. } => notice.body.at,
    }
}

fn of_notice(notice: &Notice) -> Post {
    let (server, product, version) = about(&notice.body.letter);
    let (state, sent_at, error) = match &notice.state {
        NoticeState::Pending { .. } | NoticeState::Waiting { .. } => ("pending", None, None),
        NoticeState::Sent { at } => ("sent", Some(*at), None),
        NoticeState::Undelivered { error, .. } => ("undelivered", None, Some(error.clone())),
    };
    Post {
        letter: notice.id,
        kind: notice.body.letter.name().to_owned(),
        written_at: notice.body.at,
        server: server.map(str::to_owned).or_else(|| notice.body.server.clone()),
        product: product.map(str::to_owned),
        version,
        state: state.to_owned(),
        sent_at,
        attempts: notice.attempts,
        error,
    }
}

/// Server, product and version that a letter is about.
fn about(letter: &Letter) -> (Option<&str>, Option<&str>, Option<String>) {
    match letter {
        Letter::MinorPlanned(i)
        | Letter::MinorInstalled(i)
        | Letter::ManualPlanned(i)
        | Letter::ManualInstalled(i)
        | Letter::MajorPlanned(i)
        | Letter::ConcertationReminder(i)
        | Letter::MajorInstalled(i)
        | Letter::MinorFailed { installation: i, .. }
        | Letter::ManualFailed { installation: i, .. }
        | Letter::MajorFailed { installation: i, .. }
        | Letter::MajorRequested { installation: i, .. }
        | Letter::Degraded { installation: i, .. }
        | Letter::NotBegun { installation: i, .. }
        | Letter::Moved { installation: i, .. }
        | Letter::Cancelled { installation: i, .. } => (Some(&i.server), Some(&i.product), Some(i.to.to_string())),
        Letter::MajorAvailable { product, version, .. }
        | Letter::LegalReminder { product, version, .. }
        | Letter::MajorRefused { product, version, .. }
        | Letter::Retracted { product, version, .. }
        | Letter::RequestCancelled { product, version, .. } => (None, Some(product), Some(version.to_string())),
        Letter::Checkpoint { .. } | Letter::Alert { .. } => (None, None, None),
    }
}
