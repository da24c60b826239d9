//! Makes the faults happen, and ends them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::database::Database;
use super::fleet::Fleet;
use super::journal::Outage;
use super::plan::{Fault, Step};
use super::roster::Roster;
use crate::clock;
use crate::random::Random;

/// How wrong a clock is, either way.
const SHIFT_S: i64 = 3600;
/// How long a standby that is cut off gets nothing before the primary dies.
const CUT_OFF: Duration = Duration::from_millis(500);

/// What faults happen to.
pub(crate) struct Field {
    pub(crate) fleet: Fleet,
    pub(crate) database: Database,
    pub(crate) roster: Roster,
    pub(crate) random: Random,
}

/// A fault that happened, and what came of it beside the journals.
pub(crate) struct Injected {
    pub(crate) outage: Outage,
    /// What the harness saw of it that must not be.
    pub(crate) faults: Vec<String>,
}

impl Field {
    /// Starts two processes at the same moment over an empty database, then the others one by one.
    ///
    /// # Errors
    /// When one does not start.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let twins = [0, 1];
        let started = self.fleet.start(&twins).await;
        started.context("two processes that start on an empty database")?;
        self.roster.wait_for(twins.len(), &self.database).await?;
        // Which is which nobody knows until each starts alone.
        for at in 0..self.fleet.count() {
            if twins.contains(&at) {
                let wrong = self.fleet.stop(at).await?;
                ensure!(wrong.is_none(), "{wrong:?}");
            }
            self.fleet.start(&[at]).await?;
            self.roster.learn(at, &self.database).await?;
        }
        Ok(())
    }

    /// Makes one fault happen and waits until it is over.
    ///
    /// # Errors
    /// When the harness itself cannot go on, or a process does not start again.
    pub(crate) async fn inject(&mut self, step: Step) -> Result<Injected> {
        match step.fault {
            Fault::KillLeader | Fault::KillFollower => self.kill(step).await,
            Fault::FreezeLeader => self.freeze(step).await,
            Fault::Roll => {
                let at = self.any();
                self.roll(at, step).await
            }
            Fault::ShiftClock => self.shift_clock(step).await,
            Fault::KillPrimary | Fault::LosePrimary => self.fail_over(step).await,
            Fault::RestartPrimary => self.deny(step, Database::restart, |_| Ok(())).await,
            Fault::Down => self.deny(step, Database::down, Database::up).await,
            Fault::PauseDatabase => self.deny(step, Database::pause, Database::resume).await,
            Fault::PauseStandby => {
                let pause = |database: &mut Database| database.standby()?.pause();
                let resume = |database: &mut Database| database.standby()?.resume();
                self.deny(step, pause, resume).await
            }
            Fault::Refuse => {
                let refuse = |database: &mut Database| database.primary()?.refuse();
                let admit = |database: &mut Database| database.primary()?.admit();
                self.deny(step, refuse, admit).await
            }
            Fault::CrowdOut => {
                self.deny(step, Database::crowd_out, Database::disperse)
                    .await
            }
            Fault::FillDisk => {
                let fill = |database: &mut Database| database.primary()?.fill();
                let free = |database: &mut Database| database.primary()?.free();
                self.deny(step, fill, free).await
            }
        }
    }

    async fn kill(&mut self, step: Step) -> Result<Injected> {
        let leader = self.leader()?;
        let at = if step.fault == Fault::KillLeader {
            leader
        } else {
            self.other_than(leader)
        };
        let from = clock::now();
        self.fleet.kill(at)?;
        // The others must take over before it is back.
        sleep(step.hold + takeover_wait(step.fault)).await;
        self.back(step, at, from).await
    }

    async fn freeze(&mut self, step: Step) -> Result<Injected> {
        let at = self.leader()?;
        let from = clock::now();
        self.fleet.freeze(at)?;
        sleep(step.hold).await;
        self.fleet.thaw(at)?;
        Ok(outage(step, Some(at), from))
    }

    async fn roll(&mut self, at: usize, step: Step) -> Result<Injected> {
        let from = clock::now();
        let wrong = self.fleet.stop(at).await?;
        sleep(step.hold).await;
        let mut injected = self.back(step, at, from).await?;
        injected.faults.extend(wrong);
        Ok(injected)
    }

    async fn shift_clock(&mut self, step: Step) -> Result<Injected> {
        let (at, shift_s) = match self.fleet.shifted() {
            Some(at) => (at, 0),
            None if self.random.below(2) == 0 => (self.any(), SHIFT_S),
            None => (self.any(), -SHIFT_S),
        };
        let from = clock::now();
        let wrong = self.fleet.stop(at).await?;
        self.fleet.shift_clock(at, shift_s)?;
        let mut injected = self.back(step, at, from).await?;
        injected.faults.extend(wrong);
        Ok(injected)
    }

    /// The fault is over when the standby takes writes; the new standby is built under load.
    async fn fail_over(&mut self, step: Step) -> Result<Injected> {
        let from = clock::now();
        if step.fault == Fault::LosePrimary {
            block_in_place(|| self.database.cut_off())?;
            sleep(CUT_OFF).await;
        }
        block_in_place(|| self.database.fail_over())?;
        let injected = outage(step, None, from);
        sleep(step.hold).await;
        block_in_place(|| self.database.rebuild())?;
        Ok(injected)
    }

    /// The database is kept from its work for a while.
    async fn deny(
        &mut self,
        step: Step,
        begin: impl FnOnce(&mut Database) -> Result<()>,
        end: impl FnOnce(&mut Database) -> Result<()>,
    ) -> Result<Injected> {
        let from = clock::now();
        block_in_place(|| begin(&mut self.database))?;
        sleep(step.hold).await;
        block_in_place(|| end(&mut self.database))?;
        Ok(outage(step, None, from))
    }

    /// Starts the process that was hit; the fault is over when it answers.
    async fn back(&mut self, step: Step, at: usize, from: Instant) -> Result<Injected> {
        self.fleet.start(&[at]).await?;
        let injected = outage(step, Some(at), from);
        self.roster.learn(at, &self.database).await?;
        Ok(injected)
    }

    /// The process that leads the log; any other when nobody does.
    fn leader(&mut self) -> Result<usize> {
        let leader = self.roster.leader(&self.database)?;
        Ok(leader.unwrap_or_else(|| self.any()))
    }

    fn any(&mut self) -> usize {
        let count = u64::try_from(self.fleet.count()).unwrap_or(1);
        usize::try_from(self.random.below(count)).unwrap_or(0)
    }

    fn other_than(&mut self, one: usize) -> usize {
        let count = self.fleet.count();
        let others = u64::try_from(count.saturating_sub(1)).unwrap_or(1);
        let step = usize::try_from(self.random.below(others)).unwrap_or(0);
        (one + 1 + step) % count.max(1)
    }
}

/// How long a killed process stays away, beyond what the plan says.
fn takeover_wait(fault: Fault) -> Duration {
    if fault == Fault::KillLeader {
        Duration::from_secs(5)
    } else {
        Duration::ZERO
    }
}

fn outage(step: Step, process: Option<usize>, from: Instant) -> Injected {
    let outage = Outage {
        fault: step.fault,
        process,
        from,
        over: clock::now(),
    };
    Injected {
        outage,
        faults: Vec::new(),
    }
}
