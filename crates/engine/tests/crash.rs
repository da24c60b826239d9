//! What is left of the log after every kind of accident: a commit that failed, one that failed after
//! it was written, a process that died, one that slept too long, a store from a backup.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::merkle::Hash;
use engine::merkle::note::Checkpoint;
use engine::names::{AddForm, Edit, NameError, Pushed};
use engine::ports::Ports;
use engine::ports::keys::{SignError, Signer};
use engine::ports::store::{Direction, Freshness, Health, KeyRange, Store};
use engine::reconcile::{Progress, Reconciler};
use engine::types::{Handle, Label, Name, Visibility};
use engine::{Engine, Settings};
use testkit::{
    Call, FixedClock, FixedSigner, Hooked, MemoryStore, Mode, Step, World, audit, copy_of,
    default_settings, faulty, memory, shared_memory, swappable,
};
use tokio::sync::Notify;

fn settings() -> Settings {
    Settings {
        limits_enabled: false,
        release_after: Some(Duration::ZERO),
        ..default_settings()
    }
}

fn label(name: &str) -> Label {
    let key = crypto::secret::Secret::new([3; 32]);
    Handle::Name(Name::parse(name).unwrap()).label(&key)
}

/// Registers or updates a name, with a nonce that no other push has.
async fn push(world: &World, byte: u8, name: &str) -> Result<Pushed, NameError> {
    let client = world.client(byte);
    // Clients are made anew each time and count their nonces from 1: the time tells them apart.
    let sealed = client.push(name, 1, "", world.seconds());
    let caller = World::caller(byte);
    world.engine.names().push(&caller, Some(sealed)).await
}

/// All that anybody was told.
#[derive(Default)]
struct Ledger {
    acknowledged: Vec<(Label, u32, Hash)>,
    roots: BTreeMap<u64, Hash>,
}

impl Ledger {
    /// Registers or updates a name; a failure is no acknowledgement.
    async fn push(&mut self, world: &World, byte: u8, name: &str) {
        world.clock.advance(Duration::from_secs(1));
        if let Ok(pushed) = push(world, byte, name).await {
            let head = pushed.head;
            self.acknowledged
                .push((label(name), head.seqno.get(), head.hash.0));
        }
        self.see(&world.engine);
    }

    /// Adds a name without proof; a failure is no acknowledgement.
    async fn add(&mut self, world: &World, byte: u8, name: &str) {
        world.clock.advance(Duration::from_secs(1));
        let form = AddForm {
            name,
            tox_id: &world.client(byte).tox_id().to_string(),
            bio: "",
            visibility: Visibility::Listed,
        };
        let added = world.engine.names().add(&World::caller(byte), form).await;
        if let Ok(added) = added {
            let head = added.head;
            self.acknowledged
                .push((label(name), head.seqno.get(), head.hash.0));
        }
        self.see(&world.engine);
    }

    /// Resets the password of a profile's record and edits it with the new one.
    async fn reset_and_edit(&mut self, world: &World, byte: u8, name: &str) {
        world.clock.advance(Duration::from_secs(1));
        let sealed = world.client(byte).delete(world.seconds());
        let (names, caller) = (world.engine.names(), World::caller(byte));
        if let Ok(password) = names.reset_password(&caller, Some(sealed)).await {
            let edit = Edit {
                tox_id: None,
                bio: Some("edited"),
                visibility: Visibility::Private,
            };
            let edited = names.edit(&caller, name, password.expose(), edit).await;
            if let Ok(head) = edited {
                self.acknowledged
                    .push((label(name), head.seqno.get(), head.hash.0));
            }
        }
        self.see(&world.engine);
    }

    async fn release(&mut self, world: &World, byte: u8) {
        world.clock.advance(Duration::from_secs(1));
        let sealed = world.client(byte).delete(world.seconds());
        let _maybe_failed = world.engine.names().release(Some(sealed)).await;
        self.see(&world.engine);
    }

    async fn tick(&mut self, world: &World, reconciler: Reconciler) {
        world.clock.advance(Duration::from_secs(1));
        let _maybe_failed = reconciler.tick(&world.engine).await;
        self.see(&world.engine);
    }

