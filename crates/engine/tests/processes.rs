//! Many processes over one store: who leads, what happens when one dies, and what they share.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use engine::names::{NameError, Pushed};
use engine::ports::Ports;
use engine::ports::store::{Direction, Freshness, KeyRange, Store};
use engine::reconcile::{Progress, Reconciler};
use engine::types::{Handle, Label, Name};
use engine::{Engine, OpenError, Settings};
use testkit::{
    FixedClock, FixedSigner, Fleet, Hooked, MemoryStore, Mode, SeededRng, Step, ToxClient, World,
    audit, check_bundle, default_settings, faulty, lagging, shared_memory,
};

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> Settings {
    Settings {
        limits_enabled: false,
        release_after: Some(Duration::ZERO),
        ..default_settings()
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn label(text: &str) -> Label {
    Handle::Name(name(text)).label(&crypto::secret::Secret::new([3; 32]))
}

/// The profile number `number`.
fn client(world: &World, number: u32) -> ToxClient {
    let mut secret = [0x5a; 32];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    ToxClient::from_secret(secret, world.engine.names().box_key())
}

/// Registers a name by the store's clock, which is the fleet's.
async fn push(fleet: &Fleet, process: usize, number: u32) -> Result<Pushed, NameError> {
    use engine::ports::timer::Timer as _;
    let world = fleet.world(process);
    let seconds = fleet.clock.now().seconds();
    let sealed = client(world, number).push(&format!("name{number}"), 1, "", seconds);
    let caller = World::caller(1);
    world.engine.names().push(&caller, Some(sealed)).await
}

async fn rows(store: &Arc<dyn Store>, tag: u8) -> usize {
    let range = KeyRange {
        start: vec![tag].into(),
        end: Some(vec![tag + 1].into()),
    };
    let rows = store.scan(range, Direction::Forward, 10_000, Freshness::Now);
    rows.await.unwrap().len()
}

#[tokio::test]
async fn every_process_answers_within_a_second_what_one_was_told() {
    let fleet = Fleet::of(3, settings()).await;
    fleet.run(5 * SECOND).await;
    for number in 0..6_u32 {
        let process = usize::try_from(number).unwrap() % 3;
        let pushed = push(&fleet, process, number).await.unwrap();
        let text = format!("name{number}");
        // Who took it knows at once.
        let own = fleet.world(process).engine.names();
        assert_eq!(own.search(Some(&text), Some(0)).await.unwrap().len(), 1);
        fleet.run(SECOND).await;
        for world in &fleet.worlds {
            let (names, log) = (world.engine.names(), world.engine.log());
            assert!(names.lookup(&text, None).await.is_ok());
            assert_eq!(names.search(Some(&text), Some(0)).await.unwrap().len(), 1);
            let key: String = client(world, number)
                .key()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(names.reverse(&key).await.unwrap(), name(&text));
            assert!(log.head().map_root == fleet.world(0).engine.log().head().map_root);
            let index = log.wait_covered(label(&text), pushed.head.seqno, Duration::ZERO);
            assert!(index.await.unwrap().unwrap() < log.head().size);
            assert_eq!(check_bundle(&world.engine, &text).await.unwrap().0, 1);
        }
    }
    for world in &fleet.worlds {
        assert_eq!(audit(&world.engine).await.links().count(), 6);
    }
}

#[tokio::test]
async fn one_process_leads_and_says_so() {
    let mut fleet = Fleet::of(4, settings()).await;
    fleet.run(3 * SECOND).await;
    let leader = fleet.leader().await.expect("somebody leads");
    // An idle leader stays.
    for _ in 0..20 {
        fleet.run(SECOND).await;
        assert_eq!(fleet.leader().await, Some(leader));
    }
    let all = fleet.world(1).engine.processes().await.unwrap();
    assert_eq!(all.len(), 4);
    assert_eq!(all.iter().filter(|one| one.is_me).count(), 1);
    for one in &all {
        assert!(
            one.seen_ago <= 2 * SECOND + Duration::from_millis(100),
            "{one:?}"
        );
        assert_eq!(one.id.to_string().len(), 32);
        assert!(one.version.is_some() && one.started.is_some());
    }
    let listed = engine::processes::list(&fleet.store).await.unwrap();
    assert_eq!(listed.len(), 4);
    assert!(listed.iter().all(|one| !one.is_me));
    fleet.stop(leader).await;
    let rest = engine::processes::list(&fleet.store).await.unwrap();
    assert_eq!(rest.len(), 3, "who stops is counted no more");
    assert_eq!(fleet.leader().await, None, "and has given its role back");
    let took = fleet.until(2 * SECOND, async || fleet.leader().await.is_some());
    assert!(took.await.is_some());
}

#[tokio::test]
async fn links_of_every_process_are_covered_within_a_second() {
    let fleet = Fleet::of(3, settings()).await;
    fleet.run(5 * SECOND).await;
    let mut waits = Vec::new();
    for number in 0..60_u32 {
        // At another moment of the leader's period each time.
        fleet.run(Duration::from_millis(50) * (number % 7)).await;
        let process = usize::try_from(number).unwrap() % 3;
        let pushed = push(&fleet, process, number).await.unwrap();
        let of = label(&format!("name{number}"));
        let covered = async || {
            let log = fleet.world(process).engine.log();
            let index = log.wait_covered(of, pushed.head.seqno, Duration::ZERO);
            index.await.unwrap().is_some()
        };
        waits.push(fleet.until(SECOND, covered).await.expect("within a second"));
    }
    waits.sort();
    assert!(waits[30] <= Duration::from_millis(300), "{waits:?}");
}

#[tokio::test]
async fn a_dead_leader_is_replaced_within_five_seconds() {
    let mut fleet = Fleet::of(3, settings()).await;
    fleet.run(5 * SECOND).await;
    let dead = fleet.leader().await.unwrap();
    fleet.pause(dead);
    let taker = (dead + 1) % 3;
    let pushed = push(&fleet, taker, 1).await.unwrap();
    let covered = async || {
        let log = fleet.world(taker).engine.log();
        let index = log.wait_covered(label("name1"), pushed.head.seqno, Duration::ZERO);
        index.await.unwrap().is_some()
    };
    let took = fleet.until(5 * SECOND, covered).await;
    assert!(
        took.expect("a new leader") > SECOND,
        "the lease was respected"
    );
    let leader = fleet.leader().await.unwrap();
    assert_ne!(leader, dead);
    // It wakes, finds that it leads no more, and what it accepts is sequenced by the other.
    push(&fleet, dead, 2).await.unwrap();
    fleet.resume(dead);
    fleet.run(2 * SECOND).await;
    assert_eq!(fleet.leader().await, Some(leader));
    for world in &fleet.worlds {
        assert_eq!(audit(&world.engine).await.links().count(), 2);
    }
}

#[tokio::test]
async fn two_that_take_their_turns_at_once_make_one_log() {
    let clock = World::start_clock();
    let store = Arc::new(yielding(Arc::new(shared_memory(&clock))));
    let a = World::join(store.clone(), clock.clone(), settings(), 1).await;
    let b = World::join(store, clock.clone(), settings(), 2).await;
    for round in 0..20_u32 {
        for of in [&a, &b] {
            let number = round * 2 + u32::from(std::ptr::eq(of, &raw const b));
            let sealed = client(of, number).push(&format!("name{number}"), 1, "", of.seconds());
            let caller = World::caller(1);
            let pushed = of.engine.names().push(&caller, Some(sealed)).await;
            assert!(pushed.is_ok());
        }
        // Now and then nobody leads, now and then one of them does.
        clock.advance(SECOND * (round % 5) + Duration::from_millis(200));
        let (first, second) = tokio::join!(
            Reconciler::Sequence.tick(&a.engine),
            Reconciler::Sequence.tick(&b.engine)
        );
        first.unwrap();
        second.unwrap();
    }
    for world in [&a, &b] {
        world.sequence().await;
    }
    for world in [&a, &b] {
        world.settle(Reconciler::Publish).await;
        assert_eq!(world.engine.health(), engine::ports::store::Health::Ready);
        assert_eq!(audit(&world.engine).await.links().count(), 40);
    }
    assert_eq!(a.engine.log().head(), b.engine.log().head());
}

/// Two processes start at once and work while the n-th commit of one of them fails.
async fn run_with_fault(nth: u64, mode: Mode) -> u64 {
    let clock = World::start_clock();
    let rows = Arc::new(shared_memory(&clock));
    let mut fleet = Fleet::over(rows.clone(), clock.clone(), settings());
    let (store, faults) = faulty(yielding(rows));
    fleet.join_over(Arc::new(store), clock).await;
    fleet.join().await;
    faults.fail_commit(nth, mode);
    let mut acknowledged = Vec::new();
    for number in 0..8_u32 {
        for process in [0, 1] {
            let number = number * 2 + u32::try_from(process).unwrap();
            if let Ok(pushed) = push(&fleet, process, number).await {
                acknowledged.push((number, pushed.head));
            }
        }
        fleet.run(Duration::from_millis(350)).await;
    }
    let commits = faults.commits();
    fleet.run(6 * SECOND).await;
    assert_eq!(self::rows(&fleet.store, 0x60).await, 0, "no intent is left");
    for world in &fleet.worlds {
        assert_eq!(world.engine.health(), engine::ports::store::Health::Ready);
        let audit = audit(&world.engine).await;
        for (number, head) in &acknowledged {
            let label = label(&format!("name{number}"));
            assert_eq!(audit.count(label, head.seqno.get(), head.hash.0), 1);
        }
        let found = world.engine.names().search(Some("name"), Some(0)).await;
        assert_eq!(found.unwrap().len(), audit.links().count());
    }
    commits
}

/// A store at which others have their turn before each call.
fn yielding(rows: Arc<MemoryStore>) -> Hooked<MemoryStore> {
    Hooked::over(rows).before(|_| Step::wait(tokio::task::yield_now()))
}

#[tokio::test]
async fn no_fault_of_one_process_costs_or_doubles_a_link_of_any() {
    let commits = run_with_fault(u64::MAX, Mode::Fail).await;
    assert!(commits > 10, "the workload does something: {commits}");
    for nth in 1..=commits + 1 {
        for mode in [Mode::Fail, Mode::PersistThenFail] {
            run_with_fault(nth, mode).await;
        }
    }
}

#[tokio::test]
async fn of_eight_processes_that_open_an_empty_store_one_creates_the_log() {
    let clock = World::start_clock();
    let rows = Arc::new(shared_memory(&clock));
    let store: Arc<dyn Store> = Arc::new(yielding(rows));
    let mut tasks = tokio::task::JoinSet::new();
    for process in 0..8_u64 {
        let (store, clock) = (store.clone(), clock.clone());
        tasks.spawn(async move {
            let mut ports = Ports {
                rng: Arc::new(SeededRng::new(process << 32)),
                ..World::ports(store, clock)
            };
            if process >= 6 {
                ports.log_signer = Arc::new(FixedSigner::new([9; 32]));
            }
            (process, Engine::open(ports, settings()).await)
        });
    }
    let (mut opened, mut refused) = (Vec::new(), Vec::new());
    while let Some(done) = tasks.join_next().await {
        match done.unwrap() {
            (process, Ok(engine)) => opened.push((process, engine)),
            (process, Err(OpenError::WrongKey("log key"))) => refused.push(process),
            (process, Err(error)) => unreachable!("{process}: {error}"),
        }
    }
    // Whoever was first decides which keys are the right ones.
    let first_is_of_six = opened.len() == 6;
    assert!(first_is_of_six || opened.len() == 2, "{refused:?}");
    assert_eq!(opened.len() + refused.len(), 8);
    let heads: Vec<_> = opened.iter().map(|(_, one)| one.log().head()).collect();
    assert!(heads.iter().all(|head| *head == heads[0] && head.size == 1));
    for (_, engine) in &opened {
        assert_eq!(audit(engine).await.entries.len(), 1);
    }
}

#[tokio::test]
async fn guesses_of_a_password_are_counted_over_all_processes() {
    let fleet = Fleet::of(
        3,
        Settings {
            limits_enabled: true,
            ..settings()
        },
    )
    .await;
    let password = push(&fleet, 0, 1).await.unwrap().password.unwrap();
    let guess = async |process: usize, text: &str| {
        let names = fleet.world(process).engine.names();
        names
            .check_password(&World::caller(1), &name("name1"), text)
            .await
    };
    guess(2, password.expose()).await.unwrap();
    for number in 0..9 {
        let refused = guess(number % 3, "wrong").await;
        assert!(matches!(refused, Err(NameError::WrongPassword)));
    }
    for process in 0..3 {
        let limited = guess(process, password.expose()).await;
        assert!(matches!(limited, Err(NameError::Limited(_))));
    }
}

#[tokio::test]
async fn a_request_is_accepted_once_and_a_name_given_once() {
    let fleet = Fleet::of(2, settings()).await;
    let (a, b) = (fleet.world(0), fleet.world(1));
    let sealed = client(a, 1).push("alice", 1, "", a.seconds());
    let caller = World::caller(1);
    a.engine
        .names()
        .push(&caller, Some(sealed.clone()))
        .await
        .unwrap();
    let again = b.engine.names().push(&caller, Some(sealed)).await;
    assert!(matches!(again, Err(NameError::Malformed(_))));
    let other = client(b, 2).push("alice", 1, "", b.seconds());
    let taken = b.engine.names().push(&caller, Some(other)).await;
    assert!(matches!(taken, Err(NameError::Taken)));
    let deletion = client(b, 1).delete(b.seconds() + 1);
    b.engine
        .names()
        .release(Some(deletion.clone()))
        .await
        .unwrap();
    let again = a.engine.names().release(Some(deletion)).await;
    assert!(matches!(again, Err(NameError::Malformed(_))));
}

#[tokio::test]
async fn a_password_that_another_process_has_replaced_is_wrong_at_once() {
    let clock = World::start_clock();
    let shared = Arc::new(shared_memory(&clock));
    let a = World::join(shared.clone(), clock.clone(), settings(), 1).await;
    let caller = World::caller(1);
    let register = async |number: u64| {
        let sealed = client(&a, 1).push("alice", 1, "", a.seconds() + number);
        let pushed = a.engine.names().push(&caller, Some(sealed)).await.unwrap();
        pushed.password.unwrap()
    };
    let old = register(0).await;
    let behind = lagging(shared, clock.clone()).await;
    let b = World::join(behind, clock, settings(), 2).await;
    let deletion = client(&a, 1).delete(a.seconds() + 1);
    a.engine.names().release(Some(deletion)).await.unwrap();
    let new = register(2).await;
    let names = b.engine.names();
    let refused = names
        .check_password(&World::caller(1), &name("alice"), old.expose())
        .await;
    assert!(matches!(refused, Err(NameError::WrongPassword)));
    names
        .check_password(&World::caller(1), &name("alice"), new.expose())
        .await
        .unwrap();
}

/// Unreadable pushes of one address that pass before it is refused.
async fn passes(world: &World, address: u8) -> usize {
    let mut passed = 0;
    loop {
        let caller = World::caller(address);
        match world.engine.names().push(&caller, None).await {
            Err(NameError::Malformed(_)) => passed += 1,
            Err(NameError::Limited(_)) => return passed,
            other => unreachable!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn processes_share_the_flood_limits_and_take_over_the_share_of_the_dead() {
    let limited = Settings {
        limits_enabled: true,
        ..settings()
    };
    let mut fleet = Fleet::of(1, limited).await;
    let mut address = 0;
    let mut shares = async |fleet: &Fleet, alive: &[usize]| {
        address += 1;
        let mut shares = Vec::new();
        for process in alive {
            shares.push(passes(fleet.world(*process), address).await);
        }
        shares
    };
    fleet.run(SECOND).await;
    assert_eq!(shares(&fleet, &[0]).await, [13]);
    fleet.join().await;
    assert_eq!(
        shares(&fleet, &[1]).await,
        [6],
        "it counts the others when it opens"
    );
    fleet.run(3 * SECOND).await;
    assert_eq!(shares(&fleet, &[0, 1]).await, [6, 6]);
    fleet.join().await;
    fleet.join().await;
    fleet.run(3 * SECOND).await;
    assert_eq!(shares(&fleet, &[0, 1, 2, 3]).await, [3; 4]);
    fleet.pause(3);
    fleet.run(6 * SECOND).await;
    assert_eq!(shares(&fleet, &[0, 1, 2]).await, [3; 3], "it may be slow");
    fleet.run(7 * SECOND).await;
    assert_eq!(shares(&fleet, &[0, 1, 2]).await, [4; 3], "it is dead");
    fleet.stop(2).await;
    fleet.run(3 * SECOND).await;
    assert_eq!(shares(&fleet, &[0, 1]).await, [6, 6], "it has left");
    for _ in 0..12 {
        fleet.join().await;
    }
    fleet.run(3 * SECOND).await;
    assert_eq!(
        shares(&fleet, &[0, 13]).await,
        [1, 1],
        "everybody passes something"
    );
}

#[tokio::test]
async fn a_heartbeat_that_fails_stops_nothing() {
    let clock = World::start_clock();
    let rows = Arc::new(shared_memory(&clock));
    let mut fleet = Fleet::over(rows.clone(), clock.clone(), settings());
    let (store, faults) = faulty(yielding(rows));
    fleet.join_over(Arc::new(store), clock).await;
    fleet.join().await;
    faults.fail_keys(Mode::Fail, |key| key.first() == Some(&0x67));
    fleet.run(75 * SECOND).await;
    assert!(faults.fired() > 10);
    let pushed = push(&fleet, 0, 1).await.unwrap();
    fleet.run(SECOND).await;
    let log = fleet.world(0).engine.log();
    let covered = log.wait_covered(label("name1"), pushed.head.seqno, Duration::ZERO);
    assert!(covered.await.unwrap().is_some());
    assert_eq!(self::rows(&fleet.store, 0x67).await, 1);
    faults.clear();
    fleet.run(3 * SECOND).await;
    assert_eq!(self::rows(&fleet.store, 0x67).await, 2);
}

/// A machine's clock that is `hours` ahead of the store's.
fn machine(hours: i64) -> Arc<FixedClock> {
    let hour_ms = 3_600_000;
    let start = 1_400_000_000_000_i64 + hours * hour_ms;
    Arc::new(FixedClock::at(u64::try_from(start).unwrap()))
}

#[tokio::test]
async fn a_process_whose_clock_is_an_hour_off_works_as_any_other() {
    for hours in [-1, 1] {
        let mut fleet = Fleet::of(1, settings()).await;
        fleet.join_over(fleet.store.clone(), machine(hours)).await;
        fleet.run(3 * SECOND).await;
        // Fresh by the store's clock is fresh on both, by the machine's clock on neither.
        for process in [0, 1] {
            push(&fleet, process, u32::try_from(process).unwrap())
                .await
                .unwrap();
        }
        let off = fleet.world(1);
        let sealed = client(off, 7).push("name7", 1, "", off.seconds());
        let stale = off
            .engine
            .names()
            .push(&World::caller(1), Some(sealed))
            .await;
        assert!(matches!(stale, Err(NameError::Malformed(_))), "{hours}");
        let record = off.engine.names().lookup("name1", None).await.unwrap();
        let age = fleet
            .world(0)
            .seconds()
            .abs_diff(record.changed_at.seconds());
        assert!(age <= 1, "{age}");
        fleet.run(SECOND).await;
        // Whichever of the two leads, the log's time is the store's.
        let leader = fleet.leader().await.unwrap();
        fleet.pause(leader);
        fleet.run(5 * SECOND).await;
        let other = 1 - leader;
        assert_eq!(fleet.leader().await, Some(other));
        push(&fleet, other, 9).await.unwrap();
        fleet.run(SECOND).await;
        let head = fleet.world(other).engine.log().head();
        let age = fleet.world(0).seconds().abs_diff(head.time.seconds());
        assert!(age <= 2, "{hours}: {age}");
        audit(&fleet.world(other).engine).await;
    }
}

#[tokio::test]
async fn a_clock_that_is_set_while_the_process_runs_is_followed() {
    let mut fleet = Fleet::of(1, settings()).await;
    let off = machine(0);
    fleet.join_over(fleet.store.clone(), off.clone()).await;
    fleet.run(SECOND).await;
    off.set_back(Duration::from_secs(7200));
    assert!(push(&fleet, 1, 1).await.is_err());
    fleet.run(3 * SECOND).await;
    push(&fleet, 1, 1).await.unwrap();
}

#[tokio::test]
async fn one_process_sweeps_and_only_when_there_is_something() {
    let clock = World::start_clock();
    let (store, faults) = faulty(yielding(Arc::new(shared_memory(&clock))));
    let store: Arc<dyn Store> = Arc::new(store);
    let mut worlds = Vec::new();
    for seed in 1..4 {
        worlds.push(World::join(store.clone(), clock.clone(), settings(), seed).await);
    }
    let sweep_all = async || {
        let before = faults.commits();
        let [a, b, c] = &worlds[..] else {
            unreachable!("three")
        };
        let done = tokio::join!(
            Reconciler::Sweep.tick(&a.engine),
            Reconciler::Sweep.tick(&b.engine),
            Reconciler::Sweep.tick(&c.engine)
        );
        let done = [done.0.unwrap(), done.1.unwrap(), done.2.unwrap()];
        assert_eq!(done, [Progress::Idle; 3]);
        faults.commits() - before
    };
    assert_eq!(sweep_all().await, 0, "nothing to remove, nothing written");
    let mark = async |number: u32| {
        let (world, caller) = (&worlds[0], World::caller(1));
        let sealed = client(world, number).push(&format!("name{number}"), 1, "", world.seconds());
        world
            .engine
            .names()
            .push(&caller, Some(sealed))
            .await
            .unwrap();
    };
    mark(1).await;
    clock.advance(Duration::from_secs(661));
    assert!(sweep_all().await >= 2, "a page, and the role given back");
    assert_eq!(rows(&store, 0x64).await, 0);
    // For a minute nobody looks, then everybody does.
    mark(2).await;
    clock.advance(Duration::from_secs(661));
    assert!(sweep_all().await >= 2);
    mark(3).await;
    assert_eq!(sweep_all().await, 0);
    clock.advance(Duration::from_secs(59));
    assert_eq!(sweep_all().await, 0);
    assert_eq!(rows(&store, 0x64).await, 1);
    // A process that died at it is replaced when its lease is over.
    clock.advance(Duration::from_secs(661));
    faults.fail_keys(Mode::Fail, |key| key.first() == Some(&0x61));
    assert!(Reconciler::Sweep.tick(&worlds[0].engine).await.is_err());
    faults.clear();
    Reconciler::Sweep.tick(&worlds[1].engine).await.unwrap();
    assert_eq!(rows(&store, 0x64).await, 0);
}

#[tokio::test]
async fn the_only_process_of_a_store_does_nothing_for_others() {
    let world = World::with(settings()).await;
    let needed: Vec<_> = Reconciler::ALL
        .into_iter()
        .filter(|one| one.is_needed(&world.engine))
        .map(Reconciler::name)
        .collect();
    assert_eq!(needed, ["sequence", "follow", "sweep", "deliver"]);
    let sealed = client(&world, 1).push("alice", 1, "", world.seconds());
    let caller = World::caller(1);
    world
        .engine
        .names()
        .push(&caller, Some(sealed))
        .await
        .unwrap();
    world.sequence().await;
    let deletion = client(&world, 1).delete(world.seconds());
    world.engine.names().release(Some(deletion)).await.unwrap();
    for reconciler in Reconciler::ALL {
        world.clock.advance(SECOND);
        world.settle(reconciler).await;
    }
    for tag in [0x66, 0x67] {
        assert_eq!(rows(&world.store, tag).await, 0, "{tag:x}");
    }
    // The hint of what it accepted is left; without anything accepted it does not even look.
    Reconciler::Sequence.wait(&world.engine).await;
    world.sequence().await;
    let clock = world.clock.clone();
    tokio::select! {
        () = Reconciler::Sequence.wait(&world.engine) => unreachable!("nothing to wake for"),
        () = Reconciler::Follow.wait(&world.engine) => unreachable!("nothing in doubt"),
        () = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
                clock.advance(Duration::from_secs(60));
            }
        } => {}
    }
    let all = world.engine.processes().await.unwrap();
    assert!(all.len() == 1 && all[0].is_me, "{all:?}");
}
