//! The sequencer: turns intents into entries under a signed root.
//!
//! One batch: read the head and the lease; load map pages and the right edge; take each label's
//! links in seqno order from what the map holds of it on; compute tiles, map pages and roots in
//! memory; sign; then **one commit** that asserts head and lease unchanged and writes all of it,
//! the checkpoint included, and removes the intents. Only then is the checkpoint exposed.
//!
//! Links that are changes get their numbers in the feed in the same commit, in the order of their
//! indexes: the head says how many there are, so that none is skipped or given twice.
//!
//! # Crash windows
//! - Before the commit: nothing happened. The signed text was never shown to anybody.
//! - During the commit, outcome unknown (`Unavailable`, `Fatal`): the next batch starts from the head
//!   it reads then. If the commit did happen, the map already holds the links, so they are dropped
//!   from the queue and not sequenced twice.
//! - After the commit, before publication: the next batch, or the next look at the store, publishes.
//!
//! # Round trips
//! One for head, lease and time; one or two when it is time to look for intents; one for each level
//! of the map, the first of them with the right edge of the log; one for the commit. With a log of a
//! million names that is about seven. A leader without anything to sequence: the first two, and one
//! commit a second that renews its lease on a shared store.
//!
//! A paused old leader can commit nothing: the versions of head and lease fence it, not clocks. Its
//! commit conflicts, it publishes the head of whoever leads, and goes on as a follower: it queues
//! nothing, and looks at the lease once a second. If size, root or time would go backwards the sequencer stops this process's writes for good.

use bytes::Bytes;
use merkle::entry::LogEntry;
use merkle::note::{Signature, VerifierKey};
use merkle::range::CompactRange;
use merkle::tile::{TILE_WIDTH, TileId, tiles_to_load};

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{BATCH_ENTRIES_MAX, INTENTS_PER_LOOK};
use crate::ports::Ports;
use crate::ports::store::{Batch, CommitError, Expect, Freshness, Key, StoreError};
use crate::table::{Row, Table, TableKey};
use crate::tables::{
    BUNDLES, CHANGES, CHECKPOINTS, ChangeRow, ENTRY_INDEX, INTENTS, IndexRow, LOG_HEAD, MAP_PAGES,
    TILES,
};
use crate::tx::Queued;
use crate::types::{Label, UnixMillis};

use super::choice::{choose, rescan};
use super::ground::{Ground, fence, ground, keep, publish};
use super::head::Head;
use super::staged::{Edge, Staged};
use super::{intent_key, map};

/// What a run of the sequencer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing was waiting.
    Idle,
    /// What waited was in the log already.
    Cleared,
    /// A checkpoint that covers this many more links was published.
    Sequenced(usize),
    /// Another process holds the lease.
    NotLeader,
}

/// Runs one batch. Not to be run twice at once in one process: the caller holds the engine's turn.
///
/// # Errors
/// Our own failures; nothing is lost, the next run starts from the store again.
pub(crate) async fn run(engine: &Engine) -> Result<Progress, Internal> {
    if engine.published().halted().is_some() {
        return Ok(Progress::Idle);
    }
    let done = turn(engine).await;
    if let Ok(progress) = &done {
        engine
            .sequencer()
            .set_follows(*progress == Progress::NotLeader);
    }
    if matches!(done, Ok(Progress::NotLeader) | Err(_)) {
        forget(engine);
    }
    done
}

/// Another process leads, or the outcome is unknown: whoever sequences next starts from the store,
/// which holds the intents of all that is not in the log.
fn forget(engine: &Engine) {
    engine.pending().clear();
    engine.sequencer().look_in_store();
}

/// Keeps the lead of a leader that waits for its merge delay.
///
/// # Errors
/// Our own failures only.
pub(crate) async fn wait(engine: &Engine) -> Result<(), Internal> {
    if !engine.is_shared() || engine.published().halted().is_some() {
        return Ok(());
    }
    let leads = match ground(engine).await? {
        Some(ground) => keep(engine, &ground).await?,
        None => false,
    };
    engine.sequencer().set_follows(!leads);
    if !leads {
        forget(engine);
    }
    Ok(())
}

async fn turn(engine: &Engine) -> Result<Progress, Internal> {
    let Some(ground) = ground(engine).await? else {
        return Ok(Progress::NotLeader);
    };
    // A few batches wait already: what is in the store beyond waits there.
    let has_enough = engine.pending().len() >= INTENTS_PER_LOOK as usize;
    if !has_enough && engine.sequencer().is_time_to_look(engine) {
        rescan(engine).await?;
    }
    match engine.pending().take(BATCH_ENTRIES_MAX) {
        none if none.is_empty() => Ok(match keep(engine, &ground).await? {
            true => Progress::Idle,
            false => Progress::NotLeader,
        }),
        taken => sequence(engine, ground, &taken).await,
    }
}

