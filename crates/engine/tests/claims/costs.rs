//! What verbs read and write: as docs/STORAGE.md says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use engine::ports::store::{
    Batch, CommitError, Direction, Freshness, Health, Key, KeyRange, Row, Store, StoreError,
    Version,
};
use engine::types::{ClaimAction, UnixMillis};
use testkit::{MemoryStore, World, memory};

use crate::town::{Persona, Town, With, posting, query, settings};

/// First bytes of keys of the log, its intents and its leases, which are the sequencer's.
fn is_of_claims(key: &Key) -> bool {
    !matches!(key.first(), Some(0x40..=0x44 | 0x46 | 0x61 | 0x02 | 0x03))
}

/// Counts what is not the sequencer's.
struct Counted {
    inner: MemoryStore,
    count: Mutex<Count>,
    /// Whether there are other processes.
    is_shared: AtomicBool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    /// Round trips that read.
    reads: usize,
    scans: usize,
    /// Rows written and removed.
    writes: usize,
    /// Batches that were written.
    commits: usize,
}

impl Counted {
    fn take(&self) -> Count {
        std::mem::take(&mut *self.count.lock().unwrap())
    }
}

#[async_trait]
impl Store for Counted {
    async fn get_many(
        &self,
        keys: &[Key],
        fresh: Freshness,
    ) -> Result<Vec<Option<(Version, Bytes)>>, StoreError> {
        let is_index = |key: &Key| key.first() == Some(&0x45);
        let ours = |key: &Key| is_of_claims(key) && !is_index(key);
        self.count.lock().unwrap().reads += usize::from(keys.iter().any(ours));
        self.inner.get_many(keys, fresh).await
    }

