//! The feed of changes: dense numbers in the order of the log, whatever happens to whom.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::claims::{Change, ClaimError};
use engine::merkle::entry::commit;
use engine::moving::{Conversion, Order};
use engine::ports::store::{Batch, Store};
use engine::reconcile::Reconciler;
use engine::types::{ClaimAction, UnixMillis};
use proptest::prelude::*;
use testkit::{Call, Hooked, MemoryStore, Mode, Step, World, audit, faulty, memory};

use crate::town::{Persona, SECOND, Town, With, cases, posting, settings};

/// All changes, read a few at a time.
async fn all(world: &World) -> Vec<Change> {
    let (claims, mut changes) = (world.engine.claims(), Vec::<Change>::new());
    loop {
        let after = changes.last().map_or(0, |change| change.id);
        let page = claims.changes(after, 3).await.unwrap();
        if page.is_empty() {
            return changes;
        }
        assert!(page.len() <= 3);
        changes.extend(page);
    }
}

/// Checks that the feed is that of the log, and answers it.
async fn check(world: &World) -> Vec<Change> {
    let changes = all(world).await;
    let log = audit(&world.engine).await;
    assert!(
        changes
            .iter()
            .map(|change| change.id)
            .eq(1..=changes.len() as u64)
    );
    let mut newest = BTreeMap::new();
    let mut last = None;
    for change in &changes {
        let index = change.link.index.unwrap();
        assert!(last < Some(index), "in the order of the log");
        last = Some(index);
        assert_eq!(change.link.change_id, Some(change.id));
        let entry = &log.entries[usize::try_from(index).unwrap()];
        assert_eq!(entry.seqno, change.link.seqno);
        let salt: &[u8; 32] = change.link.opening.salt.as_ref().try_into().unwrap();
        let opened = commit(salt, &change.link.opening.link);
        assert_eq!(entry.commitment, opened);
        let before = newest.insert(change.avatar, change.link.seqno).unwrap_or(0);
        assert_eq!(change.link.seqno, before + 1, "each chain in its order");
    }
    assert_eq!(world.engine.log().head().changes, changes.len() as u64);
    changes
}

#[tokio::test]
async fn what_a_resolver_says_of_dnssec_is_noted_beside_the_link() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    let dns = town.service("dns");
    let told = [None, Some(true), Some(false)];
    for (number, dnssec) in told.into_iter().enumerate() {
        dns.with(|state| state.dnssec = dnssec);
        town.create(&alice, "dns", &format!("{number}.example"))
            .await;
    }
    // The bytes that the log commits to are those of the link alone.
    let changes = check(&town.worlds[0]).await;
    assert!(changes.iter().map(|change| change.link.dnssec).eq(told));
    let chain = town.engine().claims().chain(&alice.avatar(), 1, 10).await;
    let links = chain.unwrap().links;
    assert!(links.iter().map(|link| link.dnssec).eq(told));
}

