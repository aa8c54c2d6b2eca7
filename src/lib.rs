//! # Noctule
//!
//! Keeps the software of many customers up to date under a contract, at night, and can prove it.
//!
//! ```text
//! 4  cli   web   sim        faces
//! 3  work                   load → decide → commit; one file per job
//! 2  edge  ‖  decide        the world ‖ the thinking (siblings: neither sees the other)
//! 1  model                  the nouns
//! ```
//!
//! Imports go downward only; `tests/it/tidy.rs` enforces it.
#![forbid(unsafe_code)]

pub mod cli;
pub mod decide;
pub mod edge;
pub mod model;
pub mod sim;
pub mod web;
pub mod work;
