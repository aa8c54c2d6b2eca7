//! A product that its installer program keeps in one folder of the machine: a copy before, put back byte for byte.
//!
//! Invariants: [`InPlace::take_copy`] leaves a whole copy or none; the folder is only written to by
//! [`InPlace::put_back`] and [`InPlace::keep`], and only where it differs; both may be begun again after an
//! interruption at any point. Owners, modes and times of files go with them (an installer may judge a file by its
//! time). Links and special files are refused before anything is changed: what they lead to is not the product's.
//! Deliberately not here: what an installer changes outside its folder, which its previous package puts right.

use super::tree::{self, TreeError, io_at, remove, sync_folder};
use crate::model::version::Version;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Most files and folders that are copied.
const ENTRIES_MAX: usize = 1_000_000;

#[derive(Debug, thiserror::Error)]
pub enum InPlaceError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error("{} is neither a file nor a folder; the agent cannot put it back", .0.display())]
    NotPlain(PathBuf),
    #[error("{} holds more than {ENTRIES_MAX} files", .0.display())]
    TooMany(PathBuf),
}

/// One product's folder, and where its copy is kept.
#[derive(Clone, Debug)]
pub struct InPlace {
    dir: PathBuf,
    copy: PathBuf,
}

impl InPlace {
    /// `dir` is the folder; `copies` the agent's own, where that of `product` is kept.
    pub fn new(dir: &Path, copies: &Path, product: &str) -> InPlace {
        InPlace { dir: dir.to_path_buf(), copy: copies.join(product) }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the first line of `version_file` says; `None` when it says nothing.
    pub fn observed(&self, version_file: &str) -> Result<Option<Version>, TreeError> {
        tree::version_in(&self.dir, version_file)
    }

    /// Bytes that a copy takes.
    ///
    /// # Errors
    /// When something in the folder could not be put back.
    pub fn bytes(&self) -> Result<u64, InPlaceError> {
        Ok(walk(&self.dir)?.iter().filter(|entry| entry.meta.is_file()).map(|entry| entry.meta.len()).sum())
    }

    /// Copies the folder, or the fact that there is none. Repeating it starts over.
    pub fn take_copy(&self) -> Result<(), InPlaceError> {
        self.forget_copy()?;
        let partial = self.copy.with_extension("partial");
        remove(&partial)?;
        let files = partial.join("files");
        fs::create_dir_all(&partial).map_err(io_at("create", &partial))?;
        if self.dir.exists() {
            mirror(&self.dir, &files)?;
        }
        sync_folder(&partial).map_err(io_at("sync", &partial))?;
        fs::rename(&partial, &self.copy).map_err(io_at("rename", &partial))?;
        let copies = self.copy.parent().unwrap_or(&self.copy);
        Ok(sync_folder(copies).map_err(io_at("sync", copies))?)
    }

    pub fn has_copy(&self) -> bool {
        self.copy.exists()
    }

    /// Makes the folder what its copy is, byte for byte; without a copy it is left alone.
    pub fn put_back(&self) -> Result<(), InPlaceError> {
        let files = self.copy.join("files");
        if files.exists() {
            mirror(&files, &self.dir)?;
        } else if self.copy.exists() {
            remove(&self.dir)?;
        }
        Ok(())
    }

    /// Puts back only what matches one of `patterns`: the customer's own files.
    pub fn keep(&self, patterns: &[String]) -> Result<(), InPlaceError> {
        let (patterns, files) = (tree::patterns(patterns)?, self.copy.join("files"));
        if patterns.is_empty() || !files.exists() {
            return Ok(());
        }
        for entry in walk(&files)?.iter().filter(|entry| entry.meta.is_file() && patterns.is_match(&entry.relative)) {
            let to = self.dir.join(&entry.relative);
            let folder = to.parent().unwrap_or(&to);
            fs::create_dir_all(folder).map_err(io_at("create", folder))?;
            copy(&files.join(&entry.relative), &entry.meta, &to)?;
        }
        Ok(())
    }

    /// Removes the copy. It is whole or gone at every instant.
    pub fn forget_copy(&self) -> Result<(), TreeError> {
        let gone = self.copy.with_extension("gone");
        remove(&gone)?;
        match fs::rename(&self.copy, &gone) {
            Ok(()) => remove(&gone),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(io_at("rename", &self.copy)(e)),
        }
    }
}

struct Entry {
    relative: PathBuf,
    meta: Metadata,
}

/// Everything below `dir`, a folder before what is in it; nothing when there is none.
fn walk(dir: &Path) -> Result<Vec<Entry>, InPlaceError> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let listed = dir.join(&folder);
        let entries = match fs::read_dir(&listed) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && found.is_empty() => return Ok(found),
            entries => entries.map_err(io_at("list", &listed))?,
        };
        for entry in entries {
            let entry = entry.map_err(io_at("list", &listed))?;
            let meta = entry.metadata().map_err(io_at("read", &entry.path()))?;
            let relative = folder.join(entry.file_name());
            if meta.is_dir() {
                folders.push(relative.clone());
            } else if !meta.is_file() {
                return Err(InPlaceError::NotPlain(entry.path()));
            }
            if found.len() == ENTRIES_MAX {
                return Err(InPlaceError::TooMany(dir.to_path_buf()));
            }
            found.push(Entry { relative, meta });
        }
    }
    Ok(found)
}

