//! What is remembered of a log, and what it is good for.

use std::convert::Infallible;

use client::remembered::{Accepted, ConsistencySource, Memory, MemoryError};
use merkle::Hash;

use crate::forged::{Forged, ORIGIN};
use crate::server::Server;

struct Nothing;

impl ConsistencySource for Nothing {
    type Error = std::io::Error;

    async fn consistency(&self, _: u64, _: u64) -> Result<Vec<Hash>, std::io::Error> {
        Err(std::io::Error::other("no line"))
    }
}

struct Proof(Vec<Hash>);

impl ConsistencySource for Proof {
    type Error = Infallible;

    async fn consistency(&self, _: u64, _: u64) -> Result<Vec<Hash>, Infallible> {
        Ok(self.0.clone())
    }
}

/// Proves what it is asked for, but not before somebody else has accepted a newer checkpoint.
struct Overtaken<'a> {
    memory: &'a Memory,
    newer: Forged,
}

impl ConsistencySource for Overtaken<'_> {
    type Error = Infallible;

    async fn consistency(&self, first: u64, second: u64) -> Result<Vec<Hash>, Infallible> {
        let newer = &self.newer;
        let accepted = self
            .memory
            .accept(&newer.key(), &newer.newest(), newer)
            .await;
        assert!(accepted.is_ok());
        newer.consistency(first, second).await
    }
}

fn log(links: u32) -> Forged {
    let mut log = Forged::new(1);
    (1..=links).for_each(|seqno| log.batch(&[(1, seqno)]));
    log
}

#[tokio::test]
async fn a_log_that_grows_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Memory::new(&directory.path().join("deep/er"));
    assert_eq!(memory.known(ORIGIN).unwrap(), None);
    let mut from = None;
    for links in [0, 1, 2, 7] {
        let log = log(links);
        let accepted = memory
            .accept(&log.key(), &log.newest(), &log)
            .await
            .unwrap();
        let expected = from.map_or(Accepted::First, |from| Accepted::Grown { from });
        assert_eq!(accepted, expected);
        let again = memory.accept(&log.key(), &log.newest(), &Nothing).await;
        assert_eq!(again.unwrap(), Accepted::Same);
        let known = memory.known(ORIGIN).unwrap().unwrap();
        assert_eq!(known.note.as_bytes(), log.newest());
        from = Some(log.size());
    }
}

#[tokio::test]
async fn a_log_that_goes_back_is_refused_with_both_notes() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Memory::new(directory.path());
    let (old, new) = (log(2), log(5));
    memory
        .accept(&new.key(), &new.newest(), &new)
        .await
        .unwrap();
    let refused = memory.accept(&old.key(), &old.newest(), &new).await;
    let MemoryError::Rollback(conflict) = refused.unwrap_err() else {
        panic!("the log went back");
    };
    assert_eq!(conflict.known.as_bytes(), new.newest());
    assert_eq!(conflict.offered.as_bytes(), old.newest());
    let known = memory.known(ORIGIN).unwrap().unwrap();
    assert_eq!(known.note.as_bytes(), new.newest());
}

#[tokio::test]
async fn a_fork_is_refused_with_both_notes() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Memory::new(directory.path());
    let known = log(3);
    memory
        .accept(&known.key(), &known.newest(), &known)
        .await
        .unwrap();
    let mut same_size = log(2);
    same_size.batch(&[(2, 1)]);
    let mut larger = same_size.clone();
    larger.batch(&[(2, 2)]);
    assert_eq!(same_size.size(), known.size());
    for (fork, has_proof) in [(&same_size, false), (&larger, true)] {
        let refused = memory.accept(&fork.key(), &fork.newest(), fork).await;
        let MemoryError::Fork { conflict, proof } = refused.unwrap_err() else {
            panic!("the log was rewritten");
        };
        assert_eq!(proof.is_some(), has_proof);
        assert_eq!(conflict.known.as_bytes(), known.newest());
        assert_eq!(conflict.offered.as_bytes(), fork.newest());
    }
    let grown = log(4);
    let made_up = Proof(vec![Hash([1; 32]); 3]);
    let refused = memory.accept(&grown.key(), &grown.newest(), &made_up).await;
    assert!(matches!(refused, Err(MemoryError::Fork { .. })));
    let refused = memory.accept(&grown.key(), &grown.newest(), &Nothing).await;
    assert!(matches!(refused, Err(MemoryError::NoProof(_))));
}

#[tokio::test]
async fn a_slower_process_does_not_take_the_memory_back() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Memory::new(directory.path());
    let (known, grown, newer) = (log(1), log(2), log(3));
    memory
        .accept(&known.key(), &known.newest(), &known)
        .await
        .unwrap();
    let other = Memory::new(directory.path());
    let source = Overtaken {
        memory: &other,
        newer,
    };
    let refused = memory.accept(&grown.key(), &grown.newest(), &source).await;
    assert!(matches!(refused, Err(MemoryError::Rollback(_))));
    let kept = memory.known(ORIGIN).unwrap().unwrap();
    assert_eq!(kept.note.as_bytes(), source.newer.newest());
}

#[tokio::test]
async fn the_first_key_stays() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Memory::new(directory.path());
    let (first, mut second) = (log(1), Forged::new(2));
    memory
        .accept(&first.key(), &first.newest(), &first)
        .await
        .unwrap();
    second.batch(&[(1, 1)]);
    second.batch(&[(1, 2)]);
    let refused = memory
        .accept(&second.key(), &second.newest(), &second)
        .await;
    let MemoryError::KeyChanged { known, offered } = refused.unwrap_err() else {
        panic!("the key has changed");
    };
    assert_eq!(known, first.key().to_string());
    assert_eq!(offered, second.key().to_string());
    let unsigned = memory.accept(&first.key(), &second.newest(), &second).await;
    assert!(matches!(unsigned, Err(MemoryError::Checkpoint(_))));
}

#[tokio::test]
async fn a_damaged_file_is_not_taken_for_a_changed_log() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Memory::new(directory.path());
    let log = log(1);
    memory
        .accept(&log.key(), &log.newest(), &log)
        .await
        .unwrap();
    let files = std::fs::read_dir(directory.path()).unwrap();
    let mut files = files.map(|file| file.unwrap().path());
    let file = files.find(|path| path.extension().is_some()).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("log\\n3", "log\\n4", 1)).unwrap();
    let damaged = memory.accept(&log.key(), &log.newest(), &log).await;
    assert!(matches!(damaged, Err(MemoryError::Damaged { .. })));
    std::fs::write(&file, "{").unwrap();
    assert!(matches!(
        memory.known(ORIGIN),
        Err(MemoryError::Damaged { .. })
    ));
}

#[tokio::test]
async fn a_directory_is_followed_over_http() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Memory::new(directory.path());
    let server = Server::start().await;
    let log = server.log();
    let key = log.key().await.unwrap();
    let note = |bundle: client::bundle::NameBundle| bundle.checkpoint_note().into_bytes();
    let first = note(log.name_bundle("alice").await.unwrap());
    let accepted = memory.accept(&key, &first, &log).await.unwrap();
    assert_eq!(accepted, Accepted::First);
    let public = client::link::Visibility::Listed;
    server.push(1, "alice", public).await;
    let second = note(log.name_bundle("alice").await.unwrap());
    let accepted = memory.accept(&key, &second, &log).await.unwrap();
    assert_eq!(accepted, Accepted::Grown { from: 1 });
}
