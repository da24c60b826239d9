//! Writers: each owns its names and writes to them until the server goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use crypto::boxed::BoxPublicKey;

use crate::http::Connection;
use crate::ledger::{Page, State};
use crate::random::Random;
use crate::tox::{INTERNAL, Profile, Record, Reply};

/// A name under test with its page of the ledger.
pub(crate) struct Slot {
    pub(crate) profile: Profile,
    pub(crate) page: Page,
}

/// One of the writers; moved into a task for every run of the server, and back.
pub(crate) struct Writer {
    pub(crate) slots: Vec<Slot>,
    number: u64,
    seed: u64,
    random: Random,
    /// Acknowledged writes over all runs.
    pub(crate) acknowledged: u64,
    /// Refusals: no write of ours may be refused, so each is a fault.
    pub(crate) refusals: Vec<String>,
}

/// What all writers of one run share.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) server: std::net::SocketAddr,
    pub(crate) key: BoxPublicKey,
    /// Set before the power is cut: what is acknowledged from then on was perhaps never promised
    /// by a disk that had power, so it stays open.
    pub(crate) ending: Arc<AtomicBool>,
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
        }
    }

    /// Which writer this is.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Writes until the connection breaks or every name has an open write.
    pub(crate) async fn run(mut self, run: Run, slots_max: usize) -> Self {
        if let Ok(mut connection) = Connection::open(run.server).await {
            while let Some((at, state)) = self.choose(slots_max) {
                if self.write(&mut connection, &run, at, state).await.is_err() {
                    break;
                }
            }
        }
        self
    }

    /// A name without an open write and what to write to it: mostly updates, some new names, some
    /// deletes.
    fn choose(&mut self, slots_max: usize) -> Option<(usize, State)> {
        let settled = |slot: &Slot| slot.page.settled().is_some();
        let wants_new = self.slots.is_empty() || self.random.below(10) == 0;
        let at = if wants_new && self.slots.len() < slots_max {
            self.add_slot()
        } else {
            let free = self.slots.iter().filter(|slot| settled(slot)).count();
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

    async fn write(
        &mut self,
        connection: &mut Connection,
        run: &Run,
        at: usize,
        state: State,
    ) -> Result<()> {
        let Some(slot) = self.slots.get_mut(at) else {
            return Ok(());
        };
        let body = match &state {
            Some(record) => slot.profile.push(&run.key, record, &mut self.random)?,
            None => slot.profile.delete(&run.key, &mut self.random)?,
        };
        slot.page.begin(state);
        let answer = connection.post(crate::tox::API, &body).await?;
        let reply = Reply::read(&answer)?;
        if run.ending.load(Ordering::SeqCst) {
            return Ok(());
        }
        match reply.c {
            0 => {
                slot.page.acknowledge();
                self.acknowledged += 1;
            }
            // Perhaps made, perhaps not: the check after the restart will say.
            INTERNAL => {}
            code => {
                slot.page.refuse();
                let name = &slot.profile.name;
                self.refusals
                    .push(format!("{name}: {state:?} was refused with {code}"));
            }
        }
        Ok(())
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
