//! `import toxme`, from a database that Python's sqlite3 makes with the original's schema.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use engine::names::Caller;
use engine::ports::Ports;
use engine::types::Name;
use engine::{Engine, Settings};
use outbound::signer_file;
use outbound::system::{OsRng, SystemTimer};
use serde_json::{Value, json};

use crate::harness::{Place, Ran, Server};

/// The key of the toxme vectors, and the X25519 public key that the original makes of it.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
const PUBLIC: &str = "8F40C5ADB68F25624AE5B214EA767A6EC94D829D3D7B5E1AD1BA6F3E2138285F";
const IMPORT: [&str; 6] = ["import", "toxme", "--db", "toxme.db", "--key", "key"];

/// Makes `toxme.db` and `key` in a place.
fn original(place: &Place, rows: &Value, more: usize) {
    fs::write(place.path("key"), KEY).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/toxme_db.py");
    let mut python = Command::new("python3")
        .args([script, "toxme.db", &more.to_string()])
        .current_dir(place.path(""))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(rows.to_string().as_bytes()).unwrap();
    drop(stdin);
    assert!(python.wait().unwrap().success());
}

fn import(place: &Place, options: &[&str]) -> Value {
    place.json(&[&IMPORT, options].concat())
}

fn refused(ran: &Ran, code: i32, said: &str) {
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}

fn counts(done: &Value) -> [u64; 4] {
    ["rows", "imported", "here_already", "left_out"].map(|key| done[key].as_u64().unwrap())
}

fn look_up(server: &Server, name: &str) -> Value {
    let (_, answer) = server.post("/api", &json!({ "action": 3, "name": name }).to_string());
    serde_json::from_str(&answer).unwrap()
}

/// A profile made by the client, in the file of that name; its Tox ID.
fn profile(place: &Place, name: &str) -> String {
    let made = place.json(&["key", "new", "--out", name]);
    made["tox_id"].as_str().unwrap().to_owned()
}

/// Rows as years of use leave them; alice's is first.
fn dirty(alice: &str) -> Value {
    json!([
        { "name": "alice", "tox_id": alice, "privacy": 2, "bio": "it's me", "password": "old-pas-sword" },
        { "name": "zoe\u{308}" },
        { "name": "zo\u{eb}" },
        { "name": "a b" },
        { "name": "" },
        { "name": "postmaster" },
        { "name": "no-checksum", "checksum": "0000" },
        { "name": "no-bio", "bio": null, "privacy": null, "timestamp": null, "password": null },
        { "name": "long-bio", "bio": "x".repeat(1373) },
        { "name": "huge-bio", "bio": { "bytes": 3_000_000 } },
        { "name": "no-key", "public_key": null },
        { "name": "typed", "privacy": "much" },
        { "name": null },
        { "name": "secret", "privacy": 0 },
        { "name": "same-key", "tox_id": alice.to_lowercase() },
    ])
}