    /// Notes the published head; there is only ever one for a size.
    fn see(&mut self, engine: &Engine) {
        let head = engine.log().head();
        let before = self.roots.insert(head.size, head.root);
        assert!(before.is_none_or(|root| root == head.root));
    }

    /// The log is in order, has all that was acknowledged once, and every head that was published.
    async fn check(&self, world: &World) {
        let audit = audit(&world.engine).await;
        for (label, seqno, hash) in &self.acknowledged {
            assert_eq!(audit.count(*label, *seqno, *hash), 1);
        }
        for (size, root) in &self.roots {
            let is_it = |c: &&Checkpoint| c.size == *size && c.root == *root;
            assert_eq!(audit.checkpoints.iter().filter(is_it).count(), 1);
        }
        assert_eq!(rows(&world.store, 0x60).await, 0, "no intent is left");
    }
}

/// How many rows a table has.
async fn rows(store: &Arc<dyn Store>, tag: u8) -> usize {
    let range = KeyRange {
        start: vec![tag].into(),
        end: Some(vec![tag + 1].into()),
    };
    let rows = store.scan(range, Direction::Forward, 1000, Freshness::Now);
    rows.await.unwrap().len()
}

async fn workload(world: &World, ledger: &mut Ledger) {
    ledger.push(world, 1, "alice").await;
    ledger.push(world, 2, "bob").await;
    ledger.tick(world, Reconciler::Sequence).await;
    ledger.push(world, 1, "alice").await;
    ledger.push(world, 1, "alice").await;
    ledger.push(world, 3, "carol").await;
    ledger.tick(world, Reconciler::Sequence).await;
    ledger.release(world, 1).await;
    ledger.tick(world, Reconciler::Sequence).await;
    ledger.tick(world, Reconciler::Deliver).await;
    ledger.push(world, 4, "alice").await;
    ledger.add(world, 5, "dave").await;
    // The key takes another name, and the one it never proved goes in the same commit.
    ledger.push(world, 5, "dora").await;
    ledger.add(world, 6, "eve").await;
    ledger.reset_and_edit(world, 6, "eve").await;
    ledger.tick(world, Reconciler::Sweep).await;
    ledger.tick(world, Reconciler::Sequence).await;
}

/// Lets a process do all there is to do, leases of dead ones included.
async fn come_to_rest(world: &World, ledger: &mut Ledger) {
    for _ in 0..5 {
        ledger.tick(world, Reconciler::Publish).await;
        ledger.tick(world, Reconciler::Sequence).await;
    }
    world.clock.advance(Duration::from_secs(61));
    world.settle(Reconciler::Deliver).await;
    ledger.see(&world.engine);
}

/// One run with a fault at the n-th commit; answers how many commits it had.
async fn run_with_fault(nth: u64, mode: Mode, goes_on: bool) -> u64 {
    let clock = World::start_clock();
    let (store, faults) = faulty(memory(&clock));
    let store: Arc<dyn Store> = Arc::new(store);
    let mut ledger = Ledger::default();
    let world = World::join(store.clone(), clock.clone(), settings(), 0).await;
    faults.fail_commit(nth, mode);
    let before = faults.commits();
    workload(&world, &mut ledger).await;
    let commits = faults.commits() - before;
    faults.clear();
    if goes_on {
        come_to_rest(&world, &mut ledger).await;
        ledger.check(&world).await;
        assert_eq!(world.engine.health(), Health::Ready);
    }
    let restarted = World::join(store, clock, settings(), 1).await;
    let note = world.engine.log().head().note.clone();
    restarted.engine.check_remembered(&note).await.unwrap();
    come_to_rest(&restarted, &mut ledger).await;
    ledger.push(&restarted, 9, "zoe").await;
    assert_eq!(ledger.acknowledged.last().unwrap().0, label("zoe"));
    come_to_rest(&restarted, &mut ledger).await;
    assert_eq!(restarted.engine.health(), Health::Ready);
    assert_eq!(rows(&restarted.store, 0x62).await, 0, "no job is left");
    ledger.check(&restarted).await;
    commits
}

