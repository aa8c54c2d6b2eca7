//! A TUF repository behind HTTP, every download bounded: a publisher's own, or the mirror that agents read.

use futures_util::StreamExt;
use sigstore_tuf::transport::FetchFuture;
use sigstore_tuf::{Error as TufError, Repository};
use std::time::Duration;
use url::Url;

/// Longest one file of metadata may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Where a repository is said to be is no URL.
#[derive(Debug, thiserror::Error)]
#[error("{url} is not a URL: {source}")]
pub struct NotAnAddress {
    url: String,
    source: url::ParseError,
}

/// `metadata/` and `targets/` below a base URL, every download bounded.
pub struct HttpRepository {
    http: reqwest::Client,
    /// Both end with a slash.
    metadata: Url,
    targets: Url,
}

impl HttpRepository {
    /// The repository below `url`; `http` carries what authorization there is.
    pub fn new(http: reqwest::Client, url: &str) -> Result<HttpRepository, NotAnAddress> {
        let url = url.trim_end_matches('/');
        HttpRepository::at(http, &format!("{url}/metadata"), &format!("{url}/targets"))
    }

    /// A repository whose two folders lie in different places.
    pub fn at(http: reqwest::Client, metadata: &str, targets: &str) -> Result<HttpRepository, NotAnAddress> {
        let folder = |url: &str| {
            Url::parse(&format!("{}/", url.trim_end_matches('/')))
                .map_err(|source| NotAnAddress { url: url.to_owned(), source })
        };
        Ok(HttpRepository { http, metadata: folder(metadata)?, targets: folder(targets)? })
    }

    async fn get(&self, folder: &Url, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, TufError> {
        let failed = |e: reqwest::Error| TufError::transport_with_source(format!("cannot fetch {name}"), e);
        let url = folder.join(name).map_err(|e| TufError::transport_with_source("bad address", e))?;
        let response = self.http.get(url).timeout(CALL_TIMEOUT).send().await.map_err(failed)?;
        // Object stores answer 403 for what is not there.
        if matches!(response.status(), reqwest::StatusCode::NOT_FOUND | reqwest::StatusCode::FORBIDDEN) {
            return Ok(None);
        }
        if !response.status().is_success() {
            return Err(TufError::transport(format!("{name}: the server answered {}", response.status())));
        }
        let mut bytes = Vec::new();
        let mut body = response.bytes_stream();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece.map_err(failed)?);
            if bytes.len() as u64 > bytes_max {
                // Not a passing trouble: the length is part of what was signed.
                return Err(TufError::IntegrityMismatch(format!("{name} is longer than {bytes_max} bytes")));
            }
        }
        Ok(Some(bytes))
    }
}

impl Repository for HttpRepository {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(self.get(&self.metadata, name, max_length))
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(self.get(&self.targets, path, max_length))
    }
}
