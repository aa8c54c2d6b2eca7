//! The files of a feed in memory, in place of the TUF client's cache on disk.

use crate::edge::store::FeedFile;
use sigstore_tuf::{Error as TufError, MetadataStore};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The files of one publisher while a refresh runs, named as the mirror serves them. It cannot fail to keep one:
/// what was verified is written afterwards, in the transaction that also writes the releases.
#[derive(Clone, Default)]
pub(super) struct Shelf {
    files: Arc<Mutex<Files>>,
}

/// Name → bytes, and whether they are new.
type Files = BTreeMap<String, (Vec<u8>, bool)>;

impl Shelf {
    pub fn of(known: Vec<FeedFile>) -> Shelf {
        let files = known.into_iter().map(|file| (file.name, (file.bytes, false))).collect();
        Shelf { files: Arc::new(Mutex::new(files)) }
    }

    /// A shelf of metadata named as the TUF client names it.
    pub fn named(known: BTreeMap<String, Vec<u8>>) -> Shelf {
        let files = known.into_iter().map(|(name, bytes)| (format!("metadata/{name}"), (bytes, false))).collect();
        Shelf { files: Arc::new(Mutex::new(files)) }
    }

    pub fn keep_root(&self, version: u64, bytes: &[u8]) {
        let name = format!("metadata/{version}.root.json");
        if self.read(&name).is_none() {
            self.write(name, bytes.to_owned());
        }
    }

    /// Gives the files that the client keeps under one name their names on the mirror too, where whoever reads it
    /// expects consistent snapshots.
    pub fn name_versions(&self, versions: [(&str, u64); 2]) {
        for (role, version) in versions {
            if let Some(bytes) = self.read(&format!("metadata/{role}.json")) {
                self.write(format!("metadata/{version}.{role}.json"), bytes);
            }
        }
    }

    pub fn target(&self, file: &str) -> Option<Vec<u8>> {
        self.read(&format!("targets/{file}"))
    }

    pub fn keep_target(&self, file: &str, bytes: Vec<u8>) {
        self.write(format!("targets/{file}"), bytes);
    }

    /// What is new or changed since the shelf was filled.
    pub fn news(&self, publisher: &str) -> Vec<FeedFile> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = files.iter().filter(|(_, (_, new))| *new);
        changed
            .map(|(name, (bytes, _))| FeedFile {
                publisher: publisher.to_owned(),
                name: name.clone(),
                bytes: bytes.clone(),
            })
            .collect()
    }

    /// Everything, new or not.
    pub fn all(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.iter().map(|(name, (bytes, _))| (name.clone(), bytes.clone())).collect()
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).get(name).map(|(bytes, _)| bytes.clone())
    }

    fn write(&self, name: String, bytes: Vec<u8>) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let same = files.get(&name).is_some_and(|(known, _)| *known == bytes);
        if !same {
            files.insert(name, (bytes, true));
        }
    }

    /// Where a name of the TUF client lies on the mirror; targets are kept by [`Shelf::keep_target`].
    fn place(name: &str) -> Option<String> {
        match name.strip_prefix("root_history/") {
            Some(root) => Some(format!("metadata/{root}")),
            None if name.starts_with("targets/") => None,
            None => Some(format!("metadata/{name}")),
        }
    }
}

impl MetadataStore for Shelf {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, TufError> {
        Ok(Shelf::place(name).and_then(|place| self.read(&place)))
    }

    fn store(&self, name: &str, bytes: &[u8]) -> Result<(), TufError> {
        if let Some(place) = Shelf::place(name) {
            self.write(place, bytes.to_owned());
        }
        Ok(())
    }
}
