//! Packages: `softwaremodules/{module}/artifacts`, a module being one deployment.
//!
//! A package never changes under its sha256, which is its strong tag; a download can be resumed for as long as it
//! lasts. Nothing of a cancelled deployment is sent.

use super::range::{Part, part};
use super::{actions, answer, controller::Controller, has};
use crate::model::deployment::DeploymentState;
use crate::model::release::Release;
use crate::web::App;
use crate::web::error::{ApiError, Path};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::io::SeekFrom;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// Bytes read from the disk at once.
const PIECE_BYTES: usize = 64 * 1024;
/// What follows a file's name for its md5.
const MD5SUM: &str = ".MD5SUM";

#[derive(Deserialize)]
pub(super) struct ModulePath {
    module: String,
}

#[derive(Deserialize)]
pub(super) struct FilePath {
    module: String,
    file: String,
}

async fn release(app: &App, controller: &Controller, module: &str) -> Result<(i64, Release), ApiError> {
    let missing = || ApiError::not_found(format!("there is no software module {module:?} for this server"));
    let id: i64 = module.parse().map_err(|_| missing())?;
    let deployment = app.o.store.deployment(id).await?.filter(|d| d.server == controller.server);
    let deployment = deployment.ok_or_else(missing)?;
    if matches!(deployment.state, DeploymentState::Cancelled { .. }) {
        return Err(ApiError::gone(format!("deployment {id} was cancelled")));
    }
    let release = app.o.store.release(&deployment.product, &deployment.to).await?;
    Ok((id, release.ok_or_else(missing)?.value))
}

/// `GET softwaremodules/{module}/artifacts`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    controller: Controller,
    Path(path): Path<ModulePath>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (id, release) = release(&app, &controller, &path.module).await?;
    Ok(answer(&headers, &serde_json::json!([actions::artifact(&controller, id, &release)])))
}

/// `GET` and `HEAD softwaremodules/{module}/artifacts/{file}[.MD5SUM]`.
pub(super) async fn download(
    State(app): State<Arc<App>>,
    controller: Controller,
    Path(path): Path<FilePath>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (_, release) = release(&app, &controller, &path.module).await?;
    let name = &release.manifest().package.file;
    if path.file.strip_suffix(MD5SUM) == Some(name) {
        let line = format!("{}  {name}", release.md5);
        return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], line).into_response());
    }
    if path.file != *name {
        return Err(ApiError::not_found(format!("this software module has no file {:?}", path.file)));
    }
    send(&app, &release, &method, &headers).await
}

async fn send(app: &App, release: &Release, method: &Method, headers: &HeaderMap) -> Result<Response, ApiError> {
    let (size, tag) = (release.signed.size, format!("\"{}\"", release.signed.sha256));
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if has(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let part = if method == Method::GET {
        part(text(header::RANGE), text(header::IF_RANGE), &tag, size)
    } else {
        Part::Whole // a range means nothing to other methods (RFC 9110, 14.2)
    };
    let (first, length, status) = match part {
        Part::Whole => (0, size, StatusCode::OK),
        Part::Range { first, last } => (first, last - first + 1, StatusCode::PARTIAL_CONTENT),
        Part::Unsatisfiable => {
            let error = ApiError::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                format!("the file has {size} bytes"),
                "ask for a range inside it, or for the whole file",
            );
            return Ok(([(header::CONTENT_RANGE, format!("bytes */{size}"))], error).into_response());
        }
    };
    let missing = |error: &dyn std::fmt::Display| {
        tracing::error!(release = %release.id(), %error, "a package cannot be read from the package store");
        let status = StatusCode::SERVICE_UNAVAILABLE;
        ApiError::new(status, "the package cannot be read now", "try again later; the provider's log says why")
    };
    let mut file = tokio::fs::File::open(app.o.packages.path(&release.signed.sha256)).await.map_err(|e| missing(&e))?;
    let found = file.metadata().await.map_err(|e| missing(&e))?.len();
    if found != size {
        return Err(missing(&format!("it has {found} bytes, {size} were signed")));
    }
    file.seek(SeekFrom::Start(first)).await.map_err(|e| missing(&e))?;
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(length), PIECE_BYTES));
    let disposition = format!("attachment; filename=\"{}\"", release.manifest().package.file);
    let fixed = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, tag),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    let mut response = (status, fixed, body).into_response();
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {first}-{}/{size}", first + length - 1);
        if let Ok(range) = range.parse() {
            response.headers_mut().insert(header::CONTENT_RANGE, range);
        }
    }
    Ok(response)
}
