//! A fleet under a virtual clock: `noctule simulate`.
//!
//! Entirely in memory and deterministic from a seed or a scenario file. What decides is the real thing: the planner and
//! its world, reconcile, hand-out, settle and letters. What is played is everything around it: publishers, clients,
//! agents, backups, and whatever goes wrong. Laws of its own ([`laws`]) watch every step, beside the independent
//! checker that watches every plan.

mod agents;
mod asks;
mod book;
mod chance;
mod ends;
mod engine;
mod figures;
mod generate;
mod happening;
mod laws;
mod people;
mod releases;
mod restart;
pub mod scenario;

pub use engine::{Setup, play};
pub use figures::{Figures, Violation};
pub use generate::{Size, generate};
pub use happening::Happening;
