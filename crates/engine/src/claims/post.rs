//! Make and revoke claims.
//!
//! # Order
//! The request is charged and read; the chain's newest link is looked up; the claim is checked outside
//! of any unit of work, which may take seconds; then one unit of work looks again whether the number is
//! unused and the chain still ends in the link that was signed over, and writes everything or nothing.
//! Of two requests over one link one wins. Then the link waits for its number in the feed of changes.

use std::time::Duration;

use crate::chain::append::Stamp;
use crate::dialects::nextid::{PayloadFields, encode_signature, sign_payload};
use crate::error::Internal;
use crate::limits::{LOCATION_BYTES_MAX, POST_RESERVE, POST_TIME, SIGNATURE_TEXT_BYTES_MAX};
use crate::ports::checker::{ClaimChecker, Claimed, Extra, Failure, Found, Refusal};
use crate::ports::rng::draw;
use crate::ports::store::Freshness;
use crate::tables::{AVATARS, AvatarRow, CLAIM_UUIDS};
use crate::tx::in_tx;
use crate::types::{ClaimAction, JobId, Kid, Label};

use super::apply::{Accepted, apply_in};
use super::check::{form_fault, signed_by};
use super::mismatch::Signing;
use super::row::label_of;
use super::{Caller, ClaimError, Claims, Posted, Posting};

/// What a signature was found to stand for.
struct Verified {
    kid: Kid,
    signature: Vec<u8>,
    alt_id: String,
    location: String,
    dnssec: Option<bool>,
}

