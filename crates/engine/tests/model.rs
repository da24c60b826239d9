//! Random sequences of operations on names against a model of a few maps.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step is a failed test"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use engine::Settings;
use engine::names::{AddForm, Edit, NameError, Pushed};
use engine::reconcile::Reconciler;
use engine::types::{Name, Visibility};
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
    /// Somebody fills in the form: `name` for the Tox ID of `to`.
    Add {
        to: u8,
        name: usize,
        visibility: u8,
    },
    /// By the newest password of `name` that anybody was told, or by the one before it.
    Edit {
        name: usize,
        to: Option<u8>,
        is_old: bool,
        visibility: u8,
    },
    Remove {
        name: usize,
        is_old: bool,
    },
    Reset {
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
    let names = || 0..NAMES.len();
    let to = prop::option::of(0..CLIENTS);
    let is_old = || prop::bool::weighted(0.2);
    prop_oneof![
        6 => push.prop_map(|(by, to, own, name, privacy)| {
            let to = if own > 0 { by } else { to };
            Step::Push { by, to, name, privacy }
        }),
        3 => (0..CLIENTS).prop_map(|by| Step::Release { by }),
        3 => (0..CLIENTS, names(), 0..3_u8)
            .prop_map(|(to, name, visibility)| Step::Add { to, name, visibility }),
        3 => (names(), to, is_old(), 0..3_u8)
            .prop_map(|(name, to, is_old, visibility)| Step::Edit { name, to, is_old, visibility }),
        1 => (names(), is_old()).prop_map(|(name, is_old)| Step::Remove { name, is_old }),
        1 => (0..CLIENTS).prop_map(|by| Step::Reset { by }),
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
    is_proven: bool,
    /// Number of the change; the public list is by this.
    changed: u64,
}

#[derive(Default)]
struct Model {
    held: BTreeMap<usize, Held>,
    /// Who released a name, and when.
    released: BTreeMap<usize, (u8, u64)>,
    /// Links of each name's chain.
    links: [u32; NAMES.len()],
    changes: u64,
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
    WrongPassword,
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
        let elsewhere = self.name_of(to).filter(|bound| *bound != name);
        let gives_way = |bound: &usize| !self.held[bound].is_proven && by == to;
        if elsewhere.is_some_and(|bound| !gives_way(&bound)) {
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
        if let Some(bound) = elsewhere {
            self.give_up(bound, now);
        }
        self.set(name, to, privacy, by == to);
        // One that nobody had proved gets a password too.
        if holder.is_some_and(|holder| holder.is_proven) {
            Answer::Updated
        } else {
            Answer::Registered
        }
    }

    fn set(&mut self, name: usize, key: u8, privacy: i64, is_proven: bool) {
        self.changes += 1;
        let changed = self.changes;
        self.released.remove(&name);
        self.held.insert(
            name,
            Held {
                key,
                privacy,
                is_proven,
                changed,
            },
        );
        self.links[name] += 1;
    }

    fn give_up(&mut self, name: usize, now: u64) {
        if let Some(held) = self.held.remove(&name) {
            self.released.insert(name, (held.key, now));
            self.links[name] += 1;
        }
    }

    fn add(&mut self, to: u8, name: usize, privacy: i64, now: u64) -> Answer {
        let waits = self.released.get(&name);
        let waits = waits.is_some_and(|(_, at)| now < at + RELEASE_AFTER);
        if self.held.contains_key(&name) || waits {
            return Answer::Taken;
        }
        if self.name_of(to).is_some() {
            return Answer::Elsewhere;
        }
        self.set(name, to, privacy, false);
        Answer::Registered
    }

    fn edit(&mut self, name: usize, to: Option<u8>, privacy: i64) -> Answer {
        let held = self.held[&name];
        let key = to.unwrap_or(held.key);
        if key != held.key && self.name_of(key).is_some() {
            return Answer::Elsewhere;
        }
        self.set(name, key, privacy, held.is_proven && key == held.key);
        Answer::Updated
    }

    /// Answers the name.
    fn reset(&mut self, by: u8) -> Option<usize> {
        let name = self.name_of(by)?;
        let held = self.held[&name];
        if !held.is_proven {
            self.set(name, by, held.privacy, true);
        }
        Some(name)
    }

    /// The public list.
    fn people(&self) -> Vec<&'static str> {
        let listed = self.held.iter().filter(|(_, held)| held.privacy == 2);
        let mut listed: Vec<_> = listed
            .map(|(at, held)| (held.changed, NAMES[*at]))
            .collect();
        listed.sort();
        listed.into_iter().rev().map(|(_, name)| name).collect()
    }

    fn release(&mut self, by: u8, now: u64) -> Answer {
        let Some(name) = self.name_of(by) else {
            return Answer::Unknown;
        };
        self.give_up(name, now);
        Answer::Released
    }
}

