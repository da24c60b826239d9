//! `log verify`, of a directory and of a server.

use std::fs;
use std::path::{Path, PathBuf};

use engine::ports::store::{Batch, Direction, Freshness, Key, KeyRange};
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

/// The table of entry bundles, as `engine::tables` numbers it.
const BUNDLES: u8 = 0x42;

/// The table of Tox records, as `engine::tables` numbers it.
const TOX_RECORDS: u8 = 0x13;

/// Changes the first row of a table with the store's own checksums made right, as a dishonest
/// operator would.
async fn rewrite<T>(path: &Path, table: u8, change: impl FnOnce(&mut [u8]) -> T) -> T {
    let url = format!("file:{}", path.display());
    let store = store::open(&url, store::Options::default()).await.unwrap();
    let range = KeyRange {
        start: Key::from(vec![table]),
        end: Some(Key::from(vec![table + 1])),
    };
    let rows = store
        .scan(range, Direction::Forward, 1, Freshness::Now)
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

fn rewrite_now<T>(path: &Path, table: u8, change: impl FnOnce(&mut [u8]) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(rewrite(path, table, change))
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
    rewrite_now(&place.path("data/store"), TOX_RECORDS, |row| {
        let nospam = places_of(row, &key)[0] + key.len();
        // The first byte of the nospam counts in the first of the checksum.
        row[nospam] ^= 1;
        row[nospam + 4] ^= 1;
    });

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
    let index = rewrite_now(&place.path("data/store"), BUNDLES, change_an_entry);
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
