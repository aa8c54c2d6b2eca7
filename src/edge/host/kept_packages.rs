//! The installer packages that the agent keeps: the one of the version installed, to go back to, and the one under way.
//!
//! `<dir>/<product>/<version>/` holds the package under its own name and the signed manifest that vouches for it.
//! Installers are run from here, so that Windows Installer finds its source again when it repairs or removes.

use super::tree::{TreeError, io_at, remove, sync_folder};
use crate::model::manifest::SignedManifest;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const MANIFEST: &str = "manifest.json";
/// Largest manifest that is read back, in bytes.
const MANIFEST_BYTES_MAX: u64 = 4 << 20;

/// The folder of kept packages.
#[derive(Clone, Debug)]
pub struct KeptPackages {
    dir: PathBuf,
}

/// A package and what its publisher said of it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub signed: SignedManifest,
    pub path: PathBuf,
}

impl KeptPackages {
    pub fn new(dir: PathBuf) -> KeptPackages {
        KeptPackages { dir }
    }

    fn of(&self, product: &str, slug: &str) -> PathBuf {
        self.dir.join(product).join(slug)
    }

    /// Keeps the package at `staged`, proven to be the signed one, and says where it is now. Repeating it starts over.
    pub fn keep(&self, signed: &SignedManifest, staged: &Path) -> Result<PathBuf, TreeError> {
        let manifest = &signed.manifest;
        let folder = self.of(&manifest.product, &manifest.version.slug());
        remove(&folder)?;
        fs::create_dir_all(&folder).map_err(io_at("create", &folder))?;
        let path = folder.join(&manifest.package.file);
        // One file under two names where the disk allows it: packages are large.
        if fs::hard_link(staged, &path).is_err() {
            fs::copy(staged, &path).map_err(io_at("copy", staged))?;
        }
        make_executable(&path).map_err(io_at("make executable", &path))?;
        let description = folder.join(MANIFEST);
        let write = || {
            let mut file = File::create(&description)?;
            file.write_all(&serde_json::to_vec(signed)?)?;
            file.sync_all()?;
            sync_folder(&folder)
        };
        write().map_err(io_at("write", &description))?;
        Ok(path)
    }

    /// The package of a version, when it is kept and still what was signed.
    pub fn find(&self, product: &str, slug: &str) -> Option<Kept> {
        let folder = self.of(product, slug);
        let mut text = Vec::new();
        File::open(folder.join(MANIFEST)).ok()?.take(MANIFEST_BYTES_MAX).read_to_end(&mut text).ok()?;
        let signed: SignedManifest = serde_json::from_slice(&text).ok()?;
        let path = folder.join(&signed.manifest.package.file);
        (digest(&path).ok()? == (signed.size, signed.sha256.clone())).then_some(Kept { signed, path })
    }

    /// Removes the packages of every version of `product` but these; a leftover costs space, nothing else.
    pub fn keep_only(&self, product: &str, slugs: &[&str]) {
        let Ok(entries) = fs::read_dir(self.dir.join(product)) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let is_wanted = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| slugs.contains(&name));
            if !is_wanted && let Err(error) = remove(&path) {
                tracing::warn!(product, %error, "cannot remove an old package");
            }
        }
    }
}

/// Size and sha256 (lower-case hex) of a file.
pub fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok((bytes, hex::encode(hasher.finalize())));
        }
        bytes += n as u64;
        hasher.update(&buffer[..n]);
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> io::Result<()> {
    Ok(())
}
