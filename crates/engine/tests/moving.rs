//! A directory moves to another store: whole, once, and never so that two are served.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use engine::marks::{Mark, mark};
use engine::moving::{Compared, Conversion, MoveError, Order, Phase, Progress, undo};
use engine::ports::store::{Batch, Health, Key, Row, Store, Version};
use engine::reconcile::Reconciler;
use engine::types::UnixMillis;
use engine::{OpenError, Settings};
use store::memory::MemoryStore;
use testkit::{
    Faults, FixedClock, Hooked, Mode, World, audit, default_settings, faulty, memory, shared_memory,
};

/// Tags of tables, as the catalog has them.
const MOVED: u8 = 0x02;
const ARRIVING: u8 = 0x03;
const LOG_HEAD: u8 = 0x40;
const LEASES: u8 = 0x61;
const LATER: u8 = 0x7f;

fn order(id: u8) -> Order {
    Order {
        id: [id; 16],
        from: "here".into(),
        to: "there".into(),
        now: UnixMillis(1_400_000_000_000),
    }
}

/// A directory with enough rows for a few pages, some of them intents; answers the rows' holder.
async fn filled() -> (World, Arc<MemoryStore>) {
    let clock = World::start_clock();
    filled_in(memory(&clock), clock).await
}

async fn filled_in(store: MemoryStore, clock: Arc<FixedClock>) -> (World, Arc<MemoryStore>) {
    let store = Arc::new(store);
    let settings = Settings {
        limits_enabled: false,
        ..default_settings()
    };
    let world = World::join(store.clone(), clock, settings, 0).await;
    for byte in 1..25 {
        push(&world, byte).await;
        if byte % 3 == 0 {
            world.sequence().await;
        }
    }
    world.sequence().await;
    push(&world, 25).await;
    // A row of a table that a later release may have.
    put(store.as_ref(), &[LATER, 1], b"later").await;
    (world, store)
}

async fn push(world: &World, byte: u8) {
    let sealed = world
        .client(byte)
        .push(&format!("name{byte}"), 1, "", world.seconds());
    let caller = World::caller(byte);
    let pushed = world.engine.names().push(&caller, Some(sealed)).await;
    assert_eq!(pushed.expect("the push is accepted").head.seqno.get(), 1);
}

async fn put(store: &dyn Store, key: &[u8], value: &[u8]) {
    let puts = vec![(Key::copy_from_slice(key), Bytes::copy_from_slice(value))];
    let batch = Batch {
        puts,
        ..Batch::default()
    };
    store.commit(batch).await.expect("a row is written");
}

/// Rows without versions, those apart that stay behind.
fn content(store: &MemoryStore) -> BTreeMap<Key, Bytes> {
    let stays =
        |key: &Key| [MOVED, ARRIVING, LEASES].contains(key.first().expect("no key is empty"));
    let rows = store.rows().into_iter();
    rows.filter(|(key, ..)| !stays(key))
        .map(|(key, _, value)| (key, value))
        .collect()
}

/// All steps of a conversion.
async fn convert(
    from: &Arc<dyn Store>,
    to: &Arc<dyn Store>,
    order: Order,
) -> Result<Compared, MoveError> {
    let mut conversion = Conversion::begin(from.clone(), to.clone(), order).await?;
    conversion.copy(|_| {}).await?;
    let compared = conversion.compare(|_| {}).await?;
    conversion.finish().await?;
    Ok(compared)
}

async fn open(store: &Arc<dyn Store>) -> Result<engine::Engine, OpenError> {
    World::open(store.clone(), World::start_clock(), default_settings()).await
}

async fn marked(store: &Arc<dyn Store>) -> Option<Mark> {
    let found = mark(store.as_ref())
        .await
        .expect("a store in memory is read");
    match open(store).await {
        Ok(_) => assert_eq!(found, None),
        Err(OpenError::Marked(said)) => assert_eq!(Some(&said), found.as_ref()),
        Err(other) => unreachable!("{other}"),
    }
    found
}

fn there() -> (Arc<MemoryStore>, Arc<dyn Store>) {
    let store = Arc::new(MemoryStore::new());
    (store.clone(), store)
}

