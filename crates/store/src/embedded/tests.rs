//! Faults of the disk, made by the seam `Disk`.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use engine::ports::store::{
    Batch, CommitError, Expect, Freshness, Health, Key, Store, StoreError, Version,
};

use super::disk::{Disk, RealDisk, Space};
use super::handle::Handle;
use super::marks::Marks;
use super::{Access, EmbeddedStore};
use crate::Options;

/// What the next write or mark does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Write(io::ErrorKind),
    PersistThenFail(io::ErrorKind),
    Mark(io::ErrorKind),
    /// The engine says that work in the background failed, to a write and when it is asked.
    Poisoned,
    /// The same, to a write alone: the work fails after it was asked.
    PoisonedLate,
}

struct FaultyDisk {
    next: Mutex<Fault>,
    full: AtomicBool,
    /// Refuses the probe, although there seems to be space.
    refusing: AtomicBool,
}

impl FaultyDisk {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            next: Mutex::new(Fault::None),
            full: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
        })
    }

    fn next(&self, fault: Fault) {
        *self.next.lock().unwrap() = fault;
    }

    fn take(&self, matches: impl Fn(Fault) -> bool) -> Fault {
        let mut next = self.next.lock().unwrap();
        if matches(*next) {
            std::mem::replace(&mut *next, Fault::None)
        } else {
            Fault::None
        }
    }

    fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }
}

impl Disk for FaultyDisk {
    fn space(&self, dir: &Path) -> io::Result<Space> {
        let space = RealDisk.space(dir)?;
        let available = if self.full.load(Ordering::SeqCst) {
            0
        } else {
            space.available
        };
        Ok(Space { available, ..space })
    }

    fn probe(&self, dir: &Path, bytes: usize) -> io::Result<()> {
        if self.refusing.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        RealDisk.probe(dir, bytes)
    }

    fn write(&self, batch: fjall::OwnedWriteBatch) -> fjall::Result<()> {
        match self.take(|fault| !matches!(fault, Fault::Mark(_))) {
            Fault::Write(kind) => Err(fjall::Error::Io(kind.into())),
            Fault::PersistThenFail(kind) => {
                batch.commit()?;
                Err(fjall::Error::Io(kind.into()))
            }
            Fault::Poisoned | Fault::PoisonedLate => Err(fjall::Error::Poisoned),
            Fault::Mark(_) | Fault::None => batch.commit(),
        }
    }

    fn check(&self, handle: &Handle) -> fjall::Result<()> {
        match self.take(|fault| fault == Fault::Poisoned) {
            Fault::Poisoned => Err(fjall::Error::Poisoned),
            Fault::Write(_)
            | Fault::PersistThenFail(_)
            | Fault::Mark(_)
            | Fault::PoisonedLate
            | Fault::None => handle.check(),
        }
    }

    fn mark(&self, marks: &mut Marks, number: u64) -> io::Result<()> {
        match self.take(|fault| matches!(fault, Fault::Mark(_))) {
            Fault::Mark(kind) => Err(kind.into()),
            Fault::Write(_)
            | Fault::PersistThenFail(_)
            | Fault::Poisoned
            | Fault::PoisonedLate
            | Fault::None => marks.put(number),
        }
    }
}

fn open(dir: &Path, disk: &Arc<FaultyDisk>) -> EmbeddedStore {
    let disk: Arc<dyn Disk> = Arc::<FaultyDisk>::clone(disk);
    EmbeddedStore::open_on(dir, Options::default(), disk).unwrap()
}

async fn put(store: &EmbeddedStore, name: &'static str) -> Result<Version, CommitError> {
    let puts = vec![(
        Key::from_static(name.as_bytes()),
        Bytes::from_static(b"value"),
    )];
    store
        .commit(Batch {
            puts,
            ..Batch::default()
        })
        .await
}

async fn found(store: &EmbeddedStore, name: &'static str) -> Option<Version> {
    let keys = [Key::from_static(name.as_bytes())];
    let rows = store.get_many(&keys, Freshness::Now).await.unwrap();
    rows[0].as_ref().map(|row| row.0)
}