#[tokio::test]
async fn no_commit_that_fails_costs_or_doubles_a_link() {
    let commits = run_with_fault(u64::MAX, Mode::Fail, true).await;
    assert!(commits > 12, "the workload does something: {commits}");
    for nth in 1..=commits + 1 {
        for mode in [Mode::Fail, Mode::PersistThenFail] {
            run_with_fault(nth, mode, false).await;
            run_with_fault(nth, mode, true).await;
        }
    }
}

#[tokio::test]
async fn a_directory_is_created_once_whatever_becomes_of_the_commit() {
    for mode in [Mode::Fail, Mode::PersistThenFail] {
        let clock = World::start_clock();
        let (store, faults) = faulty(memory(&clock));
        let store: Arc<dyn Store> = Arc::new(store);
        faults.fail_commit(1, mode);
        let first = World::open(store.clone(), clock.clone(), settings()).await;
        assert!(first.is_err(), "{mode:?}");
        let world = World::join(store, clock, settings(), 1).await;
        assert_eq!(audit(&world.engine).await.entries.len(), 1);
    }
}

#[tokio::test]
async fn search_shows_what_was_written_whatever_the_store_answered() {
    for (mode, expect) in [(Mode::Fail, 0), (Mode::PersistThenFail, 1)] {
        let clock = World::start_clock();
        let (store, faults) = faulty(memory(&clock));
        let world = World::join(Arc::new(store), clock, settings(), 0).await;
        faults.fail_commit(1, mode);
        let refused = push(&world, 1, "alice").await;
        assert!(matches!(refused, Err(NameError::Internal(error)) if error.is_unavailable()));
        let found = world.engine.names().search(Some("alice"), Some(0)).await;
        assert_eq!(found.unwrap().len(), expect, "{mode:?}");
        assert_eq!(
            world.engine.names().lookup("alice", None).await.is_ok(),
            expect == 1
        );
    }
}

/// A signer that remembers what it was asked to sign.
struct RecordingSigner(FixedSigner, Mutex<Vec<Vec<u8>>>);

impl Signer for RecordingSigner {
    fn public_key(&self) -> [u8; 32] {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        self.1.lock().unwrap().push(message.to_vec());
        self.0.sign(message)
    }
}

#[tokio::test]
async fn the_log_key_signs_each_checkpoint_once_and_nothing_else() {
    let clock = World::start_clock();
    let store: Arc<dyn Store> = Arc::new(memory(&clock));
    let signer = Arc::new(RecordingSigner(FixedSigner::new([1; 32]), Mutex::default()));
    let ports = Ports {
        log_signer: signer.clone(),
        ..World::ports(store.clone(), clock.clone())
    };
    let engine = Engine::open(ports, settings()).await.unwrap();
    engine.load_names().await.unwrap();
    let world = World {
        engine,
        clock,
        store,
    };
    let mut ledger = Ledger::default();
    workload(&world, &mut ledger).await;
    ledger.check(&world).await;
    let _signed = world.engine.names().countersign(&[7; 64]).unwrap();
    let audit = audit(&world.engine).await;
    let signed = signer.1.lock().unwrap();
    let signed: Vec<Checkpoint> = signed
        .iter()
        .map(|text| Checkpoint::parse(std::str::from_utf8(text).unwrap()).unwrap())
        .collect();
    assert_eq!(signed, audit.checkpoints);
}

/// Holds up one commit before it, or one read after it, or stops a store for good.
#[derive(Default)]
struct Gate {
    holds_commit: AtomicBool,
    holds_read: AtomicBool,
    is_fatal: AtomicBool,
    open: Notify,
}

impl Gate {
    /// A gate, and the store behind it.
    fn over(inner: Arc<MemoryStore>) -> (Arc<Self>, Arc<Hooked<MemoryStore>>) {
        let gate = Arc::new(Self::default());
        let (before, after) = (gate.clone(), gate.clone());
        let store = Hooked::over(inner)
            .before(move |call| {
                if call.is_commit() && before.is_fatal.load(Ordering::SeqCst) {
                    return Step::Broken("the disk is gone".into());
                }
                before.step(call.is_commit() && before.holds_commit.swap(false, Ordering::SeqCst))
            })
            .after(move |call| {
                let is_get = matches!(call, Call::Get(..));
                after.step(is_get && after.holds_read.swap(false, Ordering::SeqCst))
            });
        (gate, Arc::new(store))
    }

