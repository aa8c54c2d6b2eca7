//! Servers of one site give each other what one of them downloaded, over their own network.
//!
//! ```text
//! GET /packages/{sha256}              what this server has of a package, or is about to; waits for news of what it fetches
//! GET /packages/{sha256}/{form}       the bytes: `whole`, or `files` where it was put together from what changed
//! ```
//!
//! Nothing that a neighbour sends is believed: whoever takes a package proves it by what its publisher signed, as if it
//! came from the orchestrator. So the secret of the site protects no server from another; it keeps strangers on the
//! network from taking software that they have no licence for. It never crosses the line: each request carries an
//! HMAC-SHA256 (RFC 2104) of its own path, which opens that path and nothing else, to somebody who has seen the package go
//! by in any case. Packages cross the network in the clear.
//!
//! Two that begin in the same moment settle who fetches by their addresses; at worst both do, which costs what it would
//! without neighbours. Deliberately not here: finding neighbours by themselves, or fetching half from one, half from
//! another.

pub mod ask;
pub mod serve;
pub mod shelf;

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Longest and shortest secret of a site, in bytes.
const SECRET_BYTES_MAX: u64 = 1024;
const SECRET_BYTES_MIN: usize = 16;
/// What a request is signed for, so that the same secret used elsewhere means nothing here.
const PURPOSE: &str = "noctule neighbours 1\n";
/// Scheme of the `Authorization` header.
const SCHEME: &str = "Noctule-Site ";

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("cannot read the secret of the site in {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "the secret of the site in {} is shorter than {SECRET_BYTES_MIN} or longer than {SECRET_BYTES_MAX} bytes; make one with `openssl rand -hex 32`",
        path.display()
    )]
    Length { path: PathBuf },
}

/// What the servers of a site have in common.
#[derive(Clone)]
pub struct SiteSecret(hmac::Key);

impl std::fmt::Debug for SiteSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SiteSecret(…)")
    }
}

impl SiteSecret {
    /// Reads it from a file; space around it does not count.
    ///
    /// # Errors
    /// The file cannot be read, or what it holds can be guessed.
    pub fn read(path: &Path) -> Result<SiteSecret, SecretError> {
        let mut text = Vec::new();
        let read = File::open(path).and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut text));
        read.map_err(|source| SecretError::Read { path: path.to_path_buf(), source })?;
        let secret = text.trim_ascii();
        if secret.len() < SECRET_BYTES_MIN || text.len() as u64 > SECRET_BYTES_MAX {
            return Err(SecretError::Length { path: path.to_path_buf() });
        }
        Ok(SiteSecret(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// The `Authorization` of a request for `path`.
    pub fn authorization(&self, path: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{PURPOSE}{path}").as_bytes());
        format!("{SCHEME}{}", hex::encode(tag))
    }

    /// Whether that of a request for `path` was made with the same secret.
    pub fn opens(&self, authorization: &str, path: &str) -> bool {
        let tag = authorization.strip_prefix(SCHEME).and_then(|tag| hex::decode(tag.trim()).ok());
        tag.is_some_and(|tag| hmac::verify(&self.0, format!("{PURPOSE}{path}").as_bytes(), &tag).is_ok())
    }
}

/// How a server has a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As its publisher packed it: proven by its sha256.
    Whole,
    /// Put together from what changed: proven by the signed list of its files.
    Files,
}

impl Form {
    pub fn name(self) -> &'static str {
        match self {
            Form::Whole => "whole",
            Form::Files => "files",
        }
    }

    /// Of the file it is kept in.
    fn extension(self) -> &'static str {
        match self {
            Form::Whole => "zip",
            Form::Files => "files",
        }
    }
}

/// How far a server is that does not have a package yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "lowercase")]
pub enum Stage {
    /// It asks its neighbours.
    Asking,
    /// It fetches, and has so many bytes.
    Moving { have: u64 },
}

/// What a server says of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Form and length of what it has.
    pub has: Option<(Form, u64)>,
    pub under_way: Option<Stage>,
}

/// The path of a package, or of one of its forms.
fn path(sha256: &str, form: Option<Form>) -> String {
    match form {
        Some(form) => format!("/packages/{sha256}/{}", form.name()),
        None => format!("/packages/{sha256}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_opens_its_own_path_to_those_who_know_the_secret() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        let of = |text: &str| {
            std::fs::write(&file, text).unwrap();
            SiteSecret::read(&file)
        };
        let (site, same, other) =
            (of("0123456789abcdef").unwrap(), of(" 0123456789abcdef\n").unwrap(), of("0123456789abcdeF").unwrap());
        let said = site.authorization("/packages/aa");
        assert!(same.opens(&said, "/packages/aa"));
        assert!(!other.opens(&said, "/packages/aa") && !site.opens(&said, "/packages/ab"));
        for wrong in ["", "Noctule-Site ", "Noctule-Site zz", "Bearer 00", &said[..said.len() - 2]] {
            assert!(!site.opens(wrong, "/packages/aa"), "{wrong:?}");
        }
        assert_eq!(format!("{site:?}"), "SiteSecret(…)");
        assert!(of("0123456789abcde").unwrap_err().to_string().contains("openssl rand"));
        assert!(of(&"x".repeat(1025)).is_err());
        assert!(SiteSecret::read(&dir.path().join("no")).unwrap_err().to_string().contains("cannot read"));
    }
}
