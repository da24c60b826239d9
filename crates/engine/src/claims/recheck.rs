//! Keeps claims checked, in the background.
//!
//! A claim is checked when it is due, and at once when somebody reads it and it is overdue. Who takes
//! one marks it in the store first, so that of all tasks and processes one checks it; the mark ends by
//! itself. The remote side is asked outside of any unit of work, within the budget of who is asked
//! (`claims::upstreams`), and then one unit of work applies what it said (`claims::state`), unless the
//! claim was made anew or revoked meanwhile.
//!
//! On a shared store one process at a time looks for what is due; what readers come across is checked
//! where it was read.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::sync::Notify;

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{
    CHECK_LEASE, CHECK_REQUEST_TIME, CHECK_TIME, CHECKS_MAX, CHECKS_WAITING_MAX, DUE_LOOK_PERIOD,
    DUE_ROWS,
};
use crate::ports::checker::{CheckWorld, Claimed, Extra, Failure};
use crate::ports::store::{Key, KeyRange};
use crate::processes::leases::{Bid, Role, take_in};
use crate::table::{TableKey, behind};
use crate::tables::{AVATARS, CLAIMS_DUE, ClaimEntry, ClaimKey, DueRow};
use crate::tx::{Tx, in_tx, scan_table};
use crate::types::{Avatar, ClaimAction, Label, UnixMillis};

use super::check::{bounded, signed_by};
use super::row::{recheck_after, save_in, upstream};
use super::state::{Pace, Verdict, is_overdue, judge};
use super::upstreams::{Cause, Outcome, Turn};
use super::{ChainLink, Claims};

/// What readers came across, and where the look for what is due goes on.
#[derive(Default)]
pub(crate) struct Checks {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Default)]
struct Waiting {
    order: VecDeque<(ClaimKey, String)>,
    held: HashSet<ClaimKey>,
    /// Where the next look for what is due begins, when the last one did not see all.
    next: Option<Key>,
}

impl Checks {
    /// Adds a claim once; not when too many wait.
    fn push(&self, which: ClaimKey, upstream: String) {
        let mut waiting = self.lock();
        if waiting.order.len() < CHECKS_WAITING_MAX && waiting.held.insert(which) {
            waiting.order.push_back((which, upstream));
            drop(waiting);
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

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claims<'_> {
    /// Has a claim checked at once if it is overdue: for whoever shows it. No read, no wait.
    pub(super) fn note_overdue(&self, label: Label, claim: &ClaimEntry) {
        if is_overdue(claim, self.0.now(), recheck_after(self.0)) {
            let upstream = upstream(self.0, claim);
            self.0.checks().push((label, claim.key()), upstream);
        }
    }
}

type Check<'e> = Pin<Box<dyn Future<Output = ()> + Send + 'e>>;

/// The checks of one tick.
struct Running<'e> {
    engine: &'e Engine,
    checks: Vec<Check<'e>>,
    /// Whether a look for what is due may find something that was not begun.
    look: bool,
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
    let mut running = Running {
        engine,
        checks: Vec::new(),
        look: true,
    };
    loop {
        running.begin_read();
        if running.look {
            running.begin_due().await?;
        }
        if running.checks.is_empty() {
            return Ok(());
        }
        tokio::select! {
            () = running.ended() => running.look = true,
            () = engine.checks().wake.notified() => {}
        }
    }
}

impl<'e> Running<'e> {
    fn has_room(&self) -> bool {
        self.checks.len() < CHECKS_MAX
    }

    /// Begins those that wait and may be asked now.
    fn begin_read(&mut self) {
        let engine = self.engine;
        let count = engine.checks().lock().order.len();
        for _ in 0..count {
            if !self.has_room() {
                return;
            }
            let next = engine.checks().lock().order.pop_front();
            let Some((which, upstream)) = next else {
                return;
            };
            if self.begin(which, &upstream, Cause::Read) {
                engine.checks().lock().held.remove(&which);
            } else {
                engine.checks().lock().order.push_back((which, upstream));
            }
        }
    }

    /// Begins those that are due and may be asked now, of one page of what is due. One scan; on a
    /// shared store two round trips more and a write, if anything is.
    async fn begin_due(&mut self) -> Result<(), Internal> {
        self.look = false;
        let engine = self.engine;
        if !self.has_room() {
            return Ok(());
        }
        let rows = due(engine).await?;
        if rows.is_empty() || !leads(engine).await? {
            return Ok(());
        }
        for (which, upstream) in rows {
            if self.has_room() {
                self.begin(which, &upstream, Cause::Due);
            }
        }
        Ok(())
    }

