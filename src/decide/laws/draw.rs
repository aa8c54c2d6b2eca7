//! What a whole world is drawn from: numbers and flags that shrink well. [`super::world`] makes nouns of them.

use proptest::prelude::*;

/// The products of every fleet. The order never names the last one.
pub const PRODUCTS: [&str; 4] = ["isacompta", "isapaye", "isaged", "tiers"];

/// One release of the catalog.
#[derive(Clone, Debug)]
pub struct DrawnRelease {
    pub product: usize,
    pub major: bool,
    /// A version of the major line whose manifest says minor.
    pub says_minor: bool,
    pub patch: u32,
    /// Hours since its publication; below zero it is still to come.
    pub hours: i64,
    pub minutes: u32,
    pub manual: bool,
    /// ISAPAYE needs ISACOMPTA's second patch, ISAGED comes along with its third.
    pub requires: bool,
    pub along: bool,
    /// It installs over the second patch of its own product only.
    pub from: bool,
    pub retracted: bool,
    /// Servers that have it, servers on which it failed, canaries that have it.
    pub spread: (u32, u32, u32),
    /// Minutes that a number of installations took.
    pub learned: Option<u32>,
}

/// A major asked for: product, patch, days until its date, hours since it came in, and its state.
#[derive(Clone, Debug)]
pub struct DrawnRequest {
    pub product: usize,
    pub patch: u32,
    pub days: i64,
    pub hours: i64,
    /// Accepted, but for one in some.
    pub state: usize,
    pub short_notice: bool,
    /// Only this one of the client's servers.
    pub server: Option<usize>,
}

/// A stop: what is held, hours until it ends.
pub type DrawnHold = (usize, Option<i64>);

/// An agreed slot: server, product, hours until it begins, hours it lasts.
pub type DrawnSlot = (usize, usize, i64, i64);

/// A closed period: days until it begins, further days it lasts, and how many of its days are agreed away, from either
/// end.
pub type DrawnClosed = (i64, i64, Option<(i64, i64)>);

#[derive(Clone, Debug)]
pub struct DrawnServer {
    pub zone: Option<usize>,
    pub canary: bool,
    /// The patch each product is at; `None` where it is not installed.
    pub runs: [Option<u32>; 4],
    /// Hours since the last backup, and whether it is good.
    pub backup: Option<(i64, bool)>,
    /// Failed attempts: product, patch, how many.
    pub failed: Option<(usize, u32, u32)>,
}

#[derive(Clone, Debug)]
pub struct DrawnClient {
    pub schedule: usize,
    pub site: usize,
    pub servers: Vec<DrawnServer>,
    pub closed: Option<DrawnClosed>,
    pub requests: Vec<DrawnRequest>,
    pub agreed: Option<DrawnSlot>,
}

/// What becomes of an action whose slot has come, while time goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is not fetched: its slot goes by.
    Missed,
    Running,
    Installed,
    Failed,
}

#[derive(Clone)]
pub struct Draw {
    /// Minutes since 1 January 2026.
    pub minute: i64,
    pub clients: Vec<DrawnClient>,
    pub releases: Vec<DrawnRelease>,
    pub holds: Vec<DrawnHold>,
    /// Hours that go by after the first planning.
    pub later: i64,
    pub fates: Vec<Fate>,
    /// Hours between backups while time goes by; `None` and there are none.
    pub backs_up: bool,
}

/// On a few lines, whoever prints it.
impl std::fmt::Debug for Draw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Draw { minute, clients, releases, holds, later, fates, backs_up } = self;
        writeln!(
            f,
            "Draw {{ minute: {minute}, holds: {holds:?}, later: {later}, fates: {fates:?}, backs_up: {backs_up},"
        )?;
        clients.iter().try_for_each(|client| writeln!(f, "{client:?},"))?;
        releases.iter().try_for_each(|release| writeln!(f, "{release:?},"))?;
        f.write_str("}")
    }
}

prop_compose! {
    pub fn release()(
        product in prop_oneof![4 => 0..3_usize, 1 => Just(3)], major in prop::bool::weighted(0.3), patch in 1..5_u32,
        hours in -40..120_i64,
        minutes in prop_oneof![4 => 5..60_u32, 1 => 60..400_u32],
        flags in prop::array::uniform6(prop::bool::weighted(0.25)),
        spread in prop_oneof![5 => Just((0, 0, 0)), 1 => (0..40_u32, 0..4_u32, 0..3_u32)],
        learned in prop::option::weighted(0.2, 5..300_u32),
    ) -> DrawnRelease {
        let [manual, requires, along, from, retracted, says_minor] = flags;
        DrawnRelease {
            product, major, says_minor, patch, hours, minutes, manual, requires, along, from, retracted, spread, learned,
        }
    }
}

prop_compose! {
    fn request()(
        product in 0..3_usize, patch in 1..5_u32, days in 0..25_i64, hours in 0..300_i64,
        state in prop_oneof![6 => Just(0), 1 => 1..5_usize], short_notice in any::<bool>(),
        server in prop::option::weighted(0.2, 0..3_usize),
    ) -> DrawnRequest {
        DrawnRequest { product, patch, days, hours, state, short_notice, server }
    }
}

prop_compose! {
    fn server()(
        zone in prop::option::weighted(0.2, 0..2_usize), canary in prop::bool::weighted(0.3),
        runs in prop::array::uniform4(prop_oneof![5 => Just(Some(0)), 1 => Just(Some(2)), 1 => Just(None)]),
        backup in prop::option::weighted(0.9, (0..50_i64, prop::bool::weighted(0.9))),
        failed in prop::option::weighted(0.2, (0..3_usize, 1..5_u32, 1..4_u32)),
    ) -> DrawnServer {
        DrawnServer { zone, canary, runs, backup, failed }
    }
}

/// How many sites there are to draw from.
pub const SITES: usize = 6;

prop_compose! {
    pub fn client(servers: usize)(
        schedule in 0..2_usize, site in 0..SITES, servers in prop::collection::vec(server(), 1..=servers),
        closed in prop::option::weighted(0.3, (-2..3_i64, 0..5_i64, prop::option::of((0..4_i64, 0..4_i64)))),
        requests in prop::collection::vec(request(), 0..3),
        agreed in prop::option::weighted(0.3, (0..3_usize, 0..3_usize, -4..80_i64, 1..12_i64)),
    ) -> DrawnClient {
        DrawnClient { schedule, site, servers, closed, requests, agreed }
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        1 => Just(Fate::Missed), 1 => Just(Fate::Running), 2 => Just(Fate::Installed), 1 => Just(Fate::Failed)
    ]
}

prop_compose! {
    /// A world of up to three clients with up to three servers each.
    pub fn draw()(
        // Fifteen months: every clock change of both hemispheres.
        minute in 0..650_000_i64,
        clients in prop::collection::vec(client(3), 1..=3),
        releases in prop::collection::vec(release(), 0..9),
        holds in prop::collection::vec((0..4_usize, prop::option::of(1..80_i64)), 0..3),
        later in prop_oneof![0..12_i64, 0..60_i64],
        fates in prop::collection::vec(fate(), 1..6),
        backs_up in prop::bool::weighted(0.7),
    ) -> Draw {
        Draw { minute, clients, releases, holds, later, fates, backs_up }
    }
}
