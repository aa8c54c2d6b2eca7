//! Reads what the server hands out into an [`Order`], and says when that is meant to happen.
//!
//! The server's word decides only which signed release to look at, and when; never what is installed.

use crate::decide::steps::{Order, Part};
use crate::edge::agent_file::is_product_name;
use crate::edge::ddi_client::messages::{Chunk, DeploymentBase};
use crate::model::manifest::SignedManifest;
use crate::model::slot::Slot;
use chrono::{DateTime, Utc};

/// Most products of one group.
const PARTS_MAX: usize = 32;
const MANIFEST: &str = "noctule.manifest";
const PUBLISHER: &str = "noctule.publisher";

/// What to do with an order now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Download ahead, install nothing.
    Stage,
    Install,
}

/// Reads a deployment, or says in one sentence what is wrong with it.
pub fn read(handed: &DeploymentBase) -> Result<Order, String> {
    let chunks = &handed.deployment.chunks;
    if chunks.is_empty() || chunks.len() > PARTS_MAX {
        return Err(format!("the deployment has {} parts; between 1 and {PARTS_MAX} are expected", chunks.len()));
    }
    let parts: Vec<Part> = chunks.iter().map(part).collect::<Result<_, _>>()?;
    for (at, part) in parts.iter().enumerate() {
        if parts[..at].iter().any(|earlier| earlier.product == part.product) {
            return Err(format!("the deployment names {} twice", part.product));
        }
    }
    // The group shares one slot; should parts differ, what all of them allow.
    let start = bound(chunks, "noctule.slot.not_before", Ord::max)?;
    let end = bound(chunks, "noctule.slot.not_after", Ord::min)?;
    let slot = match (start, end) {
        (Some(start), Some(end)) => Some(Slot::new(start, end).ok_or("the deployment's slot is empty")?),
        (None, None) => None,
        _ => return Err("the deployment gives only one end of its slot".to_owned()),
    };
    let backup_not_before = bound(chunks, "noctule.backup.not_before", Ord::max)?;
    Ok(Order { action: handed.id.clone(), slot, backup_not_before, parts })
}

/// Whether the order is for now; the agent's own clock has the last word on a slot that has not opened.
pub fn when(handed: &DeploymentBase, order: &Order, now: DateTime<Utc>) -> When {
    let closed = handed.deployment.update == "skip"
        || handed.deployment.maintenance_window.as_deref() == Some("unavailable")
        || order.slot.is_some_and(|slot| now < slot.start);
    if closed { When::Stage } else { When::Install }
}

/// Whether what is staged may be begun without the server, when the line is dead in its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    Yes,
    No,
}

/// What the server says of that: every part has to be allowed to.
pub fn may_go_alone(handed: &DeploymentBase) -> Alone {
    let allowed = |chunk: &Chunk| chunk.metadatum("noctule.offline") == Some("allowed");
    if handed.deployment.chunks.iter().all(allowed) { Alone::Yes } else { Alone::No }
}

fn part(chunk: &Chunk) -> Result<Part, String> {
    let product = chunk.name.clone();
    if !is_product_name(&product) {
        return Err(format!("{product:?} is not a product name"));
    }
    let metadatum =
        |key| chunk.metadatum(key).map(str::to_owned).ok_or_else(|| format!("{product} comes without {key}"));
    let (publisher, manifest) = (metadatum(PUBLISHER)?, metadatum(MANIFEST)?);
    for segment in [&publisher, &manifest] {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if segment.is_empty() || segment.len() > 255 || segment.starts_with('.') || !segment.chars().all(plain) {
            return Err(format!("{segment:?} of {product} is not a plain name"));
        }
    }
    let version = chunk.version.parse().map_err(|e| format!("{product}: {e}"))?;
    let [artifact] = &chunk.artifacts[..] else {
        return Err(format!("{product} comes with {} packages instead of one", chunk.artifacts.len()));
    };
    let link = artifact.links.download.as_ref().or(artifact.links.download_http.as_ref());
    let href = link.map(|link| link.href.clone()).ok_or_else(|| format!("{product} comes without a download link"))?;
    Ok(Part { product, version, publisher, manifest, href })
}

fn bound(
    chunks: &[Chunk],
    key: &str,
    pick: fn(DateTime<Utc>, DateTime<Utc>) -> DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, String> {
    let mut found = None;
    for text in chunks.iter().filter_map(|chunk| chunk.metadatum(key)) {
        let at =
            DateTime::parse_from_rfc3339(text).map_err(|_| format!("{key} {text:?} is not an RFC 3339 instant"))?;
        let at = at.to_utc();
        found = Some(found.map_or(at, |other| pick(other, at)));
    }
    Ok(found)
}

/// Why a signed manifest is not the release that the order names.
pub fn mismatch(part: &Part, signed: &SignedManifest) -> Option<String> {
    let manifest = &signed.manifest;
    if signed.publisher != part.publisher {
        return Some(format!("{} is signed by {}, not by {}", part.manifest, signed.publisher, part.publisher));
    }
    if manifest.product != part.product || manifest.version.as_str() != part.version.as_str() {
        return Some(format!(
            "{} is about {} {}, not {} {}",
            part.manifest, manifest.product, manifest.version, part.product, part.version
        ));
    }
    let digest = signed.sha256.as_bytes();
    if digest.len() != 64 || !digest.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Some(format!("{} names no sha256", part.manifest));
    }
    None
}