/// Makes `to` what `from` is. What an installer put in `to` goes, whatever it is; a link goes without what it leads to.
fn mirror(from: &Path, to: &Path) -> Result<(), InPlaceError> {
    let wanted = walk(from)?;
    fs::create_dir_all(to).map_err(io_at("create", to))?;
    remove_others(to, from)?;
    for entry in wanted.iter().filter(|entry| entry.meta.is_dir()) {
        let folder = to.join(&entry.relative);
        fs::create_dir_all(&folder).map_err(io_at("create", &folder))?;
    }
    for entry in wanted.iter().filter(|entry| entry.meta.is_file()) {
        copy(&from.join(&entry.relative), &entry.meta, &to.join(&entry.relative))?;
    }
    // Deepest first: a folder that nobody may write to is closed when it is filled.
    for entry in wanted.iter().rev().filter(|entry| entry.meta.is_dir()) {
        settle(&to.join(&entry.relative), &entry.meta)?;
    }
    let top = fs::metadata(from).map_err(io_at("read", from))?;
    Ok(settle(to, &top)?)
}

/// Removes from `to` what is not in `from`, or is another kind of thing there.
fn remove_others(to: &Path, from: &Path) -> Result<(), TreeError> {
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let listed = to.join(&folder);
        for entry in fs::read_dir(&listed).map_err(io_at("list", &listed))? {
            let entry = entry.map_err(io_at("list", &listed))?;
            let kind = entry.file_type().map_err(io_at("read", &entry.path()))?;
            let relative = folder.join(entry.file_name());
            match fs::symlink_metadata(from.join(&relative)) {
                Ok(wanted) if wanted.is_dir() && kind.is_dir() => folders.push(relative),
                Ok(wanted) if wanted.is_file() && kind.is_file() => {}
                _ if kind.is_dir() => remove(&entry.path())?,
                _ => {
                    allow_writing(&entry.path()).map_err(io_at("remove", &entry.path()))?;
                    fs::remove_file(entry.path()).map_err(io_at("remove", &entry.path()))?;
                }
            }
        }
    }
    Ok(())
}

/// Writes what `from` holds into `to`, which keeps its owner and its rights where it exists.
fn copy(from: &Path, meta: &Metadata, to: &Path) -> Result<(), TreeError> {
    let same = same_bytes(from, to).map_err(io_at("compare", to))?;
    if !same {
        allow_writing(to).map_err(io_at("write", to))?;
        let write = || {
            let mut source = File::open(from)?;
            let mut target = File::options().write(true).create(true).truncate(true).open(to)?;
            io::copy(&mut source, &mut target)?;
            target.set_modified(meta.modified()?)?;
            target.sync_all()
        };
        write().map_err(io_at("copy", from))?;
        tree::sync_folder(to.parent().unwrap_or(to)).map_err(io_at("sync", to))?;
    }
    attributes(to, meta).map_err(io_at("set the owner and mode of", to))
}

fn settle(folder: &Path, meta: &Metadata) -> Result<(), TreeError> {
    attributes(folder, meta).map_err(io_at("set the owner and mode of", folder))?;
    sync_folder(folder).map_err(io_at("sync", folder))
}

/// Whether `b` is a file with the bytes of `a`.
fn same_bytes(a: &Path, b: &Path) -> io::Result<bool> {
    let mut b = match File::open(b) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    let mut a = File::open(a)?;
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut of_a, mut of_b) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let n = a.read(&mut of_a)?;
        if n == 0 {
            return Ok(true);
        }
        b.read_exact(&mut of_b[..n])?;
        if of_a[..n] != of_b[..n] {
            return Ok(false);
        }
    }
}

#[cfg(unix)]
fn attributes(path: &Path, like: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    let now = fs::metadata(path)?;
    if (now.uid(), now.gid()) != (like.uid(), like.gid()) {
        chown(path, Some(like.uid()), Some(like.gid()))?;
    }
    if now.permissions() == like.permissions() { Ok(()) } else { fs::set_permissions(path, like.permissions()) }
}

/// Rights come from the folder on Windows; whether it is read-only is the file's own.
#[cfg(not(unix))]
fn attributes(path: &Path, like: &Metadata) -> io::Result<()> {
    if like.is_dir() || fs::metadata(path)?.permissions() == like.permissions() {
        return Ok(());
    }
    fs::set_permissions(path, like.permissions())
}

/// Windows neither writes to a read-only file nor removes it.
#[cfg(windows)]
#[allow(clippy::permissions_set_readonly_false)] // Windows knows no "for everybody" here
fn allow_writing(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() && meta.permissions().readonly() => {
            let mut permissions = meta.permissions();
            permissions.set_readonly(false);
            fs::set_permissions(path, permissions)
        }
        _ => Ok(()),
    }
}

#[cfg(not(windows))]
fn allow_writing(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[path = "in_place_tests.rs"]
mod tests;
