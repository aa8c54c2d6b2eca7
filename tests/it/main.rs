//! The one integration binary: each module tells one story.

mod golden;
mod tidy;
mod versions;
