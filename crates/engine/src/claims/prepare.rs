//! What somebody has to sign to make or revoke a claim, and whose signature an old one is.

use std::time::Duration;

use crate::dialects::nextid::{PayloadFields, Restoring, restore_avatar, sign_payload};
use crate::limits::{IDENTITY_BYTES_MAX, POST_RESERVE, POST_TIME};
use crate::ports::checker::ClaimChecker;
use crate::ports::rng::draw;
use crate::ports::store::{Freshness, StoreError};
use crate::tables::{AVATARS, AvatarRow};
use crate::types::{Avatar, Label, Uuid};

use super::row::label_of;
use super::{Caller, ClaimError, Claims, Draft, Prepared};

/// Never stale; rows of avatars that are shown are worth keeping in memory where nobody else writes.
const FRESH: Freshness = Freshness::Within(Duration::ZERO);

impl Claims<'_> {
    /// The services whose claims are checked here, in the order they were given.
    #[must_use]
    pub fn services(&self) -> Vec<&str> {
        let checkers = self.0.ports().checkers.iter();
        checkers.map(|checker| checker.service()).collect()
    }

    /// What to sign for a claim: the payload over the avatar's newest link. Nothing is kept of it, so
    /// of two drafts over the same link one can be posted.
    ///
    /// One read. Some services are asked what an account is called, within 15 s.
    ///
    /// # Errors
    /// `UnknownService`, `Malformed`, `Refused`, `Limited` or `Internal`.
    pub async fn prepare(&self, caller: &Caller, draft: &Draft) -> Result<Prepared, ClaimError> {
        self.0.flood().charge_claim_draft(caller.address)?;
        let checker = self.checker(&draft.service)?;
        let end = self.end(POST_TIME.saturating_sub(POST_RESERVE));
        let identity = self.normalised(checker, &draft.identity, end).await?;
        let label = label_of(self.0, &draft.avatar);
        let row = self.avatar_row(label).await?;
        let prev = row.as_ref().and_then(AvatarRow::prev).map(str::to_owned);
        let uuid = Uuid::from_random(draw(self.0.ports().rng.as_ref()));
        let created_at = i64::try_from(self.0.now().seconds()).unwrap_or(i64::MAX);
        let persona = checker.needs().persona.then_some(&draft.avatar);
        let payload = sign_payload(&PayloadFields {
            action: draft.action,
            created_at,
            identity: &identity,
            persona,
            platform: checker.service(),
            prev: prev.as_deref(),
            uuid,
        });
        self.0.drafts().push(label, (uuid, created_at));
        Ok(Prepared {
            payload,
            uuid,
            created_at,
            prev,
            identity,
        })
    }

    /// The avatar that made a signature over a claim's payload: for posts whose avatar was forgotten.
    /// Reads nothing; some services are asked what an account is called, within 15 s.
    ///
    /// # Errors
    /// `Unrestored`, `UnknownService`, `Malformed` for a service whose payload names the avatar,
    /// `Refused` or `Limited`.
    pub async fn restore_avatar(
        &self,
        caller: &Caller,
        restoring: &Restoring<'_>,
    ) -> Result<Avatar, ClaimError> {
        self.0.flood().charge_claim_draft(caller.address)?;
        let checker = self.checker(restoring.platform)?;
        if checker.needs().persona {
            return Err(ClaimError::Malformed(
                "the payload of this platform names the key, so it cannot be restored",
            ));
        }
        // What is missing is told before what cannot be normalised.
        restore_avatar(restoring)?;
        let end = self.end(POST_TIME.saturating_sub(POST_RESERVE));
        let identity = self.normalised(checker, restoring.identity, end).await?;
        Ok(restore_avatar(&Restoring {
            identity: &identity,
            ..*restoring
        })?)
    }

    pub(super) fn checker(&self, service: &str) -> Result<&dyn ClaimChecker, ClaimError> {
        let checker = self.0.checker(service).map(AsRef::as_ref);
        checker.ok_or_else(|| ClaimError::UnknownService(service.to_owned()))
    }

    /// An identity as its service writes it.
    pub(super) async fn normalised(
        &self,
        checker: &dyn ClaimChecker,
        identity: &str,
        end: Duration,
    ) -> Result<String, ClaimError> {
        fits(identity)?;
        let world = self.world(end);
        let normalised = checker.normalise(identity, &world);
        let normalised = self.before(end, normalised).await?;
        fits(&normalised)?;
        Ok(normalised)
    }

    /// The moment of the monotonic clock this long from now.
    pub(super) fn end(&self, time: Duration) -> Duration {
        self.0.ports().timer.monotonic().saturating_add(time)
    }

    /// An avatar's row, as it is now. One read.
    pub(super) async fn avatar_row(&self, label: Label) -> Result<Option<AvatarRow>, StoreError> {
        Ok(self.avatar_rows(&[label]).await?.pop().flatten())
    }

    /// The rows of avatars, as they are now. One read.
    pub(super) async fn avatar_rows(
        &self,
        labels: &[Label],
    ) -> Result<Vec<Option<AvatarRow>>, StoreError> {
        let keys: Vec<_> = labels.iter().map(|label| AVATARS.key(label)).collect();
        let store = &self.0.ports().store;
        let rows = store.get_many(&keys, FRESH).await?.into_iter();
        rows.map(|row| row.map(|(_, row)| AVATARS.read(&row)).transpose())
            .collect()
    }
}

fn fits(identity: &str) -> Result<(), ClaimError> {
    match identity.len() {
        0 => Err(ClaimError::Malformed("identity is empty")),
        1..=IDENTITY_BYTES_MAX => Ok(()),
        _ => Err(ClaimError::Malformed("identity is too long")),
    }
}
