//! `store convert`, `store stats` and `store check`.

use std::fs;

use serde_json::Value;

use crate::harness::{Place, Ran, Server};

/// Options of a server over another store than the one in its data directory.
fn over(url: &str) -> [String; 2] {
    ["--set".to_owned(), format!("store.url={url}")]
}

fn serve(place: &Place, url: &str) -> Server {
    place.serve(&over(url).each_ref().map(String::as_str))
}

fn push(place: &Place, server: &Server, name: &str) {
    let url = server.url();
    place.json(&["key", "new", "--out", name]);
    place.json(&["push", name, "--key", name, "--url", &url]);
    place.json(&["lookup", name, "--verify", "--url", &url]);
}

/// A stopped server's store in `data/store` with a few names, and its newest checkpoint.
fn with_names(place: &Place) -> String {
    let server = place.serve(&[]);
    for name in ["alice", "bob", "carol"] {
        push(place, &server, name);
    }
    let checkpoint = server.get("/log/checkpoint").1;
    server.stop();
    checkpoint
}

fn convert(place: &Place, from: &str, to: &str) -> Ran {
    place.run(&["--json", "store", "convert", "--from", from, "--to", to])
}

fn converted(place: &Place, from: &str, to: &str) -> Value {
    let ran = convert(place, from, to);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn refused(ran: &Ran, code: i32, said: &str) {
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}

const HERE: &str = "file:data/store";
const THERE: &str = "file:there";

#[test]
fn a_server_goes_on_from_the_new_store_and_not_from_the_old_one() {
    let place = Place::new();
    let checkpoint = with_names(&place);
    let verified = place.json(&["log", "verify", "data"]);
    let moved = converted(&place, HERE, THERE);
    for key in ["origin", "size", "root", "map_root", "checkpoints", "key"] {
        assert_eq!(moved[key], verified[key], "{key}");
    }
    assert_eq!(
        (&moved["ok"], &moved["resumed_rows"]),
        (&true.into(), &0.into())
    );
    let root = fs::canonicalize(place.path("there")).unwrap();
    let named = moved["to"].as_str().unwrap().strip_prefix("file:").unwrap();
    assert_eq!(fs::canonicalize(named).unwrap(), root);

    let old = place.serve_refused(&[]);
    refused(
        &old,
        1,
        &format!("this store was moved to file:{named} at 2"),
    );
    assert_eq!(
        place.json(&["log", "verify", "data"]),
        verified,
        "it can be read"
    );
    let server = serve(&place, THERE);
    assert_eq!(server.get("/log/checkpoint").1, checkpoint);
    assert_eq!(server.announced["store"], THERE);
    push(&place, &server, "dave");
    server.stop();
    assert!(place.json(&["log", "verify", "there"])["size"].as_u64() > moved["size"].as_u64());
}

#[test]
fn there_and_back_verifies_to_the_same_roots() {
    let place = Place::new();
    with_names(&place);
    let before = place.json(&["log", "verify", "data"]);
    let there = converted(&place, HERE, THERE);
    let back = converted(&place, THERE, "file:back");
    for key in ["rows", "bytes", "digest", "root", "map_root", "size"] {
        assert_eq!(there[key], back[key], "{key}");
    }
    assert_eq!(place.json(&["log", "verify", "back"]), before);
    let words = place.run(&[
        "store",
        "convert",
        "--from",
        "file:back",
        "--to",
        "file:words",
    ]);
    assert_eq!(words.code, 0, "{}", words.stderr);
    assert!(
        words.stdout.contains("no server opens it any more"),
        "{}",
        words.stdout
    );
}

#[test]
fn what_cannot_be_moved_is_refused_and_stays_as_it_is() {
    let place = Place::new();
    with_names(&place);
    refused(
        &convert(&place, "file:absent", THERE),
        3,
        "there is no store at file:/",
    );
    refused(&convert(&place, HERE, HERE), 2, "the same store");
    refused(&convert(&place, HERE, "memory:"), 2, "in memory");
    refused(&convert(&place, "memory:", THERE), 2, "in memory");
    refused(&convert(&place, "data/store", THERE), 2, "expected");
    assert!(!place.path("there").exists() && !place.path("absent").exists());

    fs::create_dir(place.path("other")).unwrap();
    fs::write(place.path("other/file"), "x").unwrap();
    refused(&convert(&place, HERE, "file:other"), 1, "not a store");
    place.serve(&["--set", "server.data_dir=another"]).stop();
    refused(&convert(&place, HERE, "file:another/store"), 5, "not empty");

    let server = place.serve(&[]);
    refused(&convert(&place, HERE, THERE), 5, "in use by process");
    server.stop();
}

#[test]
fn a_conversion_is_called_off() {
    let place = Place::new();
    with_names(&place);
    let undo = ["store", "convert", "--undo", "--from", HERE];
    refused(&place.run(&undo), 5, "nothing to undo");
    converted(&place, HERE, THERE);
    refused(&place.run(&undo), 5, "forks the log");
    let object = place.json(&[&undo[..], &["--force"]].concat());
    assert_eq!(
        (&object["ok"], &object["was_moved"]),
        (&true.into(), &true.into())
    );
    place.serve(&[]).stop();
}

#[test]
fn a_store_is_counted() {
    let place = Place::new();
    refused(&place.run(&["store", "stats"]), 3, "there is no store");
    with_names(&place);
    let counted = place.json(&["store", "stats"]);
    assert_eq!(counted, place.json(&["store", "stats", "--store", HERE]));
    let tables = counted["tables"].as_array().unwrap();
    let names = tables
        .iter()
        .find(|table| table["name"] == "names")
        .unwrap();
    assert_eq!(names["rows"], 3);
    let verified = place.json(&["log", "verify", "data"]);
    assert_eq!(counted["log"]["size"], verified["size"]);
    assert_eq!(
        (&counted["mark"], &counted["intents"]),
        (&Value::Null, &0.into())
    );
    let moved = converted(&place, HERE, THERE);
    assert_eq!(
        place.json(&["store", "stats", "--store", THERE])["rows"],
        moved["rows"]
    );
    let old = place.run(&["store", "stats", "--store", HERE]);
    assert!(
        old.stdout.contains("this store was moved to"),
        "{}",
        old.stdout
    );
    assert!(
        old.stdout.contains("names                      3"),
        "{}",
        old.stdout
    );
}

#[test]
fn a_damaged_store_is_told_with_file_and_byte() {
    let place = Place::new();
    refused(&place.run(&["store", "check"]), 3, "there is no store");
    let database = "postgres://sealbook@127.0.0.1:1/sealbook";
    let asked = place.run(&["store", "check", "--store", database]);
    refused(&asked, 2, "stores in a directory");
    with_names(&place);
    let counted = place.json(&["store", "stats"]);
    let checked = place.json(&["store", "check"]);
    assert_eq!(
        (&checked["ok"], &checked["rows"]),
        (&true.into(), &counted["rows"])
    );
    assert_eq!(checked, place.json(&["store", "check", "--store", HERE]));

    let journals = fs::read_dir(place.path("data/store/fjall")).unwrap();
    let mut journals = journals.map(|entry| entry.unwrap().path());
    let journal = journals
        .find(|path| path.extension().is_some_and(|it| it == "jnl"))
        .unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    bytes[40] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let told = place.run(&["store", "check"]);
    refused(&told, 4, ".jnl is damaged at byte 0: unreadable");
    refused(&place.run(&["store", "check"]), 4, "is damaged at byte 0");
}

/// A server of PostgreSQL with a password, and the file that holds it.
fn postgres(place: &Place) -> (pgrig::Postgres, String) {
    let settings = pgrig::Settings {
        password: Some(PASSWORD.to_owned()),
        ..pgrig::Settings::default()
    };
    let postgres = pgrig::Postgres::start(settings).unwrap();
    fs::write(place.path("password"), format!("{PASSWORD}\n")).unwrap();
    let plain = postgres.url().replace(&format!(":{PASSWORD}@"), "@");
    assert_ne!(plain, postgres.url());
    (postgres, plain)
}

const PASSWORD: &str = "hunter2";

#[test]
fn a_directory_moves_to_a_database_and_back() {
    let place = Place::new();
    let checkpoint = with_names(&place);
    let verified = place.json(&["log", "verify", "data"]);
    let (_postgres, url) = postgres(&place);

    let to = [
        "--from",
        HERE,
        "--to",
        &url,
        "--to-password-file",
        "password",
    ];
    let there = place.json(&[&["store", "convert"], &to[..]].concat());
    assert_eq!(there["root"], verified["root"]);
    let held = ["--password-file", "password"];
    let again = place.json(&[&["log", "verify", &url], &held[..]].concat());
    assert_eq!(again, verified);
    let counted = place.json(&[&["store", "stats", "--store", &url], &held[..]].concat());
    assert_eq!(counted["rows"], there["rows"]);

    let store = format!("store.url={url}");
    let options = ["--set", &store, "--set", "store.password_file=password"];
    let server = place.serve(&options);
    assert_eq!(server.announced["store"], url.as_str());
    assert_eq!(server.get("/log/checkpoint").1, checkpoint);
    server.wait_ready();
    push(&place, &server, "dave");
    server.stop();

    let from = [
        "--from",
        &url,
        "--from-password-file",
        "password",
        "--to",
        THERE,
    ];
    let back = place.json(&[&["store", "convert"], &from[..]].concat());
    assert_eq!(
        place.json(&["log", "verify", "there"])["root"],
        back["root"]
    );
    let refused_now = place.serve_refused(&options);
    refused(&refused_now, 1, "this store was moved to file:/");
    let server = serve(&place, THERE);
    let url = server.url();
    for name in ["alice", "dave"] {
        place.json(&["lookup", name, "--verify", "--url", &url]);
    }
    server.stop();
}

#[test]
fn the_password_of_a_database_reaches_no_output() {
    let place = Place::new();
    with_names(&place);
    let (mut postgres, plain) = postgres(&place);
    let url = postgres.url();
    let store = format!("store.url={url}");
    let wrong = url.replace(PASSWORD, &format!("{PASSWORD}wrong"));
    let mut said = String::new();
    let mut note = |ran: Ran| {
        said.push_str(&ran.stdout);
        said.push_str(&ran.stderr);
        ran.code
    };

    assert_eq!(note(convert(&place, HERE, &wrong)), 1);
    assert_eq!(note(convert(&place, HERE, &url)), 0);
    let server = place.serve(&["--set", &store]);
    assert_eq!(server.announced["store"], url.replace(PASSWORD, "***"));
    let (_, log) = server.stop();
    let loud = ["--log", "trace"];
    for arguments in [
        &["config", "show", "--origin", "--set", &store][..],
        &["--json", "config", "show", "--set", &store],
        &["store", "stats", "--store", &url],
        &["log", "verify", &url],
        &["store", "convert", "--undo", "--from", &url],
        &["store", "convert", "--form", &url],
        &["store", "convert", &url],
        &["--json", "store", "convert", &url],
        &["store", "stats", "--set", "store.url", &url],
        &[
            "store",
            "stats",
            "--set",
            &store.replace("postgres:", "postgre:"),
        ],
    ] {
        note(place.run(&[&loud[..], arguments].concat()));
    }
    postgres.stop().unwrap();
    assert_eq!(note(place.run(&["store", "stats", "--store", &url])), 6);
    assert_eq!(note(place.serve_refused(&["--set", &store])), 6);
    assert_eq!(note(convert(&place, &url, THERE)), 6);
    assert!(
        said.contains(&plain.replace('@', ":***@")) && !said.contains(PASSWORD),
        "{said}"
    );
    assert!(!log.contains(PASSWORD), "{log}");
}
