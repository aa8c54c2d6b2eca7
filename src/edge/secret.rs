//! The one place that makes randomness: secrets of tokens and enrolment codes.
//!
//! A secret is shown once, when it is made; only its sha256 is ever stored. It has 256 bits, so one round of sha256
//! is enough: there is nothing to guess a slow hash would protect.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of randomness in a secret.
const SECRET_BYTES: usize = 32;

/// The system's source of randomness does not answer.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no randomness: {0}; no secret can be made now")]
pub struct NoRandomness(getrandom::Error);

/// A fresh secret, as 64 lower-case hex digits.
pub fn generate() -> Result<String, NoRandomness> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(hex::encode(bytes))
}

/// What is stored of a secret: its sha256 in lower-case hex.
pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Whether two hashes are equal, in a time that does not depend on where they differ.
pub fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
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
}
