//! Audits: of whole logs, of damaged ones, and of consistent lies.

use client::audit::{AuditError, AuditFault, Finding, Progress, verify_log};
use client::link::Visibility;
use merkle::Hash;
use merkle::entry::{ENTRY_LEN, EntryKind, LogEntry};
use merkle::note::VerifierKey;
use merkle::tile::TileId;

use crate::copied::{Copied, size};
use crate::forged::Forged;
use crate::server::Server;

/// Bytes of an entry in a bundle.
const ROW: usize = 2 + ENTRY_LEN;

async fn fault(log: &Copied, key: &VerifierKey) -> AuditFault {
    match verify_log(log, &log.newest, key, |_| ()).await {
        Err(AuditError::Fault(fault)) => fault,
        other => panic!("no fault was found: {other:?}"),
    }
}

#[tokio::test]
async fn a_directory_passes_over_http() {
    let server = Server::with_three_names().await;
    let log = server.log();
    let key = log.key().await.unwrap();
    let newest = log.checkpoint().await.unwrap();
    let mut seen = Vec::new();
    let report = verify_log(&log, &newest, &key, |progress| seen.push(progress)).await;
    let report = report.unwrap();
    assert_eq!((report.links, report.labels), (4, 3));
    assert_eq!((report.checkpoints, report.newest.size), (5, 9));
    assert_eq!(seen, [Progress { done: 9, total: 9 }]);
}

#[tokio::test]
async fn a_log_of_several_tiles_passes_page_by_page() {
    let mut forged = Forged::new(1);
    for round in 1..=150 {
        forged.batch(&[(1, round), (2, round), (3, round)]);
    }
    let key = forged.key();
    let mut copied = forged.copy();
    let report = verify_log(&copied, &copied.newest, &key, |_| ()).await;
    let report = report.unwrap();
    assert_eq!((report.links, report.labels), (450, 3));
    assert_eq!((report.checkpoints, report.newest.size), (151, 601));

    let upper = TileId { level: 1, index: 0 };
    copied.tiles.get_mut(&upper).unwrap()[40] ^= 1;
    let expected = AuditFault {
        index: 256,
        what: Finding::Tile { level: 1 },
    };
    assert_eq!(fault(&copied, &key).await, expected);
}

#[tokio::test]
async fn every_flipped_byte_is_found_where_it_is() {
    let server = Server::with_three_names().await;
    let copied = Copied::of(&server.log()).await;
    let key = server.log().key().await.unwrap();
    verify_log(&copied, &copied.newest, &key, |_| ())
        .await
        .unwrap();
    for at in 0..copied.bundles[&0].len() {
        let mut damaged = copied.clone();
        damaged.bundles.get_mut(&0).unwrap()[at] ^= 1;
        let found = fault(&damaged, &key).await.index;
        // A wrong length shifts all that follows, so the whole bundle is refused.
        let expected = if at % ROW < 2 { 0 } else { at / ROW };
        assert_eq!(found, expected as u64, "byte {at} of the bundle");
    }
    let tile = TileId { level: 0, index: 0 };
    for at in 0..copied.tiles[&tile].len() {
        let mut damaged = copied.clone();
        damaged.tiles.get_mut(&tile).unwrap()[at] ^= 1;
        let found = fault(&damaged, &key).await;
        assert_eq!(found.what, Finding::Tile { level: 0 });
        assert_eq!(found.index, (at / 32) as u64, "byte {at} of the tile");
    }
    for (which, note) in copied.notes.iter().enumerate() {
        let before = which.checked_sub(1).map_or(0, |at| size(&copied.notes[at]));
        for at in 0..note.len() {
            let mut damaged = copied.clone();
            damaged.notes[which][at] ^= 1;
            let found = fault(&damaged, &key).await;
            assert!(matches!(found.what, Finding::Checkpoint(_)), "{found}");
            assert_eq!(found.index, before, "byte {at} of checkpoint {which}");
        }
    }
    for at in 0..copied.newest.len() {
        let mut damaged = copied.clone();
        damaged.newest[at] ^= 1;
        let found = fault(&damaged, &key).await;
        assert!(matches!(found.what, Finding::Checkpoint(_)), "{found}");
    }
}

#[tokio::test]
async fn parts_that_are_left_out_are_missed() {
    let server = Server::with_three_names().await;
    let copied = Copied::of(&server.log()).await;
    let key = server.log().key().await.unwrap();
    for which in 0..copied.notes.len() {
        let mut damaged = copied.clone();
        let left_out = damaged.notes.remove(which);
        let found = fault(&damaged, &key).await;
        assert_eq!(found.what, Finding::CheckpointMissing);
        assert_eq!(found.index, size(&left_out) - 1);
        let mut damaged = copied.clone();
        let again = damaged.notes[which].clone();
        damaged.notes.insert(which, again);
        let twice = verify_log(&damaged, &damaged.newest, &key, |_| ()).await;
        // Beyond the newest checkpoint nothing is read.
        let is_last = which + 1 == copied.notes.len();
        assert_eq!(twice.is_ok(), is_last, "checkpoint {which} twice");
    }
    let mut damaged = copied.clone();
    damaged.bundles.get_mut(&0).unwrap().truncate(3 * ROW);
    assert_eq!(fault(&damaged, &key).await.what, Finding::BundleWidth(3));
}

