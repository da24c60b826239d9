//! Links go to the archive in parcels, each link after the one before it, which it names.
//!
//! What is sent is signed and kept first, and sent as it is until the archive has it for good: then the
//! ids of the copies are written. Until then the outbox tries again. Nothing is enqueued without an
//! archive, and with one every job archives what is still missing before its link.

use crate::dialects::ans104::{ItemId, LinkDocument, Previous, SignedItem, link_tags};
use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{PARCEL_BYTES_MAX, PARCEL_LINKS_MAX};
use crate::outbox::Outcome;
use crate::ports::archive::{Archive, ArchiveItem, Parcel, Sent};
use crate::ports::store::{Freshness, StoreError};
use crate::tables::{ARCHIVED, AVATARS, ArchivedRow, AvatarRow, PARCELS, PackedLink, ParcelRow};
use crate::tx::{Tx, in_tx};
use crate::types::{Avatar, Label, Seqno};

use super::ChainLink;
use super::row::save_in;

/// Signs and keeps the next links of an avatar, or sends those that are kept, unless all up to `through`
/// are archived. Five round trips and one write to keep a parcel; two round trips and an exchange with the
/// archive for each look at it, and when it is archived one more, two writes, and one for each link.
///
/// # Errors
/// Our own failures. An archive that is away or refuses is asked again later: it says so itself.
pub(crate) async fn archive_next(
    engine: &Engine,
    label: Label,
    through: Seqno,
) -> Result<Outcome, Internal> {
    // Whoever took copies does not any more. Should there be an archive again, it gets the missing
    // links with the next one.
    let Some(archive) = &engine.ports().archive else {
        return Ok(Outcome::Done);
    };
    let Some(avatar) = engine.claims().avatar_row(label).await? else {
        return Ok(Outcome::Done);
    };
    if avatar.archived >= through.get() {
        return Ok(Outcome::Done);
    }
    let old = kept(engine, label).await?;
    let under_way = old.as_ref();
    let under_way = under_way.filter(|row| row.first_seqno == avatar.archived.saturating_add(1));
    let next = match under_way {
        None => packed(engine, archive.as_ref(), label, &avatar).await?,
        Some(row) => match row.send(archive.as_ref()).await? {
            Some(Sent::Kept) => {
                in_tx!(engine, "archive_links", |tx| note_in(
                    tx, engine, label, row
                )
                .await)?;
                let is_last = row.last_seqno() >= through.get();
                return Ok(if is_last {
                    Outcome::Done
                } else {
                    Outcome::More
                });
            }
            Some(Sent::Pending) | None => None,
            Some(Sent::Void) => row.rewrapped(archive.as_ref()).await?,
        },
    };
    let Some(next) = next else {
        return Ok(Outcome::Waiting);
    };
    in_tx!(engine, "keep_parcel", |tx| keep_in(
        tx,
        label,
        old.as_ref(),
        &next
    )
    .await)?;
    Ok(if under_way.is_none() {
        Outcome::More
    } else {
        Outcome::Waiting
    })
}

/// The parcel that is under way.
async fn kept(engine: &Engine, label: Label) -> Result<Option<ParcelRow>, Internal> {
    let store = &engine.ports().store;
    let rows = store.get_many(&[PARCELS.key(&label)], Freshness::Now).await;
    let row = rows?.pop().flatten();
    Ok(row.map(|(_, row)| PARCELS.read(&row)).transpose()?)
}

/// Signs the links behind the last one archived, as many as a parcel takes. `None` when the archive is
/// not ready.
async fn packed(
    engine: &Engine,
    archive: &dyn Archive,
    label: Label,
    row: &AvatarRow,
) -> Result<Option<ParcelRow>, Internal> {
    let (avatar, first) = (row.avatar()?, row.archived.saturating_add(1));
    let last = row.links.min(row.archived.saturating_add(PARCEL_LINKS_MAX));
    let seqnos: Vec<_> = (row.archived..=last).map(|it| (label, it)).collect();
    let mut links = engine.claims().links(&seqnos).await?.into_iter();
    let before = links.next().flatten();
    let mut before = before.filter(|link| !link.archive_id.is_empty());
    let mut packed = ParcelRow {
        first_seqno: first,
        ..ParcelRow::default()
    };
    let mut bytes = 0_usize;
    for link in links {
        let Some(mut link) = link else {
            // An erased link has no copy.
            packed.links.push(PackedLink::default());
            before = None;
            continue;
        };
        let item = archive.sign(&item(&avatar, &link, before.as_ref())).await;
        let item = item.map_err(|error| Internal::new("signing a link's copy", error))?;
        bytes = bytes.saturating_add(item.bytes.len());
        if bytes > PARCEL_BYTES_MAX && !packed.links.is_empty() {
            break;
        }
        link.archive_id = item.id.to_string();
        packed.links.push(PackedLink {
            item_id: item.id.0.to_vec(),
            item: item.bytes,
        });
        before = Some(link);
    }
    packed.rewrapped(archive).await
}

