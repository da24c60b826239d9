//! The sequencer: turns intents into entries under a signed root.
//!
//! One batch: read the head and the lease; load map pages and the right edge; take each label's
//! links in seqno order from what the map holds of it on; compute tiles, map pages and roots in
//! memory; sign; then **one commit** that asserts head and lease unchanged and writes all of it,
//! the checkpoint included, and removes the intents. Only then is the checkpoint exposed.
//!
//! # Crash windows
//! - Before the commit: nothing happened. The signed text was never shown to anybody.
//! - During the commit, outcome unknown (`Unavailable`, `Fatal`): the next batch starts from the head
//!   it reads then. If the commit did happen, the map already holds the links, so they are dropped
//!   from the queue and not sequenced twice.
//! - After the commit, before publication: the next batch, or the next look at the store, publishes.
//!
//! A paused old leader can commit nothing: the versions of head and lease fence it, not clocks.
//! If size, root or time would go backwards the sequencer stops this process's writes for good.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use merkle::Hash;
use merkle::entry::{EntryKind, LogEntry};
use merkle::map::MapBatch;
use merkle::note::{Signature, VerifierKey};
use merkle::range::CompactRange;
use merkle::tile::{TILE_WIDTH, TileId, tiles_to_load};

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{BATCH_ENTRIES_MAX, INTENT_SHARDS, LEASE_LIFE};
use crate::ports::Ports;
use crate::ports::store::{Batch, CommitError, Expect, Freshness, Key, StoreError, Version};
use crate::table::{Row, Table, TableKey};
use crate::tables::{
    BUNDLES, CHECKPOINTS, ENTRY_INDEX, INTENTS, IndexRow, LEASES, LOG_HEAD, LeaseRow, MAP_PAGES,
    TILES,
};
use crate::types::{Label, UnixMillis};

use super::head::Head;
use super::staged::{Edge, Staged};
use super::{intent_key, map};

/// The sequencer's row in the lease table.
const ROLE: &[u8] = b"sequence";

/// What a run of the sequencer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing was waiting.
    Idle,
    /// A checkpoint that covers this many more links was published.
    Sequenced(usize),
    /// Another process holds the lease.
    NotLeader,
}

/// Head and lease as read at the start of a batch.
struct Ground {
    head: Head,
    head_version: Version,
    lease_version: Option<Version>,
}

/// Runs one batch. Not to be run twice at once in one process: the caller holds the engine's turn.
///
/// # Errors
/// Our own failures; nothing is lost, the next run starts from the store again.
pub(crate) async fn run(engine: &Engine) -> Result<Progress, Internal> {
    if engine.published().halted().is_some() {
        return Ok(Progress::Idle);
    }
    if engine.sequencer().rescan.swap(false, Ordering::AcqRel)
        && let Err(error) = rescan(engine).await
    {
        engine.sequencer().rescan.store(true, Ordering::Release);
        return Err(error);
    }
    let taken = engine.pending().take(BATCH_ENTRIES_MAX);
    if taken.is_empty() {
        return Ok(Progress::Idle);
    }
    let done = sequence(engine, &taken).await;
    if matches!(done, Ok(Progress::NotLeader) | Err(_)) {
        // Another process leads, the head has moved, or the outcome is unknown: whoever sequences
        // next starts from the store, which holds the intents of all that is not in the log.
        engine.sequencer().rescan.store(true, Ordering::Release);
    }
    done
}

/// Adds the intents of the store to the queue: at start-up, after a failure, and for other processes.
async fn rescan(engine: &Engine) -> Result<(), Internal> {
    let most = u32::try_from(BATCH_ENTRIES_MAX).unwrap_or(u32::MAX);
    let mut found = Vec::new();
    for shard in 0..INTENT_SHARDS {
        let range = INTENTS.range(&[shard]);
        let rows = crate::tx::scan_table(&engine.ports().store, &INTENTS, range, most).await?;
        // More than one scan shows are waiting: come back for them.
        if rows.len() >= BATCH_ENTRIES_MAX {
            engine.sequencer().rescan.store(true, Ordering::Release);
        }
        for (_, _, row) in rows {
            found.push(LogEntry::decode(&row.entry).map_err(|error| {
                Internal::new("reading an intent", StoreError::Corrupt(error.to_string()))
            })?);
        }
    }
    engine.pending().put_back(found);
    Ok(())
}

