//! Two processes over one store, each with its cache, taken apart into steps that a random order
//! puts together: reads, batches and passes begin, reach the store, and end at any time. Whatever the
//! caches answer is compared with the store's whole past.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::tests::Hand;
use super::*;

const KEYS: usize = 4;

/// One step: who does it, to which keys (a mask), and a number for what else there is to choose.
type Step = (u8, u8, u8);

/// A value of one key: from which batch on, and until when by the clock.
struct Value {
    batch: usize,
    record: Record,
    until_ms: u64,
}

/// The store with its past; the last value of each key is the present one.
struct Past {
    hand: Hand,
    values: [Vec<Value>; KEYS],
    batches: usize,
}

/// A batch in its author's eyes.
struct Own {
    number: usize,
    mask: u8,
    ended: bool,
}

#[derive(Default)]
enum Read {
    #[default]
    Idle,
    Begun(Moment, u8),
    Found(Moment, u8, Vec<Record>),
}

#[derive(Default)]
enum Write<'a> {
    #[default]
    Idle,
    Begun(Writing<'a>, u8),
    Applied(Writing<'a>, usize),
}

#[derive(Default)]
enum Check {
    #[default]
    Idle,
    Taken(Due),
    Found(Due, Vec<Option<Version>>),
}

/// One process: what it has under way, and the batches it made.
struct Process<'a> {
    cache: &'a RecordCache,
    reads: [Read; 2],
    writes: [Write<'a>; 2],
    check: Check,
    own: Vec<Own>,
}

impl Past {
    fn new(hand: Hand) -> Self {
        let absent = || {
            vec![Value {
                batch: 0,
                record: None,
                until_ms: u64::MAX,
            }]
        };
        Self {
            hand,
            values: std::array::from_fn(|_| absent()),
            batches: 0,
        }
    }

    fn read(&self, mask: u8) -> Vec<Record> {
        let last = |key: usize| self.values[key].last().expect("a value").record.clone();
        chosen(mask).map(last).collect()
    }

    fn write(&mut self, mask: u8, delete: bool) -> usize {
        self.batches += 1;
        let now_ms = self.hand.now_ms();
        for key in chosen(mask) {
            let version = Version(u64::try_from(self.batches).expect("few batches"));
            self.values[key].last_mut().expect("a value").until_ms = now_ms;
            self.values[key].push(Value {
                batch: self.batches,
                record: (!delete).then(|| (version, Bytes::from_static(b"value"))),
                until_ms: u64::MAX,
            });
        }
        self.batches
    }

    /// The places in a key's past at which it was what was answered, of those young enough.
    fn places(&self, key: usize, record: &Record, within_ms: u64) -> Vec<usize> {
        let oldest_ms = self.hand.now_ms().saturating_sub(within_ms);
        let fits = |value: &&Value| value.record == *record && value.until_ms >= oldest_ms;
        let fitting = self.values[key].iter().filter(fits);
        fitting.map(|value| value.batch).collect()
    }
}

impl<'a> Process<'a> {
    fn new(cache: &'a RecordCache) -> Self {
        Self {
            cache,
            reads: Default::default(),
            writes: Default::default(),
            check: Check::Idle,
            own: Vec::new(),
        }
    }

    fn step(&mut self, past: &mut Past, (actor, mask, choice): Step) {
        match actor {
            0 | 1 => self.read(past, usize::from(actor), mask),
            2 | 3 => self.write(past, usize::from(actor - 2), mask, choice.is_multiple_of(4)),
            4 => self.check(past, choice),
            _ => self.ask(past, mask, u64::from(choice) * 4),
        }
    }

    fn read(&mut self, past: &Past, which: usize, mask: u8) {
        self.reads[which] = match std::mem::take(&mut self.reads[which]) {
            Read::Idle => Read::Begun(self.cache.moment(), mask),
            Read::Begun(moment, mask) => Read::Found(moment, mask, past.read(mask)),
            Read::Found(moment, mask, found) => {
                self.cache.fill(moment, &keys(mask), &found);
                Read::Idle
            }
        };
    }

    fn write(&mut self, past: &mut Past, which: usize, mask: u8, delete: bool) {
        self.writes[which] = match std::mem::take(&mut self.writes[which]) {
            Write::Idle => Write::Begun(self.cache.writing(&keys(mask)), mask),
            Write::Begun(writing, mask) => {
                let number = past.write(mask, delete);
                self.own.push(Own {
                    number,
                    mask,
                    ended: false,
                });
                Write::Applied(writing, number)
            }
            Write::Applied(writing, number) => {
                drop(writing);
                let mut own = self.own.iter_mut();
                own.find(|own| own.number == number).expect("made").ended = true;
                Write::Idle
            }
        };
    }

    fn check(&mut self, past: &Past, choice: u8) {
        self.check = match std::mem::take(&mut self.check) {
            Check::Idle => {
                let due = self.cache.due(usize::from(choice % 3)).next();
                due.map_or(Check::Idle, Check::Taken)
            }
            // A statement that fails.
            Check::Taken(_) if choice == 0 => Check::Idle,
            Check::Taken(due) => {
                let version = |key: &Key| {
                    let found = past.read(1 << (key[0] - b'0'));
                    found.into_iter().flatten().map(|found| found.0).next()
                };
                let versions = due.keys().iter().map(version).collect();
                Check::Found(due, versions)
            }
            Check::Found(due, versions) => {
                self.cache.confirm(due, &versions);
                Check::Idle
            }
        };
    }

    /// What the cache answers was so within the time, is not behind this process's batches, and
    /// shows each of them whole.
    fn ask(&self, past: &Past, mask: u8, within_ms: u64) {
        let Some(found) = self
            .cache
            .get(&keys(mask), Duration::from_millis(within_ms))
        else {
            return;
        };
        let mut places = BTreeMap::new();
        for (key, record) in chosen(mask).zip(&found) {
            let at = past.places(key, record, within_ms);
            assert!(!at.is_empty(), "{record:?} of {key} is too old");
            places.insert(key, at);
        }
        for own in &self.own {
            let shown = places
                .iter()
                .filter(|(key, _)| own.mask & (1 << **key) != 0);
            let mut new = shown
                .clone()
                .map(|(_, at)| at.iter().any(|at| *at >= own.number));
            let mut old = shown.map(|(_, at)| at.iter().any(|at| *at < own.number));
            let (new, old) = (new.all(|new| new), !own.ended && old.all(|old| old));
            assert!(new || old, "batch {}: {found:?}", own.number);
        }
    }
}

fn chosen(mask: u8) -> impl Iterator<Item = usize> {
    (0..KEYS).filter(move |key| mask & (1 << key) != 0)
}

fn keys(mask: u8) -> Vec<Key> {
    chosen(mask).map(|key| Key::from(key.to_string())).collect()
}

fn step() -> impl Strategy<Value = (u8, Step)> {
    (0..5_u8, (0..8_u8, 1..16_u8, 0..8_u8))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn caches_keep_their_promises(steps in vec(step(), 1..250)) {
        let hand = Hand::default();
        let caches: [_; 2] = std::array::from_fn(|_| {
            RecordCache::new(1 << 20, Lifetime::Shared(hand.clock()))
        });
        let mut processes = caches.each_ref().map(Process::new);
        let mut past = Past::new(hand.clone());
        for (who, step) in steps {
            match processes.get_mut(usize::from(who / 2)) {
                Some(process) => process.step(&mut past, step),
                None => hand.forward(u64::from(step.2)),
            }
        }
    }
}
