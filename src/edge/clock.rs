//! The one place that reads the time.

use chrono::{DateTime, TimeDelta, Utc};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// What time it is. Cloning shares the clock.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that only moves when told (demo, simulation, tests, a frozen look at a database).
    Stepped(Arc<Mutex<DateTime<Utc>>>),
}

/// An instant by the wall clock and by the one that only goes forward.
#[derive(Clone, Debug)]
pub struct Mark {
    wall: DateTime<Utc>,
    /// `None` where the clock only moves when told: that is time passing.
    steady: Option<Instant>,
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
    /// Now, to compare with later.
    pub fn mark(&self) -> Mark {
        let steady = match self {
            Clock::System => Some(Instant::now()),
            Clock::Stepped(_) => None,
        };
        Mark { wall: self.now(), steady }
    }

    /// How far the wall clock has moved since `mark` otherwise than time went: it was set, or the machine slept.
    pub fn stepped_since(&self, mark: &Mark) -> TimeDelta {
        let Some(steady) = mark.steady else { return TimeDelta::zero() };
        let went = TimeDelta::from_std(steady.elapsed()).unwrap_or(TimeDelta::MAX);
        (self.now() - mark.wall - went).abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_was_set_is_noticed_either_way() {
        let clock = Clock::System;
        let mark = clock.mark();
        assert!(clock.stepped_since(&mark) < TimeDelta::minutes(1));
        for hours in [-3, 3] {
            let set = Mark { wall: mark.wall + TimeDelta::hours(hours), ..mark.clone() };
            assert!(clock.stepped_since(&set) > TimeDelta::minutes(179), "{hours}");
        }
    }
}
