//! The client commands against a server.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::Place;

#[test]
fn a_name_from_key_to_deletion() {
    let place = Place::new();
    let server = place.serve(&[]);
    server.wait_ready();
    let url = server.url();
    let key = place.json(&["key", "new"]);
    assert_eq!(place.json(&["key", "show"])["tox_id"], key["tox_id"]);

    let push = [
        "push",
        "alice",
        "--bio",
        "hello",
        "--privacy",
        "searchable",
        "--url",
        &url,
    ];
    let pushed = place.json(&push);
    assert_eq!(pushed["tox_id"], key["tox_id"]);
    assert_eq!(pushed["new"], true);
    assert!(!pushed["password"].as_str().unwrap().is_empty());
    let again = place.json(&push);
    assert_eq!(
        (again["new"].clone(), again["password"].clone()),
        (false.into(), ().into())
    );

    let plain = place.json(&["lookup", "alice", "--url", &url]);
    assert_eq!(plain["tox_id"], key["tox_id"]);
    assert_eq!(plain["verified"], false);
    let lookup = ["lookup", "alice", "--verify", "--url", &url];
    let first = place.json(&lookup);
    assert_eq!(first["tox_id"], key["tox_id"]);
    assert_eq!(first["verified"], true);
    assert_eq!(first["first_contact"], true);
    assert_eq!(place.json(&lookup)["first_contact"], false);

    let found = place.json(&["search", "lic", "--url", &url]);
    assert_eq!(
        found["names"],
        serde_json::json!([{ "name": "alice", "bio": "hello" }])
    );
    let reset = place.json(&["reset-password", "--url", &url]);
    assert_eq!(reset["tox_id"], key["tox_id"]);
    assert_ne!(reset["password"], pushed["password"]);
    let words = place.run(&["reset-password", "--url", &url]).stdout;
    assert!(words.starts_with("new edit password of "), "{words}");
    place.json(&["delete", "--url", &url]);
    assert_eq!(place.run(&["reset-password", "--url", &url]).code, 3);
    for lookup in [&lookup[..], &["lookup", "alice", "--url", &url]] {
        let gone = place.run(lookup);
        assert_eq!(gone.code, 3, "{}", gone.stderr);
    }
    let found = place.json(&["search", "lic", "--url", &url]);
    assert_eq!(found["names"], serde_json::json!([]));
    let (status, log) = server.stop();
    assert_eq!((status.code(), log.as_str()), (Some(0), ""));
}

#[test]
fn names_survive_a_restart_and_a_kill() {
    let place = Place::new();
    let server = place.serve(&[]);
    let key = place.json(&["key", "new"]);
    place.json(&[
        "push",
        "alice",
        "--privacy",
        "searchable",
        "--url",
        &server.url(),
    ]);
    server.kill();
    let server = place.serve(&[]);
    let lookup = place.json(&["lookup", "alice", "--verify", "--url", &server.url()]);
    assert_eq!(lookup["tox_id"], key["tox_id"]);
    server.stop();
    let server = place.serve(&[]);
    server.wait_ready();
    let found = place.json(&["search", "ali", "--url", &server.url()]);
    assert_eq!(found["names"][0]["name"], "alice");
}

#[test]
fn a_name_or_key_in_use_is_a_conflict() {
    let place = Place::new();
    let server = place.serve(&[]);
    let url = server.url();
    for key in ["one", "two"] {
        place.json(&["key", "new", "--out", key]);
    }
    place.json(&["push", "alice", "--key", "one", "--url", &url]);
    for (name, key) in [("alice", "two"), ("bob", "one")] {
        let refused = place.run(&["--json", "push", name, "--key", key, "--url", &url]);
        assert_eq!(refused.code, 5, "{}", refused.stderr);
        let said: serde_json::Value = serde_json::from_str(&refused.stderr).unwrap();
        assert_eq!(said["code"], "conflict");
    }
}

