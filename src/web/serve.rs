//! Listening: plain HTTP on loopback, TLS elsewhere, and an orderly end.

use crate::edge::config::Tls;
use axum::Router;
use axum::serve::Listener;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

/// Longest wait for the requests under way when the service ends.
const GRACE: Duration = Duration::from_secs(20);
/// Longest TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most handshakes done and not taken up yet.
const HANDSHAKES_MAX: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(
        "{0} can be reached from outside and has no TLS: add [tls] with certificate and key, or listen on 127.0.0.1 behind a proxy that has it"
    )]
    Open(SocketAddr),
    #[error("cannot read the TLS file {}: {why}", path.display())]
    File { path: PathBuf, why: String },
    #[error("the TLS certificate and key do not work together: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    #[error("cannot serve: {0}")]
    Io(#[from] io::Error),
}

/// Whether tokens would be safe on this address: anything but loopback needs TLS.
pub fn check_listen(address: SocketAddr, tls: Option<&Tls>) -> Result<(), ListenError> {
    if address.ip().to_canonical().is_loopback() || tls.is_some() { Ok(()) } else { Err(ListenError::Open(address)) }
}

/// Serves plain HTTP until `shutdown`, then lets the requests under way end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ListenError> {
    check_listen(listener.local_addr()?, None)?;
    run(listener, router, shutdown).await
}

/// Serves HTTPS until `shutdown`, then lets the requests under way end.
pub async fn serve_tls(
    listener: TcpListener,
    tls: &Tls,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ListenError> {
    run(TlsListener::new(listener, tls)?, router, shutdown).await
}

async fn run<L>(
    listener: L,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ListenError>
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    let ending = CancellationToken::new();
    let told = ending.clone();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        shutdown.await;
        told.cancel();
    });
    let enough = async {
        ending.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = serving => Ok(ended?),
        () = enough => {
            tracing::warn!("requests were still under way {} s after the end was asked for", GRACE.as_secs());
            Ok(())
        }
    }
}

/// Accepts connections and shakes hands with each on its own, so that a slow one holds up nobody.
struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    accepting: tokio::task::JoinHandle<()>,
}

impl TlsListener {
    fn new(listener: TcpListener, tls: &Tls) -> Result<TlsListener, ListenError> {
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::new(tls_config(tls)?));
        let (sender, ready) = mpsc::channel(HANDSHAKES_MAX);
        let accepting = tokio::spawn(accept_all(listener, acceptor, sender));
        Ok(TlsListener { address, ready, accepting })
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept_all(
    mut listener: TcpListener,
    acceptor: TlsAcceptor,
    sender: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    loop {
        let (stream, peer) = Listener::accept(&mut listener).await;
        // Waiting for a place here leaves further connections in the system's own queue.
        let Ok(place) = sender.clone().reserve_owned().await else { return };
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => drop(place.send((stream, peer))),
                Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake refused"),
                Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The accepting task only ends with this listener.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

fn tls_config(tls: &Tls) -> Result<ServerConfig, ListenError> {
    let unread = |path: &Path, why: String| ListenError::File { path: path.to_owned(), why };
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| unread(&tls.certificate, error.to_string()))?;
    if certificates.is_empty() {
        return Err(unread(&tls.certificate, "it holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| unread(&tls.key, error.to_string()))?;
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_goes_without_tls() {
        let tls = Tls { certificate: "c.pem".into(), key: "k.pem".into() };
        for (address, open) in
            [("127.0.0.1:1", true), ("[::1]:1", true), ("0.0.0.0:1", false), ("[::]:1", false), ("10.0.0.1:1", false)]
        {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(check_listen(address, None).is_ok(), open, "{address}");
            assert!(check_listen(address, Some(&tls)).is_ok(), "{address}");
        }
    }

    #[test]
    fn a_missing_certificate_is_named() {
        let tls = Tls { certificate: "/nowhere/c.pem".into(), key: "/nowhere/k.pem".into() };
        assert!(tls_config(&tls).unwrap_err().to_string().contains("/nowhere/c.pem"));
    }
}
