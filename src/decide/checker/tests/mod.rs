//! The checker against facts worked out by others, against every rule broken once on purpose, and against the planner.

mod calendar;
mod fleet_of_one;
mod law;
mod moments;
mod rules;
mod servers;
mod world;
