//! Downloads over HTTP: taken up where they were cut, whole or in parts, as fast as they may go, watched while they last.
//!
//! The content is not judged here. What has arrived stays on the disk, so that a cut costs what was under way and
//! no more, however often it happens; the part of another file is never continued (`If-Range`, RFC 9110, 13.1.5).

mod parts;
mod pieces;

pub use parts::Parts;
pub use pieces::{Pieces, View};

use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::{AUTHORIZATION, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use reqwest::{RequestBuilder, Response, StatusCode};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::fs;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use url::Url;

#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error("the line failed: {0}")]
    Http(#[from] reqwest::Error),
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("the server sent more than the {0} bytes expected")]
    TooMuch(u64),
    #[error("the server has {is} bytes of the {want} expected")]
    Short { is: u64, want: u64 },
    #[error("the line broke after {have} of {want} bytes")]
    Cut { have: u64, want: u64 },
    #[error("the time for it was over after {have} of {want} bytes")]
    Over { have: u64, want: u64 },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    /// Only of downloads in parts.
    #[error("the server {0}")]
    NoParts(&'static str),
}

/// Who watches a download.
#[async_trait]
pub trait Watcher: Send + Sync {
    /// Most bytes per second as of now; `None` as the line gives.
    fn bytes_per_second_max(&self) -> Option<u64>;

    /// Whether it is not worth while any more. What has arrived is kept.
    fn is_over(&self) -> bool;

    /// So many bytes came over the line just now.
    fn moved(&self, bytes: u64);

    /// So many bytes are here. The download waits until this returns.
    async fn at(&self, have: u64, want: u64);
}

/// Nobody: as fast as the line gives, to the end.
pub struct Unwatched;

#[async_trait]
impl Watcher for Unwatched {
    fn bytes_per_second_max(&self) -> Option<u64> {
        None
    }

    fn is_over(&self) -> bool {
        false
    }

    fn moved(&self, _: u64) {}

    async fn at(&self, _: u64, _: u64) {}
}

/// Keeps a download to its share of the line.
struct Pace(Instant);

impl Pace {
    fn new() -> Pace {
        Pace(Instant::now())
    }

    /// Waits until another piece may be taken after one of `bytes`.
    async fn keep(&mut self, bytes: usize, watcher: &dyn Watcher) {
        if let Some(most) = watcher.bytes_per_second_max() {
            self.0 = self.0.max(Instant::now()) + Duration::from_secs_f64(bytes as f64 / most.max(1) as f64);
            tokio::time::sleep_until(self.0).await;
        }
    }
}

/// A file of a server.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// Its time-outs bound every wait; a download as a whole has none of its own.
    pub http: &'a reqwest::Client,
    pub url: Url,
    /// Of this file alone, beside what the client always says.
    pub authorization: Option<HeaderValue>,
}

impl Source<'_> {
    fn get(&self) -> RequestBuilder {
        let request = self.http.get(self.url.clone());
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value.clone()),
            None => request,
        }
    }

    /// Downloads its `want` bytes to the end of `file`, going on where an earlier try was cut.
    pub async fn whole(&self, file: &Path, want: u64, watcher: &dyn Watcher) -> Result<(), DownloadError> {
        let io = |source| DownloadError::Write { path: file.to_path_buf(), source };
        let mut have = fs::metadata(file).await.map_or(0, |m| m.len());
        if have > want {
            fs::remove_file(file).await.map_err(io)?;
            have = 0;
        }
        if have == want && want > 0 {
            return Ok(());
        }
        if watcher.is_over() {
            return Err(DownloadError::Over { have, want });
        }
        let response = self.ask_from(file, have).await?;
        let resumed = is_rest(&response, have);
        if response.status() == StatusCode::PARTIAL_CONTENT && !resumed {
            // Another piece than asked for: start over at the next try.
            let _ = fs::remove_file(file).await;
            return Err(DownloadError::Status(response.status()));
        }
        if !resumed {
            have = 0;
            if let Some(is) = response.content_length().filter(|is| *is < want) {
                return Err(DownloadError::Short { is, want });
            }
            keep_tag(&response, file).await.map_err(io)?;
        }
        let mut options = fs::OpenOptions::new();
        let options = if resumed { options.append(true) } else { options.write(true).truncate(true) };
        let mut out = options.create(true).open(file).await.map_err(io)?;
        let mut body = response.bytes_stream();
        let mut pace = Pace::new();
        while let Some(piece) = body.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    // What has arrived is kept for the next try.
                    out.flush().await.map_err(io)?;
                    return Err(error.into());
                }
            };
            watcher.moved(piece.len() as u64);
            have += piece.len() as u64;
            if have > want {
                drop(out);
                let _ = fs::remove_file(file).await;
                return Err(DownloadError::TooMuch(want));
            }
            out.write_all(&piece).await.map_err(io)?;
            watcher.at(have, want).await;
            if have < want && watcher.is_over() {
                out.flush().await.map_err(io)?;
                return Err(DownloadError::Over { have, want });
            }
            pace.keep(piece.len(), watcher).await;
        }
        out.flush().await.map_err(io)?;
        out.sync_all().await.map_err(io)?;
        if have < want { Err(DownloadError::Cut { have, want }) } else { Ok(()) }
    }

    /// Asks for what is missing behind `have` bytes, or for everything where the part's version is not known.
    async fn ask_from(&self, file: &Path, have: u64) -> Result<Response, DownloadError> {
        let mut request = self.get();
        let tag = fs::read_to_string(&file.with_extension("etag")).await.ok();
        if let (1.., Some(tag)) = (have, tag.and_then(|tag| HeaderValue::from_str(&tag).ok())) {
            request = request.header(RANGE, format!("bytes={have}-")).header(IF_RANGE, tag);
        }
        let mut response = request.send().await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            response = self.get().send().await?;
        }
        if response.status().is_success() { Ok(response) } else { Err(DownloadError::Status(response.status())) }
    }
}

/// Whether an answer is the file from byte `have` on.
fn is_rest(response: &Response, have: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    response.status() == StatusCode::PARTIAL_CONTENT
        && range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")))
}

/// The tag that tells this version of a file from any other; a weak one does not (RFC 9110, 8.8.1).
fn strong_tag(headers: &HeaderMap) -> Option<&str> {
    headers.get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| !tag.starts_with("W/"))
}

/// Remembers which version of the file this is.
async fn keep_tag(response: &Response, file: &Path) -> std::io::Result<()> {
    let tag_file = file.with_extension("etag");
    match strong_tag(response.headers()) {
        Some(tag) => fs::write(&tag_file, tag).await,
        None => {
            // A tag of an earlier version would join two files.
            drop(fs::remove_file(&tag_file).await);
            Ok(())
        }
    }
}
