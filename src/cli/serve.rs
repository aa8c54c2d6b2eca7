//! `noctule serve`: the jobs, the agent protocol and the API in one process, until SIGTERM or Ctrl-C.

use super::{Failure, Outcome, access};
use crate::web;
use crate::work::jobs;
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// The orchestrator's configuration
    #[arg(long, value_name = "FILE", default_value = "noctule.toml")]
    config: PathBuf,
}

pub async fn run(args: ServeArgs) -> Outcome {
    let o = access::open(&args.config).await?;
    if o.config.clock.is_some() {
        tracing::warn!("the clock is frozen by [clock] in {}: nothing will ever become due", args.config.display());
    }
    web::check_listen(o.config.listen, o.config.tls.as_ref())?;
    let listener = TcpListener::bind(o.config.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}; choose another `listen`", o.config.listen))?;
    let stop = CancellationToken::new();
    end_on_signal(stop.clone())?;
    tracing::info!(address = %listener.local_addr()?, url = o.base_url, "serving");
    let jobs = tokio::spawn(jobs::run(o.clone(), stop.clone()));
    let router = web::router(o.clone());
    let until = stop.clone().cancelled_owned();
    let served = match &o.config.tls {
        Some(tls) => web::serve_tls(listener, tls, router, until).await,
        None => web::serve(listener, router, until).await,
    };
    // Whichever side ended first takes the other with it.
    stop.cancel();
    jobs.await??;
    served?;
    o.store.clone().close().await?;
    tracing::info!("ended");
    Ok(())
}

/// Cancels `stop` at SIGTERM or Ctrl-C.
fn end_on_signal(stop: CancellationToken) -> Result<(), Failure> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("ending: what is under way is finished first");
            stop.cancel();
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    Ok(())
}
