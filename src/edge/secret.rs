//! The one place that makes randomness: secrets of tokens, enrolment codes and signatures.
//!
//! A secret is shown once, when it is made; only its sha256 is ever stored. It has 256 bits, so one round of sha256
//! is enough: there is nothing to guess a slow hash would protect.

use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;
use subtle::ConstantTimeEq;

/// Bytes of randomness in a secret.
const SECRET_BYTES: usize = 32;

/// Hex digits of a signature: 128 bits.
const SIGNATURE_DIGITS: usize = 32;

/// The system's source of randomness does not answer.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no randomness: {0}; no secret can be made now")]
pub struct NoRandomness(getrandom::Error);

/// A fresh secret, as 64 lower-case hex digits.
pub fn generate() -> Result<String, NoRandomness> {
    Ok(hex::encode(random()?))
}

/// A fresh secret, as bytes.
pub fn random() -> Result<[u8; SECRET_BYTES], NoRandomness> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

/// What is stored of a secret: its sha256 in lower-case hex.
pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Writes a key to a file that was not there, for its owner alone, and synced before anybody relies on it.
pub fn keep(path: &Path, key: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(key)?;
    file.sync_all()
}

/// Whether two hashes are equal, in a time that does not depend on where they differ.
pub fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// The signature of `text` under `key`: HMAC-SHA256 (RFC 2104), the first 128 bits in lower-case hex.
pub fn sign(key: &str, text: &str) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key.as_bytes());
    let mut digits = hex::encode(aws_lc_rs::hmac::sign(&key, text.as_bytes()).as_ref());
    digits.truncate(SIGNATURE_DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_only_their_hash_tells_them() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 2 * SECRET_BYTES);
        assert!(same(&hash(&one), &hash(&one)) && !same(&hash(&one), &hash(&other)));
        // FIPS 180-2, the sha256 of "abc".
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_signature_is_of_its_key_and_its_text() {
        // RFC 4231, test case 2.
        assert_eq!(sign("Jefe", "what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c7");
        assert_ne!(sign("a", "text"), sign("b", "text"));
    }
}
