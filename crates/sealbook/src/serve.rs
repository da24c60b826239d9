//! The server's life: start, announce, serve, stop.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use engine::ports::timer::Timer;
use httpkit::client_ip::TrustedProxies;
use outbound::system::SystemTimer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::failure::{Failure, chain};
use crate::listen::{Listener, Places, bind};
use crate::metrics::Connections;
use crate::output::Output;
use crate::tls::Certificates;
use crate::wire_up::{Wired, absolute, wire_up};
use crate::{notify, worker};

/// Descriptors kept for the store, for connections that are being refused or give way, and the rest.
const DESCRIPTORS_RESERVED: u64 = 512;
/// Connections there is room for on any system.
const CONNECTIONS_MIN: u64 = 16;
/// Most connections of those who scrape metrics.
const SCRAPERS_MAX: usize = 64;
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
    let certificates = match (&config.server.tls_cert, &config.server.tls_key) {
        (Some(cert), Some(key)) => Some(Certificates::read(cert, key)?),
        (Some(_) | None, _) => None,
    };
    let places = places(config);
    let socket = bind(config.server.listen.0)
        .await
        .map_err(Failure::failed)?;
    let address = socket.local_addr().map_err(Failure::failed)?;
    let scraped = match config.metrics.listen {
        Some(listen) => Some(bind(listen.0).await.map_err(Failure::failed)?),
        None => None,
    };
    let mut wired = wire_up(config, timer).await?;

    let (connections, workers) = (TaskTracker::new(), TaskTracker::new());
    let stop_workers = CancellationToken::new();
    worker::start(&workers, &wired, &stop_workers);
    workers.spawn(notify::watchdog(stop_workers.clone()));
    let tls = certificates.as_ref().map(Certificates::newest);
    reload_on_hangup(certificates, &workers, &stop_workers)?;
    let metrics = scraped.zip(wired.metrics_router.take());
    let metrics = metrics.map(|(socket, router)| scrapers(socket, router, &connections));
    let metrics = metrics.transpose()?;
    let listening = Listening {
        address,
        metrics: metrics.as_ref().map(|(_, address)| *address),
    };
    announce(config, &wired, &listening, timer.monotonic(), output)?;
    warn_if_unusable(config, address);
    let listener = Listener {
        socket,
        tls,
        router: std::mem::take(&mut wired.router),
        places,
        counts: wired.metrics.connections.clone(),
        tasks: connections.clone(),
    };
    if let Some((listener, _)) = metrics {
        workers.spawn(listener.run(stop.clone(), DRAIN_TIME));
    }
    notify::ready();
    workers.spawn(tell_stopping(stop.clone()));
    listener.run(stop, DRAIN_TIME).await;

    finish(&connections, "connections").await;
    stop_workers.cancel();
    finish(&workers, "background work").await;
    if let Some(remembered) = &wired.remembered {
        // What was published in the end.
        worker::remember_once(&wired.engine, remembered).await?;
    }
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

/// As many connections as the operator wants and descriptors allow, of which it takes all that the
/// system gives.
fn places(config: &Config) -> Places {
    let wanted = config.limits.connections.get();
    let descriptors = descriptors();
    let free = descriptors
        .saturating_sub(DESCRIPTORS_RESERVED)
        .max(CONNECTIONS_MIN);
    let free = usize::try_from(free).unwrap_or(usize::MAX);
    if free < wanted {
        tracing::debug!(
            wanted,
            room = free,
            descriptors,
            "fewer connections than limits.connections: the system gives this process fewer \
             descriptors"
        );
    }
    Places {
        all: wanted.min(free),
        per_address: config.limits.connections_per_address.get(),
        exempt: config.server.trusted_proxies.trusted(),
    }
}

/// Raises the soft limit on descriptors to the hard one, and answers it. The soft one is 1024 on most
/// systems, for programmes that use `select`.
fn descriptors() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            ..limit
        };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit = raised,
            Err(error) => tracing::warn!(%error, "cannot raise the limit on descriptors"),
        }
    }
    limit.current.unwrap_or(u64::MAX)
}

/// Where the server is reached.
struct Listening {
    address: SocketAddr,
    /// Of the metrics, where they have a listener of their own.
    metrics: Option<SocketAddr>,
}

/// The listener of those who scrape metrics, and its address.
fn scrapers(
    socket: TcpListener,
    router: Router,
    tasks: &TaskTracker,
) -> Result<(Listener, SocketAddr), Failure> {
    let address = socket.local_addr().map_err(Failure::failed)?;
    let counts = Connections::new().map_err(|error| Failure::failed(chain(&error)))?;
    let places = Places {
        all: SCRAPERS_MAX,
        per_address: SCRAPERS_MAX,
        exempt: TrustedProxies::default(),
    };
    let listener = Listener {
        socket,
        tls: None,
        router,
        places,
        counts,
        tasks: tasks.clone(),
    };
    Ok((listener, address))
}

/// Reads the certificates anew on SIGHUP, until `stop`. Without certificates a SIGHUP changes
/// nothing, but does not end the server either.
fn reload_on_hangup(
    certificates: Option<Certificates>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let mut hangups = signal(SignalKind::hangup())
        .map_err(|error| Failure::failed(format!("cannot listen to signals: {error}")))?;
    let stop = stop.clone();
    tasks.spawn(async move {
        while stop
            .run_until_cancelled(hangups.recv())
            .await
            .flatten()
            .is_some()
        {
            match certificates.as_ref().map(Certificates::reload) {
                Some(Ok(())) => tracing::info!("the certificate was read anew"),
                Some(Err(failure)) => {
                    tracing::error!("still with the certificate of before: {}", failure.said);
                }
                None => tracing::info!("there is no certificate to read anew"),
            }
        }
    });
    Ok(())
}

/// Tells systemd when the server begins to stop.
async fn tell_stopping(stop: CancellationToken) {
    stop.cancelled().await;
    notify::stopping();
}

/// Says where the server is and what it is, once.
fn announce(
    config: &Config,
    wired: &Wired,
    listening: &Listening,
    took: Duration,
    output: Output,
) -> Result<(), Failure> {
    let scheme = if config.server.tls_cert.is_some() {
        "https"
    } else {
        "http"
    };
    let url = format!("{scheme}://{}", listening.address);
    let metrics = listening
        .metrics
        .map(|address| format!("http://{address}/metrics"));
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
    let scraped = metrics
        .as_ref()
        .map_or_else(String::new, |metrics| format!("  metrics      {metrics}\n"));
    let words = format!(
        "sealbook {} is ready after {millis} ms\n\
         \x20 listening    {url}\n{scraped}\
         \x20 data         {data_dir}\n\
         \x20 store        {store}\n\
         \x20 log          {origin}\n\
         \x20 log key      {key}\n\
         \x20 toxme key    {toxme_key}\n\
         \x20 mode         {about}",
        env!("CARGO_PKG_VERSION"),
    );
    let object = json!({
        "listening": url, "metrics": metrics, "data_dir": data_dir, "store": store, "origin": origin, "log_key": key,
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
