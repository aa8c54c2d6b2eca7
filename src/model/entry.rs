//! An entry of somebody's calendar: when work is done that people have to know of.

use super::slot::Slot;

/// What a calendar shows; who is invited is the envelope's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Stays while its slot changes: calendars know the entry by it.
    pub key: String,
    /// Grows with each change (RFC 5546, 2.1.4).
    pub sequence: u32,
    pub slot: Slot,
    pub summary: String,
    pub description: String,
    pub location: String,
    pub cancelled: bool,
}
