//! What thousands of letters have in common is kept once: the manifest of the release they are about.
//!
//! In a stored body the manifest is replaced by the sha256 of its text, which is kept under that name and never changed
//! or removed. Bodies that hold their manifest themselves, as they once did, are read all the same.
//!
//! Works on the text: in JSON a quotation mark inside a string is written with a backslash, so that `"manifest":{` can
//! only be the field of that name.

use super::bulk::{Insert, Taken, parts};
use super::{Result, StoreError};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const FIELD: &str = "\"manifest\":";
const MARK: &str = "\"manifest\":\"sha256:";
const HEX: usize = 64;

/// A text that bodies name by its sha256.
pub(super) struct Shared {
    pub id: String,
    pub text: String,
}

/// Takes the manifest out of a letter's text and leaves its name there.
pub(super) fn share(body: &mut String) -> Option<Shared> {
    let start = body.find("\"manifest\":{")? + FIELD.len();
    let end = start + object(&body[start..])?;
    let text = body[start..end].to_owned();
    let id = hex::encode(Sha256::digest(&text));
    body.replace_range(start..end, &format!("\"sha256:{id}\""));
    Some(Shared { id, text })
}

/// How long the JSON object is that the text begins with.
fn object(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' => depth += 1,
            b'}' if depth <= 1 => return Some(at + 1),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The name of the manifest that a body leaves out.
fn named(body: &str) -> Option<&str> {
    let start = body.find(MARK)? + MARK.len();
    body.get(start..start + HEX)
}

/// Keeps texts that bodies written in this transaction name. One that is kept already is the same.
pub(super) async fn keep(tx: &DatabaseTransaction, shared: impl Iterator<Item = &Shared>) -> Result<()> {
    // In order of their names in every process: no two wait in a circle.
    let texts: BTreeMap<&str, &str> = shared.map(|shared| (shared.id.as_str(), shared.text.as_str())).collect();
    let rows = texts.into_iter().map(|(id, text)| vec![id.into(), text.into()]);
    let insert = Insert { table: "shared_text", columns: &["id", "body"], taken: Taken::StaysOutFor("id") };
    Ok(insert.run(tx, rows).await?)
}

/// Puts manifests back where bodies name them.
pub(super) async fn restore(db: &impl ConnectionTrait, bodies: &mut [String]) -> Result<()> {
    let mut texts: BTreeMap<String, Option<String>> =
        bodies.iter().filter_map(|body| named(body)).map(|id| (id.to_owned(), None)).collect();
    let ids: Vec<String> = texts.keys().cloned().collect();
    for part in parts(ids.len()) {
        let select = Query::select()
            .columns(["id", "body"].map(Alias::new))
            .from(Alias::new("shared_text"))
            .and_where(Expr::col(Alias::new("id")).is_in(ids[part].iter().map(String::as_str)))
            .to_owned();
        for row in db.query_all(&select).await? {
            texts.insert(row.try_get("", "id")?, Some(row.try_get("", "body")?));
        }
    }
    for body in bodies {
        let Some(id) = named(body).map(str::to_owned) else { continue };
        let missing = || StoreError::Database(sea_orm::DbErr::RecordNotFound(format!("shared text {id}")));
        let text = texts.get(&id).and_then(Option::as_ref).ok_or_else(missing)?;
        *body = body.replacen(&format!("\"sha256:{id}\""), text, 1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{named, share};

    fn check(body: &str, left: &str, taken: Option<&str>) {
        let mut text = body.to_owned();
        let shared = share(&mut text);
        assert_eq!(shared.as_ref().map(|shared| shared.text.as_str()), taken, "{body}");
        let id = shared.map(|shared| shared.id).unwrap_or_default();
        assert_eq!(text, left.replace("ID", &format!("sha256:{id}")), "{body}");
        assert_eq!(named(&text), (!id.is_empty()).then_some(id.as_str()), "{body}");
    }

    #[test]
    fn a_manifest_is_taken_out_whole_and_nothing_else_is() {
        check(
            r#"{"key":"a","manifest":{"notes":{}},"z":1}"#,
            r#"{"key":"a","manifest":"ID","z":1}"#,
            Some(r#"{"notes":{}}"#),
        );
        check(r#"{"manifest":{"fr":"} \\\" {\\"}}"#, r#"{"manifest":"ID"}"#, Some(r#"{"fr":"} \\\" {\\"}"#));
        check(r#"{"why":"\"manifest\":{}"}"#, r#"{"why":"\"manifest\":{}"}"#, None);
        check(r#"{"why":"\"manifest\":\"sha256:x"}"#, r#"{"why":"\"manifest\":\"sha256:x"}"#, None);
        check(r#"{"key":"a"}"#, r#"{"key":"a"}"#, None);
        check(r#"{"manifest":{"cut":"#, r#"{"manifest":{"cut":"#, None);
    }
}
