//! Whole exchanges through [`httpkit::stack::wrap`], and what they leave in the log.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a broken exchange fails its test"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use httpkit::client_ip::{ClientPolicy, ConnectInfo, TrustedProxies};
use httpkit::clock::Clock;
use httpkit::fault::Fault;
use httpkit::log::{Addresses, Change, RequestId, RequestLog};
use httpkit::metrics::Requests;
use httpkit::routes::Route;
use httpkit::stack;
use prometheus::Registry;
use serde_json::{Value, json};
use tower::ServiceExt;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn change() -> Response {
    Change::mark(StatusCode::CREATED.into_response())
}

async fn broken() -> Response {
    let fault = Fault::new(std::io::Error::other("disk is gone"));
    fault.attach((StatusCode::SERVICE_UNAVAILABLE, "try later").into_response())
}

/// A subscriber for the threads that have none of their own. Without it `tracing` may find, while
/// another thread listens, that nobody does, and remember that.
fn listen_everywhere() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let nowhere = tracing_subscriber::fmt()
            .with_writer(std::io::sink)
            .finish();
        tracing::subscriber::set_global_default(nowhere).unwrap();
    });
}

const ROUTES: &[Route] = &[Route {
    method: "GET",
    paths: &["/u/{name}"],
    handler: "user",
}];

/// A server whose clock goes on by 1.5 ms whenever it is read.
fn server() -> Router {
    listen_everywhere();
    let now = AtomicU64::new(0);
    let clock = Clock::new(move || now.fetch_add(1500, Ordering::Relaxed));
    let routes = Router::new()
        .route(
            "/u/{name}",
            get(|Path(name): Path<String>| async move { name }).post(change),
        )
        .route("/id", get(|id: RequestId| async move { id.to_string() }))
        .route("/broken", get(broken))
        .route(
            "/panics",
            get(|| async { if true { panic!("bug") } else { "" } }),
        );
    let trusted = TrustedProxies::parse(&TrustedProxies::DEFAULT).unwrap();
    let clients = Arc::new(ClientPolicy::new(trusted, false, &clock));
    let requests = Requests::new(&[("toxme", ROUTES)], &Registry::new()).unwrap();
    let log = RequestLog::new(clock, Addresses::Truncated, requests, 7);
    stack::wrap(routes, clients, Arc::new(log))
}

/// One request of a client at 203.0.113.77 with the id `test`: the answer, and the fields of every
/// line it leaves in the log.
async fn exchange(server: Router, method: &str, uri: &str) -> (Response, Vec<Value>) {
    let peer = "203.0.113.77:4000".parse().unwrap();
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("x-request-id", "test")
        .extension(ConnectInfo {
            peer: Some(peer),
            tls: true,
        })
        .body(Body::from("secret body"))
        .unwrap();

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let response = server.oneshot(request).await.unwrap();
    drop(guard);

    let bytes = lines.0.lock().unwrap().clone();
    let lines = String::from_utf8(bytes).unwrap();
    let parsed = lines.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let level = line["level"].take();
        let mut fields = line["fields"].take();
        fields["level"] = level;
        fields
    });
    (response, parsed.collect())
}

fn line(level: &str, method: &str, route: &str, status: u16) -> Value {
    let api = if route == "/u/{name}" {
        "toxme"
    } else {
        "none"
    };
    json!({
        "level": level, "message": "request answered", "req_id": "test", "method": method,
        "api": api, "route": route, "status": status, "dur_ms": 1.5, "client": "203.0.113.0/24",
    })
}

#[tokio::test]
async fn one_line_per_request_without_names() {
    for (level, method, uri, route, status) in [
        ("DEBUG", "GET", "/u/alice?q=alice", "/u/{name}", 200),
        ("INFO", "POST", "/u/alice", "/u/{name}", 201),
        ("DEBUG", "PUT", "/u/alice", "/u/{name}", 405),
        ("DEBUG", "ALICE", "/u/alice", "/u/{name}", 405),
        ("DEBUG", "GET", "/alice", "unmatched", 404),
    ] {
        let (response, lines) = exchange(server(), method, uri).await;
        assert_eq!(response.status(), status);
        let method = if method == "ALICE" { "other" } else { method };
        assert_eq!(
            lines,
            [line(level, method, route, status)],
            "{method} {uri}"
        );
    }
}

#[tokio::test]
async fn the_id_goes_in_and_out() {
    let (response, _) = exchange(server(), "GET", "/id").await;
    assert_eq!(response.headers()["x-request-id"], "test");
    let body = axum::body::to_bytes(response.into_body(), 100)
        .await
        .unwrap();
    assert_eq!(body, "test");
}

#[tokio::test]
async fn a_bad_id_is_replaced() {
    let bad = HeaderValue::from_bytes(b"bad id\xff").unwrap();
    let request = Request::builder().uri("/id").header("x-request-id", bad);
    let response = server()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.headers()["x-request-id"], "0000000000000007-0");
}

#[tokio::test]
async fn a_fault_is_logged_once_and_not_shown() {
    let (response, lines) = exchange(server(), "GET", "/broken").await;
    assert_eq!(response.status(), 503);
    let error = json!({
        "level": "ERROR", "message": "request failed: disk is gone", "req_id": "test",
        "error": "disk is gone",
    });
    assert_eq!(lines, [error, line("INFO", "GET", "/broken", 503)]);
    let body = axum::body::to_bytes(response.into_body(), 100)
        .await
        .unwrap();
    assert_eq!(body, "try later");
}

#[tokio::test]
async fn a_panic_is_a_fault() {
    let (response, lines) = exchange(server(), "GET", "/panics").await;
    assert_eq!(response.status(), 500);
    assert_eq!(lines[0]["error"], "a handler panicked: bug");
    assert_eq!(lines[1], line("INFO", "GET", "/panics", 500));
    assert_eq!(lines.len(), 2);
}
