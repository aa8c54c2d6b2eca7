//! Downloads in parts: some ranges of a file, each from one version of it.
//!
//! A server that does not send exactly the range asked for, of a file of the length and the strong tag expected, sends
//! no parts: what came could belong to another file. Then the file is to be had whole, or not at all.

use super::{DownloadError, Pace, Pieces, Source, Watcher, strong_tag};
use futures_util::StreamExt;
use reqwest::header::{CONTENT_RANGE, HeaderValue, IF_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use std::ops::Range;

/// Parts of one file that are being downloaded.
pub struct Parts<'a> {
    source: &'a Source<'a>,
    watcher: &'a dyn Watcher,
    pace: Pace,
    /// Bytes of the parts asked for so far that are here, and of all of them.
    have: u64,
    want: u64,
}

impl<'a> Parts<'a> {
    pub fn new(source: &'a Source<'a>, watcher: &'a dyn Watcher) -> Parts<'a> {
        Parts { source, watcher, pace: Pace::new(), have: 0, want: 0 }
    }

    /// Adds what is missing of `wanted` to `pieces`. What has arrived when it fails is there, and is not asked for again.
    ///
    /// # Errors
    /// [`DownloadError::NoParts`] when it has to be downloaded whole.
    pub async fn fetch(&mut self, pieces: &mut Pieces, wanted: &[Range<u64>]) -> Result<(), DownloadError> {
        let missing = pieces.missing(wanted);
        self.want += wanted.iter().map(|part| part.end - part.start).sum::<u64>();
        self.have = self.want - missing.iter().map(|part| part.end - part.start).sum::<u64>();
        for part in missing {
            self.part(pieces, part).await?;
        }
        Ok(())
    }

    async fn part(&mut self, pieces: &mut Pieces, part: Range<u64>) -> Result<(), DownloadError> {
        let (path, count) = (pieces.path().to_path_buf(), part.end - part.start);
        let io = |source| DownloadError::Write { path: path.clone(), source };
        if self.watcher.is_over() {
            return Err(DownloadError::Over { have: self.have, want: self.want });
        }
        let mut request = self.source.get().header(RANGE, format!("bytes={}-{}", part.start, part.end - 1));
        if let Some(tag) = pieces.tag().and_then(|tag| HeaderValue::from_str(tag).ok()) {
            request = request.header(IF_RANGE, tag);
        }
        let response = request.send().await?;
        let tag = accept(&response, &part, pieces.size())?.to_owned();
        pieces.begin(&tag, part.clone()).map_err(io)?;
        let mut body = response.bytes_stream();
        let mut came = 0;
        while let Some(piece) = body.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    pieces.cut().map_err(io)?;
                    return Err(error.into());
                }
            };
            self.watcher.moved(piece.len() as u64);
            came += piece.len() as u64;
            if came > count {
                pieces.cut().map_err(io)?;
                return Err(DownloadError::NoParts("sent more than the part asked for"));
            }
            // A few kilobytes for the page cache; nobody else waits for this thread meanwhile.
            pieces.append(&piece).map_err(io)?;
            self.have += piece.len() as u64;
            self.watcher.at(self.have, self.want).await;
            if came < count && self.watcher.is_over() {
                pieces.cut().map_err(io)?;
                return Err(DownloadError::Over { have: self.have, want: self.want });
            }
            self.pace.keep(piece.len(), self.watcher).await;
        }
        if came < count {
            pieces.cut().map_err(io)?;
            return Err(DownloadError::Cut { have: self.have, want: self.want });
        }
        Ok(())
    }
}

/// The tag of an answer that is exactly `part` of a file of `size` bytes.
fn accept<'r>(response: &'r Response, part: &Range<u64>, size: u64) -> Result<&'r str, DownloadError> {
    match response.status() {
        StatusCode::PARTIAL_CONTENT => {}
        StatusCode::OK => return Err(DownloadError::NoParts("sends this file whole only, or has another by now")),
        StatusCode::RANGE_NOT_SATISFIABLE => return Err(DownloadError::NoParts("has a file of another length")),
        status => return Err(DownloadError::Status(status)),
    }
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    if range != Some(&format!("bytes {}-{}/{size}", part.start, part.end - 1)) {
        return Err(DownloadError::NoParts("sent another part than the one asked for"));
    }
    strong_tag(response.headers()).ok_or(DownloadError::NoParts("does not say which version of the file it sends"))
}
