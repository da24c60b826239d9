//! One run of a checker: bounded in time, and its answer verified with the avatar's key.

use std::time::Duration;

use async_trait::async_trait;
use crypto::secp256k1::{Signature, SignatureFault, personal_digest};

use crate::limits::{
    CHECK_REQUEST_TIME, IDENTITY_BYTES_MAX, LOCATION_BYTES_MAX, POST_APPEARS, POST_LOOK_PERIOD,
};
use crate::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Refusal};
use crate::ports::dns::{DnsError, TxtResolver};
use crate::ports::fetch::{FetchError, FetchLimits, Fetched, Request, Upstream, WebFetcher};
use crate::types::Avatar;

use super::Claims;

impl Claims<'_> {
    /// What a checker of a request may use until `end`.
    pub(super) fn world(&self, end: Duration) -> CheckWorld<'_> {
        let ports = self.0.ports();
        let left = end.saturating_sub(ports.timer.monotonic());
        CheckWorld {
            web: ports.web.as_deref().unwrap_or(&Nobody),
            dns: ports.dns.as_deref().unwrap_or(&Nobody),
            deadline: left.min(CHECK_REQUEST_TIME),
            is_background: false,
        }
    }

    /// Waits for a checker, but not beyond `end`.
    pub(super) async fn before<T>(
        &self,
        end: Duration,
        asked: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let timer = &self.0.ports().timer;
        let left = end.saturating_sub(timer.monotonic());
        tokio::select! {
            biased;
            answer = asked => answer,
            () = timer.sleep(left) => {
                Err(Refusal::new(Failure::Unreachable, "the platform did not answer in time"))
            }
        }
    }

    /// Looks at the remote side of a claim somebody waits for. What is not there is looked for again
    /// for 5 s, as a service may take a while to show it.
    pub(super) async fn look(
        &self,
        checker: &dyn ClaimChecker,
        claim: &Claimed<'_>,
        end: Duration,
    ) -> Result<Found, Refusal> {
        let timer = &self.0.ports().timer;
        let give_up = self.end(POST_APPEARS).min(end);
        loop {
            let world = self.world(end);
            let found = self.before(end, checker.check(claim, &world)).await;
            let may_appear = |refusal: &Refusal| refusal.failure.may_appear();
            let next = timer.monotonic().saturating_add(POST_LOOK_PERIOD);
            match found {
                Err(refusal) if may_appear(&refusal) && next <= give_up => {
                    timer.sleep(POST_LOOK_PERIOD).await;
                }
                Err(refusal) => return Err(refusal),
                Ok(found) => return bounded(found),
            }
        }
    }
}

/// What a service says may be of any length; what is kept may not.
pub(super) fn bounded(found: Found) -> Result<Found, Refusal> {
    if found.alt_id.len() > IDENTITY_BYTES_MAX || found.location.len() > LOCATION_BYTES_MAX {
        let reason = "the platform's name for the account, or the post's location, is too long";
        return Err(Refusal::new(Failure::TooLarge, reason));
    }
    Ok(found)
}

/// The first of some signatures that the avatar made over a payload.
pub(super) fn signed_by(
    avatar: &Avatar,
    payload: &str,
    candidates: &[Vec<u8>],
) -> Option<Signature> {
    let digest = personal_digest(payload.as_bytes());
    let parsed = candidates.iter().flat_map(|bytes| Signature::parse(bytes));
    parsed
        .into_iter()
        .find(|signature| avatar.key().verify(&digest, signature).is_ok())
}

/// What is wrong with the form of the only signature there is.
pub(super) fn form_fault(candidates: &[Vec<u8>]) -> Option<Refusal> {
    let [only] = candidates else { return None };
    Signature::parse(only).err().map(unformed)
}

/// What is told of bytes that no signature looks like, in the words of the API.
pub(super) fn unformed(fault: SignatureFault) -> Refusal {
    let reason = match fault {
        SignatureFault::Length(length) => {
            format!("Error: Signature length invalid: {length} instead of 65")
        }
        SignatureFault::RecoveryId(id) => {
            format!("Error: Signature Recovery ID not supported: {id}")
        }
    };
    Refusal::new(Failure::BadSignature, reason)
}

/// Whoever is asked when nobody may be.
struct Nobody;

#[async_trait]
impl WebFetcher for Nobody {
    async fn fetch(&self, _: Request, _: FetchLimits) -> Result<Fetched, FetchError> {
        Err(FetchError::Unreachable)
    }

    fn locate(&self, _: &str, _: &[Upstream]) -> Option<(Upstream, String)> {
        None
    }
}

#[async_trait]
impl TxtResolver for Nobody {
    async fn txt(&self, _: &crate::types::Domain) -> Result<Vec<String>, DnsError> {
        Err(DnsError::Unreachable)
    }
}
