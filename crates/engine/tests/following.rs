//! The name index of one process follows what the others do, by way of the log.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use engine::Settings;
use engine::ports::store::{Direction, Freshness, KeyRange, Row, Store};
use engine::reconcile::Reconciler;
use testkit::{
    Call, Fleet, Hooked, MemoryStore, Step, ToxClient, World, default_settings, shared_memory,
};

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> Settings {
    Settings {
        limits_enabled: false,
        release_after: Some(Duration::ZERO),
        ..default_settings()
    }
}

/// The profile number `number`.
fn client(world: &World, number: u32) -> ToxClient {
    let mut secret = [0x5a; 32];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    ToxClient::from_secret(secret, world.engine.names().box_key())
}

/// Pushes a name of profile `number`; needs a second of its own for each push of a profile.
async fn push(world: &World, number: u32, name: &str, privacy: i64) {
    let sealed = client(world, number).push(name, privacy, "", world.seconds());
    let caller = World::caller(1);
    let pushed = world.engine.names().push(&caller, Some(sealed)).await;
    pushed.expect("the push is accepted");
}

async fn release(world: &World, number: u32) {
    let sealed = client(world, number).delete(world.seconds());
    let released = world.engine.names().release(Some(sealed)).await;
    released.expect("the release is accepted");
}

/// Names a search finds, all pages.
async fn found(world: &World, fragment: &str) -> usize {
    let (mut count, mut page) = (0, 0);
    loop {
        let names = world.engine.names();
        let found = names
            .search(Some(fragment), Some(page))
            .await
            .unwrap()
            .len();
        if found == 0 {
            return count;
        }
        count += found;
        page += 1;
    }
}

/// Bounds of the blurred count of names in the index: each bound tells a count from its neighbours
/// when it is a multiple of 100.
fn total(world: &World) -> std::ops::RangeInclusive<u64> {
    let seen: Vec<u64> = (0..5_000)
        .map(|_| world.engine.names().status().names)
        .collect();
    *seen.iter().min().unwrap()..=*seen.iter().max().unwrap()
}

/// Rows of a table.
async fn rows(store: &Arc<dyn Store>, tags: std::ops::Range<u8>) -> Vec<Row> {
    let range = KeyRange {
        start: vec![tags.start].into(),
        end: Some(vec![tags.end].into()),
    };
    let rows = store.scan(range, Direction::Forward, 100_000, Freshness::Now);
    rows.await.unwrap()
}

#[tokio::test]
async fn a_name_comes_hides_goes_and_comes_back() {
    let fleet = Fleet::of(3, settings()).await;
    fleet.run(3 * SECOND).await;
    let (a, b, c) = (fleet.world(0), fleet.world(1), fleet.world(2));
    let seen = async |count: usize| {
        fleet.run(SECOND).await;
        for world in [a, b, c] {
            assert_eq!(found(world, "alice").await, count);
        }
    };
    push(a, 1, "alice", 1).await;
    seen(1).await;
    push(b, 1, "alice", 0).await;
    seen(0).await;
    push(c, 1, "alice", 2).await;
    seen(1).await;
    release(b, 1).await;
    seen(0).await;
    push(c, 2, "alice", 1).await;
    seen(1).await;
    // Several changes of one name between two looks.
    release(a, 2).await;
    push(b, 3, "alice", 0).await;
    push(c, 4, "alice-two", 1).await;
    fleet.clock.advance(SECOND);
    push(b, 3, "alice", 1).await;
    seen(2).await;
    release(c, 3).await;
    seen(1).await;
    release(a, 4).await;
    seen(0).await;
    push(a, 1, "alice", 0).await;
    seen(0).await;
}

