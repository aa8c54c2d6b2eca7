//! The machine a product is installed on: its files, its disk, its services, its probes.
//!
//! Everything here either changes nothing or can be put back; what is about to be changed is first
//! written to the [`journal`]. Nothing here decides what to do next: that is `decide::steps`.

pub mod agent_service;
pub mod archive;
pub mod assembly;
pub mod boot;
pub mod checks;
pub mod command;
pub mod disk;
pub mod entry_name;
pub mod in_place;
pub mod in_use;
pub mod installer;
pub mod journal;
pub mod kept_packages;
pub mod private_folder;
pub mod probes;
pub mod process;
#[cfg(windows)]
pub mod scm;
pub mod services;
pub mod tree;
pub mod unpack;
