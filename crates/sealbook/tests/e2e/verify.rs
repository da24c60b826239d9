//! `log verify`, of a directory and of a server.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use engine::ports::store::{Batch, Direction, Freshness, Key, KeyRange, Store};
use serde_json::Value;

use crate::harness::{Place, Server, copy_dir};

/// Registers a few names and has them sequenced.
fn with_names(place: &Place) -> Server {
    let server = place.serve(&["--set", "limits.enabled=false"]);
    let url = server.url();
    for name in ["alice", "bob", "carol"] {
        place.json(&["key", "new", "--out", name]);
        place.json(&["push", name, "--key", name, "--url", &url]);
        place.json(&["lookup", name, "--verify", "--url", &url]);
    }
    server
}

#[test]
fn a_server_and_its_directory_verify_alike() {
    let place = Place::new();
    let server = with_names(&place);
    let remote = place.json(&["log", "verify", &server.url()]);
    assert_eq!(remote["ok"], true);
    assert_eq!(
        (remote["links"].clone(), remote["labels"].clone()),
        (3.into(), 3.into())
    );

    let used = place.run(&["log", "verify", "data"]);
    assert_eq!(used.code, 5);
    let pid = format!("in use by process {}", server.pid());
    assert!(used.stderr.contains(&pid), "{}", used.stderr);
    assert!(used.stderr.contains("by its URL"), "{}", used.stderr);
    server.stop();
    for dir in ["data", "data/store"] {
        assert_eq!(place.json(&["log", "verify", dir]), remote);
    }
    let words = place.run(&["log", "verify", "data"]).stdout;
    let origin = remote["origin"].as_str().unwrap();
    assert!(
        words.starts_with(&format!("{origin} is in order: ")),
        "{words}"
    );
}

#[test]
fn a_directory_without_a_store_is_refused_and_stays_empty() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    for dir in ["empty", "absent"] {
        assert_eq!(place.run(&["log", "verify", dir]).code, 3);
    }
    assert_eq!(fs::read_dir(place.path("empty")).unwrap().count(), 0);
}

#[test]
fn another_key_is_refused() {
    let place = Place::new();
    with_names(&place).stop();
    let other = place.serve(&["--set", "server.data_dir=other"]);
    let key = other.announced["log_key"].as_str().unwrap().to_owned();
    let refused = place.run(&["log", "verify", "data", "--log-key", &key]);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
}

#[test]
fn an_old_copy_of_the_store_is_told_from_the_newest_by_what_is_remembered() {
    let place = Place::new();
    with_names(&place).stop();
    copy_dir(&place.path("data"), &place.path("old"));
    let server = place.serve(&[]);
    place.json(&["key", "new"]);
    place.json(&["push", "dave", "--url", &server.url()]);
    place.json(&["lookup", "dave", "--verify", "--url", &server.url()]);
    server.stop();
    assert_eq!(place.run(&["log", "verify", "old"]).code, 0);
    fs::copy(
        place.path("data/checkpoint.latest"),
        place.path("old/checkpoint.latest"),
    )
    .unwrap();
    let refused = place.run(&["log", "verify", "old"]);
    assert_eq!(refused.code, 4);
    assert!(refused.stderr.contains("old copy"), "{}", refused.stderr);
}

/// Two servers that continue one log in two ways, under one key.
fn forked(place: &Place) -> [Server; 2] {
    with_names(place).stop();
    copy_dir(&place.path("data"), &place.path("other"));
    let servers =
        ["data", "other"].map(|dir| place.serve(&["--set", &format!("server.data_dir={dir}")]));
    place.json(&["key", "new"]);
    for (server, name) in servers.iter().zip(["dave", "erin"]) {
        let url = server.url();
        place.json(&["push", name, "--url", &url]);
        place.json(&["lookup", name, "--verify", "--state", name, "--url", &url]);
    }
    servers
}

