//! From an installer's exit code to what happens next: one table for msi, Inno Setup, NSIS and what a manifest adds.
//!
//! A code only says how the installer ended. Whether the new version runs is what the check and the machine say: a code of
//! success is followed by the check, never by a report. What changed nothing of the machine's programs may be tried again
//! in the slot, a bounded number of times; whatever else did not succeed is put back.
//!
//! Sources: winget-cli's default return codes for msi, wix, burn and inno; Windows Installer's error codes; Inno Setup's
//! "Setup Exit Codes"; NSIS' "Error levels".

use crate::model::manifest::Installer;
use crate::model::return_code::{Response, ReturnCodes, Technology, exit_code};

/// What follows the end of an installer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// The check decides.
    Check,
    /// The check decides, after a restart of the machine where the manifest and the slot allow it ([`super::reboot`]).
    CheckThenReboot,
    /// The installer restarts the machine by itself; the check comes after that.
    CheckAfterReboot,
    /// Something else is under way for a moment: once more, later in the slot.
    TryAgain,
    /// The machine is not ready for it. It is put back and tried another night; the release is not to blame.
    Postpone,
    /// It failed: it is put back, and planned again as any failure is.
    Restore,
    /// It is put back, and trying again will end the same until somebody changes something.
    RestoreForStaff,
}

/// An exit code, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Understood {
    pub follows: Follows,
    /// One sentence for the history: `exit code 1618: another installation is under way`.
    pub says: String,
}

/// What `code` means for this installer, by its manifest, then by its technology. A zip has no installer to end.
pub fn understand(installer: &Installer, code: i32) -> Understood {
    let none = ReturnCodes::default();
    let (codes, technology) = match installer {
        Installer::Zip {} => (&none, Known::Nothing),
        Installer::Msi { return_codes, .. } => (return_codes, Known::Msi),
        Installer::Exe { return_codes, technology, .. } => {
            let known = match technology {
                Technology::Inno => Known::Inno,
                Technology::Nsis => Known::Nsis,
                Technology::Burn => Known::Msi,
                Technology::Plain => Known::Nothing,
            };
            (return_codes, known)
        }
    };
    let is_code = |written: i64| exit_code(written) == Some(code);
    if code == 0 || codes.success.iter().any(|written| is_code(*written)) {
        return Understood { follows: Follows::Check, says: format!("exit code {code}: success") };
    }
    let own = codes.expected.iter().find(|expected| is_code(expected.code)).map(|expected| expected.response);
    match own.or_else(|| technology.response(code)) {
        Some(response) => {
            Understood { follows: follows(response), says: format!("exit code {code}: {}", response.words()) }
        }
        None => {
            let words = technology.words(code).unwrap_or("a failure that its manifest does not explain");
            Understood { follows: Follows::Restore, says: format!("exit code {code}: {words}") }
        }
    }
}

/// Whether a manifest says of its installer that it restarts the machine by itself. That it may is said of installers
/// that the agent cannot keep from it: Windows Installer and its bundles are told not to.
pub fn restarts_by_itself(installer: &Installer) -> bool {
    match installer {
        Installer::Zip {} => false,
        Installer::Msi { return_codes, .. } | Installer::Exe { return_codes, .. } => {
            return_codes.expected.iter().any(|expected| expected.response == Response::RebootInitiated)
        }
    }
}

fn follows(response: Response) -> Follows {
    match response {
        // What the machine says it runs decides whether that is the right one.
        Response::AlreadyInstalled => Follows::Check,
        Response::RebootRequiredToFinish => Follows::CheckThenReboot,
        Response::RebootInitiated => Follows::CheckAfterReboot,
        Response::PackageInUse
        | Response::PackageInUseByApplication
        | Response::InstallInProgress
        | Response::FileInUse => Follows::TryAgain,
        Response::DiskFull
        | Response::InsufficientMemory
        | Response::NoNetwork
        | Response::RebootRequiredForInstall
        | Response::CancelledByUser => Follows::Postpone,
        Response::MissingDependency
        | Response::InvalidParameter
        | Response::ContactSupport
        | Response::Downgrade
        | Response::BlockedByPolicy
        | Response::SystemNotSupported
        | Response::Custom => Follows::RestoreForStaff,
    }
}

