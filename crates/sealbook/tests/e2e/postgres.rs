//! The binary over a database: what the embedded store does, and what happens when the database does
//! not do its part.

use std::time::{Duration, Instant};

use pgrig::{Postgres, Settings};

use crate::harness::{Place, Ran, Server, copy_dir};

const PASSWORD: &str = "sesame";
/// Longest time from a failure of the database to an answer that says so.
const SAID_WITHIN: Duration = Duration::from_secs(12);
/// Longest time from the database's return to the server's.
const BACK_WITHIN: Duration = Duration::from_secs(15);

/// A database that asks for a password.
fn database() -> Postgres {
    let settings = Settings {
        password: Some(PASSWORD.into()),
        ..Settings::default()
    };
    Postgres::start(settings).unwrap()
}

/// The argument that names a store.
fn store(url: &str) -> String {
    format!("store.url={url}")
}

fn serve(place: &Place, url: &str) -> Server {
    let server = place.serve(&["--set", &store(url), "--set", "limits.enabled=false"]);
    wait_until("the server is ready", BACK_WITHIN, || {
        server.get("/readyz").0 == 200
    });
    server
}

/// Asks again until it is so; answers how long that took.
pub(crate) fn wait_until(
    what: &str,
    within: Duration,
    mut is_so: impl FnMut() -> bool,
) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "measures other processes")]
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < within, "in vain: {what}");
        #[expect(
            clippy::disallowed_methods,
            reason = "a process that is not ours tells nobody when it is ready"
        )]
        std::thread::sleep(Duration::from_millis(50));
    }
    started.elapsed()
}

#[test]
fn names_in_a_database_survive_the_server() {
    let (database, place) = (database(), Place::new());
    let url = database.url();
    let server = serve(&place, &url);
    let said = server.announced.to_string();
    assert!(
        said.contains("postgres://sealbook:***@127.0.0.1:"),
        "{said}"
    );
    let log_key = server.announced["log_key"].clone();

    let key = place.json(&["key", "new"]);
    let at = server.url();
    let push = ["push", "alice", "--privacy", "searchable", "--url", &at];
    assert_eq!(place.json(&push)["new"], true);
    let found = place.json(&["lookup", "alice", "--verify", "--url", &at]);
    assert_eq!(found["tox_id"], key["tox_id"]);
    server.kill();

    let server = serve(&place, &url);
    assert_eq!(server.announced["log_key"], log_key);
    let at = server.url();
    let found = place.json(&["lookup", "alice", "--verify", "--url", &at]);
    assert_eq!(found["tox_id"], key["tox_id"]);
    assert_eq!(found["first_contact"], false);
    let found = place.json(&["search", "ali", "--url", &at]);
    assert_eq!(found["names"][0]["name"], "alice");
    place.json(&["push", "alice", "--bio", "again", "--url", &at]);

    let verify = || place.json(&["log", "verify", &at]);
    wait_until("the log has both links", BACK_WITHIN, || {
        verify()["links"] == 2
    });
    let verified = verify();
    assert_eq!(verified["ok"], true);
    assert_eq!(
        place.json(&["log", "verify", &url]),
        verified,
        "while it runs"
    );
    let (status, _) = server.stop();
    assert_eq!(status.code(), Some(0));
    assert_eq!(place.json(&["log", "verify", &url]), verified);
    assert!(!place.path("data/store").exists());
}

#[test]
fn two_servers_with_the_same_keys_share_a_database() {
    let (database, place) = (database(), Place::new());
    let url = database.url();
    let first = serve(&place, &url);
    copy_dir(&place.path("data/keys"), &place.path("other/keys"));
    let other = store(&url);
    let second = place.serve(&["--set", &other, "--set", "server.data_dir=other"]);
    for key in ["log_key", "toxme_key", "origin"] {
        assert_eq!(first.announced[key], second.announced[key]);
    }
    let key = place.json(&["key", "new"]);
    place.json(&["push", "alice", "--url", &first.url()]);
    let found = || place.run(&["lookup", "alice", "--url", &second.url()]).code == 0;
    wait_until(
        "the second one knows the name",
        Duration::from_secs(2),
        found,
    );
    let verified = place.json(&["lookup", "alice", "--verify", "--url", &second.url()]);
    assert_eq!(verified["tox_id"], key["tox_id"]);
    for server in [first, second] {
        assert_eq!(server.stop().0.code(), Some(0));
    }
}

/// What a server says that must not start, without the password.
fn refused(place: &Place, url: &str) -> Ran {
    let ran = place.serve_refused(&["--set", &store(url)]);
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    ran
}

