//! Which fault comes when.

use std::collections::VecDeque;
use std::time::Duration;

use crate::random::Random;

/// A run shorter than this keeps its faults short, as CI does.
const SHORT: Duration = Duration::from_secs(120);
/// Longer than the lease of the log's leader (3 s) and the 5 s others have to take over.
const FREEZE: Duration = Duration::from_secs(6);
/// How long the database stands still: beyond every time-out of the servers.
const PAUSE: Duration = Duration::from_secs(30);
const PAUSE_SHORT: Duration = Duration::from_secs(12);

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// kill -9 of the process that leads the log.
    KillLeader,
    /// kill -9 of another process.
    KillFollower,
    /// SIGSTOP of the leader until its lease is over, then SIGCONT.
    FreezeLeader,
    /// SIGTERM of a process, and a new one in its place.
    Roll,
    /// A process starts anew with its clock an hour off; or, if one is, with the right time.
    ShiftClock,
    /// kill -9 of the primary; the standby is promoted, and a new standby built.
    KillPrimary,
    /// The same after the standby got nothing for a moment.
    LosePrimary,
    /// The primary stops in order and starts again.
    RestartPrimary,
    /// Primary and standby are down: nobody listens.
    Down,
    /// SIGSTOP of the primary and the standby.
    PauseDatabase,
    /// SIGSTOP of the standby: no commit is confirmed.
    PauseStandby,
    /// All sessions are ended and no new one is let in.
    Refuse,
    /// Another client has all connections.
    CrowdOut,
    /// The primary's disk is full.
    FillDisk,
}

impl Fault {
    pub(crate) const ALL: [Self; 14] = [
        Self::KillLeader,
        Self::KillFollower,
        Self::FreezeLeader,
        Self::Roll,
        Self::ShiftClock,
        Self::KillPrimary,
        Self::LosePrimary,
        Self::RestartPrimary,
        Self::Down,
        Self::PauseDatabase,
        Self::PauseStandby,
        Self::Refuse,
        Self::CrowdOut,
        Self::FillDisk,
    ];

    /// Its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::KillLeader => "leader killed",
            Self::KillFollower => "follower killed",
            Self::FreezeLeader => "leader frozen",
            Self::Roll => "process stopped",
            Self::ShiftClock => "clock shifted",
            Self::KillPrimary => "primary killed",
            Self::LosePrimary => "primary cut off and killed",
            Self::RestartPrimary => "primary restarted",
            Self::Down => "database down",
            Self::PauseDatabase => "database paused",
            Self::PauseStandby => "standby paused",
            Self::Refuse => "clients refused",
            Self::CrowdOut => "connections taken",
            Self::FillDisk => "disk full",
        }
    }

    /// Whether the process that is hit was asked, and answers what it has accepted.
    pub(crate) fn is_orderly(self) -> bool {
        matches!(self, Self::Roll | Self::ShiftClock)
    }

    /// Whether it leaves the log without a leader, so that the fail-over is to the next root.
    pub(crate) fn takes_leader(self) -> bool {
        matches!(self, Self::KillLeader | Self::FreezeLeader)
    }
}

/// A fault and how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) fault: Fault,
    pub(crate) hold: Duration,
}

/// Rounds of all faults, each round in another order.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    random: Random,
    time: Duration,
    faults: Vec<Fault>,
    /// What is left of the first round, which is always finished.
    first: VecDeque<Fault>,
    later: VecDeque<Fault>,
}

impl Plan {
    /// The plan of a seed, of all faults that can be had here.
    pub(crate) fn new(seed: u64, time: Duration, faults: &[Fault]) -> Self {
        let mut plan = Self {
            random: Random::stream(seed, u64::MAX),
            time,
            faults: faults.to_vec(),
            first: VecDeque::new(),
            later: VecDeque::new(),
        };
        plan.first = plan.shuffled();
        plan
    }

    /// The next fault after so much time; `None` when every fault was there and the time is over.
    pub(crate) fn next(&mut self, passed: Duration) -> Option<Step> {
        let owes = !self.first.is_empty();
        if !owes && passed >= self.time {
            return None;
        }
        if self.later.is_empty() && !owes {
            self.later = self.shuffled();
        }
        let fault = self.first.pop_front().or_else(|| self.later.pop_front())?;
        let hold = self.hold(fault);
        Some(Step { fault, hold })
    }

    fn shuffled(&mut self) -> VecDeque<Fault> {
        let mut left = self.faults.clone();
        let mut order = VecDeque::new();
        while !left.is_empty() {
            let count = u64::try_from(left.len()).unwrap_or(1);
            let pick = usize::try_from(self.random.below(count)).unwrap_or(0);
            order.push_back(left.swap_remove(pick));
        }
        order
    }

    fn hold(&mut self, fault: Fault) -> Duration {
        let is_short = self.time < SHORT;
        match fault {
            Fault::FreezeLeader => FREEZE,
            Fault::PauseDatabase if is_short => PAUSE_SHORT,
            Fault::PauseDatabase => PAUSE,
            Fault::RestartPrimary => Duration::ZERO,
            Fault::KillLeader
            | Fault::KillFollower
            | Fault::Roll
            | Fault::ShiftClock
            | Fault::KillPrimary
            | Fault::LosePrimary => Duration::from_millis(300 + self.random.below(700)),
            Fault::Down
            | Fault::PauseStandby
            | Fault::Refuse
            | Fault::CrowdOut
            | Fault::FillDisk => {
                let more = if is_short { 1000 } else { 4000 };
                Duration::from_millis(2000 + self.random.below(more))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(plan: &mut Plan, seconds: u64, at_most: usize) -> Vec<Fault> {
        let passed = Duration::from_secs(seconds);
        let steps = std::iter::from_fn(|| plan.next(passed));
        steps.take(at_most).map(|step| step.fault).collect()
    }

    #[test]
    fn every_fault_comes_once_however_short_the_time() {
        let mut plan = Plan::new(1, Duration::from_secs(60), &Fault::ALL);
        let mut faults = taken(&mut plan, 999, 99);
        faults.sort_unstable();
        assert_eq!(faults, Fault::ALL);
    }

    #[test]
    fn rounds_go_on_in_other_orders_until_the_time_is_over() {
        let mut plan = Plan::new(1, Duration::from_secs(300), &Fault::ALL);
        let first = taken(&mut plan, 0, Fault::ALL.len());
        let mut second = taken(&mut plan, 299, Fault::ALL.len());
        assert_ne!(first, second);
        second.sort_unstable();
        assert_eq!(second, Fault::ALL);
        assert_eq!(taken(&mut plan, 300, 1), []);
    }

    #[test]
    fn a_seed_repeats_its_plan() {
        let plan = |seed| Plan::new(seed, Duration::from_secs(60), &Fault::ALL);
        let steps = |mut plan: Plan| -> Vec<Step> {
            std::iter::from_fn(|| plan.next(Duration::ZERO))
                .take(30)
                .collect()
        };
        assert_eq!(steps(plan(7)), steps(plan(7)));
        assert_ne!(steps(plan(7)), steps(plan(8)));
    }

    #[test]
    fn a_short_run_pauses_the_database_for_less() {
        for (seconds, pause) in [(60, PAUSE_SHORT), (300, PAUSE)] {
            let time = Duration::from_secs(seconds);
            let step = Plan::new(1, time, &[Fault::PauseDatabase]).next(Duration::ZERO);
            assert_eq!(step.unwrap().hold, pause);
        }
    }
}
