//! Chance that is the same whenever it is asked: each question has its own draw, read from the seed and the question.
//!
//! What happens to one server does not depend on what was asked about another, so that a run can be changed in one
//! place and compared.

/// What a draw is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Client,
    Server,
    Release,
    Backup,
    BackupRepair,
    Silence,
    Install,
    Duration,
    Request,
    Staff,
    Hold,
    Mail,
}

/// How likely each thing is to go wrong, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// A night's backup fails.
    pub backup: u32,
    /// A failed backup is repaired in the night.
    pub backup_repair: u32,
    /// An agent is not heard for a day.
    pub silence: u32,
    /// An installation fails and is rolled back.
    pub rolled_back: u32,
    /// An installation fails and leaves the server degraded.
    pub failed: u32,
    /// An agent never reports the end of an installation.
    pub lost: u32,
    /// Nobody of the staff attends a manual update.
    pub unattended: u32,
    /// The mail server is down for a day.
    pub mail: u32,
}

impl Faults {
    /// A bad year.
    pub const USUAL: Faults = Faults {
        backup: 30,
        backup_repair: 500,
        silence: 10,
        rolled_back: 25,
        failed: 3,
        lost: 4,
        unattended: 60,
        mail: 20,
    };
    pub const NONE: Faults =
        Faults { backup: 0, backup_repair: 0, silence: 0, rolled_back: 0, failed: 0, lost: 0, unattended: 0, mail: 0 };
}

/// Draws from one seed.
#[derive(Clone, Copy, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// A generator for one question.
    pub fn on(self, about: About, a: u64, b: u64) -> fastrand::Rng {
        // Multipliers of the SplitMix64 sequence keep neighbouring questions apart.
        let mut mixed = self.0 ^ (about as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for part in [a, b] {
            mixed = (mixed ^ part).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed ^= mixed >> 31;
        }
        fastrand::Rng::with_seed(mixed)
    }

    /// Whether something with these odds, in thousandths, happens.
    pub fn happens(self, odds: u32, about: About, a: u64, b: u64) -> bool {
        odds > 0 && self.on(about, a, b).u32(0..1000) < odds
    }
}
