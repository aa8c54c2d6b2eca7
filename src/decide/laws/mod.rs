//! The planner's laws over whole worlds: several clients and servers, planned the way the planning job plans them, with
//! what was planned written down and time going by.
//!
//! [`draw`] draws a world, [`world`] makes it of the nouns, [`pass`] plans it and writes down what follows. The laws are
//! tests beside them; what they once found stands in `found` with its smallest case.

mod contract;
mod draw;
mod found;
mod limits;
mod oracle;
mod order;
mod pass;
mod twice;
mod world;

use proptest::test_runner::RngSeed;

/// The same worlds each time, so that a change is judged by itself; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` draw others.
pub(in crate::decide) fn seed() -> RngSeed {
    let asked = std::env::var("PROPTEST_RNG_SEED").ok();
    RngSeed::Fixed(asked.map_or(0, |text| text.parse().expect("PROPTEST_RNG_SEED is a number")))
}