    fn step(self: &Arc<Self>, holds: bool) -> Step {
        if !holds {
            return Step::Go;
        }
        let gate = self.clone();
        Step::wait(async move { gate.open.notified().await })
    }
}

/// Two processes over one store; the first one's store can be held up.
struct Two {
    gate: Arc<Gate>,
    a: World,
    b: World,
    clock: Arc<FixedClock>,
}

async fn two() -> Two {
    two_with(settings()).await
}

async fn two_with(settings: Settings) -> Two {
    let clock = World::start_clock();
    let shared = Arc::new(shared_memory(&clock));
    let (gate, gated) = Gate::over(shared.clone());
    let a = World::join(gated, clock.clone(), settings.clone(), 1).await;
    let b = World::join(shared, clock.clone(), settings, 2).await;
    Two { gate, a, b, clock }
}

fn size(world: &World) -> u64 {
    world.engine.log().head().size
}

#[tokio::test]
async fn two_processes_that_create_a_directory_at_once_share_one() {
    let clock = World::start_clock();
    let shared = Arc::new(shared_memory(&clock));
    let (gate, gated) = Gate::over(shared.clone());
    gate.holds_commit.store(true, Ordering::SeqCst);
    let (a, b) = tokio::join!(World::join(gated, clock.clone(), settings(), 1), async {
        let b = World::join(shared, clock.clone(), settings(), 2).await;
        gate.open.notify_one();
        b
    });
    assert_eq!(a.engine.log().head(), b.engine.log().head());
}

#[tokio::test]
async fn one_of_two_processes_leads_and_the_other_takes_over() {
    let Two { a, b, clock, .. } = two().await;
    let mut ledger = Ledger::default();
    ledger.push(&a, 1, "alice").await;
    ledger.tick(&a, Reconciler::Sequence).await;
    assert_eq!(size(&a), 3);

    // The follower's links are found by the leader, the leader's head by the follower.
    ledger.push(&b, 2, "bob").await;
    ledger.tick(&b, Reconciler::Sequence).await;
    assert_eq!(rows(&b.store, 0x60).await, 1, "the lease is respected");
    ledger.tick(&a, Reconciler::Sequence).await;
    assert_eq!(size(&a), 5);
    ledger.tick(&b, Reconciler::Publish).await;
    assert_eq!(size(&b), 5);

    // The leader is silent for longer than its lease.
    ledger.push(&b, 3, "carol").await;
    clock.advance(Duration::from_secs(3));
    ledger.tick(&b, Reconciler::Sequence).await;
    assert_eq!(size(&b), 7);
    ledger.push(&a, 4, "dave").await;
    ledger.tick(&a, Reconciler::Sequence).await;
    assert_eq!(rows(&a.store, 0x60).await, 1, "the lease is respected");
    ledger.tick(&b, Reconciler::Sequence).await;
    ledger.tick(&a, Reconciler::Publish).await;
    assert_eq!((size(&a), size(&b)), (9, 9));
    for world in [&a, &b] {
        assert_eq!(world.engine.health(), Health::Ready);
        ledger.check(world).await;
    }
}

#[tokio::test]
async fn a_busy_leader_finds_the_links_of_others() {
    let Two { a, b, clock, .. } = two().await;
    let alice = a.client(1);
    a.sequence().await;
    let head = push(&b, 2, "bob").await.unwrap().head;
    for _ in 0..8 {
        // Never idle for as long as the pause after which an idle one looks.
        clock.advance(Duration::from_millis(250));
        let sealed = alice.push("alice", 1, "", a.seconds());
        let pushed = a.engine.names().push(&World::caller(1), Some(sealed)).await;
        assert!(pushed.is_ok());
        Reconciler::Sequence.tick(&a.engine).await.unwrap();
    }
    assert_eq!(
        audit(&a.engine).await.count(label("bob"), 1, head.hash.0),
        1
    );
}

