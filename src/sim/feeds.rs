//! The demo's publishers: their repositories, and a static file server on loopback in front of them.

use super::packages::{self, Health};
use crate::edge::clock::Clock;
use crate::edge::{manifest_file, publish};
use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The publishers of `manifests/`.
pub(super) const PUBLISHERS: [&str; 3] = ["agiris", "isapaye", "eic"];

/// The manifests the story publishes, as they stand in the project.
const MANIFESTS: [(&str, &str); 10] = [
    ("agiris/isacompta-14.20.003", include_str!("../../manifests/agiris/isacompta-14.20.003.toml")),
    ("agiris/isacompta-14.20.004", include_str!("../../manifests/agiris/isacompta-14.20.004.toml")),
    ("agiris/isacompta-14.20.005", include_str!("../../manifests/agiris/isacompta-14.20.005.toml")),
    ("agiris/isacompta-15.00.001", include_str!("../../manifests/agiris/isacompta-15.00.001.toml")),
    ("agiris/isaged-3.8.1", include_str!("../../manifests/agiris/isaged-3.8.1.toml")),
    ("agiris/isaflux-5.3.1", include_str!("../../manifests/agiris/isaflux-5.3.1.toml")),
    ("agiris/isapedi-7.1.1", include_str!("../../manifests/agiris/isapedi-7.1.1.toml")),
    ("isapaye/isapaye-2027.1", include_str!("../../manifests/isapaye/isapaye-2027.1.toml")),
    ("isapaye/isapaye-2026.2", include_str!("../../manifests/isapaye/isapaye-2026.2.toml")),
    ("eic/eic-11.0A", include_str!("../../manifests/eic/eic-11.0A.toml")),
];

/// Where the publishers' folders are.
pub(super) struct Publishers {
    dir: PathBuf,
    clock: Clock,
}

impl Publishers {
    /// Makes one signed, empty repository for each publisher.
    pub async fn found(dir: &Path, clock: &Clock) -> Result<Publishers, FeedsError> {
        for name in PUBLISHERS {
            publish::init(&dir.join(name), name, &publish::InitOptions::default(), clock.now()).await?;
        }
        Ok(Publishers { dir: dir.to_owned(), clock: clock.clone() })
    }

    /// The root that an orchestrator pins.
    pub fn root(&self, name: &str) -> PathBuf {
        self.dir.join(name).join("repository/metadata/1.root.json")
    }

    /// Builds the package of a manifest and publishes both.
    pub async fn publish(&self, manifest: &str, health: Health) -> Result<(), FeedsError> {
        let text = MANIFESTS.iter().find(|(name, _)| *name == manifest).map_or("", |(_, text)| *text);
        let publisher = manifest.split('/').next().unwrap_or_default();
        let folder = self.dir.join(publisher).join("work");
        std::fs::create_dir_all(&folder).map_err(|source| FeedsError::Io { path: folder.clone(), source })?;
        let path = folder.join(format!("{}.toml", manifest.rsplit('/').next().unwrap_or_default()));
        std::fs::write(&path, text).map_err(|source| FeedsError::Io { path: path.clone(), source })?;
        let parsed = manifest_file::read(&path)?;
        let package =
            packages::build(&folder, &parsed, health).map_err(|source| FeedsError::Io { path: folder, source })?;
        publish::publish(&self.dir.join(publisher), &path, &package, self.clock.now()).await?;
        Ok(())
    }

    pub async fn retract(&self, publisher: &str, product: &str, version: &str, reason: &str) -> Result<(), FeedsError> {
        let version = version.parse().map_err(FeedsError::Version)?;
        publish::retract(&self.dir.join(publisher), product, &version, reason, self.clock.now()).await?;
        Ok(())
    }

    /// The daily job of a publisher: a fresh timestamp, so that its metadata does not expire.
    pub async fn resign(&self) -> Result<(), FeedsError> {
        for name in PUBLISHERS {
            publish::resign(&self.dir.join(name), self.clock.now()).await?;
        }
        Ok(())
    }

    /// Serves the repositories' public halves on loopback until the process ends.
    pub async fn serve(&self) -> Result<SocketAddr, FeedsError> {
        let io = |source| FeedsError::Io { path: self.dir.clone(), source };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(io)?;
        let address = listener.local_addr().map_err(io)?;
        let app = Router::new().route("/{publisher}/{folder}/{file}", get(file)).with_state(self.dir.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(address)
    }
}

async fn file(
    State(dir): State<PathBuf>,
    UrlPath((publisher, folder, file)): UrlPath<(String, String, String)>,
) -> Response {
    let plain = |name: &str| !name.contains(['/', '\\']) && !name.starts_with('.');
    if !PUBLISHERS.contains(&publisher.as_str()) || !["metadata", "targets"].contains(&folder.as_str()) || !plain(&file)
    {
        return StatusCode::NOT_FOUND.into_response();
    }
    match tokio::fs::read(dir.join(publisher).join("repository").join(folder).join(file)).await {
        Ok(bytes) => bytes.into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

#[derive(Debug, thiserror::Error)]
pub enum FeedsError {
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Publish(#[from] publish::PublishError),
    #[error(transparent)]
    Manifest(#[from] manifest_file::ManifestError),
    #[error(transparent)]
    Version(crate::model::version::VersionError),
}