#[test]
fn a_database_that_cannot_be_used_is_named_at_the_start() {
    let (database, place) = (database(), Place::new());
    let (url, port) = (database.url(), database.port());
    let nobody = TcpPort::free();
    for (wrong, code, expected) in [
        (
            url.replace(&format!(":{port}/"), &format!(":{}/", nobody.0)),
            6,
            vec!["cannot connect to the database", "127.0.0.1:", "refused"],
        ),
        (
            // A name that is none, so that nobody is asked.
            url.replace("@127.0.0.1:", "@no..host:"),
            6,
            vec!["cannot connect to the database", "no..host:"],
        ),
        (
            url.replace(&format!(":{PASSWORD}@"), &format!(":{PASSWORD}-not@")),
            1,
            vec!["cannot log in to the database", "127.0.0.1:"],
        ),
        (
            url.replace(&format!(":{port}/sealbook"), &format!(":{port}/another")),
            1,
            vec!["create the database first", "\"another\" does not exist"],
        ),
        (
            format!("{url}?options=-csearch_path%3Dabsent"),
            1,
            vec!["the database cannot be made ready", "no schema"],
        ),
    ] {
        let ran = refused(&place, &wrong);
        assert_eq!(ran.code, code, "{}", ran.stderr);
        for expected in expected {
            assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        }
    }
    serve(&place, &url).stop();
    database.psql("UPDATE kv_schema SET version = 99").unwrap();
    let ran = refused(&place, &url);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let newer = "the database has schema 99, this release reads up to";
    assert!(ran.stderr.contains(newer), "{}", ran.stderr);

    let shown = place.run(&["config", "show", "--set", &store(&url)]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("postgres://sealbook:***@"));
    assert!(!shown.stdout.contains(PASSWORD), "{}", shown.stdout);
}

/// A port where nobody listens.
struct TcpPort(u16);

impl TcpPort {
    fn free() -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        Self(listener.local_addr().unwrap().port())
    }
}

/// A name that nobody asked for yet, so that no cache knows of it.
fn look_up(server: &Server, name: &str) -> (u16, String) {
    let body = format!(r#"{{"action": 3, "name": "{name}"}}"#);
    server.post("/api", &body)
}

/// An answer that must come in time.
fn in_time<T>(ask: impl FnOnce() -> T) -> T {
    #[expect(clippy::disallowed_methods, reason = "measures another process")]
    let started = Instant::now();
    let answer = ask();
    let took = started.elapsed();
    assert!(took < SAID_WITHIN, "{took:?}");
    answer
}

/// Each door says in its own way that the store is away, and in time.
fn check_away(place: &Place, server: &Server, round: &str) {
    let (status, body) = in_time(|| look_up(server, &format!("{round}1")));
    assert_eq!(status, 503, "{body}");
    assert!(body.starts_with(r#"{"c": -43"#), "{body}");
    let (status, body) = in_time(|| server.get(&format!("/log/names/{round}2")));
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("\"unavailable\""), "{body}");
    let (status, body) = in_time(|| server.get("/readyz"));
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("\"check\":\"writes\""), "{body}");
    assert!(!body.contains(PASSWORD), "{body}");
    let at = server.url();
    let push = ["push", "carol", "--key", "carol", "--url", &at];
    let pushed = in_time(|| place.run(&push));
    let said = "cannot be reached at the moment";
    assert!(
        pushed.code != 0 && pushed.stderr.contains(said),
        "{}",
        pushed.stderr
    );
    assert_eq!(server.get("/livez").0, 200);
    assert_eq!(server.get("/pk").0, 200);
}

/// The same server serves again.
fn check_back(place: &Place, server: &Server, name: &str) {
    let at = server.url();
    wait_until("the server is ready again", BACK_WITHIN, || {
        server.get("/readyz").0 == 200
    });
    place.json(&["push", name, "--key", name, "--url", &at]);
    place.json(&["lookup", name, "--verify", "--url", &at]);
    place.json(&["lookup", "alice", "--verify", "--url", &at]);
    assert_eq!(place.json(&["log", "verify", &at])["ok"], true);
}

#[test]
fn a_database_that_goes_away_is_waited_for() {
    let (mut database, place) = (database(), Place::new());
    let server = serve(&place, &database.url());
    for key in ["alice", "bob", "carol"] {
        place.json(&["key", "new", "--out", key]);
    }
    let at = server.url();
    place.json(&["push", "alice", "--key", "alice", "--url", &at]);
    place.json(&["lookup", "alice", "--verify", "--url", &at]);

    database.kill().unwrap();
    check_away(&place, &server, "killed");
    database.run().unwrap();
    check_back(&place, &server, "bob");

    // Connections stay and nothing answers: the clients' patience must not be used up.
    database.pause().unwrap();
    check_away(&place, &server, "paused");
    database.resume().unwrap();
    check_back(&place, &server, "carol");

    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("writes are paused"), "{log}");
    assert!(!log.contains(PASSWORD), "{log}");
}
