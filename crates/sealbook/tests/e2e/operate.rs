//! What an operator relies on: metrics, the log, limits on connections, signals, systemd.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;

use serde_json::Value;

use crate::harness::{PATIENCE, Place, Server, troubles};

/// What comes back for these bytes until the server closes or falls silent.
fn raw(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The server may close before it has read all.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn ask(address: &str, path: &str, headers: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
    let answer = String::from_utf8(raw(address, request.as_bytes())).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

fn address(server: &Server) -> String {
    server.url().replace("http://", "")
}

/// The value of a series, by its beginning.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find(|line| line.starts_with(series));
    let line = line.unwrap_or_else(|| panic!("no {series} in {metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// A server that has registered alice, looked her up and refused something.
fn used(place: &Place, arguments: &[&str]) -> Server {
    let server = place.serve(arguments);
    let url = server.url();
    place.json(&["key", "new"]);
    place.json(&["push", "alice", "--url", &url]);
    place.json(&["lookup", "alice", "--url", &url]);
    assert_eq!(server.get("/alice").0, 404);
    server.wait_ready();
    server
}

#[test]
fn metrics_count_what_happened_and_name_nobody() {
    let place = Place::new();
    let server = used(&place, &[]);
    let (status, text) = server.get("/metrics");
    assert_eq!(status, 200);
    let requests =
        |labels: &str| value(&text, &format!("sealbook_http_requests_total{{{labels}}}"));
    assert!(requests(r#"api="toxme",code="200",route="/api""#) >= 2.0);
    assert!(requests(r#"api="none",code="404",route="unmatched""#) >= 1.0);
    let seconds = "sealbook_http_request_duration_seconds";
    let labels = r#"{api="toxme",route="/api"}"#;
    assert!(value(&text, &format!("{seconds}_count{labels}")) >= 2.0);
    assert!(value(&text, &format!("{seconds}_sum{labels}")) > 0.0);
    let names = |state: &str| value(&text, &format!("sealbook_identities{{state=\"{state}\"}}"));
    assert_eq!(names("searchable") + names("private"), 1.0);
    assert!(value(&text, "sealbook_log_size ") >= 2.0);
    assert!(value(&text, "sealbook_log_append_duration_seconds_count") >= 1.0);
    assert!(value(&text, "sealbook_store_fsync_seconds_count") >= 1.0);
    assert!(value(&text, "sealbook_store_bytes ") > 0.0);
    assert_eq!(value(&text, "sealbook_store_writable "), 1.0);
    assert_eq!(value(&text, "sealbook_build_info{"), 1.0);
    assert!(value(&text, "process_resident_memory_bytes ") > 0.0);
    assert!(value(&text, "process_open_fds ") > 0.0);
    assert!(
        !text.contains("alice") && !text.contains("127.0.0.1"),
        "{text}"
    );

    for file in ["prometheus/alerts.yml", "grafana/sealbook.json"] {
        let path = format!("{}/../../contrib/{file}", env!("CARGO_MANIFEST_DIR"));
        let shipped = fs::read_to_string(path).unwrap();
        for name in names_in(&shipped) {
            let known = text.contains(&format!("# HELP {name} "));
            assert!(known, "{file} speaks of {name}, which is not measured");
        }
    }
}

/// Names of metrics in a text, as families.
fn names_in(text: &str) -> Vec<&str> {
    let is_part = |char: char| char.is_ascii_lowercase() || char == '_';
    let words = text.split(|char| !is_part(char));
    let words = words.filter(|word| word.starts_with("sealbook_") || word.starts_with("process_"));
    let family = |word| {
        let mut ends = ["_bucket", "_sum", "_count"].into_iter();
        ends.find_map(|end| str::strip_suffix(word, end))
            .unwrap_or(word)
    };
    let names: Vec<_> = words.map(family).collect();
    assert!(names.len() > 10, "{text}");
    names
}

#[test]
fn metrics_are_for_this_machine_unless_they_have_a_listener() {
    let place = Place::new();
    let server = place.serve(&[]);
    let main = address(&server);
    assert_eq!(ask(&main, "/metrics", "").0, 200);
    for header in [
        "X-Forwarded-For: 127.0.0.1",
        "X-Real-IP: 127.0.0.1",
        "Via: 1.1 a",
    ] {
        let answer = ask(&main, "/metrics", &format!("{header}\r\n"));
        assert_eq!(answer, (404, "nothing here\n".to_owned()), "{header}");
    }
    drop(server);
    let server = place.serve(&["--set", "metrics.listen=127.0.0.1:0"]);
    assert_eq!(ask(&address(&server), "/metrics", "").0, 404);
    let own = server.announced["metrics"].as_str().unwrap();
    let own = own.strip_prefix("http://").unwrap();
    let own = own.strip_suffix("/metrics").unwrap();
    let (status, text) = ask(own, "/metrics", "X-Forwarded-For: 192.0.2.1\r\n");
    assert_eq!(status, 200);
    assert!(text.contains("\nsealbook_log_size "), "{text}");
    assert_eq!(ask(own, "/pk", "").0, 404);
    let (status, log) = server.stop();
    assert_eq!((status.code(), troubles(&log)), (Some(0), vec![]));
}

/// The lines of a log, each of which must be one object.
fn objects(log: &str) -> Vec<Value> {
    let lines = log.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line:?}")))
        .inspect(|line: &Value| assert!(line.is_object(), "{line}"))
        .collect()
}

#[test]
fn changes_have_a_line_and_look_ups_only_if_asked_for() {
    let place = Place::new();
    let (_, log) = used(&place, &[]).stop();
    let lines = objects(&log);
    let [line] = &lines[..] else {
        panic!("one line for one change: {log}");
    };
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["msg"], "request answered");
    assert_eq!(
        (&line["api"], &line["route"]),
        (&"toxme".into(), &"/api".into())
    );
    assert_eq!(
        (&line["method"], &line["status"]),
        (&"POST".into(), &200.into())
    );
    assert_eq!(line["client"], "127.0.0.0/24");
    assert!(
        line["dur_ms"].is_number() && line["ts"].is_string(),
        "{line}"
    );
    assert_eq!(line["target"], "httpkit::log");
    assert!(!line["req_id"].as_str().unwrap().is_empty());

    for (ip, client) in [("full", "127.0.0.1".into()), ("none", Value::Null)] {
        let log_ip = format!("log.ip={ip}");
        let server = place.serve(&["--log", "debug", "--set", &log_ip]);
        assert_eq!(server.get("/pk").0, 200);
        let (_, log) = server.stop();
        let lines = objects(&log);
        let line = lines.iter().find(|line| line["route"] == "/pk").unwrap();
        assert_eq!(
            (&line["level"], &line["client"]),
            (&"DEBUG".into(), &client)
        );
    }
}

#[test]
fn nothing_a_client_sends_forges_a_line_or_shows_a_secret() {
    let place = Place::new();
    let server = place.serve(&["--log", "debug"]);
    let url = server.url();
    let main = address(&server);
    place.json(&["key", "new"]);
    let pushed = place.json(&["push", "alice", "--bio", "zq-secret-bio", "--url", &url]);
    let long = "a".repeat(20_000);
    for header in [
        "User-Agent: a\u{1b}[2J zq-agent\u{2028}{\"level\":\"ERROR\"}".to_owned(),
        format!("User-Agent: zq-{long}"),
        "X-Request-Id: a\u{1b}[2Jzq-id".to_owned(),
        format!("X-Request-Id: zq-{long}"),
        "X-Request-Id: {\"zq\":1}".to_owned(),
        "Authorization: Bearer zq-token".to_owned(),
        "Cookie: zq-cookie=1".to_owned(),
    ] {
        ask(&main, "/zq-path?zq-query=1", &format!("{header}\r\n"));
    }
    for body in [
        "{\"action\":3,\"name\":\"zq%0a\\u2028\\n\"}",
        "zq-body\r\n\u{1b}",
    ] {
        server.post("/api", body);
    }
    raw(&main, b"GET /zq\x1b\r\n\xff HTTP/1.1\r\nzq: \n\r\n\r\n");
    assert_eq!(ask(&main, "/pk", "X-Request-Id: good-1\r\n").0, 200);
    let (_, log) = server.stop();
    let lines = objects(&log);
    assert!(lines.len() >= 9, "{log}");
    assert!(lines.iter().any(|line| line["req_id"] == "good-1"), "{log}");
    assert!(!log.contains("zq"), "{log}");
    let control = |char: char| char != '\n' && (char.is_control() || char == '\u{2028}');
    assert!(!log.contains(control), "{log:?}");
    for secret in ["password", "tox_id", "public_key"] {
        if let Some(secret) = pushed[secret].as_str() {
            assert!(!log.contains(secret), "{log}");
        }
    }
}

/// Requests that two servers may read differently; `GET /livez` is what would be smuggled.
const SMUGGLED: &[&str] = &[
    "POST /api HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nXGET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST /api HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n0\r\n\r\nXGET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST /api HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 34\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST /api HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 0\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST /api HTTP/1.1\r\nhost: a\r\nx: y\r\n content-length: 34\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST /api HTTP/1.1\r\nhost: a\r\nx: y\ncontent-length: 0\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST /api HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST /api HTTP/1.1\r\nhost: a\r\ncontent-length : 0\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST /api HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0;a\nb\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST /api HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\n\nGET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST /api HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST /api HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\n\r\n",
];

#[test]
fn ambiguous_requests_are_refused_and_what_is_behind_them_not_answered() {
    let place = Place::new();
    let server = place.serve(&[]);
    for request in SMUGGLED {
        let answer = raw(&address(&server), request.as_bytes());
        let answer = String::from_utf8(answer).unwrap();
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(answers <= 1, "{request:?}: {answer}");
        assert!(answer.starts_with("HTTP/1.1 4"), "{request:?}: {answer}");
        assert!(!answer.contains("ok\n"), "{request:?}: {answer}");
    }
    // Two plain ones behind each other are answered.
    let twice = "GET /livez HTTP/1.1\r\nhost: a\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = raw(&address(&server), twice.as_bytes());
    assert_eq!(
        String::from_utf8(answer).unwrap().matches("ok\n").count(),
        2
    );
}

#[test]
fn slow_connections_give_way_to_others() {
    let place = Place::new();
    let server = place.serve(&["--set", "limits.connections=16"]);
    let main = address(&server);
    let mut slow = Vec::new();
    for number in 0..64 {
        let mut stream = TcpStream::connect(&main).unwrap();
        let begun: &[u8] = if number % 2 == 0 {
            b"GET / HTTP/1.1\r\nx: "
        } else {
            b""
        };
        stream.write_all(begun).unwrap();
        slow.push(stream);
        assert_eq!(ask(&main, "/livez", ""), (200, "ok\n".to_owned()));
    }
    let (_, text) = ask(&main, "/metrics", "");
    drop(slow);
    assert!(value(&text, "sealbook_connections_evicted_total ") >= 48.0);
    assert!(value(&text, "sealbook_connections ") <= 17.0);
    let (status, _) = server.stop();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn one_address_has_its_share_of_connections() {
    let place = Place::new();
    let few = "limits.connections_per_address=3";
    let server = place.serve(&["--set", few, "--set", "server.trusted_proxies="]);
    let main = address(&server);
    let mut held: Vec<_> = (0..3).map(|_| TcpStream::connect(&main).unwrap()).collect();
    for stream in &mut held {
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n")
            .unwrap();
        stream.read_exact(&mut [0; 15]).unwrap();
    }
    let refused = raw(&main, b"");
    let refused = String::from_utf8(refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("retry-after: 1\r\n"), "{refused}");
    drop(held);
    let answered = (0..1000).any(|_| raw(&main, b"GET /livez HTTP/1.0\r\n\r\n").ends_with(b"ok\n"));
    assert!(answered, "there is a place again");
}

/// A frame of HTTP/2: type, flags, stream and payload.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET /` or `POST /` of http://a, in static entries of HPACK.
fn headers(method: u8, stream: u32, flags: u8) -> Vec<u8> {
    frame(1, flags, stream, &[method, 0x86, 0x84, 0x41, 1, b'a'])
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const GET: u8 = 0x82;
const POST: u8 = 0x83;

#[test]
fn streams_that_are_opened_and_reset_end_the_connection() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mut bytes = PREFACE.to_vec();
    for number in 0..20_000 {
        let stream = 2 * number + 1;
        bytes.extend(headers(GET, stream, 0x5));
        bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    let mut stream = TcpStream::connect(address(&server)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let written = stream.write_all(&bytes);
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    // It says GOAWAY on stream 0 and closes; what it says is lost where it closed while more came.
    let goaway = answer
        .windows(9)
        .any(|part| part[3..] == [7, 0, 0, 0, 0, 0]);
    let reset = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
    assert!(
        goaway || reset || written.is_err(),
        "{} bytes",
        answer.len()
    );
    assert_eq!(server.get("/livez").0, 200);
}

#[test]
fn more_streams_than_allowed_are_refused() {
    let place = Place::new();
    let server = place.serve(&[]);
    let mut stream = TcpStream::connect(address(&server)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = PREFACE.to_vec();
    for number in 0..1000 {
        bytes.extend(headers(POST, 2 * number + 1, 0x4));
    }
    stream.write_all(&bytes).unwrap();
    let mut answer = Vec::new();
    let is_refusal = |part: &[u8]| {
        let reset = part[..4] == [0, 0, 4, 3] && part[9..] == 7_u32.to_be_bytes();
        reset || part[3..9] == [7, 0, 0, 0, 0, 0]
    };
    while !answer.windows(13).any(is_refusal) {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "neither refused nor told to go");
        answer.extend_from_slice(&chunk[..read]);
    }
    assert_eq!(server.get("/livez").0, 200);
}

#[test]
fn a_hangup_reads_the_certificate_anew() {
    let place = Place::new();
    let write = |place: &Place| {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        fs::write(place.path("cert.pem"), made.cert.pem()).unwrap();
        fs::write(place.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    };
    write(&place);
    let tls = [
        "--set",
        "server.tls_cert=cert.pem",
        "--set",
        "server.tls_key=key.pem",
    ];
    let server = place.serve(&tls);
    fs::copy(place.path("cert.pem"), place.path("first.pem")).unwrap();
    let url = server.url();
    let with = |ca: &str| {
        place
            .run(&["lookup", "alice", "--url", &url, "--ca-file", ca])
            .code
    };
    assert_eq!(with("first.pem"), 3, "reached, and no such name");
    write(&place);
    assert_eq!(with("cert.pem"), 6, "not read yet");
    server.signal(rustix::process::Signal::HUP);
    server.wait_log("the certificate was read anew");
    assert_eq!(with("cert.pem"), 3);
    assert_eq!(with("first.pem"), 6);

    fs::write(place.path("key.pem"), "nonsense").unwrap();
    server.signal(rustix::process::Signal::HUP);
    server.wait_log("still with the certificate of before: server.tls_key: key.pem");
    assert_eq!(with("cert.pem"), 3);
    let (status, _) = server.stop();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn systemd_is_told_that_the_server_is_ready_lives_and_stops() {
    let place = Place::new();
    let path = place.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let environment = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "20000"),
    ];
    let server = place.serve_with(&environment, &[]);
    let hear = |wanted: &str| {
        for _ in 0..10_000 {
            let mut heard = [0; 512];
            let length = socket.recv(&mut heard).unwrap();
            if heard[..length].starts_with(wanted.as_bytes()) {
                return;
            }
        }
        panic!("never heard {wanted}");
    };
    hear("READY=1");
    hear("WATCHDOG=1");
    server.signal(rustix::process::Signal::TERM);
    hear("STOPPING=1");
    let (status, log) = server.stop();
    assert_eq!((status.code(), troubles(&log)), (Some(0), vec![]));
}

#[test]
fn shells_and_manuals_know_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = place.run(&["completion", shell]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{shell}");
        for word in ["serve", "lookup", "completion", "origin"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(place.run(&["completion", "csh"]).code, 2);

    let page = place.run(&["man"]);
    assert!(page.stdout.contains(".TH sealbook 1"), "{}", page.stdout);
    let made = place.json(&["man", "--dir", "man/man1"]);
    let pages: Vec<&str> = made["pages"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for page in ["sealbook.1", "sealbook-serve.1", "sealbook-config-show.1"] {
        assert!(pages.contains(&page), "{pages:?}");
        let text = fs::read_to_string(place.path("man/man1").join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
    let version = place.json(&["version"]);
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(!version["commit"].as_str().unwrap().is_empty());
}
