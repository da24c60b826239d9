//! Links as they were accepted: of one avatar, and of all of them.

use crate::dialects::nextid::encode_signature;
use crate::error::Internal;
use crate::limits::CHANGES_PAGE_ROWS_MAX;
use crate::log::Opening;
use crate::ports::store::{Direction, Freshness, Key, KeyRange, StoreError, Version};
use crate::table::TableKey;
use crate::tables::{ARCHIVED, CHANGES, ENTRY_INDEX, LINKS};
use crate::types::link::{Evidence, Link, Statement};
use crate::types::{Avatar, ClaimAction, Label};

use super::paging::Paging;
use super::row::label_of;
use super::{ChainLink, ChainPage, Change, ClaimError, Claims};

/// A stored row, as the store returns it.
type Stored = Option<(Version, bytes::Bytes)>;

impl Claims<'_> {
    /// The links of an avatar's chain, oldest first, a page of `per` (1 to 100) at a time; pages begin
    /// with 1. Links that were erased are left out. Never stale. Two round trips.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn chain(
        &self,
        avatar: &Avatar,
        page: u64,
        per: u32,
    ) -> Result<ChainPage, ClaimError> {
        let (label, paging) = (label_of(self.0, avatar), Paging::of(page, per));
        let row = self.avatar_row(label).await?;
        let total = row.map_or(0, |row| u64::from(row.links));
        let seqnos = paging.rows(total).map(|row| row.saturating_add(1));
        let seqnos = seqnos.filter_map(|seqno| u32::try_from(seqno).ok());
        let keys: Vec<_> = seqnos.map(|seqno| (label, seqno)).collect();
        let links = self.links(&keys).await?.into_iter().flatten().collect();
        Ok(ChainPage {
            total,
            per: paging.per,
            current: paging.current,
            next: paging.next(total),
            links,
        })
    }

    /// The changes behind number `after`, oldest first, at most `count` (1 to 100): every link of every
    /// avatar, in the order of the log, with numbers from 1 and without a gap. Links that were erased
    /// are left out. Never stale. Three round trips; one more when another process has moved the log just
    /// now.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn changes(&self, after: u64, count: u32) -> Result<Vec<Change>, ClaimError> {
        let Some(first) = after.checked_add(1) else {
            return Ok(Vec::new());
        };
        let mut start = vec![CHANGES.tag()];
        first.write(&mut start);
        let range = KeyRange {
            start: Key::from(start),
            ..CHANGES.range(&[])
        };
        let store = &self.0.ports().store;
        let count = count.clamp(1, CHANGES_PAGE_ROWS_MAX);
        let rows = store
            .scan(range, Direction::Forward, count, Freshness::Now)
            .await?;
        let mut keys = Vec::with_capacity(rows.len());
        for (_, _, row) in rows {
            let row = CHANGES.read(&row)?;
            let label = merkle::Hash::from_slice(&row.label).map(Label);
            let label = label.ok_or_else(|| StoreError::Corrupt("a change names nobody".into()))?;
            keys.push((label, row.seqno));
        }
        let links = self.links(&keys).await?;
        let labels: Vec<Label> = keys.iter().map(|(label, _)| *label).collect();
        let avatars = self.avatar_rows(&labels).await?;
        self.publish(&links).await?;
        let mut changes = Vec::with_capacity(links.len());
        for ((link, row), label) in links.into_iter().zip(avatars).zip(labels) {
            let row = row.ok_or_else(|| StoreError::Corrupt("a link has no avatar".into()))?;
            if let Some((id, link)) = link.and_then(|link| Some((link.change_id?, link))) {
                let avatar = row.avatar_at(self.0, label)?;
                changes.push(Change { id, avatar, link });
            }
        }
        Ok(changes)
    }

    /// Publishes the head in the store, if what is about to be shown is beyond the one published here.
    async fn publish(&self, links: &[Option<ChainLink>]) -> Result<(), Internal> {
        let indexes = links.iter().flatten().filter_map(|link| link.index);
        let newest = indexes.max();
        if newest.is_some_and(|newest| newest >= self.0.log().head().size) {
            crate::log::ground::publish(self.0).await?;
        }
        Ok(())
    }

    /// The newest links of a chain, oldest first. Two round trips.
    pub(super) async fn newest_links(
        &self,
        label: Label,
        most: u32,
    ) -> Result<Vec<ChainLink>, Internal> {
        let last = self.avatar_row(label).await?.map_or(0, |row| row.links);
        let first = last.saturating_sub(most).saturating_add(1);
        let keys: Vec<_> = (first..=last).map(|seqno| (label, seqno)).collect();
        Ok(self.links(&keys).await?.into_iter().flatten().collect())
    }

    /// Links by avatar and seqno; `None` for those that were erased. One round trip.
    pub(super) async fn links(
        &self,
        keys: &[(Label, u32)],
    ) -> Result<Vec<Option<ChainLink>>, Internal> {
        let parts = |key| [LINKS.key(key), ENTRY_INDEX.key(key), ARCHIVED.key(key)];
        let wanted: Vec<Key> = keys.iter().flat_map(parts).collect();
        let store = &self.0.ports().store;
        let rows = store.get_many(&wanted, Freshness::Now).await?;
        let rows = rows.chunks(3).zip(keys);
        rows.map(|(row, (_, seqno))| match row {
            [Some((_, link)), index, archived] => Ok(Some(view(link, index, archived, *seqno)?)),
            _ => Ok(None),
        })
        .collect()
    }
}

fn view(
    link: &bytes::Bytes,
    index: &Stored,
    archived: &Stored,
    seqno: u32,
) -> Result<ChainLink, StoreError> {
    let stored = LINKS.read(link)?;
    let damaged = || StoreError::Corrupt("a link of an avatar is malformed".into());
    let link = Link::decode(&stored.link).map_err(|_| damaged())?;
    let (action, body) = match link.statement {
        Statement::MakeClaim(body) => (ClaimAction::Create, body),
        Statement::RevokeClaim(body) => (ClaimAction::Delete, body),
        Statement::SetRecord { .. } | Statement::ReleaseHandle | Statement::AddKey(_) => {
            return Err(damaged());
        }
    };
    let Evidence::Signed {
        payload, signature, ..
    } = link.evidence
    else {
        return Err(damaged());
    };
    let index = index.as_ref().map(|(_, row)| ENTRY_INDEX.read(row));
    let index = index.transpose()?;
    let archived = archived.as_ref().map(|(_, row)| ARCHIVED.read(row));
    Ok(ChainLink {
        action,
        service: body.service,
        identity: body.identity,
        alt_id: body.alt_id,
        location: body.location,
        created_at: body.created_at,
        signature: encode_signature(&signature),
        payload: String::from_utf8(payload.to_vec()).map_err(|_| damaged())?,
        uuid: body.uuid,
        wallet_signature: body.wallet_signature,
        target_signature: body.target_signature,
        archive_id: archived.transpose()?.map_or_else(String::new, |row| row.id),
        seqno,
        index: index.map(|row| row.index),
        change_id: index.and_then(|row| row.change),
        opening: Opening {
            salt: stored.salt.into(),
            link: stored.link,
        },
        dnssec: stored.dnssec,
    })
}
