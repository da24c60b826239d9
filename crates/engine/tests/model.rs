//! Random sequences of operations on names against a model of a few maps.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use engine::Settings;
use engine::names::NameError;
use engine::reconcile::Reconciler;
use proptest::prelude::*;
use testkit::{ToxClient, World, audit, check_bundle, default_settings};

const CLIENTS: u8 = 4;
const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const RELEASE_AFTER: u64 = 400;

#[derive(Clone, Debug)]
enum Step {
    /// `by` seals a push of `name` that points to the Tox ID of `to`.
    Push {
        by: u8,
        to: u8,
        name: usize,
        privacy: i64,
    },
    Release {
        by: u8,
    },
    /// Sends the newest accepted request of a client again.
    Replay {
        by: u8,
    },
    Advance {
        seconds: u64,
    },
    Tick(Reconciler),
    /// A new process over the same store.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let push = (0..CLIENTS, 0..CLIENTS, 0..4_u8, 0..NAMES.len(), 0..3_i64);
    prop_oneof![
        6 => push.prop_map(|(by, to, own, name, privacy)| {
            let to = if own > 0 { by } else { to };
            Step::Push { by, to, name, privacy }
        }),
        3 => (0..CLIENTS).prop_map(|by| Step::Release { by }),
        1 => (0..CLIENTS).prop_map(|by| Step::Replay { by }),
        1 => (1..500_u64).prop_map(|seconds| Step::Advance { seconds }),
        2 => prop::sample::select(&Reconciler::ALL[..]).prop_map(Step::Tick),
        1 => Just(Step::Restart),
    ]
}

/// A name as the model has it.
#[derive(Clone, Copy)]
struct Held {
    key: u8,
    privacy: i64,
}

#[derive(Default)]
struct Model {
    held: BTreeMap<usize, Held>,
    /// Who released a name, and when.
    released: BTreeMap<usize, (u8, u64)>,
    /// Links of each name's chain.
    links: [u32; NAMES.len()],
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Registered,
    Updated,
    Malformed,
    Taken,
    Elsewhere,
    Unknown,
    Released,
}

impl Model {
    fn name_of(&self, key: u8) -> Option<usize> {
        let mut held = self.held.iter();
        held.find(|(_, held)| held.key == key)
            .map(|(name, _)| *name)
    }

    fn push(&mut self, by: u8, to: u8, name: usize, privacy: i64, now: u64) -> Answer {
        let holder = self.held.get(&name).copied();
        if holder.is_none() && by != to {
            return Answer::Malformed;
        }
        if self.name_of(to).is_some_and(|bound| bound != name) {
            return Answer::Elsewhere;
        }
        let is_free = match (holder, self.released.get(&name)) {
            (Some(holder), _) => holder.key == by,
            (None, Some((key, at))) => *key == by || now >= at + RELEASE_AFTER,
            (None, None) => true,
        };
        if !is_free {
            return Answer::Taken;
        }
        self.released.remove(&name);
        self.held.insert(name, Held { key: to, privacy });
        self.links[name] += 1;
        if holder.is_some() {
            Answer::Updated
        } else {
            Answer::Registered
        }
    }

    fn release(&mut self, by: u8, now: u64) -> Answer {
        let Some(name) = self.name_of(by) else {
            return Answer::Unknown;
        };
        self.held.remove(&name);
        self.released.insert(name, (by, now));
        self.links[name] += 1;
        Answer::Released
    }
}

struct Run {
    world: World,
    clients: Vec<ToxClient>,
    model: Model,
    last: BTreeMap<u8, engine::names::Sealed>,
    restarts: u64,
}

fn settings() -> Settings {
    Settings {
        limits_enabled: false,
        release_after: Some(Duration::from_secs(RELEASE_AFTER)),
        ..default_settings()
    }
}

fn answer(outcome: Result<Answer, NameError>) -> Answer {
    match outcome {
        Ok(answer) => answer,
        Err(NameError::Malformed(_)) => Answer::Malformed,
        Err(NameError::Taken) => Answer::Taken,
        Err(NameError::KeyBoundElsewhere) => Answer::Elsewhere,
        Err(NameError::UnknownKey) => Answer::Unknown,
        Err(other) => unreachable!("{other:?}"),
    }
}

