//! The thinking: pure functions, `now` is an argument. Knows nothing of the world.

pub mod calendar;
pub mod notice;
pub mod planner;
pub mod terms;
