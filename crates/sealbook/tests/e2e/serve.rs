//! Start, restart, refusals, TLS, stop.

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::harness::{Place, troubles};

#[test]
fn starts_in_an_empty_directory_without_configuration() {
    let place = Place::new();
    #[expect(clippy::disallowed_methods, reason = "measures another process")]
    let started = Instant::now();
    let server = place.serve(&[]);
    server.wait_ready();
    let took = started.elapsed();
    // Wanted is a second; a busy machine gets ten. Shown with --nocapture.
    writeln!(std::io::stderr(), "ready after {} ms", took.as_millis()).unwrap();
    assert!(took < Duration::from_secs(10), "{took:?}");

    let said = &server.announced;
    assert_eq!(said["mode"], "local-trial");
    assert_eq!(said["store"], "file:./data/store");
    let data_dir = place.path("data").canonicalize().unwrap();
    let announced = fs::canonicalize(said["data_dir"].as_str().unwrap()).unwrap();
    assert_eq!(announced, data_dir);
    let key = said["log_key"].as_str().unwrap();
    assert_eq!(server.get("/log/key"), (200, format!("{key}\n")));
    let toxme_key = said["toxme_key"].as_str().unwrap().to_uppercase();
    assert!(server.get("/pk").1.contains(&toxme_key));

    assert_eq!(server.get("/livez"), (200, "ok\n".to_owned()));
    let ready = r#"{"failing":[],"ready":true}"#.to_owned();
    assert_eq!(server.get("/readyz"), (200, ready));
    assert_eq!(server.get("/nothing"), (404, "nothing here\n".to_owned()));
    let (status, log) = server.stop();
    assert_eq!((status.code(), troubles(&log)), (Some(0), vec![]));
}