/// Tells a lie in the middle of a log and expects that it is found.
async fn expect(tell: impl FnOnce(&mut Forged), index: u64, what: Finding) {
    let mut forged = Forged::new(1);
    forged.batch(&[(1, 1)]);
    tell(&mut forged);
    forged.batch(&[(4, 1)]);
    let expected = AuditFault { index, what };
    assert_eq!(fault(&forged.copy(), &forged.key()).await, expected);
}

#[tokio::test]
async fn chains_with_gaps_are_found() {
    let sequence = |expected, found| Finding::Sequence { expected, found };
    expect(|log| log.batch(&[(2, 1), (1, 3)]), 4, sequence(2, 3)).await;
    expect(|log| log.batch(&[(2, 1), (2, 1)]), 4, sequence(2, 1)).await;
    expect(|log| log.batch(&[(9, 2)]), 3, sequence(1, 2)).await;
}

#[tokio::test]
async fn map_heads_that_lie_are_found() {
    let other_root = |log: &mut Forged| {
        log.push(LogEntry::map_head(Hash([7; 32]), log.time_ms));
        log.sign();
    };
    expect(other_root, 3, Finding::MapRoot).await;
    let from_before = |log: &mut Forged| {
        log.time_ms -= 1;
        log.batch(&[]);
    };
    expect(from_before, 3, Finding::Time).await;
    let other_kind = |log: &mut Forged| {
        let mut entry = LogEntry::map_head(Hash::ZERO, 0);
        entry.kind = EntryKind::KeybaseRoot;
        log.push(entry);
        log.batch(&[]);
    };
    expect(other_kind, 3, Finding::Kind).await;
}

#[tokio::test]
async fn checkpoints_that_lie_are_found() {
    let other_root = |log: &mut Forged| {
        log.link(1, 2);
        log.head();
        log.sign_as(5, Hash([7; 32]));
        log.sign();
    };
    expect(other_root, 4, Finding::CheckpointRoot).await;
    let inside_a_batch = |log: &mut Forged| {
        log.link(1, 2);
        log.sign();
        log.head();
        log.sign();
    };
    expect(inside_a_batch, 3, Finding::CheckpointPlace).await;
    let never_signed = |log: &mut Forged| {
        log.head();
        log.batch(&[]);
    };
    expect(never_signed, 3, Finding::CheckpointMissing).await;
    let smaller = |log: &mut Forged| log.sign_as(2, Hash([7; 32]));
    expect(smaller, 3, Finding::CheckpointOrder(2)).await;
}

#[tokio::test]
async fn a_newest_checkpoint_of_something_else_is_found() {
    let mut forged = Forged::new(1);
    forged.batch(&[(1, 1)]);
    let mut copied = forged.copy();
    let mut other = Forged::new(1);
    other.batch(&[(2, 1)]);
    copied.newest = other.newest();
    let expected = AuditFault {
        index: 2,
        what: Finding::NewestRoot,
    };
    assert_eq!(fault(&copied, &forged.key()).await, expected);
    forged.link(1, 2);
    forged.sign();
    let mut copied = forged.copy();
    copied.notes.pop();
    let expected = AuditFault {
        index: 3,
        what: Finding::End,
    };
    assert_eq!(fault(&copied, &forged.key()).await, expected);
}

#[tokio::test]
async fn an_earlier_fault_that_waits_for_its_map_head_comes_first() {
    let mut forged = Forged::new(1);
    forged.batch(&[(1, 5), (2, 1)]);
    let mut copied = forged.copy();
    copied.bundles.get_mut(&0).unwrap()[2 * ROW + 10] ^= 1;
    assert_eq!(fault(&copied, &forged.key()).await.index, 1);
}

#[tokio::test]
async fn what_the_log_adds_meanwhile_is_ignored() {
    let server = Server::with_three_names().await;
    let mut copied = Copied::of(&server.log()).await;
    let key = server.log().key().await.unwrap();
    let before = copied.newest.clone();
    server.push(9, "dave", Visibility::Listed).await;
    let tiles = std::mem::take(&mut copied.tiles);
    let bundles = std::mem::take(&mut copied.bundles);
    let grown = Copied::of(&server.log()).await;
    let log = Copied {
        newest: before,
        notes: grown.notes,
        tiles,
        bundles,
    };
    let report = verify_log(&log, &log.newest, &key, |_| ()).await.unwrap();
    assert_eq!(report.newest.size, 9);
}