    fn begin(&mut self, which: ClaimKey, upstream: &str, cause: Cause) -> bool {
        let engine = self.engine;
        let now = engine.ports().timer.monotonic();
        let Some(turn) = engine.upstreams().begin(upstream, cause, now) else {
            return false;
        };
        self.checks.push(Box::pin(async move {
            if let Err(error) = check(engine, which, cause, turn).await {
                tracing::warn!(error = %error, "a claim was not checked: trying again later");
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

/// One page of claims that are due, each with whom to ask.
async fn due(engine: &Engine) -> Result<Vec<(ClaimKey, String)>, Internal> {
    let mut end = vec![CLAIMS_DUE.tag()];
    UnixMillis(engine.now().0.saturating_add(1)).write(&mut end);
    let whole = CLAIMS_DUE.range(&[]);
    let next = engine.checks().lock().next.take();
    let range = KeyRange {
        start: next.unwrap_or(whole.start),
        end: Some(Key::from(end)),
    };
    let rows = scan_table(&engine.ports().store, &CLAIMS_DUE, range, DUE_ROWS).await?;
    if rows.len() as u64 >= u64::from(DUE_ROWS) {
        let last = rows.last().map(|(key, ..)| behind(&CLAIMS_DUE.key(key)));
        engine.checks().lock().next = last;
    }
    let which = |((_, which), _, row): ((_, ClaimKey), _, DueRow)| (which, row.upstream);
    Ok(rows.into_iter().map(which).collect())
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

/// Checks one claim, if it still is to be checked. Two reads and one write to take it, one round trip
/// for its links, two reads and one write for the outcome; an fsync each.
async fn check(
    engine: &Engine,
    which: ClaimKey,
    cause: Cause,
    turn: Turn<'_>,
) -> Result<(), Internal> {
    let Some(taken) = in_tx!(engine, "take_check", |tx| take_check_in(
        tx, engine, which, cause
    )
    .await)?
    else {
        return Ok(());
    };
    let (verdict, outcome) = run(engine, which.0, &taken).await?;
    turn.end(outcome, engine.ports().timer.monotonic());
    let now = engine.now();
    in_tx!(engine, "end_check", |tx| end_check_in(
        tx,
        engine,
        which,
        &taken,
        verdict.clone(),
        now
    )
    .await)
}

/// A claim that this task checks.
struct Taken {
    avatar: Avatar,
    claim: ClaimEntry,
}

/// Marks a claim as being checked, if nobody else checks it and there is still a cause.
async fn take_check_in(
    tx: &mut Tx<'_>,
    engine: &Engine,
    (label, key): ClaimKey,
    cause: Cause,
) -> Result<Option<Taken>, Internal> {
    let now = engine.now();
    let Some(before) = tx.get(&AVATARS, &label).await? else {
        return Ok(None);
    };
    let mut after = before.clone();
    let Some(claim) = after.claim_mut(&key) else {
        return Ok(None);
    };
    let is_wanted = match cause {
        Cause::Due => claim.due_ms <= now.0,
        Cause::Read => is_overdue(claim, now, recheck_after(engine)),
    };
    if !is_wanted {
        return Ok(None);
    }
    let until = now.plus(CHECK_LEASE).0;
    (claim.checking_until_ms, claim.due_ms) = (until, until);
    let (avatar, claim) = (before.avatar()?, claim.clone());
    save_in(tx, engine, label, Some(&before), after);
    Ok(Some(Taken { avatar, claim }))
}

/// Applies what a check has found, unless the claim is not the one that was checked any more.
async fn end_check_in(
    tx: &mut Tx<'_>,
    engine: &Engine,
    (label, key): ClaimKey,
    taken: &Taken,
    verdict: Verdict,
    now: UnixMillis,
) -> Result<(), Internal> {
    let Some(before) = tx.get(&AVATARS, &label).await? else {
        return Ok(());
    };
    let mut after = before.clone();
    let claim = after.claim_mut(&key);
    let same = |claim: &&mut ClaimEntry| {
        let mark = (claim.seqno, claim.checking_until_ms);
        mark == (taken.claim.seqno, taken.claim.checking_until_ms)
    };
    if let Some(claim) = claim.filter(same) {
        judge(claim, verdict, now, Pace::of(engine.settings()));
        save_in(tx, engine, label, Some(&before), after);
    }
    Ok(())
}

/// Asks the remote side, as the newest link that makes the claim has it.
async fn run(engine: &Engine, label: Label, taken: &Taken) -> Result<(Verdict, Outcome), Internal> {
    let (claims, claim) = (engine.claims(), &taken.claim);
    let before = claim.seqno.saturating_sub(1);
    let mut links = claims
        .links(&[(label, claim.seqno), (label, before)])
        .await?;
    let (prev, link) = (links.pop().flatten(), links.pop().flatten());
    let checker = engine.checker(&claim.service);
    // An erased link cannot be checked, nor one whose service has no checker any more.
    let (Some(link), Some(checker)) = (link, checker) else {
        return Ok((Verdict::Unclear, Outcome::NotAsked));
    };
    let prev = prev.map(|link| link.signature);
    let extra = extra(&link);
    let claimed = Claimed {
        action: ClaimAction::Create,
        avatar: &taken.avatar,
        identity: &link.identity,
        location: Some(link.location.as_str()).filter(|location| !location.is_empty()),
        payload: &link.payload,
        uuid: link.uuid,
        created_at: link.created_at,
        prev: prev.as_deref(),
        extra: &extra,
    };
    let end = claims.end(CHECK_TIME);
    let world = CheckWorld {
        deadline: CHECK_REQUEST_TIME,
        is_background: true,
        ..claims.world(end)
    };
    let found = claims.before(end, checker.check(&claimed, &world)).await;
    let found = match found.and_then(bounded) {
        Ok(found) => found,
        Err(refusal) => {
            let outcome = match refusal.failure {
                Failure::Unreachable => Outcome::Silent,
                Failure::Limited => Outcome::Refused,
                Failure::Malformed
                | Failure::NotFound
                | Failure::WrongAuthor
                | Failure::TextMissing
                | Failure::BadSignature
                | Failure::TooLarge
                | Failure::ForbiddenAddress => Outcome::Answered,
            };
            return Ok((Verdict::from(&refusal), outcome));
        }
    };
    let verdict = match signed_by(&taken.avatar, &link.payload, &found.signatures) {
        Some(_) => Verdict::Holds {
            alt_id: found.alt_id,
        },
        None => Verdict::Contradicted("bad signature".to_owned()),
    };
    Ok((verdict, Outcome::Answered))
}

/// The signatures that came with the request.
fn extra(link: &ChainLink) -> Extra {
    Extra {
        signature: crate::dialects::nextid::decode_base64(&link.signature),
        wallet_signature: link.wallet_signature.clone(),
        target_signature: link.target_signature.clone(),
    }
}
