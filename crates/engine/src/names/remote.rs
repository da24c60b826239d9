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

/// How long an answer is kept; `None` for one that says nothing of the other domain.
fn kept_for(answer: &Answer) -> Option<Duration> {
    match answer {
        Ok(Some(_)) => Some(REMOTE_FOUND_KEPT),
        Ok(None) => Some(REMOTE_ABSENT_KEPT),
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
    /// went away before the answer came, the next who waits asks.
    async fn asked(&self, key: &Key, now: Duration) -> Answer {
        let answers = self.0.remote_answers();
        let entry = answers.0.entry_async(key, |_, kept| {
            if kept.until > now {
                EntryAction::Retain(kept.answer)
            } else {
                EntryAction::ReplaceWithGuard
            }
        });
        let too_long = self.0.ports().timer.sleep(REMOTE_LOOKUP_TIME);
        let entry = tokio::select! {
            entry = entry => entry,
            () = too_long => return Err(RemoteFault::Unreachable),
        };
        let guard = match entry {
            EntryResult::Retained(answer) => return answer,
            EntryResult::Vacant(guard) | EntryResult::Replaced(guard, _) => guard,
            EntryResult::Removed(..) | EntryResult::Timeout => {
                return Err(RemoteFault::Ours("the cache did what it was not asked for"));
            }
        };
        let answer = self.ask(key).await;
        if let Some(time) = kept_for(&answer) {
            let until = self.0.ports().timer.monotonic().saturating_add(time);
            // It is refused only when somebody emptied the cache meanwhile, which nobody does.
            let _kept = guard.insert(Kept { answer, until });
        }
        answer
    }

    async fn ask(&self, (domain, name): &Key) -> Answer {
        match &self.0.ports().remote_names {
            Some(remote) => remote.lookup(domain, name).await,
            None => Err(RemoteFault::Ours("nobody is there to ask")),
        }
    }
}
