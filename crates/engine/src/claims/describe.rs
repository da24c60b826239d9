//! One avatar, for a page about it.

use crate::types::Avatar;

use super::find::{Rows, sorted};
use super::row::{label_of, recheck_after};
use super::state::is_unchecked;
use super::{ClaimError, ClaimView, Claims, Described, Order, Sort, Standing};

/// The newest claim first.
const NEWEST: (Sort, Order) = (Sort::Default, Order::Desc);

impl Claims<'_> {
    /// What is known of an avatar; `None` of one that has signed nothing, and that no avatar claims to
    /// be. An overdue claim of it is checked at once, after the answer. Never stale. Two reads, and one
    /// for each step of aliases, 64 at most.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn describe(&self, avatar: &Avatar) -> Result<Option<Described>, ClaimError> {
        let label = label_of(self.0, avatar);
        let row = self.avatar_row(label).await?;
        let Some(row) = row.filter(|row| row.links > 0 || !row.aliased_by.is_empty()) else {
            return Ok(None);
        };
        let (sort, order) = NEWEST;
        let claims = sorted(&row.claims, sort, order).into_iter();
        let links: Vec<_> = claims.map(|claim| (label, claim.seqno)).collect();
        let links = self.links(&links).await?.into_iter();
        let locations = links.map(|link| link.map(|link| link.location).unwrap_or_default());
        let locations = locations.collect();
        let rows = Rows::from([(label, row)]);
        let view = self.shown(&[label], rows, NEWEST).await?.pop();
        Ok(view.map(|view| Described { view, locations }))
    }

    /// What a reader is to make of a claim now. No read.
    #[must_use]
    pub fn standing(&self, claim: &ClaimView) -> Standing {
        if is_unchecked(claim.checked_at, self.0.now(), recheck_after(self.0)) {
            Standing::Unchecked
        } else if claim.is_valid {
            Standing::Holds
        } else {
            Standing::Contradicted
        }
    }
}
