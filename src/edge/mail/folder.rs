//! Letters as files: `2026-04-29T1501Z-minor-planned-cabinet-morel-12.eml`.
//!
//! A file appears whole or not at all, and a letter written twice is one file.

use super::Outgoing;
use std::io;
use std::path::Path;

/// Longest file name, in bytes, before its ending.
const NAME_BYTES_MAX: usize = 150;

/// Writes one message. The names sort by date.
pub(super) async fn write(folder: &Path, letter: &Outgoing, message: &[u8]) -> io::Result<()> {
    let name = file_name(letter);
    let (unfinished, finished) = (folder.join(format!(".{name}.part")), folder.join(name));
    tokio::fs::create_dir_all(folder).await?;
    let written = async {
        let mut file = tokio::fs::File::create(&unfinished).await?;
        tokio::io::AsyncWriteExt::write_all(&mut file, message).await?;
        file.sync_all().await?;
        drop(file);
        tokio::fs::rename(&unfinished, &finished).await
    };
    let written = written.await;
    if written.is_err() {
        // What is left of it would only confuse; that it may not be there is fine.
        let _ = tokio::fs::remove_file(&unfinished).await;
    }
    written
}

fn file_name(letter: &Outgoing) -> String {
    let slug: String = letter
        .slug
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' })
        .take(NAME_BYTES_MAX)
        .collect();
    format!("{}-{slug}.eml", letter.at.format("%Y-%m-%dT%H%MZ"))
}