#[tokio::test]
async fn a_leader_that_slept_through_its_lease_commits_nothing() {
    let Two { gate, a, b, clock } = two().await;
    let mut ledger = Ledger::default();
    a.sequence().await;
    ledger.push(&a, 1, "alice").await;
    clock.advance(Duration::from_secs(1));
    gate.holds_commit.store(true, Ordering::SeqCst);
    let (paused, ()) = tokio::join!(Reconciler::Sequence.tick(&a.engine), async {
        ledger.push(&b, 2, "bob").await;
        clock.advance(Duration::from_secs(4));
        b.sequence().await;
        ledger.see(&b.engine);
        gate.open.notify_one();
    });
    assert_eq!(paused.unwrap(), Progress::Idle, "somebody else leads");
    assert_eq!((size(&a), size(&b)), (4, 4), "and their head is published");
    assert_eq!(a.engine.log().head(), b.engine.log().head());
    for world in [&a, &b] {
        assert_eq!(world.engine.health(), Health::Ready);
        ledger.check(world).await;
    }
}

#[tokio::test]
async fn a_name_taken_and_released_behind_a_registration_is_refused() {
    let Two { gate, a, b, .. } = two_with(Settings {
        release_after: None,
        ..settings()
    })
    .await;
    gate.holds_commit.store(true, Ordering::SeqCst);
    let (late, ()) = tokio::join!(push(&a, 1, "alice"), async {
        push(&b, 2, "alice").await.unwrap();
        // Another time is another nonce.
        let delete = b.client(2).delete(b.seconds() + 1);
        b.engine.names().release(Some(delete)).await.unwrap();
        gate.open.notify_one();
    });
    assert!(matches!(late, Err(NameError::Taken)), "{late:?}");
}

#[tokio::test]
async fn a_read_that_comes_late_is_no_lost_write() {
    let Two { gate, a, .. } = two().await;
    push(&a, 1, "alice").await.unwrap();
    a.clock.advance(Duration::from_secs(1));
    gate.holds_read.store(true, Ordering::SeqCst);
    let (late, ()) = tokio::join!(Reconciler::Publish.tick(&a.engine), async {
        a.sequence().await;
        gate.open.notify_one();
    });
    assert_eq!(late.unwrap(), Progress::Idle);
    assert_eq!(size(&a), 3, "the head never goes back");
    gate.holds_read.store(true, Ordering::SeqCst);
    push_and_sequence_during_a_bundle(&a, &gate).await;
    assert_eq!(a.engine.health(), Health::Ready);
    audit(&a.engine).await;
}

/// Makes a bundle whose rows are read before, and used after, a batch.
async fn push_and_sequence_during_a_bundle(a: &World, gate: &Gate) {
    let name = Name::parse("alice").unwrap();
    let log = a.engine.log();
    let (bundle, ()) = tokio::join!(log.name_bundle(&name), async {
        push(a, 2, "bob").await.unwrap();
        a.sequence().await;
        gate.open.notify_one();
    });
    let bundle = bundle.unwrap();
    assert_eq!(bundle.head.size, 3);
    assert!(bundle.present.unwrap().opening.is_some());
}

#[tokio::test]
async fn a_store_set_back_stops_writes_and_not_reads() {
    for finds_out in [Reconciler::Publish, Reconciler::Sequence] {
        let clock = World::start_clock();
        let first = memory(&clock);
        let (first, mut backup) = (Arc::new(first), Vec::new());
        let (store, swap) = swappable(first.clone());
        let world = World::join(store, clock.clone(), settings(), 1).await;
        for (byte, name) in [(1, "alice"), (2, "bob")] {
            push(&world, byte, name).await.unwrap();
            world.sequence().await;
            if backup.is_empty() {
                backup = first.rows();
            }
        }
        let head = world.engine.log().head();
        swap.swap(Arc::new(copy_of(&backup, &clock).await));
        clock.advance(Duration::from_secs(1));
        assert!(
            finds_out.tick(&world.engine).await.is_err(),
            "{finds_out:?}"
        );
        assert!(matches!(world.engine.health(), Health::ReadOnly(_)));
        assert_eq!(world.engine.log().head(), head, "the head never goes back");
        let refused = push(&world, 3, "carol").await;
        assert!(matches!(refused, Err(NameError::Internal(error)) if error.is_unavailable()));
        assert_eq!(
            Reconciler::Sequence.tick(&world.engine).await.unwrap(),
            Progress::Idle
        );
        assert_eq!(
            Reconciler::Publish.tick(&world.engine).await.unwrap(),
            Progress::Idle
        );
        assert!(world.engine.names().lookup("alice", None).await.is_ok());
        let reverse = world.engine.names().reverse("zz").await;
        assert!(matches!(reverse, Err(NameError::InvalidId)));
        // A taken name is refused as such: refusals write nothing.
        assert!(matches!(
            push(&world, 5, "alice").await,
            Err(NameError::Taken)
        ));
    }
}