async fn sequence(engine: &Engine, taken: &[LogEntry]) -> Result<Progress, Internal> {
    let Some(ground) = ground(engine).await? else {
        return Ok(Progress::NotLeader);
    };
    let store = &engine.ports().store;
    let mut labels: Vec<Hash> = taken.iter().map(|entry| entry.label).collect();
    labels.sort_unstable();
    labels.dedup();
    let mut map = map::load(store, labels).await?;
    let chosen = choose(&map, taken);
    let mut batch = Batch::default();
    batch.deletes.extend(
        chosen
            .done
            .iter()
            .map(|entry| INTENTS.key(&intent_key(entry))),
    );
    if !chosen.early.is_empty() {
        // A link came before its predecessor, which another process holds or the queue has yet to
        // receive: wait for it, and look in the store in case it never comes.
        engine.sequencer().rescan.store(true, Ordering::Release);
        engine.pending().put_back(chosen.early);
    }
    if chosen.links.is_empty() {
        if !batch.deletes.is_empty() {
            store.commit(batch).await?;
        }
        engine.published().observe(ground.head);
        return Ok(Progress::Idle);
    }
    for link in &chosen.links {
        map.set(&link.label, link.seqno, link.commitment)
            .map_err(map::unreadable)?;
    }
    let change = map.finish().map_err(map::unreadable)?;
    let edge = edge(engine, &ground.head).await?;
    let time = engine.ports().timer.now().max(ground.head.time);
    let staged = Staged::build(&edge, &chosen.links, &change, time)?;
    let note = sign(engine.ports(), engine.log_key(), &staged)?;
    let head = head(&staged, change.root, time, note);
    batch.deletes.extend(
        chosen
            .links
            .iter()
            .map(|entry| INTENTS.key(&intent_key(entry))),
    );
    batch.puts.extend(
        change
            .pages
            .into_iter()
            .map(|(id, page)| put(&MAP_PAGES, &id.key(), page)),
    );
    write_links(&mut batch, &chosen.links, ground.head.size);
    write_head(&mut batch, staged, &head);
    fence(engine, &mut batch, &ground).await?;
    commit(engine, batch, head).await?;
    Ok(Progress::Sequenced(chosen.links.len()))
}

/// Reads head and lease; `None` when another process leads.
async fn ground(engine: &Engine) -> Result<Option<Ground>, Internal> {
    let store = &engine.ports().store;
    let keys = [LOG_HEAD.key(&()), LEASES.key(&ROLE.to_vec())];
    let mut rows = store.get_many(&keys, Freshness::Now).await?.into_iter();
    let (head, lease) = (rows.next().flatten(), rows.next().flatten());
    let (head_version, head) =
        head.ok_or_else(|| StoreError::Corrupt("the log has no head".into()))?;
    let head = Head::read(&LOG_HEAD.read(&head)?)?;
    if let Some((_, lease)) = &lease {
        let lease = LEASES.read(lease)?;
        let is_ours = lease.holder == engine.process_id();
        if !is_ours && store.now().await?.0 < lease.until_ms {
            engine.published().observe(head);
            return Ok(None);
        }
    }
    let seen = engine.published().head();
    if head.size < seen.size || (head.size == seen.size && head.root != seen.root) {
        engine.published().observe(head);
        let cause = "the head in the store is behind the published one";
        return Err(Internal::new("sequencing", cause));
    }
    Ok(Some(Ground {
        head,
        head_version,
        lease_version: lease.map(|(version, _)| version),
    }))
}

/// What of the taken entries this batch can do something about.
#[derive(Default)]
struct Chosen {
    /// To be sequenced, each label's links in order without a gap.
    links: Vec<LogEntry>,
    /// In the log already.
    done: Vec<LogEntry>,
    /// Their predecessors have not been seen.
    early: Vec<LogEntry>,
}

fn choose(map: &MapBatch, taken: &[LogEntry]) -> Chosen {
    let mut waiting: BTreeMap<(Hash, u32), &LogEntry> = BTreeMap::new();
    for entry in taken {
        waiting.insert((entry.label, entry.seqno), entry);
    }
    let mut chosen = Chosen::default();
    let (mut label, mut last) = (None, 0);
    for ((of, seqno), entry) in waiting {
        if label != Some(of) {
            label = Some(of);
            last = map.current(&of).map_or(0, |leaf| leaf.seqno);
        }
        if seqno <= last {
            chosen.done.push(*entry);
        } else if seqno == last.saturating_add(1) && entry.kind == EntryKind::Link {
            last = seqno;
            chosen.links.push(*entry);
        } else {
            chosen.early.push(*entry);
        }
    }
    chosen
}

/// Reads the partial tiles and the partial bundle of the log.
async fn edge(engine: &Engine, head: &Head) -> Result<Edge, Internal> {
    let ids = tiles_to_load(head.size);
    let bundle = (!head.size.is_multiple_of(u64::from(TILE_WIDTH)))
        .then(|| BUNDLES.key(&(head.size / u64::from(TILE_WIDTH))));
    let keys: Vec<Key> = ids.iter().map(tile_key).chain(bundle).collect();
    let mut rows = engine
        .ports()
        .store
        .get_many(&keys, Freshness::Now)
        .await?
        .into_iter();
    let mut tiles = Vec::with_capacity(ids.len());
    for id in ids {
        let (_, tile) = rows.next().flatten().ok_or_else(|| {
            StoreError::Corrupt(format!(
                "tile {} of level {} is missing",
                id.index, id.level
            ))
        })?;
        tiles.push((id, tile.to_vec()));
    }
    let bundle = rows
        .next()
        .flatten()
        .map(|(_, bytes)| bytes)
        .unwrap_or_default();
    Ok(Edge {
        range: head.edge.clone(),
        tiles,
        bundle,
    })
}