#[tokio::test]
async fn links_of_names_have_no_number_and_those_of_avatars_have_the_next() {
    let town = Town::new().await;
    let (alice, bob) = (Persona::new(1), Persona::new(2));
    for (by, identity) in [(&alice, "a"), (&bob, "b"), (&alice, "c")] {
        let world = &town.worlds[0];
        let name = format!("name{identity}");
        let byte = identity.as_bytes()[0];
        let sealed = world.client(byte).push(&name, 1, "", world.seconds());
        let (names, caller) = (world.engine.names(), World::caller(9));
        names.push(&caller, Some(sealed)).await.unwrap();
        town.create(by, "dns", identity).await;
    }
    let changes = check(&town.worlds[0]).await;
    let identities: Vec<_> = changes
        .iter()
        .map(|change| change.link.identity.as_str())
        .collect();
    assert_eq!(identities, ["a", "b", "c"]);
    assert_eq!(changes[1].avatar, bob.avatar());
    let claims = town.engine().claims();
    assert_eq!(claims.changes(3, 10).await.unwrap(), []);
    assert_eq!(claims.changes(u64::MAX, 10).await.unwrap(), []);
    assert_eq!(claims.changes(0, 0).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_answered_is_read_on_every_process_at_once() {
    let town = Town::of(3).await;
    for number in 0..9_u8 {
        let by = Persona::new(number + 1);
        let posting = town.ready(&by, "dns", &format!("{number}.example")).await;
        let process = usize::from(number) % 3;
        let posted = town.post_at(process, &posting).await.unwrap();
        assert_eq!(posted.change_id, u64::from(number) + 1);
        for world in &town.worlds {
            let newest = world
                .engine
                .claims()
                .changes(posted.change_id - 1, 9)
                .await
                .unwrap();
            assert_eq!(newest.len(), 1, "process {process}");
            let (claims, avatar) = (world.engine.claims(), by.avatar());
            let view = claims.exists("dns", &posting.identity, &avatar).await;
            assert!(view.unwrap().is_some());
        }
    }
    for world in &town.worlds {
        check(world).await;
    }
}

/// A few creates and a delete, with a fault at the n-th commit; answers how many commits there were.
async fn run_with_fault(nth: u64, mode: Mode) -> u64 {
    let clock = World::start_clock();
    let (store, faults) = faulty(memory(&clock));
    let store: Arc<dyn Store> = Arc::new(store);
    let mut town = Town::over(store, clock, settings());
    town.join().await;
    faults.fail_commit(nth, mode);
    let before = faults.commits();
    let (alice, bob) = (Persona::new(1), Persona::new(2));
    let mut acknowledged = Vec::new();
    let work = [(&alice, "a"), (&bob, "b"), (&alice, "b")];
    for (by, identity) in work {
        let posting = town.ready(by, "dns", identity).await;
        acknowledged.extend(town.post(&posting).await.map(|posted| (posted, posting)));
    }
    acknowledged.extend(
        town.delete(&bob, "dns", "b")
            .await
            .map(|posted| (posted, town_posting())),
    );
    let commits = faults.commits() - before;
    faults.clear();
    for restart in [false, true] {
        if restart {
            town.join().await;
        }
        let world = town.worlds.pop().unwrap();
        town.worlds = vec![world];
        for _ in 0..60 {
            town.clock.advance(SECOND);
            town.step().await;
        }
        let changes = check(&town.worlds[0]).await;
        for (posted, _) in &acknowledged {
            let change = &changes[usize::try_from(posted.change_id).unwrap() - 1];
            assert_eq!(change.link.signature, posted.signature);
        }
        // What is shown is what the chains say, whatever was answered.
        for by in [&alice, &bob] {
            let mut live = Vec::new();
            for change in changes.iter().filter(|change| change.avatar == by.avatar()) {
                live.retain(|name| *name != change.link.identity);
                if change.link.action == ClaimAction::Create {
                    live.push(change.link.identity.clone());
                }
            }
            live.sort();
            let view = town.view_at(0, by).await;
            let claims = view.map(|view| view.claims).unwrap_or_default();
            let mut shown: Vec<_> = claims.into_iter().map(|claim| claim.identity).collect();
            shown.sort();
            assert_eq!(shown, live);
            let fuzzy = crate::town::query("").with(|query| {
                query.identities = vec!["a".into(), "b".into()];
                query.exact = false;
            });
            let found = town.engine().claims().find(&fuzzy).await.unwrap();
            let mine = found.avatars.iter().find(|view| view.avatar == by.avatar());
            assert_eq!(
                mine.map_or(0, |view| view.claims.len()),
                live.len(),
                "as the index has it"
            );
        }
    }
    town.create(&alice, "dns", "z").await;
    check(&town.worlds[0]).await;
    commits
}

/// Stands where no posting is needed.
fn town_posting() -> engine::claims::Posting {
    let prepared = engine::claims::Prepared {
        payload: String::new(),
        uuid: engine::types::Uuid::from_bytes([0; 16]),
        created_at: 0,
        prev: None,
        identity: String::new(),
    };
    posting(&Persona::new(1), ClaimAction::Delete, "dns", &prepared)
}

#[tokio::test]
async fn no_commit_that_fails_costs_or_doubles_a_number() {
    let commits = run_with_fault(u64::MAX, Mode::Fail).await;
    assert!(commits >= 8, "four links, each sequenced: {commits}");
    for nth in 1..=commits {
        for mode in [Mode::Fail, Mode::PersistThenFail] {
            run_with_fault(nth, mode).await;
        }
    }
}

#[tokio::test]
async fn a_whole_name_is_found_before_the_outcome_of_its_commit_is_known() {
    let clock = World::start_clock();
    let fails_at_claims = Arc::new(AtomicBool::new(false));
    let is_deaf = Arc::new(AtomicBool::new(false));
    let (armed, gone, deaf) = (fails_at_claims.clone(), is_deaf.clone(), is_deaf.clone());
    let store = Hooked::over(Arc::new(memory(&clock)))
        .after(move |call| {
            let claims =
                |batch: &Batch| batch.puts.iter().any(|(key, _)| key.first() == Some(&0x30));
            let is_it = matches!(call, Call::Commit(batch) if claims(batch));
            if !is_it || !armed.load(Ordering::Relaxed) {
                return Step::Go;
            }
            gone.store(true, Ordering::Relaxed);
            Step::Unavailable("the answer is lost".into())
        })
        .before(move |call| {
            if call.is_read() && deaf.load(Ordering::Relaxed) {
                return Step::Unavailable("nobody is there".into());
            }
            Step::Go
        });
    let mut town = Town::over(Arc::new(store), clock, settings());
    town.join().await;
    let posting = town.ready(&Persona::new(1), "dns", "a").await;
    fails_at_claims.store(true, Ordering::Relaxed);
    let refused = town.post(&posting).await.unwrap_err();
    assert!(matches!(refused, ClaimError::Internal(_)), "{refused}");
    is_deaf.store(false, Ordering::Relaxed);
    let (claims, whole) = (town.engine().claims(), crate::town::query("a"));
    assert_eq!(claims.find(&whole).await.unwrap().total, 1);
    let part = whole.with(|query| query.exact = false);
    assert_eq!(claims.find(&part).await.unwrap().total, 0, "not yet");
}

#[tokio::test]
async fn the_feed_moves_to_another_store_and_goes_on() {
    let clock = World::start_clock();
    let from: Arc<dyn Store> = Arc::new(memory(&clock));
    let mut town = Town::over(from.clone(), clock.clone(), settings());
    town.join().await;
    let alice = Persona::new(1);
    for identity in ["a", "b", "c"] {
        town.create(&alice, "dns", identity).await;
    }
    let before = all(&town.worlds[0]).await;
    let to: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let order = Order {
        id: [1; 16],
        from: "here".into(),
        to: "there".into(),
        now: UnixMillis(1_400_000_000_000),
    };
    let mut conversion = Conversion::begin(from, to.clone(), order).await.unwrap();
    conversion.copy(|_| {}).await.unwrap();
    conversion.compare(|_| {}).await.unwrap();
    conversion.finish().await.unwrap();
    town.worlds.clear();
    town.join_over(to).await;
    assert_eq!(check(&town.worlds[0]).await, before);
    let posted = town.create(&alice, "dns", "d").await;
    assert_eq!(posted.change_id, 4);
    let fuzzy = crate::town::query("d").with(|query| query.exact = false);
    assert_eq!(town.engine().claims().find(&fuzzy).await.unwrap().total, 1);
    check(&town.worlds[0]).await;
}

#[tokio::test]
async fn a_link_that_does_not_get_into_the_log_is_not_acknowledged() {
    let clock = World::start_clock();
    let (store, faults) = faulty(memory(&clock));
    let mut town = Town::over(Arc::new(store), clock, settings());
    town.join().await;
    let alice = Persona::new(1);
    let posting = town.ready(&alice, "dns", "a").await;
    faults.fail_keys(Mode::Fail, |key| key.first() == Some(&0x40));
    let start = town.clock_now();
    let refused = town.post(&posting).await.unwrap_err();
    let ClaimError::Internal(error) = refused else {
        unreachable!("{refused}")
    };
    assert!(error.is_unavailable());
    assert!(town.clock_now() - start <= 21 * SECOND);
    faults.clear();
    for _ in 0..60 {
        town.clock.advance(SECOND);
        town.step().await;
    }
    assert_eq!(
        check(&town.worlds[0]).await.len(),
        1,
        "it is there all the same"
    );
    let again = town.post(&posting).await.unwrap_err();
    assert!(matches!(again, ClaimError::UuidUsed(_)));
}

/// What may happen between two looks at the feed.
#[derive(Clone, Debug)]
enum Event {
    /// An avatar claims an account at a process.
    Create {
        by: u8,
        process: usize,
        account: u8,
    },
    Delete {
        by: u8,
        account: u8,
    },
    /// A process stops, and another takes its place.
    Restart {
        process: usize,
    },
    Sequence {
        process: usize,
    },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (1..4_u8, 0..3_usize, 0..4_u8)
            .prop_map(|(by, process, account)| Event::Create { by, process, account }),
        2 => (1..4_u8, 0..4_u8).prop_map(|(by, account)| Event::Delete { by, account }),
        1 => (0..3_usize).prop_map(|process| Event::Restart { process }),
        2 => (0..3_usize).prop_map(|process| Event::Sequence { process }),
    ];
    prop::collection::vec(event, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(24)))]

    #[test]
    fn the_feed_is_what_was_accepted_in_order(events in events()) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let mut town = Town::of(3).await;
            let personas: Vec<Persona> = (1..4).map(Persona::new).collect();
            let mut expected = Vec::new();
            for event in events {
                match event {
                    Event::Create { by, process, account } => {
                        let by = &personas[usize::from(by) - 1];
                        let account = format!("{account}.example");
                        let posting = town.ready(by, "dns", &account).await;
                        let posted = town.post_at(process, &posting).await.unwrap();
                        expected.push((posted.change_id, by.avatar(), posted.signature));
                    }
                    Event::Delete { by, account } => {
                        let by = &personas[usize::from(by) - 1];
                        let account = format!("{account}.example");
                        if let Ok(posted) = town.delete(by, "dns", &account).await {
                            expected.push((posted.change_id, by.avatar(), posted.signature));
                        }
                    }
                    Event::Restart { process } => {
                        town.join().await;
                        town.worlds.swap_remove(process);
                    }
                    Event::Sequence { process } => {
                        town.clock.advance(SECOND);
                        let engine = &town.worlds[process].engine;
                        Reconciler::Sequence.tick(engine).await.unwrap();
                    }
                }
            }
            for world in &town.worlds {
                let changes = check(world).await;
                let told: Vec<_> = changes
                    .into_iter()
                    .map(|change| (change.id, change.avatar, change.link.signature))
                    .collect();
                assert_eq!(told, expected);
            }
        });
    }
}
