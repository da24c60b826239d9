//! How much background checks ask of whom: a budget, one question at a time, and a breaker for each
//! upstream. Nobody waits for these checks; one inside a request asks whatever stands here.
//!
//! In memory, per process: one process at a time checks what is due, the others what their readers
//! come across.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::limits::{
    BREAKER_FAILURES, BREAKER_PROBE, BREAKER_TIME, BREAKER_TIME_MAX, RECHECK_BURST, RECHECK_PERIOD,
    UPSTREAMS_MAX,
};

/// What is known of upstreams. Times are of the monotonic clock.
pub(crate) struct Upstreams {
    known: Mutex<HashMap<String, Upstream>>,
    /// Whether budgets and breakers apply; one question at a time it is always.
    limited: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Upstream {
    /// When the budget is whole again.
    spent_until: Duration,
    /// Checks in a row that it did not answer.
    failures: u32,
    /// When it was last asked.
    asked_at: Option<Duration>,
    /// Until then it is left alone.
    open_until: Duration,
    is_busy: bool,
}

/// Who wants a background check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It is due.
    Due,
    /// Somebody has read an overdue claim: it may find out early whether an upstream is back.
    Read,
}

/// What an upstream did with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    Silent,
    /// It wants to be asked less.
    Refused,
    /// Nobody came to ask it: the question is given back.
    NotAsked,
}

impl Upstreams {
    /// Nobody was asked yet.
    pub(crate) fn new(limited: bool) -> Self {
        Self {
            known: Mutex::default(),
            limited,
        }
    }

    /// Takes a turn at an upstream; `None` when it is not to be asked now.
    pub(super) fn begin(&self, name: &str, cause: Cause, now: Duration) -> Option<Turn<'_>> {
        let mut known = self.lock();
        if !known.contains_key(name) && !make_room(&mut known, now) {
            return None;
        }
        let upstream = known.entry(name.to_owned()).or_default();
        let spent = upstream.spent_until.max(now);
        let burst = RECHECK_PERIOD.saturating_mul(RECHECK_BURST);
        let has_budget = spent.saturating_sub(now) < burst && upstream.is_closed(cause, now);
        if upstream.is_busy || (self.limited && !has_budget) {
            return None;
        }
        upstream.spent_until = spent.saturating_add(RECHECK_PERIOD);
        upstream.asked_at = Some(now);
        upstream.is_busy = true;
        Some(Turn {
            upstreams: self,
            name: name.to_owned(),
        })
    }

    fn end(&self, name: &str, outcome: Outcome, now: Duration) {
        let mut known = self.lock();
        let Some(upstream) = known.get_mut(name) else {
            return;
        };
        upstream.is_busy = false;
        match outcome {
            Outcome::Answered => {
                upstream.failures = 0;
                upstream.open_until = Duration::ZERO;
                return;
            }
            Outcome::NotAsked => {
                upstream.spent_until = upstream.spent_until.saturating_sub(RECHECK_PERIOD);
                return;
            }
            Outcome::Silent => upstream.failures = upstream.failures.saturating_add(1),
            Outcome::Refused => {
                upstream.failures = upstream.failures.saturating_add(1).max(BREAKER_FAILURES);
            }
        }
        if let Some(doublings) = upstream.failures.checked_sub(BREAKER_FAILURES) {
            let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
            let time = BREAKER_TIME.saturating_mul(factor).min(BREAKER_TIME_MAX);
            upstream.open_until = now.saturating_add(time);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Upstream>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn at an upstream. One that is dropped counts as not taken.
pub(super) struct Turn<'u> {
    upstreams: &'u Upstreams,
    name: String,
}

impl Turn<'_> {
    /// Ends the turn at a moment of the monotonic clock.
    pub(super) fn end(mut self, outcome: Outcome, now: Duration) {
        let name = std::mem::take(&mut self.name);
        self.upstreams.end(&name, outcome, now);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // One that was ended has no name any more, and nobody is called so.
        if !self.name.is_empty() {
            self.upstreams
                .end(&self.name, Outcome::NotAsked, Duration::ZERO);
        }
    }
}

impl Upstream {
    /// Whether the breaker lets a question pass.
    fn is_closed(&self, cause: Cause, now: Duration) -> bool {
        let may_probe = |asked: Duration| now >= asked.saturating_add(BREAKER_PROBE);
        now >= self.open_until || (cause == Cause::Read && self.asked_at.is_none_or(may_probe))
    }

    /// Whether forgetting it changes nothing.
    fn is_idle(&self, now: Duration) -> bool {
        !self.is_busy && self.failures == 0 && self.spent_until <= now
    }
}

