//! Who claims an account.

use std::collections::{BTreeSet, HashMap};

use crate::error::Internal;
use crate::limits::{EXACT_ROWS_MAX, QUERY_IDENTITIES_MAX};
use crate::tables::{AvatarRow, CLAIM_IDENTITIES, ClaimEntry};
use crate::tx::scan_table;
use crate::types::{Avatar, Label, fold};

use super::index::{Hits, Match, Roll, Window};
use super::paging::Paging;
use super::row::{label_of, name_hash};
use super::{AvatarView, ClaimError, ClaimView, Claims, NEXTID, Order, Page, Query, Sort};

/// Rows of avatars that were read.
pub(super) type Rows = HashMap<Label, AvatarRow>;

impl Claims<'_> {
    /// The avatars that claim accounts, with all their claims. An overdue claim that is shown is
    /// checked at once, after the answer.
    ///
    /// Names are looked for in memory, and what is shown of the matches is read: one round trip, and
    /// one for each step of aliases, 64 at most. The index is at most one second behind other
    /// processes: where there are any, while it is loading, and while it is not known what became of
    /// some commit, a whole name is read from tables, and so never stale: a scan for each account, one
    /// read of their avatars, and the aliases. An account that more than 256 avatars have claimed is
    /// looked for in memory all the same.
    ///
    /// # Errors
    /// `Malformed` without any account or with too many, `Loading`, `Internal`.
    pub async fn find(&self, query: &Query) -> Result<Page, ClaimError> {
        let names: Vec<String> = query.identities.iter().map(|name| fold(name)).collect();
        let names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
        match names.len() {
            0 => return Err(ClaimError::Malformed("Param missing")),
            1..=QUERY_IDENTITIES_MAX => {}
            _ => return Err(ClaimError::Malformed("too many identities")),
        }
        let paging = Paging::of(query.page, query.per);
        let window = Window {
            skip: paging.skip(),
            limit: paging.per as usize,
            sort: query.sort,
            order: query.order,
        };
        let service = query.service.as_deref();
        let (hits, rows) = if service == Some(NEXTID) {
            self.of_avatars(&names, &window).await?
        } else {
            let exact = query.exact;
            let sought = Match::Accounts {
                service,
                names: &names,
                exact,
            };
            self.of_accounts(&sought, &names, &window).await?
        };
        Ok(Page {
            total: hits.total,
            per: paging.per,
            current: paging.current,
            next: paging.next(hits.total),
            avatars: self
                .shown(&hits.labels, rows, (query.sort, query.order))
                .await?,
        })
    }

    /// Whether an avatar claims an account, by name or by its other name in any case, and what is
    /// known of that. A claim that is overdue is checked at once, after the answer. One read, never
    /// stale.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn exists(
        &self,
        service: &str,
        identity: &str,
        avatar: &Avatar,
    ) -> Result<Option<ClaimView>, ClaimError> {
        let (label, sought) = (label_of(self.0, avatar), fold(identity));
        let Some(row) = self.avatar_row(label).await? else {
            return Ok(None);
        };
        let of_service = || row.claims.iter().filter(|claim| claim.service == service);
        let by_name = of_service().find(|claim| fold(&claim.identity) == sought);
        let found = by_name.or_else(|| of_service().find(|claim| claim.is_called(&sought)));
        if let Some(claim) = found {
            self.note_overdue(label, claim);
        }
        Ok(found.map(|claim| claim.view()))
    }

    /// All claims of avatars, given by their keys.
    async fn of_avatars(
        &self,
        names: &[String],
        window: &Window,
    ) -> Result<(Hits, Rows), ClaimError> {
        let avatars = names.iter().filter_map(|name| Avatar::parse(name));
        let labels: BTreeSet<Label> = avatars.map(|avatar| label_of(self.0, &avatar)).collect();
        let rows = self.rows(labels).await?;
        let roll = Roll::of(rows.iter().map(|(label, row)| (*label, row)));
        Ok((roll.find(&Match::All, window), rows))
    }

    async fn of_accounts(
        &self,
        sought: &Match<'_>,
        names: &[String],
        window: &Window,
    ) -> Result<(Hits, Rows), ClaimError> {
        let index = self.0.claim_index();
        let is_in_doubt = !self.0.claim_doubts().is_empty();
        let may_lag = self.0.is_shared() || !index.is_loaded() || is_in_doubt;
        if may_lag
            && let Match::Accounts { exact: true, .. } = sought
            && let Some(labels) = self.claimants(names).await?
        {
            let rows = self.rows(labels).await?;
            let roll = Roll::of(rows.iter().map(|(label, row)| (*label, row)));
            return Ok((roll.find(sought, window), rows));
        }
        if !index.is_loaded() {
            return Err(ClaimError::Loading);
        }
        let hits = index.find(sought, window);
        let rows = self.rows(hits.labels.iter().copied().collect()).await?;
        Ok((hits, rows))
    }

    /// The avatars that claim accounts of these names; `None` when they are too many. A scan for each
    /// name.
    async fn claimants(&self, names: &[String]) -> Result<Option<BTreeSet<Label>>, Internal> {
        let store = &self.0.ports().store;
        let mut labels = BTreeSet::new();
        for name in names {
            let range = CLAIM_IDENTITIES.range(&name_hash(name));
            let rows = scan_table(store, &CLAIM_IDENTITIES, range, EXACT_ROWS_MAX).await?;
            labels.extend(rows.into_iter().map(|((_, label), ..)| label));
            if labels.len() >= EXACT_ROWS_MAX as usize {
                return Ok(None);
            }
        }
        Ok(Some(labels))
    }

    async fn rows(&self, labels: BTreeSet<Label>) -> Result<Rows, Internal> {
        let labels: Vec<Label> = labels.into_iter().collect();
        let rows = self.avatar_rows(&labels).await?;
        let rows = labels.into_iter().zip(rows);
        Ok(rows
            .filter_map(|(label, row)| Some((label, row?)))
            .collect())
    }

    /// The avatars of a page in their order.
    pub(super) async fn shown(
        &self,
        labels: &[Label],
        mut rows: Rows,
        (sort, order): (Sort, Order),
    ) -> Result<Vec<AvatarView>, ClaimError> {
        rows.retain(|label, _| labels.contains(label));
        let aliases = self.aliases(&rows).await?;
        let mut avatars = Vec::with_capacity(labels.len());
        for label in labels {
            let Some(row) = rows.get(label) else { continue };
            for claim in &row.claims {
                self.note_overdue(*label, claim);
            }
            let claims = sorted(&row.claims, sort, order).into_iter();
            avatars.push(AvatarView {
                avatar: row.avatar_at(self.0, *label)?,
                aliases: aliases.get(label).cloned().unwrap_or_default(),
                last_archive_id: row.last_archive_id().to_owned(),
                activated_at: row.activated_at,
                claims: claims.map(|claim| claim.view()).collect(),
            });
        }
        Ok(avatars)
    }
}

/// The claims of an avatar in an order.
pub(super) fn sorted(claims: &[ClaimEntry], sort: Sort, order: Order) -> Vec<&ClaimEntry> {
    let mut sorted: Vec<&ClaimEntry> = claims.iter().collect();
    sorted.sort_by_cached_key(|claim| {
        let (time, name) = match sort {
            Sort::Default | Sort::ActivatedAt | Sort::CreatedAt => {
                (claim.created_at_ms, String::new())
            }
            Sort::LastCheckedAt => (claim.checked_at_ms, String::new()),
            Sort::ProofChainId => (claim.linked_at_ms, String::new()),
            Sort::Platform => (0, claim.service.clone()),
            Sort::Identity => (0, fold(&claim.identity)),
            Sort::AltId => (0, fold(&claim.alt_id)),
        };
        (time, name, claim.created_at_ms, claim.first_seqno)
    });
    if order == Order::Desc {
        sorted.reverse();
    }
    sorted
}
