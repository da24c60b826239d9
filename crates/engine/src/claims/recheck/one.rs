//! One background check: take the claim, ask, and apply the answer.

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{CHECK_LEASE, CHECK_REQUEST_TIME, CHECK_TIME};
use crate::ports::checker::{CheckWorld, ClaimChecker, Claimed, Extra, Failure};
use crate::tables::{AVATARS, CLAIMS_DUE, ClaimEntry, ClaimKey};
use crate::tx::{Tx, in_tx};
use crate::types::{Avatar, ClaimAction, Label, UnixMillis};

use super::super::ChainLink;
use super::super::check::{bounded, signed_by};
use super::super::row::{recheck_after, save_in};
use super::super::state::{Pace, Verdict, is_overdue, judge};
use super::super::upstreams::{Outcome, Turn};

/// A claim that this task checks.
struct Taken<'e> {
    avatar: Avatar,
    claim: ClaimEntry,
    checker: &'e dyn ClaimChecker,
}

/// Checks one claim, if it still is to be checked: because it was due then, or because it was read and
/// is overdue. Two reads and one write to take it, one round trip for its links, two reads and one write
/// for the outcome; an fsync each.
///
/// # Errors
/// Our own failures only.
pub(super) async fn check(
    engine: &Engine,
    which: ClaimKey,
    due: Option<UnixMillis>,
    turn: Turn<'_>,
) -> Result<(), Internal> {
    let taken = in_tx!(engine, "take_check", |tx| take_check_in(
        tx, engine, which, due
    )
    .await)?;
    let Some(taken) = taken else {
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

/// Marks a claim as being checked, if nobody else checks it and there is still a cause. One that nobody
/// can check is put off.
async fn take_check_in<'e>(
    tx: &mut Tx<'_>,
    engine: &'e Engine,
    (label, key): ClaimKey,
    due: Option<UnixMillis>,
) -> Result<Option<Taken<'e>>, Internal> {
    let now = engine.now();
    let before = tx.get(&AVATARS, &label).await?;
    let mut after = before.clone().unwrap_or_default();
    let is_wanted = |claim: &&mut ClaimEntry| match due {
        Some(due) => claim.due_ms == due.0,
        None => is_overdue(claim, now, recheck_after(engine)),
    };
    let Some(claim) = after.claim_mut(&key).filter(is_wanted) else {
        if let Some(due) = due {
            forget_in(tx, (due, (label, key))).await?;
        }
        return Ok(None);
    };
    let Some(checker) = engine.checker(&claim.service) else {
        judge(claim, Verdict::Unasked, now, Pace::of(engine.settings()));
        save_in(tx, engine, label, before.as_ref(), after);
        return Ok(None);
    };
    let until = now.plus(CHECK_LEASE).0;
    (claim.checking_until_ms, claim.due_ms) = (until, until);
    let taken = Taken {
        claim: claim.clone(),
        avatar: after.avatar()?,
        checker: checker.as_ref(),
    };
    save_in(tx, engine, label, before.as_ref(), after);
    Ok(Some(taken))
}

/// Removes a row that says a claim is due that is not due then. Rows follow their claims in the same
/// batch, so that it has gone already, unless the store was tampered with; it would be met again and
/// again.
async fn forget_in(tx: &mut Tx<'_>, row: (UnixMillis, ClaimKey)) -> Result<(), Internal> {
    if tx.get(&CLAIMS_DUE, &row).await?.is_some() {
        tx.delete(&CLAIMS_DUE, &row);
    }
    Ok(())
}

/// Applies what a check has found, unless the claim is not the one that was checked any more.
async fn end_check_in(
    tx: &mut Tx<'_>,
    engine: &Engine,
    (label, key): ClaimKey,
    taken: &Taken<'_>,
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
async fn run(
    engine: &Engine,
    label: Label,
    taken: &Taken<'_>,
) -> Result<(Verdict, Outcome), Internal> {
    let (claims, claim) = (engine.claims(), &taken.claim);
    let before = claim.seqno.saturating_sub(1);
    let mut links = claims
        .links(&[(label, claim.seqno), (label, before)])
        .await?;
    let (prev, link) = (links.pop().flatten(), links.pop().flatten());
    // What an erased link claimed cannot be checked.
    let Some(link) = link else {
        return Ok((Verdict::Unasked, Outcome::NotAsked));
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
    let found = claims
        .before(end, taken.checker.check(&claimed, &world))
        .await;
    let found = match found.and_then(bounded) {
        Ok(found) => found,
        Err(refusal) => {
            let outcome = match refusal.failure {
                Failure::Unreachable => Outcome::Silent,
                Failure::Limited => Outcome::Refused,
                Failure::Malformed
                | Failure::NotFound
                | Failure::PageInstead
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