#[test]
fn people_are_told_what_runs() {
    let place = Place::new();
    let refused = place.serve_refused(&["--config", "absent.toml"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused
            .stderr
            .starts_with("sealbook: absent.toml: cannot read it: ")
    );
    let refused = place.run(&["--json", "serve", "--set", "server.listn=x"]);
    assert_eq!(refused.code, 2);
    let said: serde_json::Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(said["code"], "usage");
    assert!(
        said["error"]
            .as_str()
            .unwrap()
            .contains("did you mean server.listen?")
    );
}

#[test]
fn pages_and_api_share_the_first_path() {
    let place = Place::new();
    let server = place.serve(&[]);
    server.wait_ready();
    let (status, home) = server.get("/");
    assert_eq!(status, 200, "{home}");
    assert!(home.starts_with("<!doctype html>"), "{home}");
    assert!(
        server
            .post("/", r#"{"action": 4}"#)
            .1
            .starts_with(r#"{"c": 0, "#)
    );
    let (status, refused) = server.send("PUT", "/", "");
    assert_eq!(status, 400, "{refused}");
    assert!(refused.starts_with(r#"{"c": -1, "#), "{refused}");
    assert!(server.get("/add_ui").1.contains("name=\"csrf\""));
    assert_eq!(server.post("/add_ui", "").0, 400);

    let place = Place::new();
    let server = place.serve(&["--set", "web.enabled=false"]);
    server.wait_ready();
    assert!(server.get("/").1.starts_with(r#"{"c": -1, "#));
    assert_eq!(server.get("/add_ui"), (404, "nothing here\n".to_owned()));
}

#[test]
fn a_restart_keeps_identity_and_checkpoint() {
    let place = Place::new();
    let first = place.serve(&[]);
    let (announced, checkpoint) = (first.announced.clone(), first.get("/log/checkpoint").1);
    first.kill();
    let second = place.serve(&[]);
    for key in ["origin", "log_key", "toxme_key"] {
        assert_eq!(second.announced[key], announced[key]);
    }
    assert_eq!(second.get("/log/checkpoint").1, checkpoint);
    let (status, log) = second.stop();
    assert_eq!((status.code(), troubles(&log)), (Some(0), vec![]));
    let remembered = fs::read_to_string(place.path("data/checkpoint.latest")).unwrap();
    assert_eq!(remembered, checkpoint);
}

#[test]
fn sigterm_ends_with_zero_while_clients_are_connected() {
    let place = Place::new();
    let server = place.serve(&[]);
    let address = server.url().replace("http://", "");
    let mut idle = std::net::TcpStream::connect(address).unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    server.wait_ready();
    let (status, log) = server.stop();
    assert_eq!((status.code(), troubles(&log)), (Some(0), vec![]));
}

#[test]
fn a_second_server_on_the_same_directory_is_refused_with_the_pid() {
    let place = Place::new();
    let first = place.serve(&[]);
    let second = place.serve_refused(&[]);
    assert_eq!(second.code, 5);
    let pid = format!("in use by process {}", first.pid());
    assert!(second.stderr.contains(&pid), "{}", second.stderr);
    assert_eq!(first.get("/livez").0, 200);
}

#[test]
fn a_missing_key_is_refused_and_named() {
    let place = Place::new();
    drop(place.serve(&[]));
    let (here, away) = (place.path("data/keys/log.key"), place.path("log.key"));
    fs::rename(&here, &away).unwrap();
    let refused = place.serve_refused(&[]);
    assert_eq!(refused.code, 1);
    let said = &refused.stderr;
    assert!(said.contains("data/keys/log.key is missing"), "{said}");
    assert!(said.contains("put the key files"), "{said}");
    assert!(!here.exists());

    fs::rename(&away, &here).unwrap();
    let (status, _) = place.serve(&[]).stop();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn keys_of_another_directory_are_refused() {
    let place = Place::new();
    drop(place.serve(&[]));
    drop(place.serve(&["--set", "server.data_dir=other"]));
    let refused = place.serve_refused(&["--set", "keys.dir=other/keys"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .stderr
            .contains("is not the one this log was created with")
    );
}

#[test]
fn another_origin_is_refused() {
    let place = Place::new();
    drop(place.serve(&["--set", "log.origin=names.example/log"]));
    let refused = place.serve_refused(&["--set", "log.origin=other.example/log"]);
    assert_eq!(refused.code, 1);
    let said = "this log was created as \"names.example/log\"";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
}

#[test]
fn a_port_in_use_is_refused_with_a_hint() {
    let place = Place::new();
    let first = place.serve(&[]);
    let address = first.url().replace("http://", "");
    let other = ["serve", "--set", "server.data_dir=other", "--set"];
    let listen = format!("server.listen={address}");
    let refused = place.run(&[&other[..], &[listen.as_str()]].concat());
    assert_eq!(refused.code, 1);
    let expected = format!("cannot bind {address}: another process uses it.");
    assert!(refused.stderr.contains(&expected), "{}", refused.stderr);
}

#[test]
fn a_store_older_than_the_remembered_checkpoint_is_served_read_only() {
    let place = Place::new();
    drop(place.serve(&[]));
    fs::rename(place.path("data/store"), place.path("old")).unwrap();
    crate::harness::copy_dir(&place.path("old"), &place.path("data/store"));
    let server = place.serve(&[]);
    let url = server.url();
    place.json(&["key", "new"]);
    place.json(&["push", "alice", "--url", &url]);
    place.json(&["lookup", "alice", "--verify", "--url", &url]);
    server.stop();

    fs::remove_dir_all(place.path("data/store")).unwrap();
    fs::rename(place.path("old"), place.path("data/store")).unwrap();
    let server = place.serve(&[]);
    let (status, body) = server.get("/readyz");
    assert_eq!(status, 503);
    assert!(
        body.contains("\"read-only\"") && body.contains("old backup"),
        "{body}"
    );
    let refused = place.run(&["push", "bob", "--url", &server.url()]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    let (_, log) = server.stop();
    assert!(log.contains("writes stopped"), "{log}");
}

#[test]
fn no_new_log_is_made_where_one_was_published() {
    let place = Place::new();
    place.serve(&[]).stop();
    fs::remove_dir_all(place.path("data/store")).unwrap();
    for _ in 0..2 {
        let refused = place.serve_refused(&[]);
        assert_eq!(refused.code, 1);
        let said = "data/checkpoint.latest shows that a log was published";
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    for name in ["checkpoint.latest", "keys"] {
        fs::rename(place.path("data").join(name), place.path(name)).unwrap();
    }
    let (status, _) = place.serve(&[]).stop();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_damaged_memory_of_the_checkpoint_is_named() {
    let place = Place::new();
    place.serve(&[]).stop();
    fs::write(place.path("data/checkpoint.latest"), "nonsense").unwrap();
    let refused = place.serve_refused(&[]);
    assert_eq!(refused.code, 1);
    let said = "data/checkpoint.latest: reading the remembered checkpoint";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
}

#[test]
fn a_store_in_memory_leaves_nothing() {
    let place = Place::new();
    let server = place.serve(&["--set", "store.url=memory:"]);
    server.wait_ready();
    let (status, _) = server.stop();
    assert_eq!(status.code(), Some(0));
    assert!(!place.path("data").exists());
}

#[test]
fn tls_is_served_from_certificate_files() {
    let place = Place::new();
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    fs::write(place.path("cert.pem"), made.cert.pem()).unwrap();
    fs::write(place.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let tls = [
        "--set",
        "server.tls_cert=cert.pem",
        "--set",
        "server.tls_key=key.pem",
    ];
    let server = place.serve(&tls);
    let url = server.url();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    assert_eq!(server.announced["mode"], "tls");
    let refused = place.run(&["lookup", "alice", "--url", &url]);
    assert_eq!(
        refused.code, 6,
        "an unknown authority is refused: {}",
        refused.stderr
    );

    place.json(&["key", "new"]);
    let remote = ["--url", &url, "--ca-file", "cert.pem"];
    let pushed = place.json(&[&["push", "alice"], &remote[..]].concat());
    let found = place.json(&[&["lookup", "alice", "--verify"], &remote[..]].concat());
    assert_eq!(found["tox_id"], pushed["tox_id"]);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let pem = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let both = reqwest::Client::builder()
        .tls_certs_only([pem.clone()])
        .build()
        .unwrap();
    let old = reqwest::Client::builder()
        .tls_certs_only([pem])
        .http1_only()
        .build()
        .unwrap();
    runtime.unwrap().block_on(async {
        let answer = both.get(format!("{url}/livez")).send().await.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        let answer = old.get(format!("{url}/livez")).send().await.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_11);
        assert_eq!(answer.text().await.unwrap(), "ok\n");
    });
    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(0));
    assert_eq!(troubles(&log), Vec::<&str>::new());
}

#[test]
fn bad_certificate_files_are_named() {
    let place = Place::new();
    let one = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    let two = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    fs::write(place.path("cert.pem"), one.cert.pem()).unwrap();
    fs::write(place.path("other.pem"), two.signing_key.serialize_pem()).unwrap();
    fs::write(place.path("empty.pem"), "").unwrap();
    for (cert, key, expected) in [
        ("absent.pem", "other.pem", "server.tls_cert: absent.pem: "),
        (
            "empty.pem",
            "other.pem",
            "server.tls_cert: empty.pem: no certificate in PEM",
        ),
        (
            "cert.pem",
            "empty.pem",
            "server.tls_key: empty.pem: no private key in PEM",
        ),
        (
            "cert.pem",
            "other.pem",
            "server.tls_key: other.pem: it does not belong",
        ),
    ] {
        let (cert, key) = (
            format!("server.tls_cert={cert}"),
            format!("server.tls_key={key}"),
        );
        let refused = place.serve_refused(&["--set", &cert, "--set", &key]);
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
}
