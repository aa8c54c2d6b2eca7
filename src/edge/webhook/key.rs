//! The keys that calls are signed with, and the file or variable they lie in: `whsec_` and the Base64 of 24 to 64 bytes.
//!
//! Two may stand there, each on its line: calls are signed with both while the receiver changes over.

use crate::edge::{config, secret};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// What says that a text is such a key.
const PREFIX: &str = "whsec_";
/// How long a key may be, in bytes.
const KEY_BYTES: RangeInclusive<usize> = 24..=64;
/// Most keys at once.
const KEYS_MAX: usize = 2;
/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024;

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot read the key from {place}: {what}")]
    Unread { place: String, what: String },
    #[error("{place} holds no key: write whsec_ and the Base64 of 24 to 64 bytes, as `noctule webhook key FILE` does")]
    NoKey { place: String },
    #[error(
        "{place} holds more than {KEYS_MAX} keys: the one in use, and the one before it while a receiver changes over"
    )]
    Many { place: String },
    #[error(transparent)]
    Randomness(#[from] secret::NoRandomness),
    #[error("cannot write the key to {}: {source}", path.display())]
    Unwritten { path: PathBuf, source: std::io::Error },
}

/// Makes a key and writes it, for its owner alone, to a file that was not there.
pub fn generate(path: &Path) -> Result<(), KeyError> {
    let text = format!("{PREFIX}{}\n", STANDARD.encode(secret::random()?));
    secret::keep(path, text.as_bytes()).map_err(|source| KeyError::Unwritten { path: path.to_owned(), source })
}

#[derive(Clone)]
pub(super) struct Keys(Vec<hmac::Key>);

impl Keys {
    pub(super) fn read(settings: &config::Webhook) -> Result<Keys, KeyError> {
        let (place, text) = match (&settings.secret_file, &settings.secret_env) {
            (Some(path), _) => (path.display().to_string(), read(path).map_err(|error| error.to_string())),
            (None, variable) => {
                let variable = variable.as_deref().unwrap_or_default();
                (format!("the variable {variable}"), std::env::var(variable).map_err(|error| error.to_string()))
            }
        };
        let text = text.map_err(|what| KeyError::Unread { place: place.clone(), what })?;
        let keys: Option<Vec<hmac::Key>> = text.split_whitespace().map(parse).collect();
        match keys {
            Some(keys) if keys.len() > KEYS_MAX => Err(KeyError::Many { place }),
            Some(keys) if !keys.is_empty() => Ok(Keys(keys)),
            Some(_) | None => Err(KeyError::NoKey { place }),
        }
    }

    /// The value of `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signed = format!("{id}.{timestamp}.{body}");
        let one = |key: &hmac::Key| format!("v1,{}", STANDARD.encode(hmac::sign(key, signed.as_bytes())));
        self.0.iter().map(one).collect::<Vec<_>>().join(" ")
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn parse(text: &str) -> Option<hmac::Key> {
    let bytes = STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
    KEY_BYTES.contains(&bytes.len()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(path: &Path) -> config::Webhook {
        config::Webhook {
            url: "https://tickets.example.net/".parse().unwrap(),
            secret_file: Some(path.to_owned()),
            secret_env: None,
            ca_file: None,
        }
    }

    #[test]
    fn a_call_is_signed_as_the_specification_shows() {
        // The example of the specification's own libraries.
        let key = parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = r#"{"test": 2432232314}"#;
        let signed = Keys(vec![key]).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let error = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Keys::read(&settings(&path)).map(|_| ()).map_err(|error| error.to_string())
        };
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for good in [24, 64] {
            assert_eq!(error(&format!("{}\n", of(good))), Ok(()), "{good}");
        }
        assert_eq!(error(&format!("{}\r\n{}\n", of(32), of(24))), Ok(()));
        for bad in
            [String::new(), of(23), of(65), of(32)[6..].to_owned(), "whsec_s3cret!".into(), format!("{} x", of(32))]
        {
            let said = error(&bad).unwrap_err();
            assert!(said.contains("holds no key") && !said.contains("s3cret"), "{bad}: {said}");
        }
        assert!(error(&[of(32), of(32), of(32)].join("\n")).unwrap_err().contains("more than 2"));
        std::fs::remove_file(&path).unwrap();
        let error = Keys::read(&settings(&path)).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("cannot read the key from "), "{error}");
    }

    #[test]
    fn a_key_that_is_made_signs_and_takes_nothing_elses_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        generate(&path).unwrap();
        assert_eq!(Keys::read(&settings(&path)).unwrap().0.len(), 1);
        let kept = std::fs::read(&path).unwrap();
        assert!(matches!(generate(&path), Err(KeyError::Unwritten { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), kept);
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777, 0o600);
    }
}