#[tokio::test]
async fn the_copy_is_whole_and_goes_on_and_the_source_does_not() {
    let (world, rows) = filled().await;
    let from = world.store.clone();
    let (copy, to) = there();
    let remembered = world.engine.log().head().note.clone();

    let mut conversion = Conversion::begin(from.clone(), to.clone(), order(1))
        .await
        .unwrap();
    assert_eq!(conversion.rows(), 0);
    assert!(matches!(marked(&from).await, Some(Mark::Moving { .. })));
    assert!(matches!(marked(&to).await, Some(Mark::Arriving { .. })));
    let mut seen: Vec<Progress> = Vec::new();
    conversion
        .copy(|progress| seen.push(progress))
        .await
        .unwrap();
    let compared = conversion
        .compare(|progress| seen.push(progress))
        .await
        .unwrap();
    conversion.finish().await.unwrap();

    assert_eq!(content(&copy), content(&rows));
    assert_eq!(
        copy.rows().len(),
        content(&rows).len(),
        "nothing else is there"
    );
    assert!(rows.rows().iter().any(|row| row.0[0] == LEASES));
    let total = u64::try_from(content(&rows).len()).unwrap();
    assert_eq!(compared.sum.rows, total);
    assert_eq!(compared.head, *world.engine.log().head());
    let copied: Vec<u64> = seen
        .iter()
        .filter(|progress| progress.phase == Phase::Copy)
        .map(|progress| progress.rows)
        .collect();
    assert!(copied.len() > 2 && copied.is_sorted(), "{copied:?}");
    let last = seen.last().unwrap();
    assert_eq!(
        (last.rows, last.total, last.bytes),
        (total, Some(total), compared.sum.bytes)
    );

    let since = UnixMillis(1_400_000_000_000);
    let moved = Mark::Moved {
        to: "there".into(),
        since,
    };
    assert_eq!(marked(&from).await, Some(moved.clone()));
    assert!(
        moved
            .to_string()
            .contains("was moved to there at 2014-05-13T16:53:20Z")
    );
    assert_eq!(marked(&to).await, None);

    let there = World::join(to, world.clock.clone(), default_settings(), 7).await;
    there.engine.check_remembered(&remembered).await.unwrap();
    assert_eq!(there.engine.health(), Health::Ready);
    push(&there, 30).await;
    there.sequence().await;
    let links = audit(&there.engine).await.entries.len();
    assert!(links > audit(&world.engine).await.entries.len());
}

#[tokio::test]
async fn there_and_back_is_the_same() {
    let (world, rows) = filled().await;
    let before = content(&rows);
    let (_, away) = there();
    let (back_rows, back) = there();
    let first = convert(&world.store, &away, order(1)).await.unwrap();
    let second = convert(&away, &back, order(2)).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(content(&back_rows), before);
    assert_eq!(marked(&back).await, None);
}

#[tokio::test]
async fn large_rows_are_copied_in_batches_that_fit() {
    let (world, source) = filled().await;
    for number in 0..40 {
        put(source.as_ref(), &[LATER, 2, number], &vec![number; 1 << 20]).await;
    }
    let (copy, to) = there();
    let mut conversion = Conversion::begin(world.store, to, order(1)).await.unwrap();
    let mut steps = vec![0];
    conversion
        .copy(|progress| steps.push(progress.bytes))
        .await
        .unwrap();
    assert!(
        steps.windows(2).all(|pair| pair[1] - pair[0] <= 4 << 20),
        "{steps:?}"
    );
    conversion.compare(|_| {}).await.unwrap();
    assert_eq!(content(&copy), content(&source));
}

/// Two stores whose commits fail on command.
struct Pair {
    rows: Arc<Hooked<MemoryStore>>,
    copy: Arc<Hooked<MemoryStore>>,
    faults: [Faults; 2],
}

impl Pair {
    async fn new(source: &MemoryStore) -> Self {
        let memory = MemoryStore::new();
        let puts = source.rows().into_iter();
        let puts = puts.map(|(key, _, value)| (key, value)).collect();
        let batch = Batch {
            puts,
            ..Batch::default()
        };
        memory
            .commit(batch)
            .await
            .expect("a small copy fits a batch");
        let (rows, first) = faulty(memory);
        let (copy, second) = faulty(MemoryStore::new());
        Self {
            rows: Arc::new(rows),
            copy: Arc::new(copy),
            faults: [first, second],
        }
    }

    fn stores(&self) -> (Arc<dyn Store>, Arc<dyn Store>) {
        (self.rows.clone(), self.copy.clone())
    }
}

#[tokio::test]
async fn after_a_fault_in_any_commit_the_same_order_goes_on() {
    let (_, source) = filled().await;
    let clean = Pair::new(&source).await;
    let (from, to) = clean.stores();
    convert(&from, &to, order(1)).await.unwrap();
    let commits = clean.faults.each_ref().map(Faults::commits);
    assert_eq!(commits[0], 2, "two marks");
    assert!(commits[1] > 4, "progress row, pages, end");

    for (side, nth) in (0..2).flat_map(|side| (1..=commits[side]).map(move |nth| (side, nth))) {
        for mode in [Mode::Fail, Mode::PersistThenFail] {
            let pair = Pair::new(&source).await;
            let (from, to) = pair.stores();
            pair.faults[side].fail_commit(nth, mode);
            let failed = convert(&from, &to, order(1)).await;
            assert!(
                matches!(failed, Err(MoveError::Internal(_))),
                "{side} {nth} {mode:?}"
            );
            let copied = !pair.copy.inner().rows().is_empty();
            if copied {
                // Never both.
                assert!(marked(&from).await.is_some() || marked(&to).await.is_some());
            }

            // Another id, as another run of the command draws one.
            let again = convert(&from, &to, order(2)).await;
            if (side, nth, mode) == (1, commits[1], Mode::PersistThenFail) {
                // All was done.
                assert!(matches!(again, Err(MoveError::Marked(Mark::Moved { .. }))));
            } else {
                again.unwrap();
            }
            assert_eq!(
                content(&pair.copy.inner()),
                content(&source),
                "{side} {nth} {mode:?}"
            );
            assert_eq!(marked(&to).await, None);
            assert!(matches!(marked(&from).await, Some(Mark::Moved { .. })));
        }
    }
}