impl ParcelRow {
    fn last_seqno(&self) -> u32 {
        let links = u32::try_from(self.links.len()).unwrap_or(u32::MAX);
        self.first_seqno.saturating_add(links).saturating_sub(1)
    }

    fn items(&self) -> Result<Vec<SignedItem>, StoreError> {
        let items = self.links.iter().filter(|link| !link.item.is_empty());
        items.map(PackedLink::item).collect()
    }

    /// Sends it. `None` when the archive is away, or refuses.
    async fn send(&self, archive: &dyn Archive) -> Result<Option<Sent>, Internal> {
        let parcel = Parcel {
            items: self.items()?,
            wrapping: self.wrapping.clone(),
        };
        if parcel.items.is_empty() {
            return Ok(Some(Sent::Kept));
        }
        // Whatever it did not do is tried again: an operator who mends it need do no more.
        Ok(archive.send(&parcel).await.ok())
    }

    /// The same links in another wrapping.
    async fn rewrapped(&self, archive: &dyn Archive) -> Result<Option<Self>, Internal> {
        let items = self.items()?;
        if items.is_empty() {
            return Ok(Some(self.clone()));
        }
        let wrapping = archive.pack(&items).await.ok();
        Ok(wrapping.map(|wrapping| Self {
            wrapping,
            ..self.clone()
        }))
    }
}

impl PackedLink {
    fn item(&self) -> Result<SignedItem, StoreError> {
        let id = self.item_id.as_slice().try_into();
        let id = id.map_err(|_| StoreError::Corrupt("a parcel's item has no id".into()))?;
        Ok(SignedItem {
            id: ItemId(id),
            bytes: self.item.clone(),
        })
    }
}

fn item(avatar: &Avatar, link: &ChainLink, before: Option<&ChainLink>) -> ArchiveItem {
    let previous = before.map(|before| Previous {
        uuid: before.uuid,
        arweave_id: &before.archive_id,
    });
    let document = LinkDocument {
        avatar,
        action: link.action,
        platform: &link.service,
        identity: &link.identity,
        alt_id: &link.alt_id,
        proof_location: &link.location,
        created_at: link.created_at,
        signature: &link.signature,
        signature_payload: &link.payload,
        uuid: link.uuid,
        wallet_signature: link.wallet_signature.as_deref(),
        previous,
    };
    ArchiveItem {
        tags: link_tags(link.uuid, document.previous.as_ref()),
        data: document.to_json().into(),
    }
}

/// Keeps a parcel, unless another worker was first.
async fn keep_in(
    tx: &mut Tx<'_>,
    label: Label,
    old: Option<&ParcelRow>,
    new: &ParcelRow,
) -> Result<(), Internal> {
    let is_next = tx.get(&AVATARS, &label).await?;
    let is_next = is_next.is_some_and(|row| row.archived.saturating_add(1) == new.first_seqno);
    if is_next && tx.get(&PARCELS, &label).await?.as_ref() == old {
        tx.put(&PARCELS, &label, new);
    }
    Ok(())
}

/// Notes where links are archived, unless another worker was first.
async fn note_in(
    tx: &mut Tx<'_>,
    engine: &Engine,
    label: Label,
    parcel: &ParcelRow,
) -> Result<(), Internal> {
    let Some(before) = tx.get(&AVATARS, &label).await? else {
        return Ok(());
    };
    if before.archived.saturating_add(1) != parcel.first_seqno {
        return Ok(());
    }
    let mut after = before.clone();
    after.archived = parcel.last_seqno();
    for (link, seqno) in parcel.links.iter().zip(parcel.first_seqno..) {
        after.archive_id = String::new();
        if !link.item.is_empty() {
            let id = link.item()?.id.to_string();
            after.archive_id.clone_from(&id);
            tx.put(&ARCHIVED, &(label, seqno), &ArchivedRow { id });
        }
    }
    tx.delete(&PARCELS, &label);
    save_in(tx, engine, label, Some(&before), after);
    Ok(())
}
