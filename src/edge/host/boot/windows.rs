//! The name of this start of Windows, in a key of the registry that does not outlive it (`REG_OPTION_VOLATILE`).
//!
//! Source: Microsoft Learn, `RegCreateKeyExW`.

use crate::edge::clock::Clock;
use std::io;
use windows_registry::LOCAL_MACHINE;

/// A key of its own, not below one that an installer might want to keep.
const KEY: &str = r"SOFTWARE\NoctuleAgentBoot";
const VALUE: &str = "Name";

/// The name that was given in this start, or a new one.
pub fn of_system() -> io::Result<String> {
    let key = LOCAL_MACHINE.options().read().write().create().volatile().open(KEY).map_err(io::Error::from)?;
    if let Ok(name) = key.get_string(VALUE) {
        return Ok(name);
    }
    // No two starts of a machine give the same one.
    let name = format!("{}-{}", Clock::System.now().timestamp_millis(), std::process::id());
    key.set_string(VALUE, &name).map_err(io::Error::from)?;
    Ok(name)
}
