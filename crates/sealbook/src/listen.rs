//! The accept loop: connections in, requests to the router.

mod answering;
mod heads;
mod linger;
mod room;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::response::Response;
use httpkit::client_ip::ConnectInfo;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use answering::Answering;
use heads::Heads;
use linger::Lingering;
pub(crate) use room::Places;
use room::{Busy, Room, Ticket};

use crate::metrics::Connections;

/// Bytes a request's head may have.
const HEAD_BYTES_MAX: u32 = 32 * 1024;
/// Headers a request may have.
const HEADERS_MAX: usize = 100;
/// Time for a request's head, from the connection or from the answer before.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Time for the TLS handshake, and from then to the first request.
const FIRST_REQUEST_TIME: Duration = Duration::from_secs(10);
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// Silence on an HTTP/2 connection after which the other end is asked whether it lives, and time to
/// answer.
const PING_TIME: Duration = Duration::from_secs(20);
/// Connections being told that there is no room, at once; more than these are dropped.
const REFUSALS_MAX: usize = 64;
/// Time to read a refusal.
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// Pause after the system had no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\n\
    content-length: 21\r\nretry-after: 1\r\nconnection: close\r\n\r\ntoo many connections\n";

/// What connections are served with, and how many at once.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    /// Each connection takes the newest.
    pub(crate) tls: Option<watch::Receiver<TlsAcceptor>>,
    pub(crate) router: Router,
    pub(crate) places: Places,
    pub(crate) counts: Connections,
    /// Owns the task of every connection.
    pub(crate) tasks: TaskTracker,
}

impl Listener {
    /// Accepts and serves until `stop`; then lets connections finish what they began, for as long as
    /// `drain`, and cuts those that have not.
    pub(crate) async fn run(self, stop: CancellationToken, drain: Duration) {
        let room = Room::new(self.places, self.counts);
        let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
        let graceful = GracefulShutdown::new();
        let cut = CancellationToken::new();
        let shared = Arc::new(Shared {
            router: self.router,
            tls: self.tls,
            builder: builder(self.tasks.clone()),
            tasks: self.tasks.clone(),
            cut: cut.clone(),
        });
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = stop.cancelled() => break,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    rest_after(&error).await;
                    continue;
                }
            };
            if let Ok(ticket) = room.enter(peer.ip(), &cut) {
                let ticket = Arc::new(ticket);
                let watcher = graceful.watcher();
                let task = shared.clone().connection(stream, peer, watcher, ticket);
                self.tasks.spawn(task);
            } else if let Ok(permit) = refusals.clone().try_acquire_owned() {
                let is_plain = shared.tls.is_none();
                self.tasks.spawn(holding(permit, refuse(stream, is_plain)));
            }
        }
        drop(self.socket);
        if timeout(drain, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests did not end in time and were cut");
        }
        cut.cancel();
    }
}

/// What every connection's task needs.
struct Shared {
    router: Router,
    tls: Option<watch::Receiver<TlsAcceptor>>,
    builder: Builder<Tracked>,
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl Shared {
    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        watcher: Watcher,
        ticket: Arc<Ticket>,
    ) {
        // Without it small answers wait for acknowledgements; a socket that refuses is as good.
        let _ = stream.set_nodelay(true);
        let info = ConnectInfo {
            peer: Some(peer),
            tls: self.tls.is_some(),
        };
        let stream = Lingering::new(stream);
        let Some(tls) = &self.tls else {
            return self.requests(stream, info, watcher, ticket).await;
        };
        let tls = tls.borrow().clone();
        let handshake = timeout(FIRST_REQUEST_TIME, tls.accept(stream));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = ticket.leave().cancelled() => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.requests(stream, info, watcher, ticket).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn requests<S>(&self, stream: S, info: ConnectInfo, watcher: Watcher, ticket: Arc<Ticket>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let begun = Arc::new(AtomicBool::new(false));
        let (router, seen) = (self.router.clone(), begun.clone());
        let (tasks, cut) = (self.tasks.clone(), self.cut.clone());
        let leave = ticket.leave().clone();
        let service = service_fn(move |request| {
            seen.store(true, Ordering::Relaxed);
            let answer = answer(router.clone(), request, info, ticket.request());
            Answering::new(answer, tasks.clone(), cut.clone())
        });
        let connection = self
            .builder
            .serve_connection(TokioIo::new(Heads::new(stream)), service)
            .into_owned();
        let silence = async {
            sleep(FIRST_REQUEST_TIME).await;
            if begun.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = leave.cancelled() => {}
            ended = watcher.watch(connection) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection broke");
                }
            }
            () = silence => tracing::debug!("a connection brought no request"),
        }
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    info: ConnectInfo,
    busy: Busy,
) -> Result<Response, Infallible> {
    let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(info);
    let mut response = router.oneshot(request).await?;
    if is_chunked {
        // What stands behind such a body was not looked at: see `heads`.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    drop(busy);
    Ok(response)
}

fn builder(tasks: TaskTracker) -> Builder<Tracked> {
    let mut builder = Builder::new(Tracked(tasks));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES_MAX as usize)
        .max_headers(HEADERS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES_MAX)
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(PING_TIME)
        .keep_alive_timeout(PING_TIME);
    builder
}

/// Runs what HTTP/2 connections spawn on the server's tracker.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

async fn holding(permit: OwnedSemaphorePermit, task: impl Future<Output = ()>) {
    task.await;
    drop(permit);
}

/// Tells a client that there is no room, and waits a moment for it to read that: closing at once
/// would throw the answer away together with the unread request.
async fn refuse(mut stream: TcpStream, is_plain: bool) {
    if !is_plain {
        return;
    }
    let telling = async {
        stream.write_all(REFUSAL).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether the client listened is not known and does not matter.
    let _ = timeout(REFUSAL_TIME, telling).await;
}

/// A connection that broke before it was accepted costs nothing; a lack of descriptors needs time.
async fn rest_after(error: &io::Error) {
    let is_theirs = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    );
    if !is_theirs {
        tracing::warn!(%error, "cannot accept connections; trying again");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// Opens a listening socket.
///
/// # Errors
/// A sentence for the operator.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = HINTS.iter().find(|(kind, _)| *kind == error.kind());
        let said = hint.map_or_else(|| error.to_string(), |(_, hint)| (*hint).to_owned());
        format!("cannot bind {address}: {said}")
    })
}

/// What usually keeps an address from being bound, and the remedies.
const HINTS: [(io::ErrorKind, &str); 3] = [
    (
        io::ErrorKind::PermissionDenied,
        "permission denied. Use a port >= 1024 behind a proxy, or give the binary the right with \
         `setcap cap_net_bind_service=+ep`",
    ),
    (
        io::ErrorKind::AddrInUse,
        "another process uses it. Stop that one, or set server.listen to another port",
    ),
    (
        io::ErrorKind::AddrNotAvailable,
        "this machine has no such address. Set server.listen to one it has, or to 0.0.0.0 for all \
         of them",
    ),
];

#[cfg(test)]
mod tests;