/// Forgets upstreams of which there is nothing to know; if that is not enough those that are left
/// alone no more, and then the one that is left alone for the shortest time: hosts are named by users,
/// and theirs must not keep others out. Whether one more has room then.
fn make_room(known: &mut HashMap<String, Upstream>, now: Duration) -> bool {
    if known.len() < UPSTREAMS_MAX {
        return true;
    }
    known.retain(|_, upstream| !upstream.is_idle(now));
    if known.len() >= UPSTREAMS_MAX {
        known.retain(|_, upstream| upstream.is_busy || upstream.open_until > now);
    }
    if known.len() >= UPSTREAMS_MAX {
        let idle = known.iter().filter(|(_, upstream)| !upstream.is_busy);
        let first = idle.min_by_key(|(_, upstream)| upstream.open_until);
        if let Some(name) = first.map(|(name, _)| name.clone()) {
            known.remove(&name);
        }
    }
    known.len() < UPSTREAMS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Asks until it is not let; how often it was.
    fn asked(upstreams: &Upstreams, now: Duration, outcome: Outcome) -> u32 {
        let mut count = 0;
        while let Some(turn) = upstreams.begin("a", Cause::Due, now) {
            turn.end(outcome, now);
            count += 1;
            if count > 100 {
                break;
            }
        }
        count
    }

    fn may_ask(upstreams: &Upstreams, cause: Cause, now: Duration) -> bool {
        upstreams.begin("a", cause, now).is_some()
    }

    fn ask(upstreams: &Upstreams, cause: Cause, outcome: Outcome, now: Duration) {
        let turn = upstreams.begin("a", cause, now);
        turn.expect("it may be asked").end(outcome, now);
    }

    #[test]
    fn a_budget_is_spent_and_comes_back() {
        let upstreams = Upstreams::new(true);
        let now = Duration::from_secs(1000);
        assert_eq!(asked(&upstreams, now, Outcome::Answered), RECHECK_BURST);
        assert!(upstreams.begin("b", Cause::Due, now).is_some());
        let later = now + RECHECK_PERIOD;
        assert_eq!(asked(&upstreams, later, Outcome::Answered), 1);
        let much_later = now + RECHECK_PERIOD * 100;
        assert_eq!(
            asked(&upstreams, much_later, Outcome::Answered),
            RECHECK_BURST
        );
    }

    #[test]
    fn one_question_at_a_time_and_one_that_was_not_asked_costs_nothing() {
        let upstreams = Upstreams::new(true);
        for _ in 0..100 {
            let turn = upstreams.begin("a", Cause::Due, SECOND);
            assert!(turn.is_some());
            assert!(!may_ask(&upstreams, Cause::Read, SECOND));
        }
    }

    #[test]
    fn who_does_not_answer_is_left_alone_for_longer_and_longer() {
        let upstreams = Upstreams::new(true);
        let mut now = Duration::from_secs(1000);
        for _ in 0..BREAKER_FAILURES {
            now += RECHECK_PERIOD;
            ask(&upstreams, Cause::Due, Outcome::Silent, now);
        }
        let mut pause = BREAKER_TIME;
        for _ in 0..8 {
            assert!(!may_ask(&upstreams, Cause::Due, now + pause - SECOND));
            now += pause;
            ask(&upstreams, Cause::Due, Outcome::Silent, now);
            pause = (pause * 2).min(BREAKER_TIME_MAX);
        }
        assert!(!may_ask(&upstreams, Cause::Read, now), "asked just now");
        now += BREAKER_PROBE;
        ask(&upstreams, Cause::Read, Outcome::Answered, now);
        assert!(may_ask(&upstreams, Cause::Due, now));
    }

    #[test]
    fn who_says_too_much_is_left_alone_at_once() {
        let upstreams = Upstreams::new(true);
        ask(&upstreams, Cause::Due, Outcome::Refused, SECOND);
        assert!(!may_ask(&upstreams, Cause::Due, SECOND * 2));
    }

    #[test]
    fn without_limits_everybody_may_be_asked() {
        let upstreams = Upstreams::new(false);
        assert!(asked(&upstreams, SECOND, Outcome::Refused) > 100);
    }

    #[test]
    fn no_more_upstreams_are_remembered_than_there_is_room_for() {
        let upstreams = Upstreams::new(true);
        let begin = |name: String| upstreams.begin(&name, Cause::Due, SECOND);
        let turns: Vec<_> = (0..UPSTREAMS_MAX).map(|at| begin(at.to_string())).collect();
        assert!(turns.iter().all(Option::is_some));
        assert!(begin("a".into()).is_none(), "all are busy");
        drop(turns);
        assert!(begin("a".into()).is_some());
    }

    #[test]
    fn upstreams_that_are_left_alone_keep_no_other_out() {
        let upstreams = Upstreams::new(true);
        let begin = |name: &str, now| upstreams.begin(name, Cause::Due, now);
        for at in 0..UPSTREAMS_MAX {
            let turn = begin(&at.to_string(), SECOND).unwrap();
            let longer = SECOND * u32::from(at > 0);
            turn.end(Outcome::Refused, SECOND + longer);
        }
        let turn = begin("a", SECOND * 2).unwrap();
        assert!(begin("1", SECOND * 3).is_none(), "left alone as before");
        turn.end(Outcome::Refused, SECOND * 2);
        assert!(begin("0", SECOND * 3).is_some(), "forgotten");
        assert_eq!(upstreams.lock().len(), UPSTREAMS_MAX);
    }
}
