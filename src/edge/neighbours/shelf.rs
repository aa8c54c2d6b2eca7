//! What a server keeps for its neighbours, and what it is about to have.
//!
//! `<dir>/<sha256>.zip` or `.files`: packages that were proven, one name more for the file that was staged where the disk
//! allows it. A file is never written to once it is here. The oldest go first when there are too many, and all after a
//! while: a night or two after one server of a site has a package, the others have it.

use super::{Form, Stage, Status};
use crate::edge::host::tree::sync_folder;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// Shared by the agent, which fills it, and its server, which gives from it.
#[derive(Clone, Debug)]
pub struct Shelf {
    dir: PathBuf,
    keep: TimeDelta,
    bytes_max: u64,
    under_way: Arc<watch::Sender<BTreeMap<String, Stage>>>,
}

/// Says that a package is under way here, for as long as it lives.
#[derive(Debug)]
pub struct Claim {
    shelf: Shelf,
    sha256: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shelf.under_way.send_modify(|under_way| {
            under_way.remove(&self.sha256);
        });
    }
}

impl Shelf {
    /// Opens the folder, created when missing.
    pub fn open(dir: PathBuf, keep_days: u32, mib_max: u64) -> io::Result<Shelf> {
        fs::create_dir_all(&dir)?;
        let under_way = Arc::new(watch::Sender::new(BTreeMap::new()));
        Ok(Shelf {
            dir,
            keep: TimeDelta::days(keep_days.into()),
            bytes_max: mib_max.saturating_mul(1 << 20),
            under_way,
        })
    }

    /// Where a package is, or would be.
    pub fn path(&self, sha256: &str, form: Form) -> PathBuf {
        self.dir.join(format!("{sha256}.{}", form.extension()))
    }

    /// Tells the neighbours that this server is about to have a package.
    pub fn claim(&self, sha256: &str) -> Claim {
        self.set(sha256, Stage::Asking);
        Claim { shelf: self.clone(), sha256: sha256.to_owned() }
    }

    /// How far it is with a package that it claimed.
    pub fn set(&self, sha256: &str, stage: Stage) {
        self.under_way.send_if_modified(|under_way| {
            let before = under_way.insert(sha256.to_owned(), stage);
            // Bytes are read when somebody asks; nobody is woken for each piece.
            !matches!((before, stage), (Some(Stage::Moving { .. }), Stage::Moving { .. }))
        });
    }

    pub fn status(&self, sha256: &str) -> Status {
        let length = |form| fs::metadata(self.path(sha256, form)).ok().map(|metadata| (form, metadata.len()));
        Status {
            has: length(Form::Whole).or_else(|| length(Form::Files)),
            under_way: self.under_way.borrow().get(sha256).copied(),
        }
    }

    /// Wakes when the stage of anything changes.
    pub(super) fn news(&self) -> watch::Receiver<BTreeMap<String, Stage>> {
        self.under_way.subscribe()
    }

    /// Keeps the proven package at `staged` for the neighbours; what is too old or too much goes.
    pub fn put(&self, sha256: &str, form: Form, staged: &Path, now: DateTime<Utc>) -> io::Result<()> {
        let path = self.path(sha256, form);
        if !path.exists() {
            let partial = self.dir.join(format!(".{sha256}.partial"));
            let _ = fs::remove_file(&partial);
            if fs::hard_link(staged, &partial).is_err() {
                fs::copy(staged, &partial)?;
            }
            fs::rename(&partial, &path)?;
            sync_folder(&self.dir)?;
        }
        self.tidy(now, &path)
    }

    /// Removes what is too old, and the oldest of what is too much; `newest` stays, if it fits alone.
    fn tidy(&self, now: DateTime<Utc>, newest: &Path) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let written = metadata.modified().map(DateTime::<Utc>::from)?;
            kept.push((entry.path() == newest, written, metadata.len(), entry.path()));
        }
        kept.sort();
        let mut bytes: u64 = kept.iter().map(|(_, _, bytes, _)| bytes).sum();
        for (_, written, length, path) in kept {
            if written + self.keep < now || bytes > self.bytes_max {
                fs::remove_file(path)?;
                bytes -= length;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_when_there_are_too_many_and_all_after_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let staged = dir.path().join("staged");
        let shelf = Shelf::open(dir.path().join("shelf"), 2, 3).unwrap();
        let has = |sha256: &str| shelf.status(sha256).has;
        let written = |hours: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::hours(hours);
        let put = |sha256: &str, mib: usize, hours: i64| {
            let _ = fs::remove_file(&staged);
            fs::write(&staged, vec![0; mib << 20]).unwrap();
            fs::File::options().write(true).open(&staged).unwrap().set_modified(written(hours).into()).unwrap();
            shelf.put(sha256, Form::Whole, &staged, written(hours)).unwrap();
        };
        put("aa", 1, 0);
        put("bb", 2, 1);
        assert!(has("aa").is_some() && has("bb") == Some((Form::Whole, 2 << 20)));
        put("cc", 1, 2);
        assert!(has("aa").is_none() && has("bb").is_some() && has("cc").is_some(), "3 MiB at most");
        put("dd", 0, 2 * 24 + 1);
        assert!(has("bb").is_some(), "two days old to the hour");
        put("ee", 0, 2 * 24 + 2);
        assert!(has("bb").is_none() && has("cc").is_some());
        put("ff", 4, 50);
        assert!(has("ff").is_none(), "more than all that may be kept");
    }

    #[test]
    fn what_is_under_way_is_told_until_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(dir.path().join("shelf"), 1, 1).unwrap();
        let mut news = shelf.news();
        let claim = shelf.claim("aa");
        assert!(news.has_changed().unwrap());
        assert_eq!(shelf.status("aa").under_way, Some(Stage::Asking));
        shelf.set("aa", Stage::Moving { have: 0 });
        news.mark_unchanged();
        shelf.set("aa", Stage::Moving { have: 7 });
        assert!(!news.has_changed().unwrap(), "a few bytes more are no news");
        assert_eq!(shelf.status("aa").under_way, Some(Stage::Moving { have: 7 }));
        drop(claim);
        assert!(news.has_changed().unwrap());
        assert_eq!(shelf.status("aa"), Status::default());
    }
}
