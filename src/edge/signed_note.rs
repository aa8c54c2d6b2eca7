//! Signed notes: a text with signatures under it that a person can read, mail and keep.
//!
//! The format is C2SP's `signed-note` with Ed25519 (<https://c2sp.org/signed-note>), as transparency logs and their
//! witnesses use it, so that others can verify what we sign without our program:
//!
//! ```text
//! the text, some lines
//!
//! — NAME BASE64(first 4 bytes of the key's id ‖ signature)
//! ```
//!
//! A key to verify with is one line, `NAME+ID+BASE64(1 ‖ public key)`. Signatures of keys that nobody asked about are
//! left aside, as the specification says.

use super::secret;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";
/// The specification's number for Ed25519.
const ALGORITHM: u8 = 1;
/// Largest key file that is read, in bytes; one of ours has 83.
const KEY_BYTES_MAX: u64 = 4096;

#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{} is no ed25519 key in PKCS#8 DER", .0.display())]
    NotAKey(PathBuf),
    #[error("the system gives no randomness; no key can be made now")]
    Randomness,
    #[error("{0:?} cannot name a key: write one word without + and spaces")]
    Name(String),
    #[error("a key to verify with is one line, NAME+ID+KEY, as the command that made it printed")]
    NotAVerifier,
    #[error("no signature stands under the text: it ends with an empty line and lines that begin with \"\u{2014} \"")]
    Unsigned,
    #[error("it is not signed by {0}")]
    NotBy(String),
    #[error("the signature of {0} is not of this text: it was changed")]
    Forged(String),
}

/// A key that signs notes.
pub struct Signer {
    name: String,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A key that notes are verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    public: Vec<u8>,
}

impl Signer {
    /// Makes a key and writes it, synced and for its owner alone, to a file that was not there.
    pub fn generate(name: &str, path: &Path) -> Result<Signer, NoteError> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| NoteError::Randomness)?;
        let signer = Signer::parse(name, path, pkcs8.as_ref())?;
        secret::keep(path, pkcs8.as_ref()).map_err(|source| NoteError::Io { path: path.to_owned(), source })?;
        Ok(signer)
    }

    /// The key of a file, which signs as `name`.
    pub fn load(name: &str, path: &Path) -> Result<Signer, NoteError> {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(KEY_BYTES_MAX).read_to_end(&mut bytes));
        read.map_err(|source| NoteError::Io { path: path.to_owned(), source })?;
        Signer::parse(name, path, &bytes)
    }

    fn parse(name: &str, path: &Path, pkcs8: &[u8]) -> Result<Signer, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Name(name.to_owned()));
        }
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| NoteError::NotAKey(path.to_owned()))?;
        Ok(Signer { name: name.to_owned(), pair })
    }

    /// What others verify with.
    pub fn verifier(&self) -> Verifier {
        Verifier { name: self.name.clone(), public: self.pair.public_key().as_ref().to_vec() }
    }

    /// The note: `text`, which ends with a new line, and the signature under it.
    pub fn sign(&self, text: &str) -> String {
        let signature = self.pair.sign(text.as_bytes());
        let signed = [&self.verifier().id()[..], signature.as_ref()].concat();
        format!("{text}\n{DASH}{} {}\n", self.name, STANDARD.encode(signed))
    }
}

impl Verifier {
    /// The text of a note, if this key signed it.
    pub fn open<'n>(&self, note: &'n str) -> Result<&'n str, NoteError> {
        let (text, signatures) = split(note)?;
        let mut found = false;
        for line in signatures.lines() {
            let Some((name, encoded)) = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')) else {
                return Err(NoteError::Unsigned);
            };
            let Ok(signed) = STANDARD.decode(encoded) else { return Err(NoteError::Unsigned) };
            let Some(signature) = signed.strip_prefix(&self.id()).filter(|_| name == self.name) else { continue };
            if UnparsedPublicKey::new(&ED25519, &self.public).verify(text.as_bytes(), signature).is_err() {
                return Err(NoteError::Forged(self.name.clone()));
            }
            found = true;
        }
        if found { Ok(text) } else { Err(NoteError::NotBy(self.name.clone())) }
    }

    /// First bytes of the sha256 of the name, a new line, and the key as [`Verifier::encoded`] has it.
    fn id(&self) -> [u8; 4] {
        let mut sha = Sha256::new();
        sha.update(self.name.as_bytes());
        sha.update(b"\n");
        sha.update(self.encoded());
        let [one, two, three, four, ..] = <[u8; 32]>::from(sha.finalize());
        [one, two, three, four]
    }

    fn encoded(&self) -> Vec<u8> {
        [&[ALGORITHM], self.public.as_slice()].concat()
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(self.encoded()))
    }
}