#[tokio::test]
async fn what_was_copied_is_not_copied_again() {
    let (_, source) = filled().await;
    let pair = Pair::new(&source).await;
    let (from, to) = pair.stores();
    pair.faults[1].fail_commit(4, Mode::Fail);
    assert!(convert(&from, &to, order(1)).await.is_err());
    let done = u64::try_from(content(&pair.copy.inner()).len()).unwrap();
    let mut conversion = Conversion::begin(from, to, order(2)).await.unwrap();
    assert!(done > 100);
    assert_eq!(conversion.rows(), done);
    let before = pair.copy.inner().rows();
    conversion
        .copy(|progress| assert!(progress.rows > done))
        .await
        .unwrap();
    let after: BTreeMap<Key, Version> = versions(pair.copy.inner().rows());
    for (key, version) in versions(before) {
        assert!(after[&key] == version || key[0] == ARRIVING);
    }
    conversion.compare(|_| {}).await.unwrap();
}

fn versions(rows: Vec<Row>) -> BTreeMap<Key, Version> {
    rows.into_iter()
        .map(|(key, version, _)| (key, version))
        .collect()
}

#[tokio::test]
async fn reads_that_fail_leave_a_conversion_that_goes_on() {
    let (_, source) = filled().await;
    for reads in 1..6 {
        let pair = Pair::new(&source).await;
        let (from, to) = pair.stores();
        let mut conversion = Conversion::begin(from.clone(), to.clone(), order(1))
            .await
            .unwrap();
        pair.faults[0].fail_reads(reads);
        assert!(matches!(
            conversion.copy(|_| {}).await,
            Err(MoveError::Internal(_))
        ));
        pair.faults[0].clear();
        convert(&from, &to, order(2)).await.unwrap();
        assert_eq!(content(&pair.copy.inner()), content(&source));
    }
}

#[tokio::test]
async fn nothing_is_moved_from_or_to_the_wrong_store() {
    let (_, source) = filled().await;
    let from: Arc<dyn Store> = source.clone();
    let before = source.rows();
    let (_, empty) = there();
    let nothing = convert(&empty, &from, order(1)).await;
    assert!(matches!(nothing, Err(MoveError::NoDirectory)));
    let itself = convert(&from, &from, order(1)).await;
    assert!(matches!(itself, Err(MoveError::NotEmpty)));
    let (other_rows, other) = there();
    put(other.as_ref(), b"\x01", b"something").await;
    let taken = convert(&from, &other, order(1)).await;
    assert!(matches!(taken, Err(MoveError::NotEmpty)));
    assert_eq!(other_rows.rows().len(), 1);
    assert_eq!(source.rows(), before, "not even marked");
}

#[tokio::test]
async fn a_conversion_is_not_mixed_with_another() {
    let (_, source) = filled().await;
    let pair = Pair::new(&source).await;
    let (from, to) = pair.stores();
    pair.faults[1].fail_commit(3, Mode::Fail);
    assert!(convert(&from, &to, order(1)).await.is_err());

    // Another source into this target.
    let (_, second) = filled().await;
    let second: Arc<dyn Store> = second;
    let refused = convert(&second, &to, order(2)).await;
    let Err(MoveError::Foreign { from: named, .. }) = refused else {
        unreachable!("it holds a part of another conversion");
    };
    assert_eq!(named, "here");
    assert_eq!(marked(&second).await, None);
    // This source into another target.
    let elsewhere = Order {
        to: "elsewhere".into(),
        ..order(3)
    };
    let (_, other) = there();
    let refused = convert(&from, &other, elsewhere).await;
    assert!(matches!(
        refused,
        Err(MoveError::Marked(Mark::Moving { .. }))
    ));
    // A part as a source.
    let refused = convert(&to, &other, order(4)).await;
    assert!(matches!(
        refused,
        Err(MoveError::Marked(Mark::Arriving { .. }))
    ));
    convert(&from, &to, order(5)).await.unwrap();
}

