//! One snapshot per case, named after the URL.

use std::fmt::Write as _;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use engine::ports::store::{Batch, Direction, Freshness, Key, KeyRange};
use store::memory::MemoryStore;
use testkit::{AvatarClient, Exchange, faulty};

use crate::story::Story;

/// The exchange's text, a binary body as lines of hex.
fn shown(exchange: &Exchange) -> String {
    let is_text = exchange.headers.get("content-type").is_none_or(|kind| {
        kind != "application/octet-stream" || exchange.body.starts_with(b"c2sp")
    });
    if is_text {
        return exchange.text.clone();
    }
    let body = String::from_utf8_lossy(&exchange.body);
    let mut text = exchange.text.strip_suffix(&*body).unwrap().to_owned();
    let _ = writeln!(text, "({} bytes)", exchange.body.len());
    for line in exchange.body.chunks(32) {
        let _ = writeln!(text, "{}", HEXLOWER.encode(line));
    }
    text
}

async fn check(story: &Story, cases: &[(&str, &str)]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, path) in cases {
        let method = match name.split("__").nth(1) {
            Some("post") => "POST",
            _ => "GET",
        };
        let exchange = story.send(method, path).await;
        let text = shown(&exchange);
        settings.bind(|| insta::assert_snapshot!(*name, text));
    }
}

#[tokio::test]
async fn the_log_of_three_names() {
    let story = Story::of_three().await;
    let long = format!("/log/names/{}", "x".repeat(1025));
    check(
        &story,
        &[
            ("checkpoint__get__newest", "/log/checkpoint"),
            ("checkpoint__post__refused", "/log/checkpoint"),
            ("checkpoints__get__all", "/log/checkpoints"),
            ("checkpoints__get__beyond", "/log/checkpoints?from=99"),
            ("checkpoints__get__bad_from", "/log/checkpoints?from=-1"),
            ("tile__get__partial", "/log/tile/0/000.p/10"),
            ("tile__get__narrower", "/log/tile/0/000.p/2"),
            ("tile__get__not_covered", "/log/tile/0/000.p/11"),
            ("tile__get__not_full", "/log/tile/0/000"),
            ("tile__get__bad_path", "/log/tile/0/0"),
            ("entries__get__partial", "/log/tile/entries/000.p/3"),
            ("entries__get__not_covered", "/log/tile/entries/001"),
            ("entries__get__bad_path", "/log/tile/entries/000.p/0"),
            ("inclusion__get__sized", "/log/inclusion?leaf=1&size=5"),
            ("inclusion__get__newest", "/log/inclusion?leaf=9"),
            ("inclusion__get__beyond", "/log/inclusion?leaf=10"),
            (
                "inclusion__get__size_beyond",
                "/log/inclusion?leaf=1&size=11",
            ),
            (
                "inclusion__get__leaf_outside",
                "/log/inclusion?leaf=5&size=5",
            ),
            ("inclusion__get__no_leaf", "/log/inclusion?size=5"),
            (
                "consistency__get__sized",
                "/log/consistency?first=3&second=6",
            ),
            ("consistency__get__newest", "/log/consistency?first=6"),
            ("consistency__get__beyond", "/log/consistency?first=11"),
            (
                "consistency__get__backwards",
                "/log/consistency?first=6&second=3",
            ),
            ("consistency__get__not_a_number", "/log/consistency?first=x"),
            ("names__get__present", "/log/names/alice"),
            ("names__get__private", "/log/names/BOB"),
            ("names__get__released", "/log/names/carol"),
            ("names__get__absent", "/log/names/nobody"),
            ("names__get__proof_file", "/log/names/alice?format=tlog"),
            (
                "names__get__absent_proof_file",
                "/log/names/nobody?format=tlog",
            ),
            ("names__get__bad_character", "/log/names/al%20ice"),
            ("names__get__not_utf8", "/log/names/%ff"),
            ("names__get__too_long", &long),
            ("names__get__unknown_format", "/log/names/alice?format=xml"),
            ("key__get__vkey", "/log/key"),
            ("key__post__refused", "/log/key"),
        ],
    )
    .await;
}

/// What the web form added says so, until its key has proved itself.
#[tokio::test]
async fn a_name_without_proof_is_shown_as_one() {
    let story = Story::empty().await;
    let tox_id = story.world.client(1).tox_id().to_string();
    story.world.add_by_form("alice", &tox_id).await;
    story.world.sequence().await;
    check(&story, &[("names__get__unproven", "/log/names/alice")]).await;
    story.push(1, "alice", 2).await;
    story.world.sequence().await;
    check(&story, &[("names__get__proven", "/log/names/alice")]).await;
}