#[test]
fn a_key_file_is_for_its_owner_and_never_overwritten() {
    let place = Place::new();
    let made = place.json(&["key", "new", "--out", "keys/me.json"]);
    let path = place.path("keys/me.json");
    let before = fs::read_to_string(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(place.run(&["key", "new", "--out", "keys/me.json"]).code, 5);
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    let shown = place.json(&["key", "show", "--key", "keys/me.json"]);
    assert_eq!(shown["tox_id"], made["tox_id"]);

    let printed = place.run(&["key", "new", "--out", "-"]);
    fs::write(place.path("printed"), &printed.stdout).unwrap();
    assert_eq!(place.run(&["key", "show", "--key", "printed"]).code, 0);
    let absent = place.run(&["key", "show"]);
    assert_eq!(absent.code, 1);
    assert!(absent.stderr.contains("make one with `sealbook key new`"));
}

#[test]
fn a_server_that_is_away_is_said_to_be_unreachable() {
    let place = Place::new();
    let server = place.serve(&[]);
    let url = server.url();
    server.stop();
    place.json(&["key", "new"]);
    for command in [
        &["lookup", "alice"][..],
        &["lookup", "alice", "--verify"],
        &["search", "alice"],
        &["push", "alice"],
        &["delete"],
        &["reset-password"],
    ] {
        let refused = place.run(&[command, &["--url", &url]].concat());
        assert_eq!(refused.code, 6, "{command:?}: {}", refused.stderr);
    }
    assert_eq!(place.run(&["log", "verify", &url]).code, 6);
}

#[test]
fn a_log_that_was_exchanged_is_refused() {
    let place = Place::new();
    let server = place.serve(&[]);
    let listen = server.url().replace("http://", "server.listen=");
    let (url, key) = (server.url(), server.announced["log_key"].clone());
    place.json(&["key", "new"]);
    place.json(&["push", "alice", "--url", &url]);
    place.json(&["lookup", "alice", "--verify", "--url", &url]);
    server.stop();

    let other = place.serve(&["--set", "server.data_dir=other", "--set", &listen]);
    assert_eq!(other.url(), url);
    place.json(&["push", "alice", "--url", &url]);
    for command in [
        &["lookup", "alice", "--verify", "--url", &url][..],
        &["log", "verify", &url],
        &[
            "lookup",
            "alice",
            "--verify",
            "--url",
            &url,
            "--log-key",
            key.as_str().unwrap(),
        ],
    ] {
        let refused = place.run(command);
        assert_eq!(refused.code, 4, "{command:?}: {}", refused.stderr);
    }
    let fresh = [
        "lookup", "alice", "--verify", "--state", "fresh", "--url", &url,
    ];
    assert_eq!(place.json(&fresh)["verified"], true);
}

#[test]
fn a_log_that_went_back_is_refused() {
    let place = Place::new();
    let server = place.serve(&[]);
    place.json(&["key", "new"]);
    let listen = server.url().replace("http://", "server.listen=");
    server.stop();
    crate::harness::copy_dir(&place.path("data"), &place.path("old"));

    let server = place.serve(&["--set", &listen]);
    let url = server.url();
    place.json(&["push", "alice", "--url", &url]);
    place.json(&["lookup", "alice", "--verify", "--url", &url]);
    server.stop();
    let old = place.serve(&["--set", "server.data_dir=old", "--set", &listen]);
    assert_eq!(old.url(), url);
    for command in [
        &["lookup", "alice", "--verify", "--url", &url][..],
        &["log", "verify", &url],
    ] {
        let refused = place.run(command);
        assert_eq!(refused.code, 4, "{command:?}: {}", refused.stderr);
        assert!(
            refused.stderr.contains("the log went back"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn a_command_line_that_cannot_be_read_is_a_usage_error() {
    let place = Place::new();
    assert_eq!(place.run(&["lookup"]).code, 2);
    assert_eq!(place.run(&["--log", "a=b=c", "version"]).code, 2);
    assert_eq!(place.run(&["lookup", "a", "--url", "nonsense"]).code, 2);
    assert_eq!(place.run(&["lookup", "a@b.example", "--verify"]).code, 2);
    let misspelt = place.run(&["--log", "debgu", "version"]);
    assert_eq!(misspelt.code, 2);
    assert!(misspelt.stderr.contains("\"debgu\" is no level"));
    let missing = place.run(&["--json", "lookup"]);
    assert!(
        missing.stderr.contains("not provided: <NAME>"),
        "{}",
        missing.stderr
    );
    let refused = place.run(&["serve", "--nonsense", "--json"]);
    assert_eq!(refused.code, 2);
    let said: serde_json::Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(said["code"], "usage");
    assert_eq!(place.run(&["--help"]).code, 0);
    assert_eq!(
        place.json(&["version"])["version"],
        env!("CARGO_PKG_VERSION")
    );
}
