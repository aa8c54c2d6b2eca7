//! The installed trees of the products: `<root>/<product>/versions/<slug>/…` and the pointer file
//! `<root>/<product>/current` (text: the slug), replaced atomically.
//!
//! Invariants: a version folder appears whole or not at all (it is filled under a hidden name, made durable,
//! then renamed); the folder the pointer names is never written to nor removed; the pointer holds the
//! old slug or the new one at every instant. Old versions stay until [`Tree::prune`].

use super::archive::Inspected;
use super::entry_name;
use super::unpack::{self, UnpackError};
use crate::model::version::Version;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Longest pointer or version file that is read, in bytes.
const TEXT_BYTES_MAX: u64 = 4096;

#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("cannot {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is not a version folder name; look at the server", path.display())]
    Pointer { path: PathBuf },
    #[error("preserve pattern {pattern:?} is not valid: {source}")]
    Pattern { pattern: String, source: globset::Error },
    #[error("{} is to be preserved but is not a plain file; replace it with one", path.display())]
    NotPlain { path: PathBuf },
    #[error("{} leads out of the installed tree", name)]
    Escapes { name: String },
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

/// The folder of one product.
#[derive(Clone, Debug)]
pub struct Tree {
    dir: PathBuf,
}

/// A release to lay down beside the present one.
pub struct NewVersion<'a> {
    pub slug: &'a str,
    pub package: &'a File,
    /// What the package was judged to be.
    pub inspected: &'a Inspected,
    /// Globs of the customer's own files, copied from the old version.
    pub preserve: &'a [String],
    pub old: Option<&'a str>,
}

impl Tree {
    /// `product` is one segment of `[a-z0-9-]`, as verified manifests have it.
    pub fn new(root: &Path, product: &str) -> Tree {
        Tree { dir: root.join(product) }
    }

    /// Where the files of version `slug` are.
    pub fn version_dir(&self, slug: &str) -> PathBuf {
        self.dir.join("versions").join(slug)
    }

    /// The slug the pointer names, `None` when nothing is installed.
    pub fn current(&self) -> Result<Option<String>, TreeError> {
        let path = self.dir.join("current");
        match read_text(&path) {
            Ok(text) => {
                let slug = text.trim().to_owned();
                if is_slug(&slug) { Ok(Some(slug)) } else { Err(TreeError::Pointer { path }) }
            }
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(TreeError::Io { doing: "read", path, source }),
        }
    }

    /// Lays down a version beside the present one; the pointer is untouched. Repeating it starts over.
    pub fn lay_down(&self, new: &NewVersion<'_>) -> Result<(), TreeError> {
        let patterns = patterns(new.preserve)?;
        let target = self.version_dir(new.slug);
        let versions = self.dir.join("versions");
        fs::create_dir_all(&versions).map_err(io_at("create", &versions))?;
        let partial = versions.join(format!(".{}.partial", new.slug));
        remove(&partial)?;
        remove(&target)?;
        unpack::unpack(new.package, new.inspected, &partial)?;
        if let Some(old) = new.old {
            copy_matching(&self.version_dir(old), &partial, &patterns)?;
        }
        fs::rename(&partial, &target).map_err(io_at("rename", &partial))?;
        for folder in [versions.as_path(), &self.dir, self.dir.parent().unwrap_or(&self.dir)] {
            sync_folder(folder).map_err(io_at("sync", folder))?;
        }
        Ok(())
    }