#[tokio::test]
async fn a_failed_sync_stops_writes_until_a_restart() {
    let (eio, other) = (io::ErrorKind::Other, io::ErrorKind::Other);
    let faults = [
        (Fault::Write(eio), false),
        (Fault::PersistThenFail(other), true),
        (Fault::Mark(other), true),
    ];
    for (fault, persisted) in faults {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new();
        let store = open(dir.path(), &disk);
        let first = put(&store, "before").await.unwrap();
        disk.next(fault);
        let failed = put(&store, "failed").await;
        assert!(
            matches!(failed, Err(CommitError::Fatal(_))),
            "{fault:?}: {failed:?}"
        );
        let after = put(&store, "after").await;
        assert!(
            matches!(after, Err(CommitError::Fatal(_))),
            "{fault:?}: {after:?}"
        );
        assert!(matches!(store.health(), Health::ReadOnly(_)));
        assert_eq!(found(&store, "before").await, Some(first), "reads go on");
        store.close().await;

        let store = open(dir.path(), &disk);
        assert_eq!(store.health(), Health::Ready, "{fault:?}");
        assert_eq!(found(&store, "before").await, Some(first));
        assert_eq!(
            found(&store, "failed").await.is_some(),
            persisted,
            "{fault:?}"
        );
        assert_eq!(found(&store, "after").await, None);
        assert!(put(&store, "again").await.unwrap() > first);
    }
}

#[tokio::test]
async fn a_full_disk_pauses_writes_and_they_resume() {
    let full = io::ErrorKind::StorageFull;
    for fault in [
        Fault::None,
        Fault::Write(full),
        Fault::PersistThenFail(full),
        Fault::Mark(full),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new();
        let store = open(dir.path(), &disk);
        let first = put(&store, "before").await.unwrap();
        disk.next(fault);
        disk.set_full(fault == Fault::None);
        let refused = put(&store, "refused").await;
        assert!(
            matches!(refused, Err(CommitError::Unavailable(_))),
            "{fault:?}: {refused:?}"
        );
        disk.set_full(true);
        let refused = put(&store, "refused").await;
        assert!(
            matches!(refused, Err(CommitError::Unavailable(_))),
            "{fault:?}: {refused:?}"
        );
        assert!(
            matches!(store.health(), Health::WritesPaused(_)),
            "{fault:?}"
        );
        assert_eq!(found(&store, "before").await, Some(first), "reads go on");

        disk.set_full(false);
        let resumed = put(&store, "after").await.unwrap();
        assert!(resumed > first, "{fault:?}");
        assert_eq!(store.health(), Health::Ready);
        assert_eq!(found(&store, "before").await, Some(first));
        store.close().await;
        let store = open(dir.path(), &disk);
        assert_eq!(store.health(), Health::Ready, "{fault:?}");
        assert_eq!(found(&store, "after").await, Some(resumed));
    }
}

/// The reserve keeps groups from the full disk, but not the engine's own work in the background.
#[tokio::test]
async fn an_engine_that_met_the_full_disk_in_the_background_is_opened_anew() {
    for (fault, refusals) in [(Fault::Poisoned, 0), (Fault::PoisonedLate, 1)] {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new();
        let store = open(dir.path(), &disk);
        let first = put(&store, "before").await.unwrap();
        let engine = Arc::downgrade(&store.handle().await.unwrap());
        disk.set_full(true);
        assert!(put(&store, "refused").await.is_err());
        let Health::WritesPaused(why) = store.health() else {
            unreachable!("{:?}", store.health())
        };
        assert!(why.contains("the store itself takes"), "{why}");
        disk.next(fault);
        disk.set_full(false);
        for _ in 0..refusals {
            let refused = put(&store, "refused").await;
            assert!(
                matches!(refused, Err(CommitError::Unavailable(_))),
                "{refused:?}"
            );
        }
        put(&store, "after").await.unwrap();
        assert_eq!(store.health(), Health::Ready);
        assert!(engine.upgrade().is_none(), "{fault:?}");
        assert_eq!(found(&store, "before").await, Some(first));
        // Nothing was short since: then it is no full disk.
        disk.next(Fault::PoisonedLate);
        let stopped = put(&store, "stopped").await;
        assert!(matches!(stopped, Err(CommitError::Fatal(_))), "{stopped:?}");
    }
}

#[tokio::test]
async fn reads_go_on_while_a_disk_with_space_takes_no_writes() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let store = open(dir.path(), &disk);
    let first = put(&store, "before").await.unwrap();
    disk.refusing.store(true, Ordering::SeqCst);
    disk.next(Fault::Write(io::ErrorKind::QuotaExceeded));
    for _ in 0..3 {
        let refused = put(&store, "refused").await;
        assert!(
            matches!(refused, Err(CommitError::Unavailable(_))),
            "{refused:?}"
        );
        assert!(matches!(store.health(), Health::WritesPaused(_)));
        assert_eq!(found(&store, "before").await, Some(first));
    }
    disk.refusing.store(false, Ordering::SeqCst);
    put(&store, "after").await.unwrap();
    assert_eq!(store.health(), Health::Ready);
    assert_eq!(found(&store, "refused").await, None);
    let left = std::fs::read_dir(dir.path()).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name == "space.probe"), "{names:?}");
}

