//! The one integration binary: each module tells one story.

mod golden;
mod schedules;
mod tidy;
mod versions;
