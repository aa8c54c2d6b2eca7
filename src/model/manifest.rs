//! The release manifest: what a publisher writes about one version of one product.
//!
//! Authors write it as TOML (`manifests/<publisher>/<product>-<version>.toml`); publishing turns it
//! into the signed JSON document [`SignedManifest`], which is a TUF target of the publisher's repository.

use super::check::Check;
use super::return_code::{ReturnCodes, Technology};
use super::version::{Change, Scheme, Version};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One version of one product, as authored. Unknown fields are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Product name, one segment of `[a-z0-9-]`.
    pub product: String,
    pub version: Version,
    pub change: Change,
    #[serde(default)]
    pub scheme: Scheme,
    #[serde(default)]
    pub urgency: Urgency,
    /// The last day by which a legal change has to be in place, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_date: Option<NaiveDate>,
    pub notes: Text,
    /// What a technician has to do by hand; its presence makes the release *manual* (`manual-slots`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual_steps: Option<Text>,
    /// What the client has to do on workstations (`servers-only`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workstation_action: Option<Text>,
    /// Whether users cannot work in the application meanwhile (`concertation`).
    #[serde(default)]
    pub closes_access: bool,
    /// The publisher's estimate for the installation itself, in minutes.
    pub duration_minutes: u32,
    /// The publisher's estimate for putting the old version back, in minutes.
    pub rollback_minutes: u32,
    /// Oldest version this release can be installed over; older ones need a stepping stone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_from: Option<Version>,
    /// Products that must have at least this version on the same server first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requirement>,
    /// Products whose release of exactly this version goes in the same slot, all or nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub installs_with: Vec<Companion>,
    #[serde(default)]
    pub platform: Platform,
    pub package: Package,
    pub installer: Installer,
    /// Whether the machine may be restarted for it, within its slot.
    #[serde(default, skip_serializing_if = "Reboot::is_never")]
    pub reboot: Reboot,
    /// Glob patterns, relative to the product's directory, of the customer's own files to keep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preserve: Vec<String>,
    /// Services to stop, in this order; started again in reverse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    pub health: Health,
    pub detect: Detect,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    #[default]
    Normal,
    Security,
    Legal,
}

/// A text for the client: French is required, English optional.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub fr: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    pub product: String,
    pub at_least: Version,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    pub product: String,
    pub version: Version,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// Free disk space the installation needs, in MiB.
    #[serde(default)]
    pub min_free_disk_mib: u64,
}

/// The file that carries the release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// One segment of `[A-Za-z0-9._-]+`.
    pub file: String,
    /// Most bytes the package may unpack to, in MiB.
    #[serde(default = "default_unpacked_mib")]
    pub unpacked_mib_max: u64,
    /// How many entries the package has, folders included. Publishing counts them; agents refuse more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// How many bytes the package unpacks to. Publishing counts them; agents refuse more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpacked_bytes: Option<u64>,
    /// Digest of the list of every file the package unpacks to, with its sha256 (lower-case hex; `edge::host::archive`
    /// has the form). Publishing makes it; an agent that has most of the files fetches the others alone and proves all of
    /// them by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_sha256: Option<String>,
}

fn default_unpacked_mib() -> u64 {
    4096
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Installer {
    /// Unpacked into a new version directory, switched to by renaming one pointer.
    Zip {},
    /// `msiexec` with these further arguments.
    Msi {
        #[serde(default)]
        arguments: Vec<String>,
        #[serde(default, skip_serializing_if = "ReturnCodes::is_empty")]
        return_codes: ReturnCodes,
    },
    /// The package itself is run with these arguments.
    Exe {
        #[serde(default)]
        technology: Technology,
        #[serde(default)]
        arguments: Vec<String>,
        #[serde(default, skip_serializing_if = "ReturnCodes::is_empty")]
        return_codes: ReturnCodes,
    },
}

/// What an installer that wants a restart of the machine gets (`rebootRequiredToFinish`; Windows Installer's 3010).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reboot {
    /// None: the history says that one is required.
    #[default]
    Never,
    /// The agent restarts the machine before it checks, where the server's administrator does not forbid it and the slot
    /// is long enough.
    Allowed,
}

impl Reboot {
    pub fn is_never(&self) -> bool {
        *self == Reboot::Never
    }
}

/// How to tell that the application works (`health-after`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Program and arguments, run in the installed tree; exit code 0 is healthy. `{dir}` is the tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Files that must exist in the installed tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Bound of `command`.
    pub timeout_seconds: u32,
    /// Further questions; `{dir}` in their programs and files is the tree.
    #[serde(default, rename = "check", skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

/// How to tell which version is installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detect {
    /// A file of the installed tree whose first line is the version.
    pub version_file: String,
}

/// The document that is signed: the manifest with what publishing adds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedManifest {
    pub publisher: String,
    /// The contract's *mise à disposition*.
    pub published_at: DateTime<Utc>,
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
    /// Shared with the letters about it.
    pub manifest: Arc<Manifest>,
}

/// Name of the TUF target that carries a manifest: `isacompta-14.20.003.json`.
pub fn target_name(product: &str, version: &Version) -> String {
    format!("{product}-{}.json", version.slug())
}

impl Health {
    /// Longest that asking everything after an installation may take, in seconds; checks are asked side by side.
    pub fn seconds_max(&self) -> i64 {
        let checks = self.checks.iter().filter(|check| check.when().is_after()).map(|check| check.timeout_seconds);
        i64::from(self.timeout_seconds) + checks.max().map_or(0, i64::from)
    }
}

impl Manifest {
    /// Whether a technician has to be there (`manual-slots`).
    pub fn is_manual(&self) -> bool {
        self.manual_steps.is_some()
    }
}

impl Text {
    /// The text in `language` (`fr` or `en`), French where there is no other.
    pub fn get(&self, language: super::fleet::Language) -> &str {
        match language {
            super::fleet::Language::En => self.en.as_deref().unwrap_or(&self.fr),
            super::fleet::Language::Fr => &self.fr,
        }
    }
}
