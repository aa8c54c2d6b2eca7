//! The thinking: pure functions, `now` is an argument. Knows nothing of the world.

pub mod almanac;
pub mod calendar;
pub mod closed;
pub mod durations;
pub mod escalation;
pub mod feed_health;
pub mod handout;
pub mod holidays;
pub mod letters;
pub mod load;
pub mod notice;
pub mod planner;
pub mod reconcile;
pub mod retry;
pub mod rollout;
pub mod settle;
pub mod steps;
pub mod terms;
pub mod window;
mod window_lint;
pub mod world;
