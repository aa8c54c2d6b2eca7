//! A contact who has not agreed to a slot is reminded some working days before it (`letters.remind_working_days`), once for
//! each slot; not where the slot was put to them later than that.
//!
//! Level-triggered: a reminder that a morning without service missed is sent by the next activation.

use crate::decide::calendar::{Calendar, Fold};
use crate::edge::store::{Changes, DeploymentFilter, Row, Sequence, StoreError, Stored};
use crate::model::deployment::Deployment;
use crate::model::event::{EventKind, NewEvent};
use crate::model::fleet::Client;
use crate::model::notice::{Installation, Letter, NewNotice, Notice, NoticeState};
use crate::model::slot::Slot;
use crate::work::Orchestrator;
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

/// How far ahead slots are looked at, in days: over any number of working days that a contract may name.
const AHEAD_DAYS: i64 = 45;

/// Looks once; how many contacts were reminded.
pub async fn run(o: &Orchestrator) -> Result<usize, StoreError> {
    let now = o.clock.now();
    let filter = DeploymentFilter {
        states: vec!["planned".to_owned()],
        since: Some(now),
        until: Some(now + TimeDelta::days(AHEAD_DAYS)),
        ..DeploymentFilter::default()
    };
    let mut reminded = 0;
    for deployment in o.store.deployments(&filter).await? {
        let Some(asked) = deployment.concertation.as_ref().filter(|asked| asked.agreed.is_none()) else { continue };
        let key = format!("concertation/{}/{}", deployment.id, asked.version);
        let Some(client) = o.store.client(&deployment.client).await? else { continue };
        let at = remind_at(o, &client.value, &deployment);
        if at.is_some_and(|at| asked.asked_at < at && at <= now) && !o.store.has_notice(&key).await? {
            reminded += usize::from(write(o, &client.value, &deployment, key, now).await?);
        }
    }
    Ok(reminded)
}

/// When the contact is to be reminded; `None` where the contract reminds of nothing.
fn remind_at(o: &Orchestrator, client: &Client, deployment: &Deployment) -> Option<DateTime<Utc>> {
    let days = o.terms.get(&client.schedule)?.schedule.letters.remind_working_days;
    let server = client.servers.iter().find(|server| server.id == deployment.server)?;
    let calendar = Calendar::new(server.zone, client.holidays.parse().ok()?);
    (days > 0).then(|| days_before(&calendar, deployment.slot, days))
}

/// The first moment of the working day `days` before the slot's.
fn days_before(calendar: &Calendar, slot: Slot, days: u32) -> DateTime<Utc> {
    let mut day = calendar.date(slot.start);
    for _ in 0..days {
        day = calendar.previous_working_day(day);
    }
    calendar.instant(day.and_time(NaiveTime::MIN), Fold::Earlier)
}

async fn write(
    o: &Orchestrator,
    client: &Client,
    deployment: &Deployment,
    key: String,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let Some(release) = o.store.release(&deployment.product, &deployment.to).await? else { return Ok(false) };
    let server = client.servers.iter().find(|server| server.id == deployment.server);
    let Some(zone) = server.map(|server| server.zone) else { return Ok(false) };
    let letter = Letter::ConcertationReminder(Installation {
        server: deployment.server.clone(),
        zone,
        product: deployment.product.clone(),
        from: deployment.from.clone(),
        to: deployment.to.clone(),
        slot: deployment.slot,
        deadline: deployment.deadline,
        finished_at: None,
        sequence: deployment.concertation.as_ref().map(|asked| asked.version),
        manifest: release.signed.manifest.clone(),
    });
    let text = format!("reminded that the slot of {} {} is not agreed to yet", deployment.product, deployment.to);
    let event = NewEvent::new(now, &client.id, EventKind::ConcertationReminder, text).about(deployment);
    let body = NewNotice {
        key,
        at: now,
        client: Some(client.id.clone()),
        server: Some(deployment.server.clone()),
        deployment: Some(deployment.id),
        letter,
    };
    let id = o.store.allocate(Sequence::Notice, 1).await?;
    let notice = Notice { id, body, state: NoticeState::Pending { next_at: now }, attempts: 0, mail: None };
    let rows = vec![Row::Notice(Stored::new(notice))];
    match o.store.commit(Changes { rows, events: vec![event], notices: Vec::new() }).await {
        Ok(()) => Ok(true),
        // Another replica was faster.
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::calendar::Region;

    #[test]
    fn working_days_are_counted_back_from_the_slots_own() {
        let paris = Calendar::new(chrono_tz::Europe::Paris, Region::National);
        for (start, expected) in [
            // Saturday 16 May: Thursday is Ascension Day, so the second working day before is Wednesday.
            ("2026-05-16T06:00:00Z", "2026-05-12T22:00:00Z"),
            // Monday evening: Friday 8 May is a holiday too.
            ("2026-05-11T18:00:00Z", "2026-05-05T22:00:00Z"),
        ] {
            let start: DateTime<Utc> = start.parse().unwrap();
            let slot = Slot::new(start, start + TimeDelta::hours(2)).unwrap();
            let found = days_before(&paris, slot, 2);
            let civil = found.with_timezone(&chrono_tz::Europe::Paris);
            assert_eq!(found, expected.parse::<DateTime<Utc>>().unwrap(), "{civil}");
        }
    }
}
