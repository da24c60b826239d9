//! Keeps claims checked, in the background.
//!
//! A claim is checked when it is due, and at once when somebody reads it and it is overdue. Who takes
//! one marks it in the store first, so that of all tasks and processes one checks it; the mark ends by
//! itself. The remote side is asked outside of any unit of work, within the budget of who is asked
//! (`claims::upstreams`), and then one unit of work applies what it said (`claims::state`), unless the
//! claim was made anew or revoked meanwhile.
//!
//! On a shared store one process at a time looks for what is due; what readers come across is checked
//! where it was read. Nothing waits behind an upstream that is not asked now: a look goes on behind what
//! it cannot begin, and the next one behind what it has seen.

mod one;

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{
    CHECKS_FAILED_MAX, CHECKS_MAX, CHECKS_WAITING_MAX, DUE_LOOK_PERIOD, DUE_PAGES, DUE_ROWS,
    RECHECK_BACKOFF,
};
use crate::ports::store::{Key, KeyRange};
use crate::processes::leases::{Bid, Role, take_in};
use crate::table::{TableKey, behind};
use crate::tables::{CLAIMS_DUE, ClaimEntry, ClaimKey};
use crate::tx::{in_tx, scan_table};
use crate::types::{Label, UnixMillis};

use super::Claims;
use super::row::{recheck_after, upstream};
use super::state::is_overdue;
use super::upstreams::Cause;

/// What readers came across, and how far the looks for what is due have come.
#[derive(Default)]
pub(crate) struct Checks {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    look: Look,
    /// Claims whose check failed here, and until when they are left alone.
    failed: HashMap<ClaimKey, Duration>,
}

/// What readers came across, each claim once.
#[derive(Default)]
struct Waiting {
    /// Those that could not be begun when they were looked at.
    put_off: VecDeque<Wanted>,
    /// Those that nobody has looked at yet.
    fresh: VecDeque<Wanted>,
    held: HashSet<ClaimKey>,
}

/// The looks for what is due.
#[derive(Default)]
struct Look {
    /// When the next one is, by the monotonic clock.
    at: Duration,
    /// Where it begins; `None` where the table does.
    from: Option<Key>,
    /// The last one read all it may, and found nothing to begin.
    is_in_vain: bool,
}

/// A claim that is to be checked.
#[derive(Clone)]
struct Wanted {
    which: ClaimKey,
    upstream: String,
    /// When it was due; `None` when it is wanted by who has read it.
    due: Option<UnixMillis>,
}

impl Wanted {
    fn cause(&self) -> Cause {
        match self.due {
            Some(_) => Cause::Due,
            None => Cause::Read,
        }
    }
}

impl Waiting {
    /// Adds a claim, in place of the one that waits longest where too many wait; whether it is new.
    fn push(&mut self, wanted: Wanted) -> bool {
        if !self.held.insert(wanted.which) {
            return false;
        }
        if self.held.len() > CHECKS_WAITING_MAX
            && let Some(oldest) = self.pop()
        {
            self.held.remove(&oldest.which);
        }
        self.fresh.push_back(wanted);
        true
    }

    /// Takes the one that waits longest.
    fn pop(&mut self) -> Option<Wanted> {
        let put_off = self.put_off.pop_front();
        put_off.or_else(|| self.fresh.pop_front())
    }
}

impl State {
    /// Leaves a claim alone for a while.
    fn fail(&mut self, which: ClaimKey, now: Duration) {
        self.failed.retain(|_, until| *until > now);
        if self.failed.len() < CHECKS_FAILED_MAX {
            let until = now.saturating_add(RECHECK_BACKOFF);
            self.failed.insert(which, until);
        }
    }

    fn has_failed(&self, which: &ClaimKey, now: Duration) -> bool {
        self.failed.get(which).is_some_and(|until| *until > now)
    }
}

impl Checks {
    fn push(&self, wanted: Wanted) {
        if self.lock().waiting.push(wanted) {
            self.wake.notify_one();
        }
    }

