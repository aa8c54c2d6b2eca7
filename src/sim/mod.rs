//! Virtual time: the demo, and the world it plays in.
//!
//! Nothing here is a second implementation: publishing, serving, planning, agents and letters are the real ones, on
//! loopback HTTP and a clock that the simulation moves.

pub mod demo;
mod feeds;
pub mod fleet;
mod packages;
mod site;
mod story;
mod telling;
