//! The one place that reads the time.

use chrono::{DateTime, TimeDelta, Utc};
use std::sync::{Arc, Mutex};

/// What time it is. Cloning shares the clock.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that only moves when told (demo, simulation, tests, a frozen look at a database).
    Stepped(Arc<Mutex<DateTime<Utc>>>),
}

impl Clock {
    pub fn stepped(at: DateTime<Utc>) -> Clock {
        Clock::Stepped(Arc::new(Mutex::new(at)))
    }

    /// The present instant, cut to whole milliseconds so that both databases keep it exactly.
    #[allow(clippy::disallowed_methods)] // the one home of the clock
    pub fn now(&self) -> DateTime<Utc> {
        let now = match self {
            Clock::System => Utc::now(),
            Clock::Stepped(at) => *at.lock().expect("no holder of the clock can panic"),
        };
        DateTime::from_timestamp_millis(now.timestamp_millis()).expect("the present is representable")
    }

    /// Moves a stepped clock to `at`; never backwards. Does nothing to the system clock.
    pub fn advance_to(&self, at: DateTime<Utc>) {
        if let Clock::Stepped(now) = self {
            let mut now = now.lock().expect("no holder of the clock can panic");
            *now = (*now).max(at);
        }
    }

    /// Time from `earlier` to now, zero when the clock went back.
    pub fn since(&self, earlier: DateTime<Utc>) -> TimeDelta {
        (self.now() - earlier).max(TimeDelta::zero())
    }
}