    /// Waits until there is something to do.
    pub(crate) async fn wait(&self, engine: &Engine) {
        tokio::select! {
            () = self.wake.notified() => {}
            () = engine.ports().timer.sleep(DUE_LOOK_PERIOD) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claims<'_> {
    /// Has a claim checked at once if it is overdue and can be: for whoever shows it. No read, no wait.
    pub(super) fn note_overdue(&self, label: Label, claim: &ClaimEntry) {
        let can_be = self.0.checker(&claim.service).is_some();
        if can_be && is_overdue(claim, self.0.now(), recheck_after(self.0)) {
            self.0.checks().push(Wanted {
                which: (label, claim.key()),
                upstream: upstream(self.0, claim),
                due: None,
            });
        }
    }
}

type Check<'e> = Pin<Box<dyn Future<Output = ()> + Send + 'e>>;

/// The checks of one tick.
struct Running<'e> {
    engine: &'e Engine,
    checks: Vec<Check<'e>>,
}

/// Checks what readers came across and what is due, until nothing is left that may be asked now. A
/// check that is dropped is made later.
///
/// # Errors
/// Our own failures only.
pub(crate) async fn tick(engine: &Engine) -> Result<(), Internal> {
    if engine.published().halted().is_some() {
        return Ok(());
    }
    let timer = &engine.ports().timer;
    let mut running = Running {
        engine,
        checks: Vec::new(),
    };
    running.begin_put_off();
    loop {
        running.begin_fresh();
        running.begin_due().await?;
        if running.checks.is_empty() {
            return Ok(());
        }
        let look_at = engine.checks().lock().look.at;
        tokio::select! {
            () = running.ended() => {
                running.look_again();
                running.begin_put_off();
            }
            () = engine.checks().wake.notified() => {}
            () = timer.sleep(look_at.saturating_sub(timer.monotonic())) => running.begin_put_off(),
        }
    }
}

impl<'e> Running<'e> {
    fn has_room(&self) -> bool {
        self.checks.len() < CHECKS_MAX
    }

    /// Begins what readers came across since the last time, as far as it may be asked now; the rest is
    /// put off until a check has ended or some time has passed, so that one more to wait costs no look
    /// at all others.
    fn begin_fresh(&mut self) {
        let count = self.engine.checks().lock().waiting.fresh.len();
        self.begin_waiting(count, |waiting| waiting.fresh.pop_front());
    }

    /// Begins what was put off and may be asked now.
    fn begin_put_off(&mut self) {
        let count = self.engine.checks().lock().waiting.put_off.len();
        self.begin_waiting(count, |waiting| waiting.put_off.pop_front());
    }

    fn begin_waiting(&mut self, count: usize, next: fn(&mut Waiting) -> Option<Wanted>) {
        let checks = self.engine.checks();
        for _ in 0..count {
            if !self.has_room() {
                return;
            }
            let wanted = next(&mut checks.lock().waiting);
            let Some(wanted) = wanted else { return };
            if self.begin(&wanted) {
                checks.lock().waiting.held.remove(&wanted.which);
            } else {
                checks.lock().waiting.put_off.push_back(wanted);
            }
        }
    }

    /// Looks for what is due, if it is time to: 5 s after the last look, or when a check has ended.
    async fn begin_due(&mut self) -> Result<(), Internal> {
        let checks = self.engine.checks();
        let now = self.engine.ports().timer.monotonic();
        let from = {
            let look = &checks.lock().look;
            if now < look.at {
                return Ok(());
            }
            look.from.clone()
        };
        let (from, is_in_vain) = if self.has_room() {
            self.look_through(from).await?
        } else {
            (from, false)
        };
        let at = now.saturating_add(DUE_LOOK_PERIOD);
        checks.lock().look = Look {
            at,
            from,
            is_in_vain,
        };
        Ok(())
    }

    /// Begins what is due and may be asked now, of the first page that has such: a page may be all of
    /// upstreams that are left alone. Answers where the next look goes on, and whether as many pages as
    /// a look may read had none; behind the last page is the first one. One scan for each page; on a
    /// shared store two round trips more and a write, if anything is due.
    async fn look_through(
        &mut self,
        mut from: Option<Key>,
    ) -> Result<(Option<Key>, bool), Internal> {
        let (mut may_wrap, mut has_lead) = (from.is_some(), false);
        for _ in 0..DUE_PAGES {
            let (rows, next) = due(self.engine, from.as_ref()).await?;
            if !rows.is_empty() && !has_lead {
                has_lead = leads(self.engine).await?;
                if !has_lead {
                    return Ok((from, false));
                }
            }
            let (has_begun, left) = self.begin_rows(&rows);
            from = left.or(next);
            let is_over = from.is_none() && !std::mem::take(&mut may_wrap);
            if has_begun || is_over {
                return Ok((from, false));
            }
        }
        Ok((from, true))
    }

    /// Begins those of a page that may be asked now; whether there were any, and the first one that
    /// there was no room for.
    fn begin_rows(&mut self, rows: &[Wanted]) -> (bool, Option<Key>) {
        let mut has_begun = false;
        for wanted in rows {
            if !self.has_room() {
                let due = wanted.due.unwrap_or(UnixMillis(0));
                return (has_begun, Some(CLAIMS_DUE.key(&(due, wanted.which))));
            }
            has_begun |= self.begin(wanted);
        }
        (has_begun, None)
    }