/// Whose codes are known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Msi,
    Inno,
    Nsis,
    Nothing,
}

impl Known {
    fn response(self, code: i32) -> Option<Response> {
        let response = match (self, code) {
            (Known::Msi, 87 | 1628 | 1639 | 1650) => Response::InvalidParameter,
            (Known::Msi, 112) => Response::DiskFull,
            (Known::Msi, 1601) => Response::ContactSupport,
            (Known::Msi, 1602) => Response::CancelledByUser,
            (Known::Msi, 1618) => Response::InstallInProgress,
            (Known::Msi, 1623 | 1633 | 1654) => Response::SystemNotSupported,
            (Known::Msi, 1625 | 1640 | 1643 | 1644 | 1648) => Response::BlockedByPolicy,
            (Known::Msi, 1638) => Response::AlreadyInstalled,
            (Known::Msi, 1641) => Response::RebootInitiated,
            (Known::Msi, 3010) => Response::RebootRequiredToFinish,
            (Known::Inno, 2 | 5) => Response::CancelledByUser,
            (Known::Inno, 8) => Response::RebootRequiredForInstall,
            (Known::Nsis, 1) => Response::CancelledByUser,
            (Known::Msi | Known::Inno | Known::Nsis | Known::Nothing, _) => return None,
        };
        Some(response)
    }