#[test]
fn a_toxme_server_goes_on_as_sealbook() {
    let place = Place::new();
    let alice = profile(&place, "alice");
    original(&place, &dirty(&alice), 300);

    let dry = import(&place, &["--dry-run", "--conflicts", "left-out"]);
    assert!(!place.path("data").exists(), "a dry run makes nothing");
    let listed = fs::read_to_string(place.path("left-out")).unwrap();
    let done = import(&place, &["--conflicts", "left-out"]);
    assert_eq!(counts(&done), [315, 304, 0, 11]);
    assert_eq!(counts(&dry), counts(&done));
    assert_eq!(dry["reasons"], done["reasons"]);
    let reasons = json!({
        "bio": 1, "character": 1, "checksum": 1, "duplicate-key": 1, "duplicate-name": 1, "name": 1,
        "reserved": 1, "unreadable": 4,
    });
    assert_eq!(done["reasons"], reasons);
    assert_eq!(done["without_password"], 1);
    assert_eq!(listed, fs::read_to_string(place.path("left-out")).unwrap());
    assert_eq!(listed.lines().count(), 11);
    assert!(
        listed.contains(r#""reason":"unreadable","row":10"#),
        "{listed}"
    );

    assert_eq!(counts(&import(&place, &[])), [315, 0, 304, 11]);
    let verified = place.json(&["log", "verify", "data"]);
    let server = place.serve(&[]);
    served(&place, &server, &alice);
    let (_, log) = server.stop();
    assert!(!log.contains("old-pas-sword"), "{log}");
    let now = place.json(&["log", "verify", "data"]);
    assert!(now["size"].as_u64() > verified["size"].as_u64());
    // What was changed here since is not put back.
    let again = import(&place, &[]);
    assert_eq!(counts(&again), [315, 0, 303, 12]);
    assert_eq!(again["reasons"]["changed"], 1);
    passwords(&place);
}

/// What clients of the original find.
fn served(place: &Place, server: &Server, alice: &str) {
    server.wait_ready();
    let (_, pk) = server.get("/pk");
    assert!(pk.contains(PUBLIC), "{pk}");
    assert_eq!(look_up(server, "alice")["tox_id"], alice);
    for name in ["zo\u{eb}", "zoe\u{308}", "no-bio", "secret"] {
        assert_eq!(look_up(server, name)["c"], 0, "{name}");
    }
    for number in 16..=315 {
        let name = format!("plain{number}");
        assert_eq!(look_up(server, &name)["name"], name.as_str());
    }
    for name in ["a b", "postmaster", "no-checksum", "same-key"] {
        assert_eq!(look_up(server, name)["c"], -42, "{name}");
    }
    let ask = json!({ "action": 5, "id": &alice[..64] }).to_string();
    assert!(server.post("/api", &ask).1.contains(r#""name": "alice""#));
    let url = server.url();
    place.json(&["lookup", "plain16", "--verify", "--url", &url]);
    let pushed = place.json(&[
        "push", "alice", "--key", "alice", "--url", &url, "--bio", "new",
    ]);
    assert_eq!(
        (&pushed["new"], &pushed["password"]),
        (&false.into(), &Value::Null)
    );
}

/// Old edit passwords are right, by the engine's own check over the directory that is left.
fn passwords(place: &Place) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let url = format!("file:{}", place.path("data/store").display());
        let store = store::open(&url, store::Options::default()).await.unwrap();
        let keys = signer_file::open(&place.path("data/keys"), false, &OsRng).unwrap();
        let ports = Ports {
            store: store.clone(),
            timer: Arc::new(SystemTimer::start()),
            rng: Arc::new(OsRng),
            log_signer: keys.log,
            record_signer: keys.record,
            box_key: keys.toxme,
            archive: None,
            label_key: keys.commitment,
            pepper: keys.pepper,
            remote_names: None,
            web: None,
            dns: None,
            checkers: Vec::new(),
        };
        let engine = Engine::open(ports, settings()).await.unwrap();
        let name = |name| Name::parse(name).unwrap();
        let names = engine.names();
        let address = [192, 0, 2, 1].into();
        let caller = Caller { address };
        for _ in 0..2 {
            let check = names
                .check_password(&caller, &name("alice"), "old-pas-sword")
                .await;
            check.unwrap();
        }
        for (of, guess) in [("alice", "old-pas-swore"), ("no-bio", ""), ("no-bio", "x")] {
            assert!(
                names
                    .check_password(&caller, &name(of), guess)
                    .await
                    .is_err(),
                "{of}"
            );
        }
        store.close().await;
    });
}

fn settings() -> Settings {
    Settings {
        domain: "localhost".to_owned(),
        origin: None,
        public_host: None,
        merge_delay: Duration::from_millis(200),
        release_after: None,
        strict_possession: true,
        recheck_after: Duration::from_secs(3 * 24 * 3600),
        limits_enabled: true,
    }
}

#[test]
fn an_import_that_was_cut_short_goes_on() {
    let place = Place::new();
    original(&place, &json!([]), 3000);
    let rows = |place: &Place| {
        let stats = place.run(&["--json", "store", "stats"]);
        let stats: Value = serde_json::from_str(&stats.stdout).unwrap_or_default();
        let tables = stats["tables"].as_array().cloned().unwrap_or_default();
        let names = tables.iter().find(|table| table["name"] == "names");
        names.and_then(|names| names["rows"].as_u64()).unwrap_or(0)
    };
    // Killed once something of it is on disk, and not by a clock.
    let mut child = place.spawn(&IMPORT);
    let journal = place.path("data/store");
    let is_begun = || size_of(&journal) > 100_000;
    while !is_begun() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = rows(&place);
    let done = import(&place, &[]);
    assert_eq!(counts(&done), [3000, 3000 - before, before, 0]);
    assert_eq!(rows(&place), 3000);
    let log = place.json(&["log", "verify", "data"]);
    assert!(log["size"].as_u64().unwrap() > 3000);
}

