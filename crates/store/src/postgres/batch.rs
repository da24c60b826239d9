//! A batch made ready for `kv_commit`, and the arguments of a call for several of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use engine::ports::store::{Batch, Expect, Key};
use tokio_postgres::types::ToSql;

use super::statements::{PARTS, Part};
use crate::limits;

/// What a batch does to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Touch {
    pub(crate) key: Key,
    pub(crate) expect: Option<Expect>,
    pub(crate) write: Write,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Nothing,
    Put(Bytes),
    Delete,
}

/// A batch with one touch per key.
pub(crate) struct Planned {
    /// As the caller gave them: a conflict is told by their index.
    pub(crate) checks: Vec<(Key, Expect)>,
    pub(crate) touches: Vec<Touch>,
    /// Keys and values together.
    pub(crate) bytes: usize,
}

impl Planned {
    /// Sorts a batch out by keys.
    ///
    /// # Errors
    /// Gives the checks back when they cannot all hold, whatever the store holds.
    pub(crate) fn of(batch: Batch) -> Result<Self, Vec<(Key, Expect)>> {
        let bytes = limits::byte_count(&batch);
        let room = batch.checks.len() + batch.puts.len() + batch.deletes.len();
        let mut touches: Vec<Touch> = Vec::with_capacity(room);
        let mut places: HashMap<Key, usize> = HashMap::with_capacity(room);
        for (key, expect) in &batch.checks {
            let touch = touch_of(key.clone(), &mut touches, &mut places);
            let agrees = touch.expect.is_none_or(|other| other == *expect);
            if !agrees || !is_possible(*expect) {
                return Err(batch.checks);
            }
            touch.expect = Some(*expect);
        }
        for (key, value) in batch.puts {
            touch_of(key, &mut touches, &mut places).write = Write::Put(value);
        }
        for key in batch.deletes {
            touch_of(key, &mut touches, &mut places).write = Write::Delete;
        }
        Ok(Self {
            checks: batch.checks,
            touches,
            bytes,
        })
    }
}

impl Planned {
    /// The keys it puts or deletes.
    pub(crate) fn written(&self) -> impl Iterator<Item = &Key> {
        let writes = self
            .touches
            .iter()
            .filter(|touch| touch.write != Write::Nothing);
        writes.map(|touch| &touch.key)
    }
}

fn touch_of<'a>(
    key: Key,
    touches: &'a mut Vec<Touch>,
    places: &mut HashMap<Key, usize>,
) -> &'a mut Touch {
    let place = match places.entry(key) {
        Entry::Occupied(found) => *found.get(),
        Entry::Vacant(free) => {
            let place = touches.len();
            touches.push(Touch {
                key: free.key().clone(),
                expect: None,
                write: Write::Nothing,
            });
            free.insert(place);
            place
        }
    };
    touches.get_mut(place).expect("places are those of touches")
}

/// Versions come from a sequence that starts at 1.
fn is_possible(expect: Expect) -> bool {
    match expect {
        Expect::Absent => true,
        Expect::Is(version) => version.0 > 0 && i64::try_from(version.0).is_ok(),
    }
}

/// The arguments of one call of `kv_commit`; what they mean is said in `commit.sql`.
#[derive(Default)]
pub(crate) struct Call<'a> {
    tables: [Arguments<'a>; 3],
}

#[derive(Default)]
struct Arguments<'a> {
    lock: Vec<&'a [u8]>,
    expected: Vec<i64>,
    insert: Vec<&'a [u8]>,
    inserted: Vec<&'a [u8]>,
    update: Vec<&'a [u8]>,
    updated: Vec<&'a [u8]>,
    delete: Vec<&'a [u8]>,
}

/// Stands in `expected` for a put without a check.
const PUT_BLINDLY: i64 = 0;
/// Stands in `expected` for a delete without a check.
const DELETE_BLINDLY: i64 = -1;

impl<'a> Call<'a> {
    /// Puts batches together that touch different keys, or only check the same ones alike.
    pub(crate) fn of(batches: impl Iterator<Item = &'a Planned>) -> Self {
        let mut touches: Vec<&Touch> = batches.flat_map(|batch| &batch.touches).collect();
        touches.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        touches.dedup_by(|one, other| one.key == other.key);
        let mut call = Self::default();
        for touch in touches {
            let part = Part::of(&touch.key);
            for (arguments, of) in call.tables.iter_mut().zip(PARTS) {
                if of == part {
                    arguments.add(touch);
                }
            }
        }
        call
    }

    /// In the order in which the function takes them.
    pub(crate) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        let mut all: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(21);
        for table in &self.tables {
            all.push(&table.lock);
            all.push(&table.expected);
            all.push(&table.insert);
            all.push(&table.inserted);
            all.push(&table.update);
            all.push(&table.updated);
            all.push(&table.delete);
        }
        all
    }
}

impl<'a> Arguments<'a> {
    fn add(&mut self, touch: &'a Touch) {
        let key = touch.key.as_ref();
        match touch.expect {
            Some(Expect::Is(version)) => {
                self.lock(key, i64::try_from(version.0).unwrap_or(i64::MAX));
                match &touch.write {
                    Write::Nothing => {}
                    Write::Put(value) => {
                        self.update.push(key);
                        self.updated.push(value);
                    }
                    Write::Delete => self.delete.push(key),
                }
            }
            Some(Expect::Absent) => match &touch.write {
                Write::Put(value) => self.insert(key, value),
                Write::Nothing | Write::Delete => {
                    self.insert(key, &[]);
                    self.delete.push(key);
                }
            },
            None => match &touch.write {
                Write::Nothing => {}
                Write::Put(value) => {
                    self.lock(key, PUT_BLINDLY);
                    self.insert(key, value);
                }
                Write::Delete => {
                    self.lock(key, DELETE_BLINDLY);
                    self.delete.push(key);
                }
            },
        }
    }

    fn lock(&mut self, key: &'a [u8], expected: i64) {
        self.lock.push(key);
        self.expected.push(expected);
    }

    fn insert(&mut self, key: &'a [u8], value: &'a [u8]) {
        self.insert.push(key);
        self.inserted.push(value);
    }
}