#[tokio::test]
async fn a_burst_is_followed_and_counted() {
    let mut fleet = Fleet::of(2, settings()).await;
    fleet.run(3 * SECOND).await;
    let sees = 1 - fleet.leader().await.unwrap();
    let takes = 1 - sees;
    for number in 0..3_000 {
        let privacy = i64::from(number % 3 != 0);
        push(
            fleet.world(takes),
            number,
            &format!("name{number}"),
            privacy,
        )
        .await;
    }
    fleet.run(4 * SECOND).await;
    assert_eq!(found(fleet.world(sees), "name").await, 2_000);
    for world in &fleet.worlds {
        assert_eq!(total(world), 2_900..=3_100);
    }
    for number in 0..1_000 {
        release(fleet.world(sees), number).await;
    }
    fleet.run(4 * SECOND).await;
    let public = (1_000..3_000_u32).filter(|number| number % 3 != 0).count();
    for world in &fleet.worlds {
        assert_eq!(found(world, "name").await, public);
        assert_eq!(total(world), 1_900..=2_100);
    }
    // One that joins now has the same by its scan.
    fleet.join().await;
    assert_eq!(found(fleet.world(2), "name").await, public);
    assert_eq!(total(fleet.world(2)), 1_900..=2_100);
}

#[tokio::test]
async fn a_process_that_slept_past_the_rows_of_released_names_loads_anew() {
    let mut fleet = Fleet::of(3, settings()).await;
    fleet.run(3 * SECOND).await;
    let sleeper = (fleet.leader().await.unwrap() + 1) % 3;
    let taker = (sleeper + 1) % 3;
    for number in 0..100 {
        push(fleet.world(taker), number, &format!("name{number}"), 1).await;
    }
    fleet.run(2 * SECOND).await;
    assert_eq!(found(fleet.world(sleeper), "name").await, 100);
    fleet.pause(sleeper);
    release(fleet.world(taker), 1).await;
    push(fleet.world(taker), 100, "name100", 1).await;
    // The row of the release is swept, and the name is in no row any more.
    fleet.clock.advance(Duration::from_secs(420));
    fleet.run(5 * SECOND).await;
    assert!(rows(&fleet.store, 0x66..0x67).await.is_empty());
    fleet.resume(sleeper);
    fleet.run(2 * SECOND).await;
    assert_eq!(found(fleet.world(sleeper), "name").await, 100);
    assert_eq!(total(fleet.world(sleeper)), 0..=200, "100, not 101");
    // And follows again.
    push(fleet.world(taker), 101, "name101", 1).await;
    fleet.run(SECOND).await;
    assert_eq!(found(fleet.world(sleeper), "name").await, 101);
    assert_eq!(total(fleet.world(sleeper)), 100..=300);
}

/// The process that swept last is lost, right after another one found it at rest.
#[tokio::test]
async fn a_released_name_goes_in_time_when_its_sweeper_is_lost() {
    let mut fleet = Fleet::of(2, settings()).await;
    fleet.pause(0);
    fleet.pause(1);
    let (a, b) = (fleet.world(0), fleet.world(1));
    push(a, 1, "alice", 1).await;
    push(a, 2, "bob", 1).await;
    fleet.clock.advance(SECOND);
    release(a, 1).await;
    fleet.clock.advance(SECOND);
    release(a, 2).await;
    let left = async || rows(&fleet.store, 0x66..0x67).await.len();
    fleet.clock.advance(Duration::from_millis(299_500));
    a.settle(Reconciler::Sweep).await;
    assert_eq!(
        left().await,
        1,
        "of the first, when its five minutes are over"
    );
    fleet.clock.advance(Duration::from_secs(29));
    b.settle(Reconciler::Sweep).await;
    assert_eq!(left().await, 1, "at rest");
    // Had it looked a little later, it need not come back for it.
    fleet.clock.advance(Duration::from_secs(2));
    b.settle(Reconciler::Sweep).await;
    assert_eq!(left().await, 0);
}

#[tokio::test]
async fn a_release_leaves_the_name_in_no_row_after_six_minutes() {
    let fleet = Fleet::of(2, settings()).await;
    fleet.run(3 * SECOND).await;
    push(fleet.world(0), 1, "alice-in-wonderland", 1).await;
    push(fleet.world(1), 2, "bob", 1).await;
    fleet.run(SECOND).await;
    release(fleet.world(1), 1).await;
    fleet.run(SECOND).await;
    let holds = async |what: &[u8]| {
        let all = rows(&fleet.store, 0..0xff).await;
        let has = |bytes: &[u8]| bytes.windows(what.len()).any(|part| part == what);
        let with = all.iter().filter(|(key, _, value)| has(key) || has(value));
        with.map(|(key, ..)| key[0]).collect::<Vec<u8>>()
    };
    assert_eq!(holds(b"alice-in-wonderland").await, [0x66]);
    fleet.clock.advance(Duration::from_secs(370));
    fleet.run(5 * SECOND).await;
    assert_eq!(holds(b"alice-in-wonderland").await, [0_u8; 0]);
    assert!(
        holds(b"bob").await.contains(&0x20),
        "the head leads to a name held"
    );
}

