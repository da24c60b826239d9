//! Names at other domains: what their servers said is kept for a while, and equal look-ups share one
//! request.

use std::time::Duration;

use quick_cache::sync::{Cache, EntryAction, EntryResult};

use crate::error::Internal;
use crate::limits::{
    REMOTE_ABSENT_KEPT, REMOTE_ANSWERS_MAX, REMOTE_FAILED_KEPT, REMOTE_FOUND_KEPT,
    REMOTE_LOOKUP_TIME,
};
use crate::ports::remote_names::RemoteFault;
use crate::types::{Domain, Name, ToxId};

use super::{Caller, Elsewhere, NameError, Names, RemoteRecord};

/// What a domain's server said, or why it said nothing.
type Answer = Result<Option<ToxId>, RemoteFault>;

/// Whose name.
type Key = (Domain, Name);

#[derive(Clone)]
struct Kept {
    answer: Answer,
    /// By the monotonic clock.
    until: Duration,
}

/// The newest answers of other domains, and the look-ups under way.
pub(crate) struct RemoteAnswers(Cache<Key, Kept>);

impl Default for RemoteAnswers {
    fn default() -> Self {
        Self(Cache::new(REMOTE_ANSWERS_MAX))
    }
}

impl RemoteAnswers {
    /// An answer that is still good.
    fn fresh(&self, key: &Key, now: Duration) -> Option<Answer> {
        let kept = self.0.get(key).filter(|kept| kept.until > now);
        kept.map(|kept| kept.answer)
    }
}

/// How long an answer is kept that came within the time it was given; `None` for one that says nothing
/// of the other domain. One that was given less than half of the whole time, because somebody else's
/// look-up had the rest, may have been silent for want of time only.
fn kept_for(answer: &Answer, given: Duration) -> Option<Duration> {
    match answer {
        Ok(Some(_)) => Some(REMOTE_FOUND_KEPT),
        Ok(None) => Some(REMOTE_ABSENT_KEPT),
        Err(RemoteFault::Unreachable) if given < REMOTE_LOOKUP_TIME / 2 => None,
        Err(RemoteFault::Forbidden | RemoteFault::Unreachable | RemoteFault::Nonsense) => {
            Some(REMOTE_FAILED_KEPT)
        }
        Err(RemoteFault::Busy | RemoteFault::Ours(_)) => None,
    }
}

impl From<RemoteFault> for NameError {
    fn from(fault: RemoteFault) -> Self {
        Self::Elsewhere(match fault {
            RemoteFault::Forbidden => Elsewhere::NotPublic,
            RemoteFault::Unreachable => Elsewhere::Unreachable,
            RemoteFault::Nonsense => Elsewhere::Nonsense,
            RemoteFault::Busy => return Self::Busy,
            RemoteFault::Ours(_) => {
                let attempted = "looking up a name at another domain";
                return Self::Internal(Internal::new(attempted, fault));
            }
        })
    }
}

impl Names<'_> {
    /// A name at another domain. What is remembered is free, the rest is charged to the caller.
    pub(super) async fn at_domain(
        &self,
        caller: &Caller,
        name: Name,
        domain: Domain,
    ) -> Result<RemoteRecord, NameError> {
        let key = (domain, name);
        let now = self.0.ports().timer.monotonic();
        let answer = match self.0.remote_answers().fresh(&key, now) {
            Some(answer) => answer,
            None => {
                self.0.flood().charge_remote_lookup(caller.address)?;
                self.asked(&key, now).await
            }
        };
        let tox_id = answer?.ok_or(NameError::Unknown)?;
        let (domain, name) = key;
        Ok(RemoteRecord {
            name,
            domain,
            tox_id,
        })
    }

    /// Asks the domain's server, or waits for an equal look-up that is under way. When whoever asked
    /// went away before the answer came, the next who waits asks, in what is left of its own time:
    /// nobody waits longer than [`REMOTE_LOOKUP_TIME`] in all.
    async fn asked(&self, key: &Key, began: Duration) -> Answer {
        let (answers, timer) = (self.0.remote_answers(), &self.0.ports().timer);
        let entry = answers.0.entry_async(key, |_, kept| {
            if kept.until > began {
                EntryAction::Retain(kept.answer)
            } else {
                EntryAction::ReplaceWithGuard
            }
        });
        let entry = tokio::select! {
            entry = entry => entry,
            () = timer.sleep(REMOTE_LOOKUP_TIME) => return Err(RemoteFault::Unreachable),
        };
        let guard = match entry {
            EntryResult::Retained(answer) => return answer,
            EntryResult::Vacant(guard) | EntryResult::Replaced(guard, _) => guard,
            EntryResult::Removed(..) | EntryResult::Timeout => {
                return Err(RemoteFault::Ours("the cache did what it was not asked for"));
            }
        };
        let waited = timer.monotonic().saturating_sub(began);
        let within = REMOTE_LOOKUP_TIME.saturating_sub(waited);
        let answer = self.ask(key, within).await;
        if let Some(time) = kept_for(&answer, within) {
            let until = timer.monotonic().saturating_add(time);
            // It is refused only when somebody emptied the cache meanwhile, which nobody does.
            let _kept = guard.insert(Kept { answer, until });
        }
        answer
    }

    async fn ask(&self, (domain, name): &Key, within: Duration) -> Answer {
        match &self.0.ports().remote_names {
            Some(remote) => remote.lookup(domain, name, within).await,
            None => Err(RemoteFault::Ours("nobody is there to ask")),
        }
    }
}