struct Run {
    world: World,
    clients: Vec<ToxClient>,
    model: Model,
    last: BTreeMap<u8, engine::names::Sealed>,
    /// Passwords of each name, the newest last.
    passwords: [Vec<String>; NAMES.len()],
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
        Err(NameError::WrongPassword) => Answer::WrongPassword,
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
            passwords: Default::default(),
            restarts: 0,
        }
    }

    async fn push_sealed(&mut self, name: usize, sealed: engine::names::Sealed) -> Answer {
        let names = self.world.engine.names();
        let pushed = names.push(&World::caller(1), Some(sealed)).await;
        self.pushed(name, pushed)
    }

    fn pushed(&mut self, name: usize, pushed: Result<Pushed, NameError>) -> Answer {
        answer(pushed.map(|pushed| match pushed.password {
            Some(password) => {
                self.passwords[name].push(password.expose().clone());
                Answer::Registered
            }
            None => Answer::Updated,
        }))
    }

    /// A password of a name, and whether it is the right one.
    fn password(&self, name: usize, is_old: bool) -> (String, bool) {
        let mut known = self.passwords[name].iter().rev();
        let password = if is_old { known.nth(1) } else { known.next() };
        let is_right = !is_old && self.model.held.contains_key(&name);
        match password {
            Some(password) => (password.clone(), is_right),
            None => ("none".to_owned(), false),
        }
    }

    async fn add(&mut self, to: u8, name: usize, visibility: u8) {
        let form = AddForm {
            name: NAMES[name],
            tox_id: &self.clients[usize::from(to)].tox_id().to_string(),
            bio: "",
            visibility: Visibility::from_privacy(visibility.into()),
        };
        let (now, names) = (self.world.seconds(), self.world.engine.names());
        let added = names.add(&World::caller(1), form).await;
        let got = self.pushed(name, added);
        assert_eq!(got, self.model.add(to, name, visibility.into(), now));
    }

    async fn by_form(&mut self, step: &Step) {
        let (now, caller) = (self.world.seconds(), World::caller(1));
        let id = |to: u8| self.clients[usize::from(to)].tox_id().to_string();
        let names = self.world.engine.names();
        match *step {
            Step::Add {
                to,
                name,
                visibility,
            } => self.add(to, name, visibility).await,
            Step::Edit {
                name,
                to,
                is_old,
                visibility,
            } => {
                let (password, is_right) = self.password(name, is_old);
                let to_id = to.map(id);
                let edit = Edit {
                    tox_id: to_id.as_deref(),
                    bio: None,
                    visibility: Visibility::from_privacy(visibility.into()),
                };
                let edited = names.edit(&caller, NAMES[name], &password, edit).await;
                let got = answer(edited.map(|_| Answer::Updated));
                let expect = match is_right {
                    true => self.model.edit(name, to, visibility.into()),
                    false => Answer::WrongPassword,
                };
                assert_eq!(got, expect);
            }
            Step::Remove { name, is_old } => {
                let (password, is_right) = self.password(name, is_old);
                let removed = names.remove(&caller, NAMES[name], &password).await;
                let got = answer(removed.map(|()| Answer::Released));
                let expect = match is_right {
                    true => Answer::Released,
                    false => Answer::WrongPassword,
                };
                assert_eq!(got, expect);
                if is_right {
                    self.model.give_up(name, now);
                }
            }
            Step::Reset { by } => {
                let sealed = self.clients[usize::from(by)].delete(now);
                let reset = names.reset_password(&caller, Some(sealed)).await;
                match (reset, self.model.reset(by)) {
                    (Ok(password), Some(name)) => {
                        self.passwords[name].push(password.expose().clone());
                    }
                    (Err(NameError::UnknownKey), None) => {}
                    (got, expect) => unreachable!("{got:?} {expect:?}"),
                }
            }
            Step::Push { .. }
            | Step::Release { .. }
            | Step::Replay { .. }
            | Step::Advance { .. }
            | Step::Tick(_)
            | Step::Restart => unreachable!("{step:?} is by no form"),
        }
    }

    async fn step(&mut self, step: &Step) {
        // So that no two changes have the same time.
        self.world.clock.advance(Duration::from_millis(1));
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
                let got = self.push_sealed(name, sealed.clone()).await;
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
                if let Some(sealed) = self.last.get(&by).cloned() {
                    assert_eq!(self.push_sealed(0, sealed).await, Answer::Malformed);
                }
            }
            Step::Add { .. } | Step::Edit { .. } | Step::Remove { .. } | Step::Reset { .. } => {
                self.by_form(step).await;
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
            let is_proven = record.as_ref().map(|record| record.is_proven);
            assert_eq!(is_proven, held.map(|held| held.is_proven), "{name}");
            assert_eq!(record.map(|record| record.tox_id), expect, "{name}");
            let profile = names.profile(&Name::parse(name).unwrap()).await.ok();
            let seqno = profile.map(|profile| profile.seqno.get());
            assert_eq!(seqno, held.map(|_| self.model.links[index]), "{name}");
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
            let is_told = |held: &Held| held.privacy > 0 && held.is_proven;
            let expect = bound.filter(|name| is_told(&self.model.held[name]));
            assert_eq!(name.as_ref().map(Name::as_str), expect.map(|at| NAMES[at]));
        }
        let people = names.people(0).await.unwrap().entries;
        let people: Vec<_> = people.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(people, self.model.people());
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
