//! The one integration binary: each module tells one story.

mod agent;
mod api;
mod databases;
mod ddi;
mod foreign_client;
mod golden;
mod planning;
mod schedules;
mod site;
mod store;
mod tidy;
mod versions;
mod world;