/// Bytes of all files below a directory.
fn size_of(dir: &std::path::Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => size_of(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

#[test]
fn what_is_no_database_of_an_original_is_refused() {
    let place = Place::new();
    let run = || place.run(&IMPORT);
    fs::write(place.path("key"), KEY).unwrap();
    refused(&run(), 3, "cannot read the database toxme.db");
    for (content, said) in [
        (&b""[..], "no SQLite database"),
        (b"SQLite format 3", "no SQLite"),
    ] {
        fs::write(place.path("toxme.db"), content).unwrap();
        refused(&run(), 1, said);
    }
    fs::remove_file(place.path("toxme.db")).unwrap();
    let sql = |sql: &str| {
        let made = rusqlite::Connection::open(place.path("toxme.db")).unwrap();
        made.execute_batch(sql).unwrap();
    };
    sql("CREATE TABLE other (x)");
    refused(&run(), 1, "no table \"records\"");
    sql("CREATE VIEW records AS SELECT 1 AS name");
    refused(&run(), 1, "no table \"records\"");
    sql("DROP VIEW records; CREATE TABLE records (name, bio, privacy)");
    refused(
        &run(),
        1,
        "no column public_key, pin, checksum, timestamp, password",
    );
    fs::remove_file(place.path("toxme.db")).unwrap();
    original(&place, &json!([]), 200);
    fs::write(place.path("toxme.db-wal"), "x").unwrap();
    assert_eq!(
        counts(&import(&place, &["--dry-run"]))[0],
        200,
        "it is no log of this"
    );
    fs::remove_file(place.path("toxme.db-wal")).unwrap();
    sql("PRAGMA journal_mode = WAL");
    fs::write(place.path("toxme.db-wal"), "x").unwrap();
    refused(&run(), 5, "wal_checkpoint");
    fs::write(place.path("toxme.db-wal"), "").unwrap();
    assert_eq!(counts(&import(&place, &["--dry-run"]))[1], 200);
    fs::remove_file(place.path("toxme.db-wal")).unwrap();

    let mut bytes = fs::read(place.path("toxme.db")).unwrap();
    bytes[4096..].fill(0x5a);
    fs::write(place.path("toxme.db"), bytes).unwrap();
    refused(&run(), 4, "damaged");
    fs::write(place.path("key"), "00").unwrap();
    refused(
        &run(),
        1,
        "key is no key: it has 2 characters instead of 64",
    );
    assert!(!place.path("data").exists());
}

#[test]
fn the_list_of_rows_left_out_never_replaces_what_is_imported() {
    let place = Place::new();
    original(&place, &json!([{ "name": "a b" }]), 2);
    std::os::unix::fs::symlink("key", place.path("link")).unwrap();
    let before = fs::read(place.path("toxme.db")).unwrap();
    for file in ["toxme.db", "./toxme.db", "link"] {
        let ran = place.run(&[&IMPORT[..], &["--conflicts", file]].concat());
        refused(&ran, 2, "is what is imported");
    }
    assert_eq!(fs::read(place.path("toxme.db")).unwrap(), before);
    assert_eq!(fs::read_to_string(place.path("key")).unwrap(), KEY);
    assert!(!place.path("data").exists());
}

#[test]
fn the_key_of_a_directory_is_not_replaced() {
    let place = Place::new();
    original(&place, &json!([]), 2);
    let server = place.serve(&[]);
    refused(&place.run(&IMPORT), 5, "in use by process");
    server.stop();
    for dry in [&[][..], &["--dry-run"]] {
        let ran = place.run(&[&IMPORT, dry].concat());
        refused(&ran, 5, "toxme.key holds another key than the one to adopt");
    }
    let bare = ["import", "toxme", "--db", "toxme.db"];
    refused(&place.run(&bare), 2, "--key");
    let memory = ["--keep-key", "--set", "store.url=memory:"];
    refused(&place.run(&[&bare[..], &memory].concat()), 2, "memory");
    let done = place.json(&[&bare[..], &["--keep-key"]].concat());
    assert_eq!(counts(&done), [2, 2, 0, 0]);
    let words = place.run(&[&bare[..], &["--keep-key"]].concat());
    assert!(words.stdout.contains("2  here already"), "{}", words.stdout);
}

#[test]
fn an_import_runs_beside_servers_of_a_database() {
    let place = Place::new();
    let alice = profile(&place, "alice");
    original(&place, &dirty(&alice), 600);
    let postgres = pgrig::Postgres::start(pgrig::Settings::default()).unwrap();
    let store = format!("store.url={}", postgres.url());
    let options = ["--set", store.as_str()];
    let dry = || import(&place, &[&options[..], &["--dry-run"]].concat());
    assert_eq!(dry()["imported"], 604);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let tables = pgrig::psql(&postgres.url(), tables).unwrap();
    assert_eq!(tables.trim(), "0", "a dry run makes nothing");
    assert!(!place.path("data").exists());
    // The first import makes the directory, with the old key.
    let first = import(&place, &options);
    assert_eq!(first["imported"], 604);
    // Each write takes the next version.
    let version = || pgrig::psql(&postgres.url(), "SELECT last_value FROM kv_version").unwrap();
    let before = version();
    assert_eq!(dry()["here_already"], 604);
    assert_eq!(version(), before, "a dry run writes nothing");
    let server = place.serve(&options);
    fs::remove_file(place.path("toxme.db")).unwrap();
    original(&place, &dirty(&alice), 900);
    let beside = import(&place, &options);
    assert_eq!(counts(&beside), [915, 300, 604, 11]);
    server.wait_ready();
    assert_eq!(look_up(&server, "plain900")["c"], 0);
    assert!(server.get("/pk").1.contains(PUBLIC));
    let url = server.url();
    place.json(&["lookup", "plain900", "--verify", "--url", &url]);
    server.stop();
}
