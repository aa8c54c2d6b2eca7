//! Gives what is on the shelf to the neighbours that know the site's secret, within bounds.

use super::shelf::Shelf;
use super::{Form, SiteSecret};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{StreamExt, TryStreamExt};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};
use tokio_util::io::ReaderStream;

/// Most connections at a time; further ones wait in the system's queue.
const CONNECTIONS_MAX: usize = 64;
/// Most packages that are given at a time.
const GIVEN_MAX: usize = 4;
/// Longest life of a connection.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(4 * 3600);
/// How long a question about what is under way is kept open for news.
pub(super) const NEWS_TIME_MAX: Duration = Duration::from_secs(10);
/// A question with this header is kept open for news (RFC 7240, 4.3).
const PREFER: &str = "prefer";
/// Bytes read from the disk at once.
const PIECE_BYTES: usize = 256 * 1024;

struct Shared {
    shelf: Shelf,
    secret: SiteSecret,
    given: Arc<Semaphore>,
}

/// A server for the neighbours; it ends with this value.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    /// Listens at `address`.
    ///
    /// # Errors
    /// It cannot be listened there.
    pub async fn start(address: SocketAddr, shelf: Shelf, secret: SiteSecret) -> io::Result<Server> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { shelf, secret, given: Arc::new(Semaphore::new(GIVEN_MAX)) });
        let router = Router::new()
            .route("/packages/{sha256}", get(status))
            .route("/packages/{sha256}/{form}", get(bytes))
            .with_state(shared);
        let bounded = Bounded { listener, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)) };
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(bounded, router).await {
                tracing::warn!(%error, "neighbours are given nothing any more");
            }
        });
        Ok(Server { address, serving })
    }
}

impl Shared {
    fn opens(&self, headers: &HeaderMap, path: &str) -> bool {
        let said = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        said.is_some_and(|said| self.secret.opens(said, path))
    }
}

/// What is here of a package. Of one under way it is told when that changes, or after a while.
async fn status(State(shared): State<Arc<Shared>>, Path(sha256): Path<String>, headers: HeaderMap) -> Response {
    if !is_sha256(&sha256) || !shared.opens(&headers, &super::path(&sha256, None)) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut news = shared.shelf.news();
    let before = shared.shelf.status(&sha256);
    if before.has.is_none() && before.under_way.is_some() && headers.contains_key(PREFER) {
        let changed = async {
            while news.changed().await.is_ok() {
                let now = shared.shelf.status(&sha256);
                if now.has.is_some() || now.under_way.is_none() {
                    return;
                }
            }
        };
        // Silence is an answer too.
        let _ = tokio::time::timeout(NEWS_TIME_MAX, changed).await;
    }
    axum::Json(shared.shelf.status(&sha256)).into_response()
}

/// The bytes of a package.
async fn bytes(
    State(shared): State<Arc<Shared>>,
    Path((sha256, form)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let form = [Form::Whole, Form::Files].into_iter().find(|known| known.name() == form);
    let Some(form) = form.filter(|_| is_sha256(&sha256)) else { return StatusCode::UNAUTHORIZED.into_response() };
    if !shared.opens(&headers, &super::path(&sha256, Some(form))) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(given) = Arc::clone(&shared.given).try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let opened = async {
        let file = tokio::fs::File::open(shared.shelf.path(&sha256, form)).await?;
        Ok::<_, io::Error>((file.metadata().await?.len(), file))
    };
    let Ok((length, file)) = opened.await else { return StatusCode::NOT_FOUND.into_response() };
    // The place is taken until the last byte is gone.
    let pieces = ReaderStream::with_capacity(file, PIECE_BYTES).map_ok(move |piece| {
        let _ = &given;
        piece
    });
    let fixed =
        [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_LENGTH, length.to_string())];
    (fixed, Body::from_stream(pieces.boxed())).into_response()
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Accepts no more connections than there are places for, each for a while.
struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl axum::serve::Listener for Bounded {
    type Io = Held;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Held, SocketAddr) {
        let place = match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => place,
            // Nobody closes it.
            Err(_) => std::future::pending().await,
        };
        let (stream, peer) = axum::serve::Listener::accept(&mut self.listener).await;
        let over = Box::pin(tokio::time::sleep_until(Instant::now() + CONNECTION_TIME_MAX));
        (Held { stream, over, _place: place }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection in its place.
struct Held {
    stream: TcpStream,
    over: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Held {
    /// Its stream, unless its time is over.
    fn stream(&mut self, context: &mut Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        match self.over.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(Pin::new(&mut self.stream)),
        }
    }
}

impl AsyncRead for Held {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.stream(cx) {
            Ok(stream) => stream.poll_read(cx, buffer),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for Held {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.stream(cx) {
            Ok(stream) => stream.poll_write(cx, bytes),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
