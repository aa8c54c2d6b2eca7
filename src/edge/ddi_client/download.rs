//! Downloads: taken up where they were cut, as fast as they may go, watched while they last.
//!
//! The content is not judged here. What has arrived stays on the disk, so that a cut costs what was under way and
//! no more, however often it happens; the part of another file is never continued (`If-Range`).

use super::{DdiClient, DdiError, accept};
use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderValue, IF_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use std::path::Path;
use std::time::Duration;
use tokio::fs;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

/// Who watches a download.
#[async_trait]
pub trait Watcher: Send + Sync {
    /// Most bytes per second as of now; `None` as the line gives.
    fn bytes_per_second_max(&self) -> Option<u64>;

    /// Whether it is not worth while any more. What has arrived is kept.
    fn is_over(&self) -> bool;

    /// So many bytes are here. The download waits until this returns.
    async fn at(&self, have: u64, want: u64);
}

impl DdiClient {
    /// Downloads `want` bytes from `href` to the end of `file`, going on where an earlier try was cut.
    pub async fn download(&self, href: &str, file: &Path, want: u64, watcher: &dyn Watcher) -> Result<(), DdiError> {
        let io = |source| DdiError::Write { path: file.to_path_buf(), source };
        let mut have = fs::metadata(file).await.map_or(0, |m| m.len());
        if have > want {
            fs::remove_file(file).await.map_err(io)?;
            have = 0;
        }
        if have == want && want > 0 {
            return Ok(());
        }
        if watcher.is_over() {
            return Err(DdiError::Over { have, want });
        }
        let response = self.ask_from(href, file, have).await?;
        let resumed = is_rest(&response, have);
        if response.status() == StatusCode::PARTIAL_CONTENT && !resumed {
            // Another piece than asked for: start over at the next try.
            let _ = fs::remove_file(file).await;
            return Err(DdiError::Status { call: "download".to_owned(), status: response.status() });
        }
        if !resumed {
            have = 0;
            keep_tag(&response, file).await.map_err(io)?;
        }
        let mut options = fs::OpenOptions::new();
        let options = if resumed { options.append(true) } else { options.write(true).truncate(true) };
        let mut out = options.create(true).open(file).await.map_err(io)?;
        let mut body = response.bytes_stream();
        let mut free_at = Instant::now();
        while let Some(piece) = body.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    // What has arrived is kept for the next try.
                    out.flush().await.map_err(io)?;
                    return Err(error.into());
                }
            };
            have += piece.len() as u64;
            if have > want {
                drop(out);
                let _ = fs::remove_file(file).await;
                return Err(DdiError::TooMuch(want));
            }
            out.write_all(&piece).await.map_err(io)?;
            watcher.at(have, want).await;
            if have < want && watcher.is_over() {
                out.flush().await.map_err(io)?;
                return Err(DdiError::Over { have, want });
            }
            if let Some(most) = watcher.bytes_per_second_max() {
                free_at = free_at.max(Instant::now()) + time_of(piece.len(), most);
                tokio::time::sleep_until(free_at).await;
            }
        }
        out.flush().await.map_err(io)?;
        out.sync_all().await.map_err(io)?;
        if have < want { Err(DdiError::Cut { have, want }) } else { Ok(()) }
    }

    /// Asks for what is missing behind `have` bytes, or for everything where the part's version is not known.
    async fn ask_from(&self, href: &str, file: &Path, have: u64) -> Result<Response, DdiError> {
        let mut request = self.http.get(self.own(href)?);
        let tag = fs::read_to_string(&file.with_extension("etag")).await.ok();
        if let (1.., Some(tag)) = (have, tag.and_then(|tag| HeaderValue::from_str(&tag).ok())) {
            request = request.header(RANGE, format!("bytes={have}-")).header(IF_RANGE, tag);
        }
        let mut response = request.send().await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            response = self.http.get(self.own(href)?).send().await?;
        }
        accept("download", response)
    }
}

/// Whether an answer is the file from byte `have` on.
fn is_rest(response: &Response, have: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    response.status() == StatusCode::PARTIAL_CONTENT
        && range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")))
}

/// Remembers which version of the file this is; a weak tag names none.
async fn keep_tag(response: &Response, file: &Path) -> std::io::Result<()> {
    let tag_file = file.with_extension("etag");
    let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| !tag.starts_with("W/"));
    match tag {
        Some(tag) => fs::write(&tag_file, tag).await,
        None => {
            // A tag of an earlier version would join two files.
            drop(fs::remove_file(&tag_file).await);
            Ok(())
        }
    }
}

/// How long `bytes` take at `most` bytes per second.
fn time_of(bytes: usize, most: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / most.max(1) as f64)
}