#[tokio::test]
async fn a_source_whose_log_went_on_is_refused() {
    let (world, source) = filled().await;
    let mark_rows =
        |rows: Vec<Row>| -> Vec<Row> { rows.into_iter().filter(|row| row.0[0] == MOVED).collect() };
    let pair = Pair::new(&source).await;
    let (from, to) = pair.stores();
    pair.faults[1].fail_commit(3, Mode::Fail);
    assert!(convert(&from, &to, order(1)).await.is_err());
    assert_eq!(mark_rows(pair.rows.inner().rows()).len(), 1);
    // As a release would that knows no marks.
    world.sequence().await;
    let head = source
        .rows()
        .into_iter()
        .find(|row| row.0[0] == LOG_HEAD)
        .unwrap();
    put(from.as_ref(), &head.0, &head.2).await;
    assert!(matches!(
        convert(&from, &to, order(2)).await,
        Err(MoveError::Changed)
    ));
}

#[tokio::test]
async fn a_row_that_differs_is_found_and_nothing_opens() {
    for side in 0..2 {
        let (_, source) = filled().await;
        let (_, to) = there();
        let from: Arc<dyn Store> = source;
        let mut conversion = Conversion::begin(from.clone(), to.clone(), order(1))
            .await
            .unwrap();
        conversion.copy(|_| {}).await.unwrap();
        let changed = if side == 0 { &from } else { &to };
        put(changed.as_ref(), &[LATER, 1], b"Later").await;
        let compared = conversion.compare(|_| {}).await;
        assert!(matches!(compared, Err(MoveError::Differs { .. })));
        assert!(marked(&from).await.is_some() && marked(&to).await.is_some());
    }
}

#[tokio::test]
async fn an_unfinished_conversion_is_called_off_and_a_finished_one_only_by_force() {
    let (_, source) = filled().await;
    let from: Arc<dyn Store> = source;
    let (_, to) = there();
    assert!(matches!(
        undo(&from, false).await,
        Err(MoveError::NotMarked)
    ));
    let mut conversion = Conversion::begin(from.clone(), to.clone(), order(1))
        .await
        .unwrap();
    conversion.copy(|_| {}).await.unwrap();
    assert!(matches!(
        undo(&from, false).await.unwrap(),
        Mark::Moving { .. }
    ));
    assert_eq!(marked(&from).await, None);
    assert!(matches!(conversion.finish().await, Err(MoveError::Raced)));
    assert!(matches!(marked(&to).await, Some(Mark::Arriving { .. })));
    assert!(matches!(
        convert(&from, &to, order(2)).await,
        Err(MoveError::Foreign { .. })
    ));

    let (_, to) = there();
    convert(&from, &to, order(3)).await.unwrap();
    let Err(refused) = undo(&from, false).await else {
        unreachable!("the other may be served");
    };
    assert!(refused.to_string().contains("forks the log"), "{refused}");
    assert!(marked(&from).await.is_some());
    assert!(matches!(
        undo(&from, true).await.unwrap(),
        Mark::Moved { .. }
    ));
    assert_eq!(marked(&from).await, None);
}

#[tokio::test]
async fn a_sequencer_that_runs_over_a_marked_store_signs_nothing_more() {
    let (world, source) = filled().await;
    let (_, to) = there();
    let from: Arc<dyn Store> = source.clone();
    let head = world.engine.log().head();
    Conversion::begin(from, to, order(1)).await.unwrap();
    world.clock.advance(std::time::Duration::from_secs(1));
    assert!(Reconciler::Sequence.tick(&world.engine).await.is_err());
    assert_eq!(world.engine.log().head(), head);
    let Health::ReadOnly(said) = world.engine.health() else {
        unreachable!("it must not go on");
    };
    assert!(said.contains("being moved to there"), "{said}");
    let sealed = world.client(40).push("late", 1, "", world.seconds());
    let refused = world
        .engine
        .names()
        .push(&World::caller(40), Some(sealed))
        .await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn a_shared_store_in_use_is_not_moved() {
    let clock = World::start_clock();
    let (world, rows) = filled_in(shared_memory(&clock), clock).await;
    world.settle(Reconciler::Heartbeat).await;
    let from: Arc<dyn Store> = rows;
    let (copy, to) = there();
    let Err(MoveError::InUse(processes)) = convert(&from, &to, order(1)).await else {
        unreachable!("a process runs over it");
    };
    assert_eq!(processes.len(), 1);
    assert!(copy.rows().is_empty());
    assert_eq!(mark(from.as_ref()).await.unwrap(), None);
    Reconciler::Heartbeat.finish(&world.engine).await.unwrap();
    let leads = convert(&from, &to, order(1)).await;
    assert!(matches!(leads, Err(MoveError::InUse(_))), "without a row");
    Reconciler::Sequence.finish(&world.engine).await.unwrap();
    convert(&from, &to, order(1)).await.unwrap();
}