/// Passes requests on to the first server until it has given out one checkpoint, and to the second
/// one from then on; answers the address.
fn two_faced(servers: &[Server; 2]) -> String {
    let faces = servers
        .each_ref()
        .map(|server| server.url().replace("http://", ""));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut face = 0;
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap() > 0 {
                request.push(byte[0]);
            }
            let request = String::from_utf8(request).unwrap();
            let Some(head) = request.strip_suffix("\r\n\r\n") else {
                continue;
            };
            let mut server = TcpStream::connect(&faces[face]).unwrap();
            write!(server, "{head}\r\nconnection: close\r\n\r\n").unwrap();
            std::io::copy(&mut server, &mut client).unwrap();
            if head.starts_with("GET /log/checkpoint ") {
                face = 1;
            }
        }
    });
    format!("http://{address}")
}

#[test]
fn a_server_that_shows_one_log_to_the_memory_and_another_to_the_audit_is_caught() {
    let place = Place::new();
    let servers = forked(&place);
    let refused = place.run(&["log", "verify", "--state", "new", &two_faced(&servers)]);
    assert_eq!(refused.code, 4, "{}{}", refused.stdout, refused.stderr);
}

#[test]
fn a_rewritten_log_is_told_from_the_one_that_is_remembered_even_if_it_is_longer() {
    let place = Place::new();
    let [ours, other] = forked(&place);
    let url = other.url();
    place.json(&["key", "new", "--out", "more"]);
    place.json(&["push", "frank", "--key", "more", "--url", &url]);
    place.json(&[
        "lookup", "frank", "--verify", "--state", "erin", "--url", &url,
    ]);
    ours.stop();
    other.stop();
    assert_eq!(place.run(&["log", "verify", "other"]).code, 0);
    fs::copy(
        place.path("data/checkpoint.latest"),
        place.path("other/checkpoint.latest"),
    )
    .unwrap();
    let refused = place.run(&["log", "verify", "other"]);
    assert_eq!(refused.code, 4, "{}{}", refused.stdout, refused.stderr);
}

/// Every regular file below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Where some bytes stand among others.
fn places_of(bytes: &[u8], needle: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(needle.len()).enumerate();
    windows
        .filter(|(_, window)| *window == needle)
        .map(|(at, _)| at)
        .collect()
}

#[test]
fn a_flipped_byte_in_a_copy_is_found() {
    let place = Place::new();
    with_names(&place).stop();
    let newest = fs::read_to_string(place.path("data/checkpoint.latest")).unwrap();
    let root = newest.lines().nth(2).unwrap();
    let mut flipped = 0;
    for (number, path) in files(&place.path("data/store")).into_iter().enumerate() {
        let bytes = fs::read(&path).unwrap();
        // The newest root stands in the rows that hold the newest checkpoint.
        for at in places_of(&bytes, root.as_bytes()) {
            let copy = place.path(&format!("copy{number}-{at}"));
            copy_dir(&place.path("data"), &copy);
            let target = copy.join(path.strip_prefix(place.path("data")).unwrap());
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&target, changed).unwrap();
            let refused = place.run(&["--json", "log", "verify", copy.to_str().unwrap()]);
            assert_eq!(refused.code, 4, "{}: {}", target.display(), refused.stderr);
            let last = refused.stderr.lines().last().unwrap();
            let said: Value = serde_json::from_str(last).unwrap();
            assert_eq!(said["code"], "verification-failed");
            flipped += 1;
        }
    }
    assert!(
        flipped > 0,
        "the newest root stands in no file of the store"
    );
}

/// Tables, as `engine::tables` numbers them.
const NAMES: u8 = 0x11;
const TOX_RECORDS: u8 = 0x13;
const LINKS: u8 = 0x22;
const BUNDLES: u8 = 0x42;

/// All keys of a table.
fn table(tag: u8) -> KeyRange {
    KeyRange {
        start: Key::from(vec![tag]),
        end: Some(Key::from(vec![tag + 1])),
    }
}