/// A machine that slept wakes up with the time at which it fell asleep.
#[tokio::test]
async fn a_process_whose_clock_stood_still_loads_anew() {
    let mut fleet = Fleet::of(1, settings()).await;
    let slow = World::start_clock();
    fleet.join_over(fleet.store.clone(), slow).await;
    fleet.run(3 * SECOND).await;
    push(fleet.world(0), 1, "alice", 1).await;
    fleet.run(2 * SECOND).await;
    assert_eq!(found(fleet.world(1), "alice").await, 1);
    fleet.pause(1);
    release(fleet.world(0), 1).await;
    fleet.clock.advance(Duration::from_secs(420));
    fleet.run(5 * SECOND).await;
    assert!(rows(&fleet.store, 0x66..0x67).await.is_empty());
    // Before a heartbeat tells the time.
    for reconciler in [Reconciler::Publish, Reconciler::Follow] {
        fleet.world(1).settle(reconciler).await;
    }
    assert_eq!(found(fleet.world(1), "alice").await, 0);
}

/// Counts what a store is asked, and can lose the answer to a commit.
#[derive(Default)]
struct Counts {
    reads: AtomicU64,
    commits: AtomicU64,
    /// The next commit is applied, and neither it nor any call after it is answered.
    cuts: AtomicBool,
    is_cut: AtomicBool,
}

impl Counts {
    /// The counts, and the store they are of.
    fn over(inner: MemoryStore) -> (Arc<Self>, Arc<Hooked<MemoryStore>>) {
        let counts = Arc::new(Self::default());
        let (before, after) = (counts.clone(), counts.clone());
        let store = Hooked::over(Arc::new(inner))
            .before(move |call| {
                before.count(call);
                before.step(call)
            })
            .after(move |call| {
                if call.is_commit() && after.cuts.swap(false, Ordering::SeqCst) {
                    after.is_cut.store(true, Ordering::SeqCst);
                }
                after.step(call)
            });
        (counts, Arc::new(store))
    }

    /// Reads and commits since the last call.
    fn take(&self) -> (u64, u64) {
        let (reads, commits) = (&self.reads, &self.commits);
        let order = Ordering::SeqCst;
        (reads.swap(0, order), commits.swap(0, order))
    }

    fn count(&self, call: &Call<'_>) {
        self.reads
            .fetch_add(u64::from(call.is_read()), Ordering::SeqCst);
        self.commits
            .fetch_add(u64::from(call.is_commit()), Ordering::SeqCst);
    }

    fn step(&self, call: &Call<'_>) -> Step {
        let asks = call.is_read() || call.is_commit();
        if asks && self.is_cut.load(Ordering::SeqCst) {
            Step::Unavailable("the line is cut".into())
        } else {
            Step::Go
        }
    }
}

#[tokio::test]
async fn idle_processes_cost_the_store_little_and_a_busy_follower_no_more() {
    let clock = World::start_clock();
    let (shared, store) = Counts::over(shared_memory(&clock));
    let mut fleet = Fleet::over(store, clock, settings());
    fleet.join().await;
    fleet.run(5 * SECOND).await;
    shared.take();
    fleet.run(60 * SECOND).await;
    let (reads, commits) = shared.take();
    // Five turns a second of head and intents, four looks at the head, one at the jobs; and one
    // renewal a second, one heartbeat every two.
    assert!(reads <= 60 * 18, "{reads}");
    assert!((60..=60 * 2).contains(&commits), "{commits}");

    fleet.join().await;
    fleet.run(5 * SECOND).await;
    let follower = 1 - fleet.leader().await.unwrap();
    fleet.pause(1 - follower);
    shared.take();
    let mut own = 0;
    for number in 0..20 {
        let before = shared.take();
        push(fleet.world(follower), number, &format!("name{number}"), 1).await;
        own += shared.take().0;
        shared.reads.store(before.0, Ordering::SeqCst);
        fleet.run(Duration::from_millis(50)).await;
    }
    // A second of pushes: the lease is looked at once or twice, not at each.
    let (reads, _) = shared.take();
    assert!(reads <= 20 + own, "{reads} {own}");
}