#[tokio::test]
async fn the_log_of_an_avatar() {
    let story = Story::of_an_avatar().await;
    let of = |byte| format!("/log/avatars/{}", AvatarClient::new(byte).avatar());
    let (own, other) = (of(1), of(2));
    let [file, other_file, other_format] = [
        format!("{own}?format=tlog"),
        format!("{other}?format=tlog"),
        format!("{own}?format=xml"),
    ];
    let upper = own.replace("0x", "").to_uppercase();
    let upper = upper.replace("/LOG/AVATARS", "/log/avatars");
    check(
        &story,
        &[
            ("avatars__get__present", &own),
            ("avatars__get__other_spelling", &upper),
            ("avatars__get__absent", &other),
            ("avatars__get__proof_file", &file),
            ("avatars__get__absent_proof_file", &other_file),
            ("avatars__get__no_key", "/log/avatars/0x02"),
            ("avatars__get__not_utf8", "/log/avatars/%ff"),
            ("avatars__get__unknown_format", &other_format),
        ],
    )
    .await;
}

/// Every row of the log's tiles.
fn tiles() -> KeyRange {
    KeyRange {
        start: Key::from_static(&[0x43]),
        end: Some(Key::from_static(&[0x44])),
    }
}

#[tokio::test]
async fn failures_of_our_own_are_told_apart_and_not_explained() {
    let (store, faults) = faulty(MemoryStore::new());
    let story = Story::over(Arc::new(store)).await;
    story.push(1, "alice", 1).await;
    story.world.sequence().await;
    for path in ["/log/inclusion?leaf=0", "/log/tile/0/000.p/1"] {
        faults.fail_reads(1);
        let exchange = story.send("GET", path).await;
        assert_eq!(exchange.status, 503, "{path}");
    }
    faults.fail_reads(1);
    check(&story, &[("names__get__unavailable", "/log/names/alice")]).await;
    faults.fail_reads(1);
    let path = format!("/log/avatars/{}", AvatarClient::new(1).avatar());
    check(&story, &[("avatars__get__unavailable", &path)]).await;
    faults.fail_reads(1);
    check(&story, &[("tile__get__unavailable", "/log/tile/0/000.p/1")]).await;

    let store = &story.world.store;
    let rows = store.scan(tiles(), Direction::Forward, 9, Freshness::Now);
    let deletes = rows.await.unwrap().into_iter().map(|(key, ..)| key);
    let batch = Batch {
        deletes: deletes.collect(),
        ..Batch::default()
    };
    store.commit(batch).await.unwrap();
    check(
        &story,
        &[(
            "consistency__get__internal",
            "/log/consistency?first=1&second=3",
        )],
    )
    .await;
}

#[tokio::test]
async fn full_tiles_are_immutable_and_narrower_ones_stay_readable() {
    let story = Story::of_many(270).await;
    for path in [
        "/log/tile/0/000",
        "/log/tile/entries/000",
        "/log/tile/1/000.p/1",
    ] {
        let exchange = story.send("GET", path).await;
        assert_eq!(exchange.status, 200, "{path}");
        let cache = exchange.headers.get("cache-control").unwrap();
        let expected = if path.contains(".p/") {
            "public, max-age=60"
        } else {
            "public, max-age=31536000, immutable"
        };
        assert_eq!(cache, expected, "{path}");
    }
    let full = story.get("/log/tile/0/000").await;
    assert_eq!(full.len(), 8192);
    assert!(full.starts_with(&story.get("/log/tile/0/000.p/100").await));
    let entries = story.get("/log/tile/entries/000").await;
    assert_eq!(entries.len(), 256 * 80);
    assert!(entries.starts_with(&story.get("/log/tile/entries/000.p/255").await));
}

#[tokio::test]
async fn head_is_answered_like_get() {
    let story = Story::empty().await;
    let exchange = story.send("HEAD", "/log/checkpoint").await;
    assert_eq!((exchange.status, exchange.body.len()), (200, 0));
}

#[tokio::test]
async fn the_pages_of_checkpoints_join_without_a_gap() {
    let story = Story::empty().await;
    for round in 0_u16..300 {
        story.push(1, "alice", i64::from(round % 3)).await;
        story.world.sequence().await;
    }
    let mut sizes = Vec::new();
    let mut from = Some(0);
    while let Some(start) = from {
        let page = story.json(&format!("/log/checkpoints?from={start}")).await;
        let notes = page["notes"].as_array().unwrap();
        sizes.extend(notes.iter().map(|note| {
            let line = note.as_str().unwrap().lines().nth(1).unwrap();
            line.parse::<u64>().unwrap()
        }));
        from = page["next"].as_u64();
    }
    let expected: Vec<u64> = (0..=300).map(|round| 1 + 2 * round).collect();
    assert_eq!(sizes, expected);
}
