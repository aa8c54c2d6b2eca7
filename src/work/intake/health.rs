//! Writes how a feed is doing, when that changed, with the events and alerts that `decide::feed_health` and
//! `decide::feed_expiry` find due.

use super::super::{Orchestrator, alerts};
use crate::decide::feed_expiry;
use crate::decide::feed_health::{self, Fetched, News};
use crate::edge::store::{Changes, Row, StoreError, Stored};
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::model::feed::{Feed, Outage, Role};
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::BTreeMap;

/// Adds to `changes` what a fetch of `publisher`'s feed says about the feed itself; `expires` where it was verified.
pub(super) async fn settle(
    o: &Orchestrator,
    publisher: &str,
    fetched: Fetched,
    expires: Option<&BTreeMap<Role, DateTime<Utc>>>,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    let now = o.clock.now();
    let known = o.store.feed(publisher).await?;
    let before = known.as_ref().map_or_else(|| Feed::of(publisher), |known| known.value.clone());
    let (mut feed, news) = feed_health::after(&before, fetched, now);
    if let Some(expires) = expires {
        feed.signatures = feed_expiry::seen(&before.signatures, expires, now);
    }
    running_out(o, &feed, now, changes).await?;
    let told = |feed: &Feed| (feed.refused.clone(), feed.outage.clone(), feed.signatures.clone());
    if known.is_some() && told(&before) == told(&feed) && changes.is_empty() {
        return Ok(());
    }
    for news in news {
        tell(o, publisher, news, now, changes).await?;
    }
    changes.rows.push(Row::Feed(known.map_or_else(|| Stored::new(feed.clone()), |known| known.with(feed.clone()))));
    Ok(())
}

/// One alert for each role whose signature runs out, ended when it is renewed.
async fn running_out(
    o: &Orchestrator,
    feed: &Feed,
    now: DateTime<Utc>,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    let cause = |role: Role| format!("feed-expires/{}/{}", feed.publisher, role.name());
    let open = o.store.open_alerts_by_cause(&Role::ALL.map(cause)).await?;
    for role in Role::ALL {
        let near = feed.signatures.get(&role).filter(|signature| feed_expiry::is_near(role, signature, now));
        match (near, open.get(&cause(role))) {
            (Some(signature), None) => {
                let (name, publisher) = (role.name(), &feed.publisher);
                let at = signature.expires.to_rfc3339_opts(SecondsFormat::Secs, true);
                let how = match role {
                    Role::Root => "`noctule release rotate DIR root` makes the next one",
                    Role::Targets | Role::Snapshot => "`noctule release resign DIR --all` renews it",
                    Role::Timestamp => {
                        "`noctule release resign DIR` renews it, from a daily job that does not seem to run"
                    }
                };
                let text = format!(
                    "the {name} metadata of {publisher} expires at {at}: from then on the feed is refused, and with it every \
                     release that is not here yet. The publisher has to sign it anew ({how})"
                );
                let title = format!("the {name} signature of {publisher} runs out");
                alerts::raise(o, changes, alert(cause(role), title, text)).await?;
            }
            (None, Some(alert)) => alerts::add_resolved(o, changes, alert, "it was renewed"),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
    Ok(())
}

async fn tell(
    o: &Orchestrator,
    publisher: &str,
    news: News,
    now: DateTime<Utc>,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    // Two causes: a feed that is refused is told even while the alert of an outage is open.
    let (refused, unreachable) = (format!("feed/{publisher}"), format!("feed-unreachable/{publisher}"));
    let (kind, text) = match &news {
        News::Refused(why) => (EventKind::FeedRefused, format!("feed of {publisher} refused: {why}")),
        News::Unreachable(outage) => (EventKind::FeedUnreachable, lasting(publisher, outage)),
        News::Accepted => (EventKind::FeedRecovered, format!("feed of {publisher} is good again")),
        News::Reachable => (EventKind::FeedRecovered, format!("feed of {publisher} can be fetched again")),
    };
    changes.events.push(NewEvent::new(now, PROVIDER, kind, text.clone()));
    match news {
        News::Refused(_) => {
            let title = format!("feed of {publisher} refused");
            alerts::raise(o, changes, alert(refused, title, text)).await
        }
        News::Unreachable(_) => {
            let title = format!("feed of {publisher} cannot be fetched");
            alerts::raise(o, changes, alert(unreachable, title, text)).await
        }
        News::Accepted => alerts::resolve_cause(o, changes, &refused, "the feed is good again").await,
        News::Reachable => alerts::resolve_cause(o, changes, &unreachable, "the feed can be fetched again").await,
    }
}

fn lasting(publisher: &str, outage: &Outage) -> String {
    let since = outage.since.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("feed of {publisher} cannot be fetched since {since}, {} times in a row: {}", outage.fetches, outage.why)
}

fn alert(cause: String, title: String, text: String) -> NewAlert {
    NewAlert {
        cause,
        class: AlertClass::Applications,
        client: None,
        server: None,
        product: None,
        deployment: None,
        title,
        text,
    }
}