/// What a read that fails says.
async fn unread(store: &EmbeddedStore) -> String {
    let keys = [Key::from_static(b"before")];
    match store.get_many(&keys, Freshness::Now).await {
        Err(StoreError::Unavailable(why)) => why,
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn reads_of_an_engine_that_cannot_be_opened_anew_fail_at_once_and_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let store = open(dir.path(), &disk);
    put(&store, "before").await.unwrap();
    disk.next(Fault::Write(io::ErrorKind::StorageFull));
    assert!(put(&store, "refused").await.is_err());
    std::fs::remove_file(dir.path().join("fjall/keyspaces/2/current")).unwrap();
    while !matches!(store.health(), Health::ReadOnly(_)) {
        tokio::task::yield_now().await;
    }
    // Time that stands still: nothing that waits for a time would come back with this answer.
    tokio::time::pause();
    let why = unread(&store).await;
    assert!(why.contains("opening anew failed"), "{why}");
    store.close().await;
    assert_eq!(unread(&store).await, "the store is closed");
}

#[tokio::test]
async fn reads_wait_while_the_engine_is_opened_anew_but_not_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), &FaultyDisk::new());
    let version = put(&store, "before").await.unwrap();
    let access = &store.shared.access;
    let engine = access.send_replace(Access::Reopening);
    let waiting = found(&store, "before");
    let opening = async {
        while store.waiters.available_permits() == super::REOPEN_WAITERS_MAX {
            tokio::task::yield_now().await;
        }
        let others = store.waiters.available_permits();
        let others = store.waiters.acquire_many(u32::try_from(others).unwrap());
        let others = others.await.unwrap();
        let why = unread(&store).await;
        assert!(why.contains("too many"), "{why}");
        drop(others);
        drop(access.send_replace(engine));
    };
    let (found, ()) = tokio::join!(waiting, opening);
    assert_eq!(found, Some(version));
    drop(access.send_replace(Access::Gone("it went away".to_owned())));
    assert_eq!(unread(&store).await, "it went away");
}

#[tokio::test]
async fn a_paused_store_resumes_without_being_asked() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let store = open(dir.path(), &disk);
    disk.set_full(true);
    assert!(put(&store, "refused").await.is_err());
    assert!(matches!(store.health(), Health::WritesPaused(_)));
    disk.set_full(false);
    while store.health() != Health::Ready {
        tokio::task::yield_now().await;
    }
    put(&store, "after").await.unwrap();
}

#[tokio::test]
async fn versions_of_failed_groups_are_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let store = open(dir.path(), &disk);
    put(&store, "a").await.unwrap();
    disk.next(Fault::PersistThenFail(io::ErrorKind::StorageFull));
    assert!(put(&store, "a").await.is_err());
    let next = put(&store, "b").await.unwrap();
    let unknown = found(&store, "a").await.unwrap();
    assert!(
        unknown < next,
        "the group whose outcome was unknown kept its version"
    );
    let batch = Batch {
        checks: vec![(Key::from_static(b"a"), Expect::Is(unknown))],
        deletes: vec![Key::from_static(b"a")],
        ..Batch::default()
    };
    store.commit(batch).await.unwrap();
    assert_eq!(found(&store, "a").await, None);
}

/// Counts what is logged, by message.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Recorder {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("store")
    }

    fn new_span(&self, _span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _span: &tracing::span::Id, _values: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _span: &tracing::span::Id, _follows: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Message<'a>(&'a mut Vec<String>);
        impl tracing::field::Visit for Message<'_> {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0.push(format!("{value:?}"));
                }
            }
        }
        event.record(&mut Message(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _span: &tracing::span::Id) {}

    fn exit(&self, _span: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_torn_write_is_said_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let store = open(dir.path(), &disk);
    put(&store, "a").await.unwrap();
    put(&store, "b").await.unwrap();
    store.close().await;
    let journal = super::journal::files(&dir.path().join("fjall"))
        .unwrap()
        .pop()
        .unwrap();
    let whole = super::journal::scan(&journal).unwrap().valid_bytes;
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&journal)
        .unwrap();
    file.write_all_at(&[1, 9, 9, 9], whole).unwrap();

    let recorder = Recorder::default();
    let store = tracing::subscriber::with_default(recorder.clone(), || open(dir.path(), &disk));
    assert_eq!(store.health(), Health::Ready);
    let said = recorder.0.lock().unwrap().clone();
    let line = format!(
        "dropped a torn write of 4 bytes at the end of {}",
        journal.display()
    );
    assert_eq!(said, [line]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path(), &FaultyDisk::new());
    store.queue_wait = std::time::Duration::ZERO;
    let all = Arc::clone(&store.shares)
        .acquire_many_owned(super::QUEUE_SHARES)
        .await
        .unwrap();
    let refused = put(&store, "a").await;
    assert!(matches!(&refused, Err(CommitError::Unavailable(said)) if said.contains("queue")));
    drop(all);
    put(&store, "a").await.unwrap();
}
