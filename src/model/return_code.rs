//! What an installer's exit code means, in the vocabulary of winget's manifests (schema 1.x: `InstallerSuccessCodes`,
//! `ExpectedReturnCodes`), so that what is known of a third party's installer can be taken over word by word.

use serde::{Deserialize, Serialize};

/// What a manifest says about exit codes, beside what is known of the installer's technology.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnCodes {
    /// Further codes of success; 0 always is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub success: Vec<i64>,
    /// Codes of this installer and what they mean; they go before those of its technology.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<Expected>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// As winget writes it: signed, or the same 32 bits unsigned (`2147943568`).
    pub code: i64,
    pub response: Response,
}

/// winget's `ReturnResponse`: every word of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Response {
    PackageInUse,
    PackageInUseByApplication,
    InstallInProgress,
    FileInUse,
    MissingDependency,
    DiskFull,
    InsufficientMemory,
    InvalidParameter,
    NoNetwork,
    ContactSupport,
    RebootRequiredToFinish,
    RebootRequiredForInstall,
    RebootInitiated,
    CancelledByUser,
    AlreadyInstalled,
    Downgrade,
    BlockedByPolicy,
    SystemNotSupported,
    Custom,
}

impl ReturnCodes {
    pub fn is_empty(&self) -> bool {
        self.success.is_empty() && self.expected.is_empty()
    }
}

/// With what an `exe` installer was made: it decides its switches and what its exit codes mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Technology {
    Inno,
    Nsis,
    /// WiX's bundle: speaks for the msi packages it holds.
    Burn,
    /// Nothing is known of it but what the manifest says.
    #[default]
    Plain,
}

/// A code as a process ends with it, or `None` for one that no process can end with: outside both 32-bit ranges.
pub fn exit_code(written: i64) -> Option<i32> {
    let is_unsigned = u32::try_from(written).ok().map(u32::cast_signed);
    i32::try_from(written).ok().or(is_unsigned)
}

impl Response {
    pub const ALL: [Response; 19] = [
        Response::PackageInUse,
        Response::PackageInUseByApplication,
        Response::InstallInProgress,
        Response::FileInUse,
        Response::MissingDependency,
        Response::DiskFull,
        Response::InsufficientMemory,
        Response::InvalidParameter,
        Response::NoNetwork,
        Response::ContactSupport,
        Response::RebootRequiredToFinish,
        Response::RebootRequiredForInstall,
        Response::RebootInitiated,
        Response::CancelledByUser,
        Response::AlreadyInstalled,
        Response::Downgrade,
        Response::BlockedByPolicy,
        Response::SystemNotSupported,
        Response::Custom,
    ];

    /// For the history.
    pub fn words(self) -> &'static str {
        match self {
            Response::PackageInUse => "the product is in use",
            Response::PackageInUseByApplication => "the product is in use by another application",
            Response::InstallInProgress => "another installation is under way",
            Response::FileInUse => "a file that it replaces is in use",
            Response::MissingDependency => "something that it needs is not installed",
            Response::DiskFull => "the disk is full",
            Response::InsufficientMemory => "there is not enough memory",
            Response::InvalidParameter => "it does not understand its arguments",
            Response::NoNetwork => "it needs a network and found none",
            Response::ContactSupport => "its publisher's support has to be asked",
            Response::RebootRequiredToFinish => "a restart of the machine finishes it",
            Response::RebootRequiredForInstall => "the machine has to be restarted first",
            Response::RebootInitiated => "it restarts the machine",
            Response::CancelledByUser => "somebody cancelled it",
            Response::AlreadyInstalled => "a version of it is installed already",
            Response::Downgrade => "a newer version is installed",
            Response::BlockedByPolicy => "a policy of the machine forbids it",
            Response::SystemNotSupported => "it does not run on this system",
            Response::Custom => "its publisher gives the code a meaning of its own",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_wingets_own() {
        let words: Vec<String> =
            Response::ALL.iter().map(|r| serde_json::to_string(r).unwrap().trim_matches('"').to_owned()).collect();
        // `ReturnResponse` of the installer schema, in its order.
        let schema = "packageInUse packageInUseByApplication installInProgress fileInUse missingDependency diskFull \
            insufficientMemory invalidParameter noNetwork contactSupport rebootRequiredToFinish rebootRequiredForInstall \
            rebootInitiated cancelledByUser alreadyInstalled downgrade blockedByPolicy systemNotSupported custom";
        assert_eq!(words.join(" "), schema.split_whitespace().collect::<Vec<_>>().join(" "));
    }

    #[test]
    fn a_code_is_32_bits_in_either_spelling() {
        for (written, code) in [
            (0, Some(0)),
            (3010, Some(3010)),
            (-1, Some(-1)),
            (4_294_967_295, Some(-1)),
            (4_294_967_296, None),
            (2_147_943_568, Some(-2_147_023_728)),
            (-2_147_483_648, Some(i32::MIN)),
            (-2_147_483_649, None),
        ] {
            assert_eq!(exit_code(written), code, "{written}");
        }
    }
}
