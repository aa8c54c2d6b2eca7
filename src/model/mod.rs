//! The nouns: plain data, one file each, named as the glossary names them.
//!
//! No I/O, no async, no clock. States are enums whose transitions check where they start.
//! What is persisted derives serde; its JSON is the stored form, so a change here is a migration.

pub mod agreement;
pub mod alert;
pub mod asker;
pub mod call;
pub mod check;
pub mod checkpoint;
pub mod closed;
pub mod concertation;
pub mod decision;
pub mod deployment;
pub mod entry;
pub mod event;
pub mod feed;
pub mod fleet;
pub mod hold;
pub mod manifest;
pub mod notice;
pub mod release;
pub mod report;
pub mod request;
pub mod return_code;
pub mod rule;
pub mod schedule;
pub mod slot;
pub mod standing;
pub mod transfer;
pub mod version;
