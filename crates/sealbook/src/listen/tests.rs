use std::net::Ipv4Addr;

use axum::routing::get;
use httpkit::client_ip::TrustedProxies;
use prometheus::IntGauge;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

/// Time to drain where it must not pass.
const LONG: Duration = Duration::from_secs(60);
/// Time to drain where it must.
const SHORT: Duration = Duration::from_millis(50);

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    listener: JoinHandle<()>,
    tasks: TaskTracker,
    /// Connections that are open.
    open: IntGauge,
    /// Told when a request has come to `/gate`, which answers when `gate` opens.
    entered: Arc<Notify>,
    gate: Arc<Notify>,
}

async fn run(connections_max: usize, drain: Duration) -> Running {
    let socket = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let address = socket.local_addr().unwrap();
    let (entered, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enter, pass) = (entered.clone(), gate.clone());
    let echo = |body: String| async move { format!("<{body}>") };
    let router = Router::new().route("/", get(|| async { "hello" }).post(echo));
    let router = router.route(
        "/gate",
        get(|| async move {
            enter.notify_one();
            pass.notified().await;
            "passed"
        }),
    );
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let counts = Connections::new().unwrap();
    let open = counts.open.clone();
    let listener = Listener {
        socket,
        tls: None,
        router,
        places: Places {
            all: connections_max,
            per_address: usize::MAX,
            exempt: TrustedProxies::default(),
        },
        counts,
        tasks: tasks.clone(),
    };
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    let listener = tokio::spawn(listener.run(stop.clone(), drain));
    Running {
        address,
        stop,
        listener,
        tasks,
        open,
        entered,
        gate,
    }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Stops and waits for the listener and every task.
    async fn end(self) {
        self.stop.cancel();
        self.listener.await.unwrap();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn ask(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// Reads until the text ends with `end`, or the connection does.
async fn read_to(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(read) => text.extend_from_slice(&chunk[..read]),
        }
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn what_a_client_began_is_finished_when_the_client_leaves() {
    let running = run(4, LONG).await;
    let mut client = running.connect().await;
    ask(&mut client, "/gate").await;
    running.entered.notified().await;
    drop(client);
    while running.open.get() > 0 || running.tasks.len() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        running.tasks.len(),
        1,
        "the connection's task is gone, the request's is not"
    );
    running.gate.notify_one();
    running.end().await;
}

#[tokio::test]
async fn answers_request_after_request_on_one_connection() {
    let server = run(10, LONG).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        ask(&mut stream, "/").await;
        let answer = read_to(&mut stream, "hello").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_connection_beyond_the_cap_is_told_so_and_the_next_is_served() {
    let server = run(1, LONG).await;
    let mut first = server.connect().await;
    ask(&mut first, "/gate").await;
    server.entered.notified().await;

    let mut second = server.connect().await;
    ask(&mut second, "/").await;
    let answer = read_to(&mut second, "connections\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
        "{answer}"
    );
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        answer.contains(&format!("content-length: {}\r\n", body.len())),
        "{answer}"
    );

    server.gate.notify_one();
    let mut served = String::new();
    while !served.starts_with("HTTP/1.1 200") {
        let mut third = server.connect().await;
        ask(&mut third, "/").await;
        served = read_to(&mut third, "hello").await;
    }
    server.end().await;
}

#[tokio::test]
async fn requests_in_flight_are_answered_and_new_connections_refused() {
    let server = run(10, LONG).await;
    let mut stream = server.connect().await;
    ask(&mut stream, "/gate").await;
    server.entered.notified().await;
    server.stop.cancel();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.gate.notify_one();
    let answer = read_to(&mut stream, "passed").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    server.end().await;
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut() {
    let server = run(10, SHORT).await;
    let mut stream = server.connect().await;
    ask(&mut stream, "/gate").await;
    server.entered.notified().await;
    server.end().await;
    assert_eq!(read_to(&mut stream, "passed").await, "");
}

#[tokio::test]
async fn an_idle_connection_does_not_delay_the_stop() {
    let server = run(10, LONG).await;
    let mut idle = server.connect().await;
    ask(&mut idle, "/").await;
    read_to(&mut idle, "hello").await;
    timeout(LONG / 2, server.end()).await.unwrap();
}

#[tokio::test]
async fn who_is_refused_while_still_sending_reads_the_answer() {
    let server = run(10, LONG).await;
    let body = vec![b'a'; 8 << 20];
    let length = format!("content-length: {}\r\n", body.len());
    for header in [length, format!("x: {}\r\n", "a".repeat(8 << 20))] {
        let mut stream = server.connect().await;
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{header}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let answer = read_to(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    server.end().await;
}

#[tokio::test]
async fn requests_before_one_that_is_refused_are_answered() {
    let server = run(10, LONG).await;
    let gate = "GET /gate HTTP/1.1\r\nhost: a\r\n\r\n";
    let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nwhat";
    let bad = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +4\r\n\r\nnever";
    let all = [gate, post, bad].concat();
    // At once, and so that the second request's body comes together with the third one's head.
    for split in [all.len(), gate.len() + post.len() - 2] {
        let mut stream = server.connect().await;
        let (first, rest) = all.split_at(split);
        stream.write_all(first.as_bytes()).await.unwrap();
        server.entered.notified().await;
        stream.write_all(rest.as_bytes()).await.unwrap();
        server.gate.notify_one();
        let answers = read_to(&mut stream, "\0").await;
        let codes: Vec<&str> = answers
            .match_indices("HTTP/1.1 ")
            .filter_map(|(at, _)| answers.get(at + 9..at + 12))
            .collect();
        assert_eq!(codes, ["200", "200", "400"], "{answers}");
        assert!(
            answers.contains("passed") && answers.contains("<what>"),
            "{answers}"
        );
    }
    server.end().await;
}

#[tokio::test]
async fn too_many_and_too_long_headers_are_refused() {
    let server = run(10, LONG).await;
    let many: String = (0..200).map(|at| format!("x-{at}: 1\r\n")).collect();
    let long = format!("x: {}\r\n", "a".repeat(40_000));
    for headers in [many, long] {
        let mut stream = server.connect().await;
        let request = format!("GET / HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_to(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_port_in_use_is_refused_with_a_hint() {
    let socket = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let address = socket.local_addr().unwrap();
    let said = bind(address).await.unwrap_err();
    assert!(
        said.starts_with(&format!("cannot bind {address}: another process")),
        "{said}"
    );
}
