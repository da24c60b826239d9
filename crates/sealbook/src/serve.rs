//! The server's life: start, announce, serve, stop.

use std::net::SocketAddr;
use std::time::Duration;

use engine::ports::timer::Timer;
use outbound::system::SystemTimer;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::failure::Failure;
use crate::listen::{Listener, bind};
use crate::output::Output;
use crate::wire_up::{Wired, absolute, wire_up};
use crate::{tls, worker};

/// Most connections at once, where the system allows as many descriptors.
const CONNECTIONS_MAX: u64 = 4096;
/// Descriptors kept for the store and the rest.
const DESCRIPTORS_RESERVED: u64 = 256;
/// Time for requests to end once the server is told to stop.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// Time for reconcilers to end after that.
const FINISH_TIME: Duration = Duration::from_secs(5);
/// Time for the store to close in the end. With the others, and a second for stragglers, 20 s.
const CLOSE_TIME: Duration = Duration::from_secs(4);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// A sentence for the operator when the server cannot start.
pub(crate) async fn serve(config: &Config, output: Output) -> Result<(), Failure> {
    let timer = SystemTimer::start();
    let stop = stop_on_signals()?;
    let tls = match (&config.server.tls_cert, &config.server.tls_key) {
        (Some(cert), Some(key)) => Some(tls::acceptor(cert, key)?),
        (Some(_) | None, _) => None,
    };
    let socket = bind(config.server.listen.0)
        .await
        .map_err(Failure::failed)?;
    let address = socket.local_addr().map_err(Failure::failed)?;
    let wired = wire_up(config, timer).await?;

    let (connections, workers) = (TaskTracker::new(), TaskTracker::new());
    let stop_workers = CancellationToken::new();
    let (remembered, loaded) = (wired.remembered.clone(), wired.names_loaded.clone());
    worker::start(&workers, &wired.engine, remembered, loaded, &stop_workers);
    announce(config, &wired, address, timer.monotonic(), output)?;
    warn_if_unusable(config, address);
    let listener = Listener {
        socket,
        tls,
        router: wired.router,
        connections_max: connections_max(),
        tasks: connections.clone(),
    };
    listener.run(stop, DRAIN_TIME).await;

    finish(&connections, "connections").await;
    stop_workers.cancel();
    finish(&workers, "background work").await;
    if !ends(wired.store.close(), CLOSE_TIME).await {
        tracing::warn!("the store did not close in time; what it acknowledged is kept");
    }
    Ok(())
}

/// A token that SIGTERM and SIGINT cancel.
///
/// # Errors
/// When the system does not let us listen to them.
pub(crate) fn stop_on_signals() -> Result<CancellationToken, Failure> {
    let stop = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind)
            .map_err(|error| Failure::failed(format!("cannot listen to signals: {error}")))?;
        let stop = stop.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "it ends with the process and must not keep a tracker waiting"
        )]
        tokio::spawn(async move {
            if signals.recv().await.is_some() {
                stop.cancel();
            }
        });
    }
    Ok(stop)
}

/// Waits for tasks that were told to end, for some seconds.
pub(crate) async fn finish(tasks: &TaskTracker, what: &str) {
    tasks.close();
    if timeout(FINISH_TIME, tasks.wait()).await.is_err() {
        tracing::warn!(what, "did not end in time; what is stored is whole");
    }
}

/// Whether something ends in time. A store that waits for a database, or a disk, may not, and is
/// left: the process ends anyway.
async fn ends(closing: impl Future<Output = ()>, wait: Duration) -> bool {
    timeout(wait, closing).await.is_ok()
}

/// As many connections as descriptors allow.
fn connections_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let free = limit.map_or(CONNECTIONS_MAX, |limit| {
        limit.saturating_sub(DESCRIPTORS_RESERVED).max(16)
    });
    usize::try_from(free.min(CONNECTIONS_MAX)).unwrap_or(usize::MAX)
}

/// Says where the server is and what it is, once.
fn announce(
    config: &Config,
    wired: &Wired,
    address: SocketAddr,
    took: Duration,
    output: Output,
) -> Result<(), Failure> {
    let scheme = if config.server.tls_cert.is_some() {
        "https"
    } else {
        "http"
    };
    let url = format!("{scheme}://{address}");
    let data_dir = if config.is_in_memory() {
        "none: all is forgotten when the server stops".to_owned()
    } else {
        absolute(&config.server.data_dir)
    };
    let (log, store) = (wired.engine.log(), config.store_url().to_string());
    let (origin, key) = (log.origin().to_owned(), log.verifier_key());
    let toxme_key: String = wired
        .toxme_key
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let (mode, about) = mode(config);
    let millis = took.as_millis();
    let words = format!(
        "sealbook {} is ready after {millis} ms\n\
         \x20 listening    {url}\n\
         \x20 data         {data_dir}\n\
         \x20 store        {store}\n\
         \x20 log          {origin}\n\
         \x20 log key      {key}\n\
         \x20 toxme key    {toxme_key}\n\
         \x20 mode         {about}",
        env!("CARGO_PKG_VERSION"),
    );
    let object = json!({
        "listening": url, "data_dir": data_dir, "store": store, "origin": origin, "log_key": key,
        "toxme_key": toxme_key, "mode": mode, "ready_ms": u64::try_from(millis).unwrap_or(u64::MAX),
    });
    output.result(&words, &object)
}

/// Warns of an address that other machines reach, but whose clients are all refused.
fn warn_if_unusable(config: &Config, address: SocketAddr) {
    let server = &config.server;
    let is_trial = server.public_url.is_none() && server.tls_cert.is_none();
    if is_trial && config.toxme.require_secure && !address.ip().is_loopback() {
        tracing::warn!(
            "other machines reach this address, but their requests are refused without TLS: set \
             server.tls_cert and server.tls_key, or server.public_url if a proxy does TLS"
        );
    }
}

/// Who may talk to the server in plain HTTP: a word and a sentence.
fn mode(config: &Config) -> (&'static str, String) {
    let server = &config.server;
    match (&server.public_url, &server.tls_cert) {
        _ if !config.toxme.require_secure => (
            "insecure",
            "insecure: plain HTTP is accepted from everywhere (toxme.require_secure = false)"
                .to_owned(),
        ),
        (Some(url), Some(_)) => ("tls", format!("public as {}, TLS here", url.as_str())),
        (Some(url), None) => (
            "proxy",
            format!("public as {}, TLS in a trusted proxy", url.as_str()),
        ),
        (None, Some(_)) => (
            "tls",
            "TLS here; set server.public_url to the URL clients use".to_owned(),
        ),
        (None, None) => (
            "local-trial",
            "local trial: plain HTTP accepted from this machine only".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_store_that_does_not_close_is_not_waited_for() {
        assert!(ends(ready(()), DRAIN_TIME).await);
        assert!(!ends(pending(), Duration::from_millis(1)).await);
    }
}
