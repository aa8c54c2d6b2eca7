//! Writes how a feed is doing, when that changed, with the events and alerts that `decide::feed_health` finds due.

use super::super::{Orchestrator, alerts};
use crate::decide::feed_health::{self, Fetched, News};
use crate::edge::store::{Changes, Row, StoreError, Stored};
use crate::model::alert::{AlertClass, NewAlert};
use crate::model::event::{EventKind, NewEvent, PROVIDER};
use crate::model::feed::{Feed, Outage};
use chrono::{DateTime, SecondsFormat, Utc};

/// Adds to `changes` what a fetch of `publisher`'s feed says about the feed itself.
pub(super) async fn settle(
    o: &Orchestrator,
    publisher: &str,
    fetched: Fetched,
    now: DateTime<Utc>,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    let known = o.store.feed(publisher).await?;
    let before = known.as_ref().map_or_else(|| Feed::of(publisher), |known| known.value.clone());
    let (feed, news) = feed_health::after(&before, fetched, now);
    let same = (&before.refused, &before.outage) == (&feed.refused, &feed.outage);
    if known.is_some() && same && changes.is_empty() {
        return Ok(());
    }
    for news in news {
        tell(o, publisher, news, now, changes).await?;
    }
    changes.rows.push(Row::Feed(known.map_or_else(|| Stored::new(feed.clone()), |known| known.with(feed.clone()))));
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