impl Claims<'_> {
    /// Makes or revokes a claim, as an avatar has signed it. Answers when the link is durable and has
    /// its number in the feed of changes: then everything that reads sees it.
    ///
    /// Every attempt is charged to the address first. Two reads in one round trip, then the check of
    /// the remote side, which takes 15 s at most; a post that is not there is looked for again for 5 s.
    /// Then four reads in one round trip (five for an avatar as account), eight writes (nine for an account
    /// with another name, one more for an avatar as account), and one fsync; and a look at the log for
    /// each checkpoint until the link is in it. 20 s at most all in all.
    ///
    /// # Errors
    /// See [`ClaimError`]; never `Loading`, `AlreadyBound` or `Unrestored`. A refusal leaves nothing.
    /// After an `Internal` the link may be there: whoever tries again is told `UuidUsed` then.
    pub async fn post(&self, caller: &Caller, posting: &Posting) -> Result<Posted, ClaimError> {
        self.0.flood().charge_claim_post(caller.address)?;
        let end = self.end(POST_TIME);
        let checked_by = end.saturating_sub(POST_RESERVE);
        let checker = self.checker(&posting.service)?;
        let extra = readable(posting)?;
        let identity = self
            .normalised(checker, &posting.identity, checked_by)
            .await?;
        let label = label_of(self.0, &posting.avatar);
        let row = self.before_link(label, posting).await?;
        let prev = row.as_ref().and_then(AvatarRow::prev);
        let persona = checker.needs().persona.then_some(&posting.avatar);
        let fields = PayloadFields {
            action: posting.action,
            created_at: posting.created_at,
            identity: &identity,
            persona,
            platform: checker.service(),
            prev,
            uuid: posting.uuid,
        };
        let payload = sign_payload(&fields);
        let claim = Claimed {
            action: posting.action,
            avatar: &posting.avatar,
            identity: &identity,
            location: Some(posting.location.as_str()).filter(|location| !location.is_empty()),
            payload: &payload,
            uuid: posting.uuid,
            created_at: posting.created_at,
            prev,
            extra: &extra,
        };
        let signing = Signing {
            avatar: &posting.avatar,
            label,
            fields: &fields,
            given: &posting.identity,
        };
        let verified = self.verified(checker, &claim, &signing, checked_by).await?;
        let accepted = Accepted {
            posting,
            label,
            identity: &identity,
            payload: &payload,
            signed_prev: prev,
            signature_text: encode_signature(&verified.signature),
            signature: verified.signature,
            kid: verified.kid,
            alt_id: verified.alt_id,
            location: verified.location,
            dnssec: verified.dnssec,
            recheck_after: super::row::recheck_after(self.0),
            archiving: self.archiving(),
            stamp: Stamp {
                salt: draw(self.0.ports().rng.as_ref()),
                at: self.0.now(),
            },
        };
        self.store(&accepted, end).await
    }

    /// Id for the job that archives a link, if there is an archive.
    fn archiving(&self) -> Option<JobId> {
        let ports = self.0.ports();
        let draw = || JobId(draw(ports.rng.as_ref()));
        ports.archive.is_some().then(draw)
    }

    /// Writes the link, and waits for its number.
    async fn store(&self, accepted: &Accepted<'_>, end: Duration) -> Result<Posted, ClaimError> {
        let engine = self.0;
        let head = in_tx!(engine, "post_claim", |tx| apply_in(tx, engine, accepted)
            .await)?;
        let left = end.saturating_sub(self.0.ports().timer.monotonic());
        let log = self.0.log();
        let change = log.wait_change(accepted.label, head.seqno, left).await?;
        let change_id = change.ok_or_else(|| {
            Internal::unavailable("waiting for a link's number", "the log does not go on")
        })?;
        Ok(Posted {
            change_id,
            seqno: head.seqno.get(),
            signature: accepted.signature_text.clone(),
        })
    }

    /// The avatar's row, and whether the number is unused, before anybody is asked. One round trip.
    async fn before_link(
        &self,
        label: Label,
        posting: &Posting,
    ) -> Result<Option<AvatarRow>, ClaimError> {
        let keys = [
            AVATARS.key(&label),
            CLAIM_UUIDS.key(posting.uuid.as_bytes()),
        ];
        let store = &self.0.ports().store;
        let mut rows = store.get_many(&keys, Freshness::Now).await?.into_iter();
        let (row, used) = (rows.next().flatten(), rows.next().flatten());
        if used.is_some() {
            return Err(ClaimError::UuidUsed(posting.uuid));
        }
        Ok(row.map(|(_, row)| AVATARS.read(&row)).transpose()?)
    }

    /// Who has signed, as far as the action needs it: a create is checked at the service, a delete is
    /// signed by the avatar, or by the account itself where accounts can sign.
    async fn verified(
        &self,
        checker: &dyn ClaimChecker,
        claim: &Claimed<'_>,
        signing: &Signing<'_>,
        end: Duration,
    ) -> Result<Verified, ClaimError> {
        let found = match claim.action {
            ClaimAction::Create => self.look(checker, claim, end).await?,
            ClaimAction::Delete => {
                let location = claim.location.unwrap_or_default().to_owned();
                if let Some(signature) = checker.delete_by_wallet(claim) {
                    return Ok(Verified {
                        kid: Kid::account(checker.service(), claim.identity),
                        signature: signature?,
                        alt_id: String::new(),
                        location,
                        dnssec: None,
                    });
                }
                let signature = claim.extra.signature.clone();
                let missing = "bad signature: a delete needs extra.signature by the avatar";
                let signature =
                    signature.ok_or_else(|| Refusal::new(Failure::BadSignature, missing))?;
                Found {
                    signatures: vec![signature],
                    alt_id: String::new(),
                    location,
                    dnssec: None,
                }
            }
        };
        let Some(signature) = signed_by(claim.avatar, claim.payload, &found.signatures) else {
            if let Some(fault) = form_fault(&found.signatures) {
                return Err(fault.into());
            }
            return Err(self.mismatch(signing, &found.signatures).await?);
        };
        Ok(Verified {
            kid: claim.avatar.kid(),
            signature: signature.as_bytes().to_vec(),
            alt_id: found.alt_id,
            location: found.location,
            dnssec: found.dnssec,
        })
    }
}

/// The signatures of a request, if it is of bounded length. Empty ones are none.
fn readable(posting: &Posting) -> Result<Extra, ClaimError> {
    if posting.location.len() > LOCATION_BYTES_MAX {
        return Err(ClaimError::Malformed("proof_location is too long"));
    }
    let extra = &posting.extra;
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let read = Extra {
        signature: extra.signature.clone().filter(|bytes| !bytes.is_empty()),
        wallet_signature: some(&extra.wallet_signature),
        target_signature: some(&extra.target_signature),
    };
    let texts = [&read.wallet_signature, &read.target_signature];
    let is_long = |text: &&String| text.len() > SIGNATURE_TEXT_BYTES_MAX;
    if texts.into_iter().flatten().any(|text| is_long(&text)) {
        return Err(ClaimError::Malformed("a signature is too long"));
    }
    Ok(read)
}
