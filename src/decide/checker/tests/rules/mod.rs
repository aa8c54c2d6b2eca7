//! Every rule of a plan broken once on purpose: from a correct world, one change, exactly the finding it deserves.

mod attended;
mod nights;
mod releases;
mod said;
mod stops;

use super::world::{World, heads, slot, version};
use crate::model::agreement::Agreed;
use chrono::TimeDelta;
use std::sync::Arc;

pub type Case = (&'static str, fn() -> World, fn(&mut World), &'static [&'static str]);

pub const NIGHT: &[&str] = &["fatal minor-night isacompta"];
pub const DAY: &[&str] = &["fatal minor-night isacompta", "fatal office-hours isacompta"];
pub const MAINTENANCE: &[&str] = &["fatal maintenance-slots isacompta"];
pub const MANUAL: &[&str] = &["fatal manual-slots isacompta"];
pub const REQUEST: &[&str] = &["fatal major-on-request isacompta"];
pub const NOTICE: &[&str] = &["fatal major-notice isacompta"];
pub const PREREQUISITES: &[&str] = &["fatal prerequisites isacompta"];
pub const PREREQUISITES_OF_PAYROLL: &[&str] = &["fatal prerequisites isapaye"];
pub const HOLD: &[&str] = &["fatal hold isacompta"];
pub const CLOSED: &[&str] = &["fatal closed-period isacompta"];
pub const ROLLOUT: &[&str] = &["fatal rollout isacompta"];
pub const RETRY: &[&str] = &["fatal three-attempts isacompta"];
pub const BACKUP: &[&str] = &["fatal backup-first isacompta"];
pub const SCOPE: &[&str] = &["fatal out-of-scope isacompta"];
pub const SIGNED: &[&str] = &["fatal signed-release isacompta"];
pub const NONE: &[&str] = &[];

pub fn check(cases: &[Case]) {
    for (name, world, change, expected) in cases {
        let mut world = world();
        assert_eq!(heads(&world.findings()), NONE, "{name}: correct before");
        change(&mut world);
        let findings = world.findings();
        assert_eq!(heads(&findings), *expected, "{name}: {findings:#?}");
    }
}

pub fn minute() -> TimeDelta {
    TimeDelta::minutes(1)
}

pub fn longer(world: &mut World, minutes: u32) {
    Arc::make_mut(&mut world.releases[0].signed.manifest).duration_minutes += minutes;
}

pub fn agreed_slot(w: &World, start: &str, end: &str) -> Agreed {
    Agreed::Slot { server: w.client.servers[0].id.clone(), product: "isacompta".into(), slot: slot(start, end) }
}

pub fn installed(w: &mut World, found: &str) {
    w.state.inventory.insert("isacompta".into(), version(found));
}

pub fn day(text: &str) -> chrono::NaiveDate {
    text.parse().unwrap()
}