    async fn scan(
        &self,
        range: KeyRange,
        direction: Direction,
        limit: u32,
        fresh: Freshness,
    ) -> Result<Vec<Row>, StoreError> {
        self.count.lock().unwrap().scans += 1;
        self.inner.scan(range, direction, limit, fresh).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, CommitError> {
        let puts = batch.puts.iter().map(|(key, _)| key);
        let keys: Vec<&Key> = puts.chain(&batch.deletes).collect();
        let is_sequencers = keys.iter().any(|key| key.first() == Some(&0x40));
        if !is_sequencers && !keys.is_empty() {
            let mut count = self.count.lock().unwrap();
            count.writes += keys.into_iter().filter(|key| is_of_claims(key)).count();
            count.commits += 1;
        }
        self.inner.commit(batch).await
    }

    async fn now(&self) -> Result<UnixMillis, StoreError> {
        self.inner.now().await
    }

    fn is_shared(&self) -> bool {
        self.is_shared.load(Ordering::Relaxed)
    }

    fn health(&self) -> Health {
        self.inner.health()
    }
}

async fn town() -> (Town, Arc<Counted>) {
    let clock = World::start_clock();
    let store = Arc::new(Counted {
        inner: memory(&clock),
        count: Mutex::default(),
        is_shared: AtomicBool::new(false),
    });
    let mut town = Town::over(store.clone(), clock, settings());
    town.join().await;
    // The first look of a sequencer is for what an earlier process left.
    town.step().await;
    (town, store)
}

fn count(reads: usize, scans: usize, writes: usize, commits: usize) -> Count {
    Count {
        reads,
        scans,
        writes,
        commits,
    }
}

#[tokio::test]
async fn posts_cost_what_is_documented() {
    let (town, store) = town().await;
    let (alice, bob) = (Persona::new(1), Persona::new(2));
    town.service("dns")
        .with(|state| state.alt_ids.insert("b".into(), "42".into()));
    for (identity, writes) in [("a", 8), ("b", 9), ("a", 8)] {
        let posting = town.ready(&alice, "dns", identity).await;
        store.take();
        town.post(&posting).await.unwrap();
        assert_eq!(store.take(), count(2, 0, writes, 1), "{identity}");
    }
    for (identity, writes) in [("a", 8), ("b", 9)] {
        town.delete(&alice, "dns", identity).await.unwrap();
        // With the draft's read.
        assert_eq!(store.take(), count(3, 0, writes, 1), "{identity}");
    }
    let name = bob.avatar().to_string();
    let prepared = town
        .prepare(&alice, ClaimAction::Create, "nextid", &name)
        .await;
    assert_eq!(store.take(), count(1, 0, 0, 0), "a draft");
    let posting = posting(&alice, ClaimAction::Create, "nextid", &prepared).with(|posting| {
        posting.extra.signature = Some(alice.sign(&prepared.payload));
        posting.extra.target_signature = Some(bob.sign_text(&prepared.payload));
    });
    town.post(&posting).await.unwrap();
    assert_eq!(store.take(), count(2, 0, 9, 1));
    assert!(town.post(&posting).await.is_err());
    assert_eq!(store.take(), count(1, 0, 0, 0), "a number that was used");
}

#[tokio::test]
async fn reads_cost_what_is_documented() {
    let (town, store) = town().await;
    for number in 1..=20 {
        town.create(&Persona::new(number), "dns", "same.example")
            .await;
    }
    let alice = Persona::new(1);
    let claims = town.engine().claims();
    store.take();
    claims.find(&query("same.example")).await.unwrap();
    assert_eq!(store.take(), count(1, 0, 0, 0), "a whole name");
    store.is_shared.store(true, Ordering::Relaxed);
    claims.find(&query("same.example")).await.unwrap();
    assert_eq!(store.take(), count(1, 1, 0, 0), "beside other processes");
    store.is_shared.store(false, Ordering::Relaxed);
    let part = query("example").with(|query| query.exact = false);
    claims.find(&part).await.unwrap();
    assert_eq!(store.take(), count(1, 0, 0, 0), "a part of a name");
    town.claim(&alice, "dns", "same.example").await.unwrap();
    assert_eq!(store.take(), count(1, 0, 0, 0), "exists");
    claims.chain(&alice.avatar(), 1, 40).await.unwrap();
    assert_eq!(store.take(), count(2, 0, 0, 0), "chain");
    claims.changes(0, 100).await.unwrap();
    assert_eq!(store.take(), count(2, 1, 0, 0), "changes");
    claims.describe(&alice.avatar()).await.unwrap().unwrap();
    assert_eq!(store.take(), count(2, 0, 0, 0), "one avatar");
    let nobody = Persona::new(99).avatar();
    assert_eq!(claims.describe(&nobody).await.unwrap(), None);
    assert_eq!(store.take(), count(1, 0, 0, 0), "one that was never seen");
}

#[tokio::test]
async fn a_long_line_of_aliases_is_read_as_far_as_it_is_shown() {
    let (town, store) = town().await;
    let most = u8::try_from(engine::limits::ALIASES_MAX).unwrap();
    let line: Vec<Persona> = (1..most + 20).map(Persona::new).collect();
    for pair in line.windows(2) {
        let name = pair[1].avatar().to_string();
        let prepared = town
            .prepare(&pair[0], ClaimAction::Create, "nextid", &name)
            .await;
        let posting = posting(&pair[0], ClaimAction::Create, "nextid", &prepared).with(|posting| {
            posting.extra.signature = Some(pair[0].sign(&prepared.payload));
            posting.extra.target_signature = Some(pair[1].sign_text(&prepared.payload));
        });
        town.post(&posting).await.unwrap();
    }
    store.take();
    let view = town.view_at(0, &line[0]).await.unwrap();
    assert_eq!(view.aliases.len(), usize::from(most));
    assert_eq!(store.take(), count(1 + usize::from(most), 0, 0, 0));
}

#[tokio::test]
async fn a_check_costs_what_is_documented_and_rest_costs_a_scan() {
    let (town, store) = town().await;
    town.create(&Persona::new(1), "dns", "a.example").await;
    store.take();
    town.recheck().await;
    assert_eq!(store.take(), count(0, 1, 0, 0), "nothing is due");
    town.clock.advance(4 * crate::town::DAY);
    store.take();
    town.recheck().await;
    let Count {
        reads,
        writes,
        commits,
        ..
    } = store.take();
    assert_eq!((reads, writes, commits), (3, 6, 2));
}