#[tokio::test]
async fn a_batch_takes_few_reads_and_one_commit() {
    let clock = World::start_clock();
    let (shared, store) = Counts::over(shared_memory(&clock));
    let world = World::join(store, clock.clone(), settings(), 1).await;
    world.sequence().await;
    for number in 0..500 {
        push(&world, number, &format!("name{number}"), 1).await;
    }
    world.sequence().await;
    push(&world, 1_000, "alice", 1).await;
    clock.advance(SECOND);
    shared.take();
    Reconciler::Sequence.tick(&world.engine).await.unwrap();
    let (reads, commits) = shared.take();
    // Head and lease, intents, the edge, and the map's pages level by level.
    assert!((4..=7).contains(&reads), "{reads}");
    assert_eq!(commits, 1);
}

/// A commit that was applied without this process learning of it, on a store of its own.
#[tokio::test]
async fn a_link_whose_commit_got_no_answer_is_sequenced_all_the_same() {
    let clock = World::start_clock();
    let (store, counted) = Counts::over(testkit::memory(&clock));
    let mut fleet = Fleet::over(counted, clock, settings());
    fleet.join().await;
    fleet.run(2 * SECOND).await;
    store.take();
    fleet.run(40 * SECOND).await;
    let (reads, commits) = store.take();
    assert!(
        reads <= 44 && commits == 0,
        "jobs and one sweep: {reads} {commits}"
    );
    store.cuts.store(true, Ordering::SeqCst);
    let world = fleet.world(0);
    let sealed = client(world, 1).push("alice", 1, "", world.seconds());
    let caller = World::caller(1);
    assert!(
        world
            .engine
            .names()
            .push(&caller, Some(sealed))
            .await
            .is_err()
    );
    fleet.run(5 * SECOND).await;
    store.is_cut.store(false, Ordering::SeqCst);
    fleet.run(3 * SECOND).await;
    assert_eq!(testkit::audit(&world.engine).await.links().count(), 1);
    // It stops looking when nothing can come any more.
    fleet.run(40 * SECOND).await;
    store.take();
    fleet.run(40 * SECOND).await;
    assert!(store.take().0 <= 44);
}

/// The same for what searches find: names that came, hid and went without an answer.
#[tokio::test]
async fn a_name_whose_commit_got_no_answer_is_found_all_the_same() {
    let clock = World::start_clock();
    let (store, counted) = Counts::over(testkit::memory(&clock));
    let mut fleet = Fleet::over(counted, clock, settings());
    fleet.join().await;
    let world = fleet.world(0);
    let lost = async |request: Option<i64>| {
        fleet.run(2 * SECOND).await;
        store.cuts.store(true, Ordering::SeqCst);
        let (names, alice) = (world.engine.names(), client(world, 1));
        let is_refused = match request {
            Some(privacy) => {
                let sealed = alice.push("alice", privacy, "", world.seconds());
                let pushed = names.push(&World::caller(1), Some(sealed)).await;
                pushed.is_err()
            }
            None => {
                let sealed = alice.delete(world.seconds());
                names.release(Some(sealed)).await.is_err()
            }
        };
        assert!(is_refused, "{request:?}");
        // For longer than a batch may take to be applied: nothing can be read meanwhile.
        fleet.run(40 * SECOND).await;
        store.is_cut.store(false, Ordering::SeqCst);
        fleet.run(3 * SECOND).await;
        found(world, "alice").await
    };
    assert_eq!(lost(Some(1)).await, 1);
    assert_eq!(lost(Some(0)).await, 0);
    assert_eq!(lost(Some(2)).await, 1);
    assert_eq!(lost(None).await, 0);
}
