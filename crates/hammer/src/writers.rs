//! Writers: each owns its names, and knows what it was promised about them.

use std::time::Instant;

use anyhow::{Context as _, Result};
use crypto::boxed::BoxPublicKey;

use crate::ledger::{Page, State};
use crate::random::Random;
use crate::tox::{INTERNAL, Profile, Record};

/// A name under test with its page of the ledger.
pub(crate) struct Slot {
    pub(crate) profile: Profile,
    pub(crate) page: Page,
}

/// One of the writers; moved into a task for as long as it writes, and back.
pub(crate) struct Writer {
    pub(crate) slots: Vec<Slot>,
    number: u64,
    seed: u64,
    random: Random,
    /// Acknowledged writes over all runs.
    pub(crate) acknowledged: u64,
    /// Refusals: no write of ours may be refused, so each is a fault.
    pub(crate) refusals: Vec<String>,
    /// The slot of a write whose connection broke before an answer came, and when it was begun.
    pub(crate) unanswered: Option<(usize, Instant)>,
    /// When the newest write that was acknowledged was sent.
    pub(crate) last_acknowledged: Option<Instant>,
}

impl Writer {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self {
            slots: Vec::new(),
            number,
            seed,
            random: Random::stream(seed, number),
            acknowledged: 0,
            refusals: Vec::new(),
            unanswered: None,
            last_acknowledged: None,
        }
    }

    /// Which writer this is.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A name without an open write and what to write to it: mostly updates, some new names, some
    /// deletes.
    pub(crate) fn choose(&mut self, slots_max: usize) -> Option<(usize, State)> {
        let settled = |slot: &Slot| slot.page.settled().is_some();
        let free = self.slots.iter().filter(|slot| settled(slot)).count();
        let wants_new = free == 0 || self.random.below(10) == 0;
        let at = if wants_new && self.slots.len() < slots_max {
            self.add_slot()
        } else {
            let pick = self.random.below(u64::try_from(free).ok()?);
            let mut left =
                (0..self.slots.len()).filter(|at| self.slots.get(*at).is_some_and(settled));
            left.nth(usize::try_from(pick).ok()?)?
        };
        let delete = self.random.below(5) == 0;
        let privacy = u8::try_from(self.random.below(3)).unwrap_or(0);
        let page = &mut self.slots.get_mut(at)?.page;
        let held = page.settled()?.is_some();
        let state = (!(held && delete)).then(|| Record {
            version: page.next_version(),
            privacy,
        });
        Some((at, state))
    }

    /// 0 to `bound - 1`.
    pub(crate) fn draw(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    /// Some name without an open write.
    pub(crate) fn any_settled(&mut self) -> Option<&Slot> {
        let count = u64::try_from(self.slots.len()).ok()?;
        let from = usize::try_from(self.random.below(count)).ok()?;
        let (before, after) = self.slots.split_at_checked(from)?;
        let mut slots = after.iter().chain(before);
        slots.find(|slot| slot.page.settled().is_some())
    }

    fn add_slot(&mut self) -> usize {
        let at = self.slots.len();
        let serial = u64::try_from(at).unwrap_or(u64::MAX);
        let name = format!("w{:03}n{serial:05}", self.number);
        let profile = Profile::new(name, self.seed, (self.number << 32) | serial);
        self.slots.push(Slot {
            profile,
            page: Page::default(),
        });
        at
    }

    /// Seals a write and notes in the ledger that it is about to be sent.
    pub(crate) fn begin(&mut self, at: usize, state: State, key: &BoxPublicKey) -> Result<Vec<u8>> {
        let slot = self.slots.get_mut(at).context("a name that was chosen")?;
        let body = match &state {
            Some(record) => slot.profile.push(key, record, &mut self.random)?,
            None => slot.profile.delete(key, &mut self.random)?,
        };
        slot.page.begin(state);
        Ok(body)
    }

    /// Notes the answer to a write.
    pub(crate) fn settle(&mut self, at: usize, code: i32) {
        let Some(slot) = self.slots.get_mut(at) else {
            return;
        };
        match code {
            0 => {
                slot.page.acknowledge();
                self.acknowledged += 1;
            }
            // Perhaps made, perhaps not: the next check will say.
            INTERNAL => {}
            code => {
                let refused = slot.page.refuse();
                let name = &slot.profile.name;
                self.refusals
                    .push(format!("{name}: {refused:?} was refused with {code}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_mix_their_writes_and_leave_open_ones_alone() {
        let mut writer = Writer::new(1, 2);
        let mut kinds = [0_u32; 2];
        for _ in 0..400 {
            let (at, state) = writer.choose(5).unwrap();
            let page = &mut writer.slots[at].page;
            page.begin(state);
            page.acknowledge();
            kinds[usize::from(state.is_some())] += 1;
        }
        assert_eq!(writer.slots.len(), 5);
        assert!(kinds[0] > 20 && kinds[1] > 200, "{kinds:?}");
        for slot in &mut writer.slots {
            slot.page.begin(None);
        }
        assert_eq!(writer.choose(5), None);
    }
}
