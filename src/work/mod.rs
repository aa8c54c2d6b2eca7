//! TODO(module doc)
pub mod agent;