async fn open_store(path: &Path) -> Arc<dyn Store> {
    let url = format!("file:{}", path.display());
    store::open(&url, store::Options::default()).await.unwrap()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

/// Takes out every name and every link, as a dishonest operator would who denies a name.
async fn deny_all_names(path: &Path) {
    let store = open_store(path).await;
    let mut batch = Batch::default();
    for tag in [NAMES, LINKS] {
        let rows = store
            .scan(table(tag), Direction::Forward, 100, Freshness::Now)
            .await;
        batch
            .deletes
            .extend(rows.unwrap().into_iter().map(|(key, ..)| key));
    }
    store.commit(batch).await.unwrap();
    store.close().await;
}

#[test]
fn a_name_that_is_denied_and_kept_back_is_not_proven_to_be_absent() {
    let place = Place::new();
    with_names(&place).stop();
    block_on(deny_all_names(&place.path("data/store")));
    let server = place.serve(&[]);
    let look = |name: &str| {
        let url = server.url();
        place.run(&["lookup", name, "--verify", "--state", "new", "--url", &url])
    };
    assert_eq!(look("nobody").code, 3);
    let refused = look("alice");
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert!(refused.stderr.contains("kept back"), "{}", refused.stderr);
}

/// Changes the first row of a table with the store's own checksums made right, as a dishonest
/// operator would.
async fn rewrite<T>(path: &Path, tag: u8, change: impl FnOnce(&mut [u8]) -> T) -> T {
    let store = open_store(path).await;
    let rows = store
        .scan(table(tag), Direction::Forward, 1, Freshness::Now)
        .await;
    let (key, _, value) = rows.unwrap().remove(0);
    let mut changed = value.to_vec();
    let done = change(&mut changed);
    let puts = vec![(key, changed.into())];
    store
        .commit(Batch {
            puts,
            ..Batch::default()
        })
        .await
        .unwrap();
    store.close().await;
    done
}

/// Changes one byte of the last entry but one of a bundle, and tells its index.
fn change_an_entry(bundle: &mut [u8]) -> u64 {
    let length = usize::from(u16::from_be_bytes([bundle[0], bundle[1]])) + 2;
    let index = bundle.len() / length - 2;
    bundle[index * length + length - 10] ^= 1;
    u64::try_from(index).unwrap()
}

#[test]
fn a_swapped_tox_id_is_refused_by_who_verifies() {
    let place = Place::new();
    let server = place.serve(&[]);
    place.json(&["key", "new"]);
    let pushed = place.json(&["push", "alice", "--url", &server.url()]);
    server.stop();
    let true_id = pushed["tox_id"].as_str().unwrap().to_owned();
    let key: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&true_id[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    block_on(rewrite(&place.path("data/store"), TOX_RECORDS, |row| {
        let nospam = places_of(row, &key)[0] + key.len();
        // The first byte of the nospam counts in the first of the checksum.
        row[nospam] ^= 1;
        row[nospam + 4] ^= 1;
    }));

    let server = place.serve(&[]);
    let url = server.url();
    let believed = place.json(&["lookup", "alice", "--url", &url]);
    assert_ne!(believed["tox_id"], true_id);
    let refused = place.run(&["lookup", "alice", "--verify", "--url", &url]);
    assert_eq!((refused.code, refused.stdout.as_str()), (4, ""));
    assert!(
        refused.stderr.contains("do not use the answer"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_rewritten_entry_is_found_with_its_index() {
    let place = Place::new();
    with_names(&place).stop();
    let index = block_on(rewrite(&place.path("data/store"), BUNDLES, change_an_entry));
    let refused = place.run(&["--json", "log", "verify", "data"]);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    let said: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(said["index"], index, "{said}");

    let server = place.serve(&[]);
    let refused = place.run(&["--json", "log", "verify", &server.url()]);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    let said: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(said["index"], index, "{said}");
}
