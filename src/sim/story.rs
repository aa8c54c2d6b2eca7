//! The demo's story: two weeks from Wednesday 29 April 2026, with the holidays of 1 and 8 May.

use super::packages::Health;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// Something that people do at a moment of the story.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// A publisher signs and publishes a manifest of `manifests/`.
    Publish {
        manifest: &'static str,
        health: Health,
    },
    Retract {
        publisher: &'static str,
        product: &'static str,
        version: &'static str,
        reason: &'static str,
    },
    /// A client's IT contact asks for a major version.
    Request {
        client: &'static str,
        product: &'static str,
        version: &'static str,
        before: NaiveDate,
    },
    /// A technician will be there for the manual update of `product` on `server`.
    Attend {
        server: &'static str,
        product: &'static str,
        by: &'static str,
    },
    /// The nightly backups of a server stop, or run again from now on.
    Backups {
        server: &'static str,
        running: bool,
    },
    /// Somebody flips a byte of a mirrored package, or puts the right one back.
    Tamper {
        product: &'static str,
        version: &'static str,
    },
    Mend {
        product: &'static str,
        version: &'static str,
    },
    /// Staff take note of the open alerts.
    Acknowledge {
        by: &'static str,
    },
}

/// When the story begins and ends, Paris time.
pub(super) const BEGINS: &str = "2026-04-29 12:00";
pub(super) const ENDS: &str = "2026-05-13 12:00";

/// What each server runs when the story begins.
pub(super) const INSTALLED: [(&str, &[(&str, &str)]); 4] = [
    ("martin-srv1", &[("isacompta", "14.20.002"), ("isaged", "3.8.0"), ("isapedi", "7.1.0"), ("isaflux", "5.3.0")]),
    ("rhin-srv1", &[("isacompta", "14.20.002"), ("isapaye", "2026.1"), ("eic", "11.0")]),
    ("bocage-srv1", &[("isacompta", "14.20.002")]),
    ("piton-srv1", &[("isacompta", "14.20.002"), ("eic", "11.0")]),
];

fn paris(text: &str) -> DateTime<Utc> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M")
        .expect("the story's times are well formed")
        .and_local_timezone(chrono_tz::Europe::Paris)
        .single()
        .expect("the story has no ambiguous time")
        .with_timezone(&Utc)
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("the story's dates are well formed")
}

pub(super) fn span() -> (DateTime<Utc>, DateTime<Utc>) {
    (paris(BEGINS), paris(ENDS))
}

/// The acts in order of time.
pub(super) fn acts() -> Vec<(DateTime<Utc>, Act)> {
    let good = |manifest| Act::Publish { manifest, health: Health::Good };
    vec![
        // The first night: a minor published in the afternoon, and a major that waits for its request.
        (paris("2026-04-29 17:00"), good("agiris/isacompta-14.20.003")),
        (paris("2026-04-29 17:05"), good("agiris/isacompta-15.00.001")),
        (paris("2026-04-29 17:10"), good("agiris/isaged-3.8.1")),
        // A server whose backup does not run.
        (paris("2026-04-29 18:30"), Act::Backups { server: "bocage-srv1", running: false }),
        // The major: refused for short notice, then accepted.
        (
            paris("2026-04-30 10:00"),
            Act::Request {
                client: "cabinet-martin",
                product: "isacompta",
                version: "15.00.001",
                before: day("2026-05-07"),
            },
        ),
        (
            paris("2026-04-30 10:20"),
            Act::Request {
                client: "cabinet-martin",
                product: "isacompta",
                version: "15.00.001",
                before: day("2026-05-16"),
            },
        ),
        (paris("2026-04-30 19:00"), Act::Acknowledge { by: "équipe IAH" }),
        (paris("2026-05-01 01:00"), Act::Backups { server: "bocage-srv1", running: true }),
        // A faulty release: its health check fails on the canary, it is rolled back, then withdrawn.
        (paris("2026-05-04 11:00"), Act::Publish { manifest: "agiris/isaflux-5.3.1", health: Health::Bad }),
        (paris("2026-05-05 08:15"), Act::Acknowledge { by: "équipe IAH" }),
        (
            paris("2026-05-05 09:30"),
            Act::Retract {
                publisher: "agiris",
                product: "isaflux",
                version: "5.3.1",
                reason: "contrôle de cohérence en échec après installation",
            },
        ),
        // One that needs another product first, and a product that one client did not order.
        (paris("2026-05-05 15:00"), good("agiris/isacompta-14.20.004")),
        (paris("2026-05-05 15:10"), good("isapaye/isapaye-2026.2")),
        (paris("2026-05-05 15:20"), good("eic/eic-11.0A")),
        // A tampered package: the agent refuses it; the next night the right one is back.
        (paris("2026-05-06 14:00"), good("agiris/isapedi-7.1.1")),
        (paris("2026-05-06 14:00"), Act::Tamper { product: "isapedi", version: "7.1.1" }),
        (paris("2026-05-07 08:15"), Act::Acknowledge { by: "équipe IAH" }),
        (paris("2026-05-07 09:00"), Act::Mend { product: "isapedi", version: "7.1.1" }),
        // A manual update in a staffed slot.
        (paris("2026-05-10 10:00"), good("agiris/isacompta-14.20.005")),
        (paris("2026-05-11 15:00"), Act::Attend { server: "rhin-srv1", product: "isacompta", by: "M. Leroy" }),
        (paris("2026-05-11 15:05"), Act::Attend { server: "bocage-srv1", product: "isacompta", by: "M. Leroy" }),
        (paris("2026-05-11 15:10"), Act::Attend { server: "piton-srv1", product: "isacompta", by: "Mme Hoarau" }),
        // The next major of another publisher, for whoever wants to ask for it.
        (paris("2026-05-12 10:00"), good("isapaye/isapaye-2027.1")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_is_in_order_of_time() {
        let acts = acts();
        assert!(acts.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        let (begins, ends) = span();
        assert!(acts.iter().all(|(at, _)| begins <= *at && *at < ends));
    }
}