#[tokio::test]
async fn a_store_set_back_that_has_grown_since_is_still_another_log() {
    let clock = World::start_clock();
    let first = Arc::new(memory(&clock));
    let (store, swap) = swappable(first.clone());
    let world = World::join(store, clock.clone(), settings(), 1).await;
    let backup = first.rows();
    push(&world, 1, "alice").await.unwrap();
    world.sequence().await;
    let note = world.engine.log().head().note.clone();

    let copy = Arc::new(copy_of(&backup, &clock).await);
    let other = World::join(copy.clone(), clock.clone(), settings(), 2).await;
    for (byte, name) in [(2, "bob"), (3, "carol"), (4, "dave")] {
        push(&other, byte, name).await.unwrap();
        other.sequence().await;
    }
    assert!(size(&other) > size(&world));
    swap.swap(copy);
    let name = Name::parse("bob").unwrap();
    assert!(world.engine.log().name_bundle(&name).await.is_err());
    assert!(matches!(world.engine.health(), Health::ReadOnly(_)));
    assert_eq!(size(&world), 3);

    // The process that never saw the first log, and is told of it.
    assert_eq!(other.engine.health(), Health::Ready);
    other.engine.check_remembered(&note).await.unwrap();
    assert!(matches!(other.engine.health(), Health::ReadOnly(_)));
}

#[tokio::test]
async fn a_remembered_checkpoint_is_believed_only_when_it_can_be() {
    let clock = World::start_clock();
    let (store, faults) = faulty(memory(&clock));
    let world = World::join(Arc::new(store), clock.clone(), settings(), 1).await;
    push(&world, 1, "alice").await.unwrap();
    let founded = world.engine.log().head().note.clone();
    world.sequence().await;
    let newest = world.engine.log().head().note.clone();
    for good in [&founded, &newest] {
        world.engine.check_remembered(good).await.unwrap();
    }
    let text = std::str::from_utf8(&newest).unwrap();
    let later = text.replacen("\n3\n", "\n4\n", 1);
    let elsewhere = text.replace("example.test/log", "example.org/log");
    for bad in ["", "nonsense", &later, &elsewhere, &text[..text.len() - 1]] {
        assert!(
            world.engine.check_remembered(bad.as_bytes()).await.is_err(),
            "{bad:?}"
        );
    }
    faults.fail_reads(1);
    let error = world.engine.check_remembered(&newest).await.unwrap_err();
    assert!(error.is_unavailable());
    assert_eq!(world.engine.health(), Health::Ready, "nothing was proven");
}

#[tokio::test]
async fn a_store_that_stops_for_good_stops_the_sequencer() {
    let Two { gate, a, b, clock } = two().await;
    a.sequence().await;
    push(&a, 1, "alice").await.unwrap();
    gate.is_fatal.store(true, Ordering::SeqCst);
    assert!(Reconciler::Sequence.tick(&a.engine).await.is_err());
    assert!(matches!(a.engine.health(), Health::ReadOnly(_)));
    assert_eq!(
        Reconciler::Sequence.tick(&a.engine).await.unwrap(),
        Progress::Idle
    );
    assert!(a.engine.names().lookup("alice", None).await.is_ok());
    // Another process goes on with what the first one accepted.
    clock.advance(Duration::from_secs(4));
    b.sequence().await;
    assert_eq!(audit(&b.engine).await.links().count(), 1);
}