async fn sequence(engine: &Engine, ground: Ground, taken: &[Queued]) -> Result<Progress, Internal> {
    let store = &engine.ports().store;
    let labels = taken.iter().map(|queued| queued.entry.label).collect();
    // The edge is needed unless all was sequenced before, which is rare.
    let (map, edge) = tokio::join!(map::load(store, labels), edge(engine, &ground.head));
    let (mut map, edge) = (map?, edge?);
    let chosen = choose(&map, taken);
    let mut batch = Batch::default();
    batch.deletes.extend(intent_keys(&chosen.done));
    if !chosen.early.is_empty() {
        // A link came before its predecessor, which another process holds or the queue has yet to
        // receive: wait for it, and look in the store in case it never comes.
        engine.sequencer().look_in_store();
        engine.pending().add(chosen.early);
    }
    if chosen.links.is_empty() {
        if batch.deletes.is_empty() {
            return Ok(Progress::Idle);
        }
        store.commit(batch).await?;
        return Ok(Progress::Cleared);
    }
    let links: Vec<LogEntry> = chosen.links.iter().map(|queued| queued.entry).collect();
    for link in &links {
        map.set(&link.label, link.seqno, link.commitment)
            .map_err(map::unreadable)?;
    }
    let change = map.finish().map_err(map::unreadable)?;
    let time = engine.now().max(ground.head.time);
    let staged = Staged::build(&edge, &links, &change, time)?;
    let note = sign(engine.ports(), engine.log_key(), &staged)?;
    let changes = write_links(&mut batch, &chosen.links, &ground.head);
    let head = Head::new(staged.before.clone(), change.root, time, note).with_changes(changes);
    batch.deletes.extend(intent_keys(&chosen.links));
    batch.puts.extend(
        change
            .pages
            .into_iter()
            .map(|(id, page)| put(&MAP_PAGES, &id.key(), page)),
    );
    write_head(&mut batch, staged, &head);
    fence(&mut batch, &ground);
    if commit(engine, batch, &ground.head, head).await? {
        Ok(Progress::Sequenced(chosen.links.len()))
    } else {
        publish(engine).await?;
        Ok(Progress::NotLeader)
    }
}

fn intent_keys(entries: &[Queued]) -> impl Iterator<Item = Key> {
    let key = |queued: &Queued| INTENTS.key(&intent_key(&queued.entry));
    entries.iter().map(key)
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

/// Gives the links their indexes, and changes their numbers in the same order; answers how many
/// changes there are then.
fn write_links(batch: &mut Batch, links: &[Queued], before: &Head) -> u64 {
    let mut changes = before.changes;
    for (index, queued) in (before.size..).zip(links) {
        let (label, seqno) = (Label(queued.entry.label), queued.entry.seqno);
        let mut change = None;
        if queued.is_change {
            changes = changes.saturating_add(1);
            change = Some(changes);
            let label = label.0.0.to_vec();
            let row = ChangeRow { label, seqno };
            batch.puts.push((CHANGES.key(&changes), row.write()));
        }
        let row = IndexRow { index, change };
        batch
            .puts
            .push((ENTRY_INDEX.key(&(label, seqno)), row.write()));
    }
    changes
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

/// Commits a batch and publishes its head; `false` when another process has moved head or lease.
async fn commit(
    engine: &Engine,
    batch: Batch,
    before: &Head,
    head: Head,
) -> Result<bool, Internal> {
    match engine.ports().store.commit(batch).await {
        Ok(_) => Ok(engine.published().observe(before, head)),
        Err(CommitError::Conflict(_)) => Ok(false),
        Err(error @ CommitError::Fatal(_)) => {
            let published = engine.published();
            published.halt(format!("the store takes no writes: {error}"));
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Commits the first head of a new log at `time`: one entry, the head of the empty map, so that every bundle
/// has the same form from the start. The rows of `batch` go with it.
///
/// Answers whether it did: not when another process was first.
///
/// # Errors
/// Our own failures only.
pub(crate) async fn found(
    ports: &Ports,
    key: &VerifierKey,
    time: UnixMillis,
    mut batch: Batch,
) -> Result<bool, Internal> {
    let map = map::load(&ports.store, Vec::new()).await?;
    let change = map.finish().map_err(map::unreadable)?;
    let edge = Edge {
        range: CompactRange::new(),
        tiles: Vec::new(),
        bundle: Bytes::new(),
    };
    let staged = Staged::build(&edge, &[], &change, time)?;
    let note = sign(ports, key, &staged)?;
    let head = Head::new(staged.before.clone(), change.root, time, note);
    write_head(&mut batch, staged, &head);
    batch.checks.push((LOG_HEAD.key(&()), Expect::Absent));
    match ports.store.commit(batch).await {
        Ok(_) => Ok(true),
        Err(CommitError::Conflict(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn tile_key(id: &TileId) -> Key {
    TILES.key(&(id.level, id.index))
}

fn put<K: TableKey>(table: &Table<K, Bytes>, key: &K, value: Vec<u8>) -> (Key, Bytes) {
    (table.key(key), value.into())
}