    /// After a check the next look is at once, as its upstream may be asked again; not when there is too
    /// much to look through.
    fn look_again(&self) {
        let look = &mut self.engine.checks().lock().look;
        if !look.is_in_vain {
            look.at = Duration::ZERO;
        }
    }

    fn begin(&mut self, wanted: &Wanted) -> bool {
        let engine = self.engine;
        let now = engine.ports().timer.monotonic();
        if engine.checks().lock().has_failed(&wanted.which, now) {
            return false;
        }
        let upstreams = engine.upstreams();
        let Some(turn) = upstreams.begin(&wanted.upstream, wanted.cause(), now) else {
            return false;
        };
        let (which, due) = (wanted.which, wanted.due);
        self.checks.push(Box::pin(async move {
            if let Err(error) = one::check(engine, which, due, turn).await {
                tracing::warn!(error = %error, "a claim was not checked: trying again later");
                let now = engine.ports().timer.monotonic();
                engine.checks().lock().fail(which, now);
            }
        }));
        true
    }

    /// Waits until one of them has ended.
    async fn ended(&mut self) {
        poll_fn(|context| {
            let before = self.checks.len();
            self.checks
                .retain_mut(|check| check.as_mut().poll(context).is_pending());
            if self.checks.len() < before {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// One page of claims that are due, and where the next one begins; `None` when there is none.
async fn due(engine: &Engine, from: Option<&Key>) -> Result<(Vec<Wanted>, Option<Key>), Internal> {
    let mut end = vec![CLAIMS_DUE.tag()];
    UnixMillis(engine.now().0.saturating_add(1)).write(&mut end);
    let range = KeyRange {
        start: from.cloned().unwrap_or(CLAIMS_DUE.range(&[]).start),
        end: Some(Key::from(end)),
    };
    let rows = scan_table(&engine.ports().store, &CLAIMS_DUE, range, DUE_ROWS).await?;
    let is_full = rows.len() as u64 >= u64::from(DUE_ROWS);
    let last = rows.last().filter(|_| is_full);
    let next = last.map(|(key, ..)| behind(&CLAIMS_DUE.key(key)));
    let rows = rows.into_iter().map(|((due, which), _, row)| Wanted {
        which,
        upstream: row.upstream,
        due: Some(due),
    });
    Ok((rows.collect(), next))
}

/// Whether this process looks for what is due, which one at a time does.
async fn leads(engine: &Engine) -> Result<bool, Internal> {
    if !engine.is_shared() {
        return Ok(true);
    }
    let (by, at) = (engine.process_id(), engine.ports().store.now().await?);
    let bid = Bid { by, at };
    in_tx!(engine, "lead_rechecks", |tx| take_in(
        tx,
        Role::Recheck,
        &bid
    )
    .await
    .map_err(Internal::from))
}

#[cfg(test)]
mod tests {
    use merkle::Hash;

    use super::*;

    fn wanted(number: usize) -> Wanted {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Wanted {
            which: (Label(Hash(bytes)), bytes),
            upstream: String::new(),
            due: None,
        }
    }

    #[test]
    fn of_too_many_that_wait_the_oldest_gives_way() {
        let mut waiting = Waiting::default();
        for number in 0..CHECKS_WAITING_MAX {
            assert!(waiting.push(wanted(number)));
            assert!(!waiting.push(wanted(number)), "each once");
        }
        assert!(waiting.push(wanted(CHECKS_WAITING_MAX)));
        assert_eq!(waiting.fresh.len(), CHECKS_WAITING_MAX);
        assert_eq!(waiting.held.len(), CHECKS_WAITING_MAX);
        assert!(waiting.fresh.front().unwrap().which == wanted(1).which);
        assert!(waiting.push(wanted(0)), "it may come again");
        let second = waiting.fresh.pop_front().unwrap();
        waiting.put_off.push_back(second.clone());
        assert!(waiting.push(wanted(CHECKS_WAITING_MAX + 1)));
        assert!(waiting.put_off.is_empty() && !waiting.held.contains(&second.which));
        assert_eq!(waiting.fresh.len(), CHECKS_WAITING_MAX);
    }

    #[test]
    fn what_failed_is_left_alone_for_a_while() {
        let mut state = State::default();
        let (start, which) = (Duration::from_secs(9), |at| wanted(at).which);
        for number in 0..CHECKS_FAILED_MAX + 9 {
            state.fail(which(number), start);
        }
        assert_eq!(state.failed.len(), CHECKS_FAILED_MAX);
        assert!(state.has_failed(&which(0), start));
        assert!(!state.has_failed(&which(CHECKS_FAILED_MAX), start));
        let later = start + RECHECK_BACKOFF;
        assert!(!state.has_failed(&which(0), later));
        state.fail(which(CHECKS_FAILED_MAX), later);
        assert_eq!(state.failed.len(), 1);
    }
}
