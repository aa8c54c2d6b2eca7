//! `[line]` of `agent.toml`: how much of the site's line downloads may take, by the hour of the site.

use chrono::{DateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer};

/// Least that can be configured: below it no package ever arrives.
const KIB_PER_SECOND_MIN: u32 = 4;

/// The whole section. Without it downloads go as fast as the line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LineConfig {
    /// Most that downloads take where no hours say otherwise, in KiB per second.
    pub kib_per_second_max: Option<u32>,
    /// IANA zone that `hours` are in.
    pub zone: Option<Tz>,
    /// Hours of the day with a bound of their own; the first that fits counts.
    pub hours: Vec<LineHours>,
}

/// A part of every day. One that ends before it begins goes over midnight.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineHours {
    #[serde(deserialize_with = "time")]
    pub from: NaiveTime,
    /// Not included.
    #[serde(deserialize_with = "time")]
    pub to: NaiveTime,
    /// Left out, these hours have no bound.
    #[serde(default)]
    pub kib_per_second_max: Option<u32>,
}

/// `HH:MM`.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || serde::de::Error::custom(format!("{text:?} is no time of day; write it like \"08:00\""));
    NaiveTime::parse_from_str(&text, "%H:%M").map_err(|_| wrong())
}

impl LineHours {
    fn contains(&self, time: NaiveTime) -> bool {
        if self.from < self.to { self.from <= time && time < self.to } else { self.from <= time || time < self.to }
    }
}

impl LineConfig {
    /// Most bytes per second at `now`; `None` as the line gives.
    pub fn bytes_per_second_max(&self, now: DateTime<Utc>) -> Option<u64> {
        let local = self.zone.map(|zone| now.with_timezone(&zone).time());
        let hours = local.and_then(|local| self.hours.iter().find(|hours| hours.contains(local)));
        let kib = hours.map_or(self.kib_per_second_max, |hours| hours.kib_per_second_max);
        kib.map(|kib| u64::from(kib) << 10)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if !self.hours.is_empty() && self.zone.is_none() {
            return Err("line: hours need the zone they are in; add zone = \"Europe/Paris\"".to_owned());
        }
        if let Some(hours) = self.hours.iter().find(|hours| hours.from == hours.to) {
            return Err(format!("line: the hours from {} to {0} are empty", hours.from.format("%H:%M")));
        }
        let given = self.hours.iter().map(|hours| hours.kib_per_second_max).chain([self.kib_per_second_max]);
        match given.flatten().find(|kib| *kib < KIB_PER_SECOND_MIN) {
            Some(kib) => Err(format!(
                "line: kib_per_second_max = {kib} is too little; at least {KIB_PER_SECOND_MIN}, or leave it out for no bound"
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_sites_hour() {
        let config: LineConfig = toml::from_str(
            "kib_per_second_max = 200\nzone = 'Europe/Paris'\n\
             hours = [{ from = '08:00', to = '18:00', kib_per_second_max = 50 }, { from = '22:00', to = '06:00' }]",
        )
        .unwrap();
        assert_eq!(config.check(), Ok(()));
        let check = |utc: &str, kib: Option<u64>| {
            assert_eq!(config.bytes_per_second_max(utc.parse().unwrap()), kib.map(|kib| kib << 10), "{utc}");
        };
        // Paris is two hours ahead in summer, one in winter.
        check("2026-07-01T05:59:59Z", Some(200));
        check("2026-07-01T06:00:00Z", Some(50));
        check("2026-07-01T15:59:59Z", Some(50));
        check("2026-07-01T16:00:00Z", Some(200));
        check("2026-07-01T20:00:00Z", None);
        check("2026-07-01T03:59:59Z", None);
        check("2026-07-01T04:00:00Z", Some(200));
        check("2026-01-01T06:59:59Z", Some(200));
        check("2026-01-01T07:00:00Z", Some(50));
        assert_eq!(LineConfig::default().bytes_per_second_max("2026-01-01T07:00:00Z".parse().unwrap()), None);
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let said = |text: &str| match toml::from_str::<LineConfig>(text) {
            Ok(config) => config.check().unwrap_err(),
            Err(error) => error.to_string(),
        };
        assert!(said("hours = [{ from = '08:00', to = '18:00' }]").contains("add zone"));
        assert!(said("kib_per_second_max = 3").contains("at least 4"));
        assert!(said("zone = 'Europe/Paris'\nhours = [{ from = '8h', to = '18:00' }]").contains("like \"08:00\""));
        assert!(said("zone = 'Europe/Paris'\nhours = [{ from = '08:00', to = '08:00' }]").contains("are empty"));
    }
}
