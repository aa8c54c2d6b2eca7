//! The checker against facts worked out by others, against every rule broken once on purpose, and against the planner.

mod calendar;
mod moments;
mod rules;
mod servers;
mod world;