    /// Points to `slug`, or to nothing.
    pub fn switch_to(&self, slug: Option<&str>) -> Result<(), TreeError> {
        let pointer = self.dir.join("current");
        match slug {
            Some(slug) => {
                let fresh = self.dir.join(".current.new");
                let write = || {
                    let mut file = File::create(&fresh)?;
                    file.write_all(slug.as_bytes())?;
                    file.write_all(b"\n")?;
                    file.sync_all()?;
                    fs::rename(&fresh, &pointer)?;
                    sync_folder(&self.dir)
                };
                write().map_err(io_at("switch", &pointer))
            }
            None => match fs::remove_file(&pointer) {
                Ok(()) => sync_folder(&self.dir).map_err(io_at("sync", &self.dir)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(e) => Err(io_at("remove", &pointer)(e)),
            },
        }
    }

    /// Puts the pointer back on `old` and removes what was laid down for `new`, whole or in part.
    pub fn restore(&self, old: Option<&str>, new: &str) -> Result<(), TreeError> {
        if self.current()?.as_deref() != old {
            self.switch_to(old)?;
        }
        remove(&self.dir.join("versions").join(format!(".{new}.partial")))?;
        remove_if_file(&self.dir.join(".current.new"))?;
        if old != Some(new) {
            remove(&self.version_dir(new))?;
        }
        if old.is_none() {
            // Leaves nothing behind where nothing was; a folder with other versions stays.
            let _ = fs::remove_dir(self.dir.join("versions"));
            let _ = fs::remove_dir(&self.dir);
        }
        Ok(())
    }

    /// Removes every version but those named.
    pub fn prune(&self, keep: &[&str]) -> Result<(), TreeError> {
        let versions = self.dir.join("versions");
        for entry in fs::read_dir(&versions).map_err(io_at("list", &versions))? {
            let entry = entry.map_err(io_at("list", &versions))?;
            if !keep.iter().any(|slug| entry.file_name().to_str() == Some(slug)) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// What the current tree says it is: the first line of `version_file`; `None` when it says nothing.
    pub fn observed(&self, version_file: &str) -> Result<Option<Version>, TreeError> {
        let Some(slug) = self.current()? else { return Ok(None) };
        version_in(&self.version_dir(&slug), version_file)
    }

    /// Makes an existing folder of files the current version `slug`, once; the folder itself stays as it is.
    pub fn adopt(&self, slug: &str, from: &Path) -> Result<(), TreeError> {
        if self.current()?.is_some() {
            return Ok(());
        }
        let versions = self.dir.join("versions");
        fs::create_dir_all(&versions).map_err(io_at("create", &versions))?;
        let partial = versions.join(format!(".{slug}.partial"));
        remove(&partial)?;
        fs::create_dir(&partial).map_err(io_at("create", &partial))?;
        copy_matching(from, &partial, &patterns(&["**".to_owned()])?)?;
        remove(&self.version_dir(slug))?;
        fs::rename(&partial, self.version_dir(slug)).map_err(io_at("rename", &partial))?;
        sync_folder(&versions).map_err(io_at("sync", &versions))?;
        self.switch_to(Some(slug))
    }
}

/// What the first line of `version_file` in `dir` says; `None` when it says nothing.
pub fn version_in(dir: &Path, version_file: &str) -> Result<Option<Version>, TreeError> {
    let path = inside(dir, version_file)?;
    match read_text(&path) {
        Ok(text) => Ok(text.lines().next().and_then(|line| line.parse().ok())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_at("read", &path)(e)),
    }
}

/// `name` below `dir`, refused when it could lead elsewhere.
pub fn inside(dir: &Path, name: &str) -> Result<PathBuf, TreeError> {
    entry_name::check(name).map_err(|_| TreeError::Escapes { name: name.to_owned() })?;
    Ok(dir.join(name))
}

/// Makes a folder's names durable. Windows has no such call and orders them by itself.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(windows) { Ok(()) } else { File::open(path)?.sync_all() }
}

fn is_slug(text: &str) -> bool {
    entry_name::check(text).is_ok() && !text.contains('/') && !text.starts_with('.')
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(TEXT_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Compiles the preserve patterns of a manifest; `*` does not cross a `/`, `**` does.
pub fn patterns(globs: &[String]) -> Result<GlobSet, TreeError> {
    let mut set = GlobSetBuilder::new();
    for pattern in globs {
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map_err(|source| TreeError::Pattern { pattern: pattern.clone(), source })?;
        set.add(glob);
    }
    set.build().map_err(|source| TreeError::Pattern { pattern: globs.join(", "), source })
}

/// Copies the files below `from` that match into the same place below `to`. Links are not followed.
fn copy_matching(from: &Path, to: &Path, patterns: &GlobSet) -> Result<(), TreeError> {
    if patterns.is_empty() {
        return Ok(());
    }
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let listed = from.join(&folder);
        for entry in fs::read_dir(&listed).map_err(io_at("list", &listed))? {
            let entry = entry.map_err(io_at("list", &listed))?;
            let relative = folder.join(entry.file_name());
            let kind = entry.file_type().map_err(io_at("read", &entry.path()))?;
            if kind.is_dir() {
                folders.push(relative);
            } else if patterns.is_match(&relative) {
                if !kind.is_file() {
                    return Err(TreeError::NotPlain { path: entry.path() });
                }
                copy_file(&entry.path(), &to.join(&relative))?;
            }
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<(), TreeError> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(io_at("create", folder))?;
    fs::copy(from, to).map_err(io_at("copy", from))?;
    // A read-only file of the customer is still made durable: a handle that only reads can sync on Unix.
    let handle = if cfg!(windows) { File::options().write(true).open(to) } else { File::open(to) };
    match handle.and_then(|file| file.sync_all()) {
        Ok(()) => {}
        Err(e) if cfg!(windows) && e.kind() == io::ErrorKind::PermissionDenied => {}
        Err(e) => return Err(io_at("sync", to)(e)),
    }
    sync_folder(folder).map_err(io_at("sync", folder))
}

pub(super) fn remove(folder: &Path) -> Result<(), TreeError> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.map_err(io_at("remove", folder)),
    }
}

fn remove_if_file(file: &Path) -> Result<(), TreeError> {
    match fs::remove_file(file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.map_err(io_at("remove", file)),
    }
}

pub(super) fn io_at(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> TreeError {
    let path = path.to_path_buf();
    move |source| TreeError::Io { doing, path: path.clone(), source }
}
