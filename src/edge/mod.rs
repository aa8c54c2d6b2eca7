//! The world: clock, store, feeds, packages, mail, the host. Makes no decision.

pub mod clock;
pub mod store;
