//! The one integration binary: each module tells one story.

mod agent;
mod databases;
mod golden;
mod planning;
mod schedules;
mod store;
mod tidy;
mod versions;
mod world;