fn head(staged: &Staged, map_root: Hash, time: UnixMillis, note: Bytes) -> Head {
    let edge = staged.range.clone();
    Head {
        size: edge.size(),
        root: staged.root,
        map_root,
        time,
        note,
        edge,
    }
}

fn sign(ports: &Ports, key: &VerifierKey, staged: &Staged) -> Result<Bytes, Internal> {
    let text = staged.checkpoint(key.name().as_str()).to_string();
    let bytes = ports
        .log_signer
        .sign(text.as_bytes())
        .map_err(|error| Internal::new("signing a checkpoint", error))?;
    let signature = Signature {
        name: key.name().clone(),
        id: key.id(),
        bytes: bytes.to_vec(),
    };
    Ok(format!("{text}\n{}", signature.line()).into())
}

fn write_links(batch: &mut Batch, links: &[LogEntry], first: u64) {
    for (index, link) in (first..).zip(links) {
        let key = ENTRY_INDEX.key(&(Label(link.label), link.seqno));
        batch.puts.push((key, IndexRow { index }.write()));
    }
}

fn write_head(batch: &mut Batch, staged: Staged, head: &Head) {
    let tiles = staged
        .tiles
        .into_iter()
        .map(|(id, tile)| (tile_key(&id), tile.into()));
    batch.puts.extend(tiles);
    let bundles = staged
        .bundles
        .into_iter()
        .map(|(index, bundle)| put(&BUNDLES, &index, bundle));
    batch.puts.extend(bundles);
    batch
        .puts
        .push((CHECKPOINTS.key(&head.size), head.note.clone()));
    batch.puts.push((LOG_HEAD.key(&()), head.row().write()));
}

/// Makes the batch depend on head and lease, and renews the lease.
async fn fence(engine: &Engine, batch: &mut Batch, ground: &Ground) -> Result<(), Internal> {
    let until = engine.ports().store.now().await?.plus(LEASE_LIFE);
    let lease = LEASES.key(&ROLE.to_vec());
    let row = LeaseRow {
        holder: engine.process_id().to_vec(),
        until_ms: until.0,
    };
    batch
        .checks
        .push((LOG_HEAD.key(&()), Expect::Is(ground.head_version)));
    batch.checks.push((
        lease.clone(),
        ground.lease_version.map_or(Expect::Absent, Expect::Is),
    ));
    batch.puts.push((lease, row.write()));
    Ok(())
}

async fn commit(engine: &Engine, batch: Batch, head: Head) -> Result<(), Internal> {
    match engine.ports().store.commit(batch).await {
        Ok(_) => {
            engine.published().observe(head);
            Ok(())
        }
        Err(error @ CommitError::Fatal(_)) => {
            engine
                .published()
                .halt(format!("the store takes no writes: {error}"));
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Commits the first head of a new log: one entry, the head of the empty map, so that every bundle
/// has the same form from the start. The rows of `batch` go with it.
///
/// # Errors
/// Our own failures, `Conflict` when another process was first.
pub(crate) async fn found(
    ports: &Ports,
    key: &VerifierKey,
    mut batch: Batch,
) -> Result<(), Internal> {
    let map = map::load(&ports.store, Vec::new()).await?;
    let change = map.finish().map_err(map::unreadable)?;
    let edge = Edge {
        range: CompactRange::new(),
        tiles: Vec::new(),
        bundle: Bytes::new(),
    };
    let time = ports.timer.now();
    let staged = Staged::build(&edge, &[], &change, time)?;
    let head = head(&staged, change.root, time, sign(ports, key, &staged)?);
    write_head(&mut batch, staged, &head);
    batch.checks.push((LOG_HEAD.key(&()), Expect::Absent));
    ports.store.commit(batch).await?;
    Ok(())
}

/// Reads the head in the store and publishes it: for heads that other processes committed.
///
/// # Errors
/// Our own failures only.
pub(crate) async fn publish(engine: &Engine) -> Result<(), Internal> {
    let rows = engine
        .ports()
        .store
        .get_many(&[LOG_HEAD.key(&())], Freshness::Now)
        .await?;
    let row = rows.into_iter().next().flatten();
    let (_, row) = row.ok_or_else(|| StoreError::Corrupt("the log has no head".into()))?;
    engine
        .published()
        .observe(Head::read(&LOG_HEAD.read(&row)?)?);
    Ok(())
}

fn tile_key(id: &TileId) -> Key {
    TILES.key(&(id.level, id.index))
}

fn put<K: TableKey>(table: &Table<K, Bytes>, key: &K, value: Vec<u8>) -> (Key, Bytes) {
    (table.key(key), value.into())
}