impl Run {
    async fn new() -> Self {
        let world = World::with(settings()).await;
        Self {
            clients: (0..CLIENTS).map(|byte| world.client(byte + 1)).collect(),
            world,
            model: Model::default(),
            last: BTreeMap::new(),
            restarts: 0,
        }
    }

    async fn push_sealed(&self, sealed: engine::names::Sealed) -> Answer {
        let pushed = self
            .world
            .engine
            .names()
            .push(&World::caller(1), Some(sealed))
            .await;
        answer(pushed.map(|pushed| match pushed.password {
            Some(_) => Answer::Registered,
            None => Answer::Updated,
        }))
    }

    async fn step(&mut self, step: &Step) {
        let now = self.world.seconds();
        match *step {
            Step::Push {
                by,
                to,
                name,
                privacy,
            } => {
                let text = |client: &ToxClient| client.push_text(NAMES[name], privacy, "", now);
                let text = text(&self.clients[usize::from(to)]);
                let sealed = self.clients[usize::from(by)].seal(&text);
                let got = self.push_sealed(sealed.clone()).await;
                assert_eq!(got, self.model.push(by, to, name, privacy, now));
                if matches!(got, Answer::Registered | Answer::Updated) {
                    self.last.insert(by, sealed);
                }
            }
            Step::Release { by } => {
                let sealed = self.clients[usize::from(by)].delete(now);
                let released = self.world.engine.names().release(Some(sealed)).await;
                let got = answer(released.map(|()| Answer::Released));
                assert_eq!(got, self.model.release(by, now));
            }
            Step::Replay { by } => {
                if let Some(sealed) = self.last.get(&by) {
                    assert_eq!(self.push_sealed(sealed.clone()).await, Answer::Malformed);
                }
            }
            Step::Advance { seconds } => self.world.clock.advance(Duration::from_secs(seconds)),
            Step::Tick(reconciler) => {
                self.world.clock.advance(Duration::from_secs(1));
                reconciler.tick(&self.world.engine).await.unwrap();
            }
            Step::Restart => {
                self.restarts += 1;
                let (store, clock) = (self.world.store.clone(), self.world.clock.clone());
                self.world = World::join(store, clock, settings(), self.restarts).await;
            }
        }
    }

    /// All that can be read agrees with the model.
    async fn check(&self) {
        let names = self.world.engine.names();
        for (index, name) in NAMES.iter().enumerate() {
            let record = names.lookup(name, None).await.ok();
            let held = self.model.held.get(&index);
            let expect = held.map(|held| self.clients[usize::from(held.key)].tox_id());
            assert_eq!(record.map(|record| record.tox_id), expect, "{name}");
            let found = names.search(Some(name), Some(0)).await.unwrap();
            let is_public = held.is_some_and(|held| held.privacy > 0);
            assert_eq!(found.len(), usize::from(is_public), "{name}");
        }
        for (key, client) in (0..CLIENTS).zip(&self.clients) {
            let digits: String = client
                .key()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let name = names.reverse(&digits).await.ok();
            let bound = self.model.name_of(key);
            let expect = bound.filter(|name| self.model.held[name].privacy > 0);
            assert_eq!(
                name.as_ref().map(engine::types::Name::as_str),
                expect.map(|at| NAMES[at])
            );
        }
    }

    /// The log has every link of the model and no other, and its bundles say so.
    async fn check_log(&self) {
        // A lease of a process before the last restart runs out first.
        for _ in 0..5 {
            self.world.sequence().await;
        }
        let audit = audit(&self.world.engine).await;
        let links: u32 = self.model.links.iter().sum();
        assert_eq!(audit.links().count(), usize::try_from(links).unwrap());
        for (name, links) in NAMES.iter().zip(self.model.links) {
            let bundle = check_bundle(&self.world.engine, name).await;
            assert_eq!(bundle.map(|(seqno, _)| seqno), (links > 0).then_some(links));
        }
    }
}

/// Histories to try; each makes a store.
fn cases() -> u32 {
    if testkit::is_in_memory() { 96 } else { 24 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn names_behave_like_a_few_maps(steps in prop::collection::vec(step(), 1..60)) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new().await;
            for step in &steps {
                run.step(step).await;
                run.check().await;
            }
            run.check_log().await;
        });
    }
}