impl FromStr for Verifier {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Verifier, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::NotAVerifier);
        };
        let key = STANDARD.decode(key).map_err(|_| NoteError::NotAVerifier)?;
        let public = key.strip_prefix(&[ALGORITHM]).filter(|public| public.len() == 32 && is_name(name));
        let verifier = Verifier { name: name.to_owned(), public: public.ok_or(NoteError::NotAVerifier)?.to_vec() };
        // The id is a checksum of the rest.
        if hex::encode(verifier.id()) == id { Ok(verifier) } else { Err(NoteError::NotAVerifier) }
    }
}

/// The text of a note, whoever signed it or nobody did.
pub fn text_of(note: &str) -> &str {
    split(note).map_or(note, |(text, _)| text)
}

/// The text with its last new line, and the lines of signatures.
fn split(note: &str) -> Result<(&str, &str), NoteError> {
    let at = note.rfind("\n\n").ok_or(NoteError::Unsigned)?;
    let (text, signatures) = (&note[..=at], &note[at + 2..]);
    if signatures.starts_with(DASH) { Ok((text, signatures)) } else { Err(NoteError::Unsigned) }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(name: &str) -> (tempfile::TempDir, Signer) {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::generate(name, &folder.path().join("key.pk8")).unwrap();
        (folder, signer)
    }

    #[test]
    fn notes_and_keys_of_others_are_understood() {
        // The key of the specification's example.
        let spec = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        assert_eq!(spec.parse::<Verifier>().unwrap().to_string(), spec);
        // The published example of Go's golang.org/x/mod/sumdb/note, with which the format began.
        let go: Verifier = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let text =
            "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        assert_eq!(go.open(&format!("{text}\n\u{2014} PeterNeumann {signature}\n")).unwrap(), text);
    }

    #[test]
    fn what_is_signed_is_opened_by_its_key_alone() {
        let (folder, signer) = signer("example.net");
        let text = "one\n\ntwo\n";
        let note = signer.sign(text);
        assert_eq!(signer.verifier().open(&note).unwrap(), text);
        assert_eq!(text_of(&note), text);
        let again = Signer::load("example.net", &folder.path().join("key.pk8")).unwrap();
        assert_eq!(again.verifier(), signer.verifier());
        let told: Verifier = signer.verifier().to_string().parse().unwrap();
        assert_eq!(told, signer.verifier());
        let (_folder, other) = self::signer("example.net");
        assert!(matches!(other.verifier().open(&note), Err(NoteError::NotBy(_))));
        // Signatures of others may stand beside ours.
        let both = format!("{note}{}", other.sign(text).lines().last().unwrap());
        assert_eq!(signer.verifier().open(&both).unwrap(), text);
        assert_eq!(other.verifier().open(&both).unwrap(), text);
    }

    #[test]
    fn what_was_changed_is_found() {
        let (_folder, signer) = signer("example.net");
        let note = signer.sign("martin 3 abc\n");
        let verifier = signer.verifier();
        let (text, signatures) = split(&note).unwrap();
        for (changed, expected) in [
            (note.replace("martin 3", "martin 2"), "is not of this text"),
            (format!("more\n{note}"), "is not of this text"),
            (text.to_owned(), "no signature"),
            (format!("{text}\n{}", signatures.replace('\u{2014}', "-")), "no signature"),
            (note.replace("example.net", "example.com"), "not signed by"),
        ] {
            let error = verifier.open(&changed).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}: {changed}");
        }
    }

    #[test]
    fn keys_are_written_once_and_for_their_owner() {
        let (folder, _signer) = signer("example.net");
        let path = folder.path().join("key.pk8");
        assert!(matches!(Signer::generate("example.net", &path), Err(NoteError::Io { .. })));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&path, b"no key").unwrap();
        assert!(matches!(Signer::load("example.net", &path), Err(NoteError::NotAKey(_))));
        assert!(matches!(Signer::load("two words", &path), Err(NoteError::Name(_))));
    }

    #[test]
    fn what_is_no_key_to_verify_with_is_refused() {
        let (_folder, signer) = signer("example.net");
        let key = signer.verifier().to_string();
        for wrong in
            [String::new(), "example.net".to_owned(), key.replace("example", "sample"), key[..key.len() - 4].to_owned()]
        {
            assert!(matches!(wrong.parse::<Verifier>(), Err(NoteError::NotAVerifier)), "{wrong}");
        }
    }
}
