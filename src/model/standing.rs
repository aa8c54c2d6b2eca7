//! What was last decided for a server, kept so that a change of mind is told once and not each time.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was last decided for one server: product → outcome name, the rule that settled it, the version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub server: String,
    pub outcomes: BTreeMap<String, String>,
}