    /// What a failure without a word of winget's says.
    fn words(self, code: i32) -> Option<&'static str> {
        match (self, code) {
            (Known::Msi, 1603) => Some("a fatal error during the installation; its log says which"),
            (Known::Msi, 1619) => Some("the package cannot be opened"),
            (Known::Msi, 1620) => Some("the package is no Windows Installer package"),
            (Known::Msi, 1622) => Some("its log cannot be written"),
            (Known::Msi, 1632) => Some("the folder for temporary files cannot be used"),
            (Known::Inno, 1) => Some("the setup could not begin"),
            (Known::Inno, 3 | 4) => Some("a fatal error during the installation; its log says which"),
            (Known::Inno, 6) => Some("the setup was ended from outside"),
            (Known::Inno, 7) => Some("the setup found that it cannot go on"),
            (Known::Nsis, 2) => Some("the setup's script gave up"),
            (Known::Msi | Known::Inno | Known::Nsis | Known::Nothing, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Follows::{Check, CheckAfterReboot, CheckThenReboot, Postpone, Restore, RestoreForStaff, TryAgain};

    #[track_caller]
    fn check(installer: &str, table: &[(i32, Follows, &str)]) {
        let installer: Installer = toml::from_str(installer).unwrap();
        for (code, follows, says) in table {
            let understood = understand(&installer, *code);
            assert_eq!(understood.follows, *follows, "{code}: {}", understood.says);
            assert!(understood.says.starts_with(&format!("exit code {code}: ")), "{}", understood.says);
            assert!(understood.says.contains(says), "{}", understood.says);
        }
    }

    #[test]
    fn every_known_code_of_each_technology() {
        let msi = [
            (0, Check, "success"),
            (87, RestoreForStaff, "arguments"),
            (112, Postpone, "disk is full"),
            (1601, RestoreForStaff, "support"),
            (1602, Postpone, "cancelled"),
            (1603, Restore, "fatal error"),
            (1618, TryAgain, "another installation"),
            (1619, Restore, "cannot be opened"),
            (1620, Restore, "no Windows Installer package"),
            (1622, Restore, "log cannot be written"),
            (1623, RestoreForStaff, "this system"),
            (1625, RestoreForStaff, "policy"),
            (1628, RestoreForStaff, "arguments"),
            (1632, Restore, "temporary files"),
            (1633, RestoreForStaff, "this system"),
            (1638, Check, "installed already"),
            (1639, RestoreForStaff, "arguments"),
            (1640, RestoreForStaff, "policy"),
            (1641, CheckAfterReboot, "restarts the machine"),
            (1643, RestoreForStaff, "policy"),
            (1644, RestoreForStaff, "policy"),
            (1648, RestoreForStaff, "policy"),
            (1650, RestoreForStaff, "arguments"),
            (1654, RestoreForStaff, "this system"),
            (3010, CheckThenReboot, "finishes it"),
            (1, Restore, "does not explain"),
            (-1, Restore, "does not explain"),
            (1604, Restore, "does not explain"),
        ];
        check("kind = 'msi'", &msi);
        check("kind = 'exe'\ntechnology = 'burn'", &msi);
        let inno = [
            (0, Check, "success"),
            (1, Restore, "could not begin"),
            (2, Postpone, "cancelled"),
            (3, Restore, "fatal error"),
            (4, Restore, "fatal error"),
            (5, Postpone, "cancelled"),
            (6, Restore, "from outside"),
            (7, Restore, "cannot go on"),
            (8, Postpone, "restarted first"),
            (9, Restore, "does not explain"),
            (3010, Restore, "does not explain"),
        ];
        check("kind = 'exe'\ntechnology = 'inno'", &inno);
        let nsis =
            [(0, Check, "success"), (1, Postpone, "cancelled"), (2, Restore, "gave up"), (3, Restore, "not explain")];
        check("kind = 'exe'\ntechnology = 'nsis'", &nsis);
        check("kind = 'exe'", &[(0, Check, "success"), (1, Restore, "not explain"), (1618, Restore, "not explain")]);
    }

    #[test]
    fn every_word_of_winget_has_what_follows_it() {
        let next = |response: Response| {
            let word = serde_json::to_string(&response).unwrap();
            let text = format!("kind = 'exe'\nreturn_codes.expected = [{{ code = 9, response = {word} }}]");
            let understood = understand(&toml::from_str(&text).unwrap(), 9);
            assert!(understood.says.ends_with(response.words()), "{}", understood.says);
            understood.follows
        };
        let follow: Vec<Follows> = Response::ALL.into_iter().map(next).collect();
        let expected = [
            TryAgain,         // packageInUse
            TryAgain,         // packageInUseByApplication
            TryAgain,         // installInProgress
            TryAgain,         // fileInUse
            RestoreForStaff,  // missingDependency
            Postpone,         // diskFull
            Postpone,         // insufficientMemory
            RestoreForStaff,  // invalidParameter
            Postpone,         // noNetwork
            RestoreForStaff,  // contactSupport
            CheckThenReboot,  // rebootRequiredToFinish
            Postpone,         // rebootRequiredForInstall
            CheckAfterReboot, // rebootInitiated
            Postpone,         // cancelledByUser
            Check,            // alreadyInstalled
            RestoreForStaff,  // downgrade
            RestoreForStaff,  // blockedByPolicy
            RestoreForStaff,  // systemNotSupported
            RestoreForStaff,  // custom
        ];
        assert_eq!(follow, expected);
    }

    #[test]
    fn the_manifest_knows_its_installer_best() {
        let msi = "kind = 'msi'\nreturn_codes = { success = [3010, 4294967295], expected = [
            { code = 1603, response = 'fileInUse' }, { code = 2147943568, response = 'diskFull' }] }";
        check(
            msi,
            &[
                (3010, Check, "success"),
                (-1, Check, "success"),
                (1603, TryAgain, "in use"),
                (-2_147_023_728, Postpone, "disk is full"),
                (1618, TryAgain, "another installation"),
            ],
        );
    }
}
