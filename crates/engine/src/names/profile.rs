//! What pages show of names: one by itself, and the public list.

use crate::limits::PEOPLE_PAGE_ROWS;
use crate::ports::store::Key;
use crate::tables::{CHAIN_HEADS, NAMES, TOX_RECORDS};
use crate::types::{Bio, Handle, Name, Seqno, ToxId, UnixMillis, Visibility};

use super::read::STALENESS;
use super::row::malformed;
use super::{NameError, Names};

/// All that may be shown of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name, without its domain.
    pub name: Name,
    /// Where it points.
    pub tox_id: ToxId,
    /// A few words.
    pub bio: Bio,
    /// Who may find it.
    pub visibility: Visibility,
    /// Whether the key of the Tox ID has sealed or confirmed the record; if not, somebody else gave
    /// it.
    pub is_proven: bool,
    /// When the record was last changed.
    pub changed_at: UnixMillis,
    /// The newest link of the name's chain; of two reads that a change comes between, the earlier.
    pub seqno: Seqno,
}

/// A page of the public list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct People {
    /// At most 30, newest change first.
    pub entries: Vec<Profile>,
    /// Whether another page follows.
    pub has_more: bool,
}

impl Names<'_> {
    /// The profile of a name, private or not. As stale as [`Names::lookup`], and counted as one.
    /// Three reads in two round trips.
    ///
    /// # Errors
    /// `Unknown` or `Internal`.
    pub async fn profile(&self, name: &Name) -> Result<Profile, NameError> {
        self.0.count_lookup();
        let mut profiles = self.profiles(std::slice::from_ref(name)).await?;
        profiles.pop().ok_or(NameError::Unknown)
    }

    /// One page, from 0, of the names on the public list, 30 a page, newest change first. The page
    /// is found in memory, at the same cost whatever its number; 90 reads in two round trips show it.
    ///
    /// As stale as [`Names::search`]: a name that is not on the list any more is left out, so a page
    /// may be short.
    ///
    /// # Errors
    /// `Loading` or `Internal`.
    pub async fn people(&self, page: u64) -> Result<People, NameError> {
        let index = self.0.name_index();
        if !index.is_loaded() {
            return Err(NameError::Loading);
        }
        let rows = PEOPLE_PAGE_ROWS;
        let mut names = index.listed(page.saturating_mul(rows as u64), rows.saturating_add(1));
        let has_more = names.len() > rows;
        names.truncate(rows);
        let mut entries = self.profiles(&names).await?;
        entries.retain(|profile| profile.visibility == Visibility::Listed);
        Ok(People { entries, has_more })
    }

    /// The profiles of names, in their order, less those that nobody has.
    async fn profiles(&self, names: &[Name]) -> Result<Vec<Profile>, NameError> {
        let label_key = &self.0.ports().label_key;
        let label = |name: &Name| Handle::Name(name.clone()).label(label_key);
        let of_names = names.iter().map(|name| NAMES.key(name));
        let of_heads = names.iter().map(|name| CHAIN_HEADS.key(&label(name)));
        let keys: Vec<Key> = of_names.chain(of_heads).collect();
        let store = &self.0.ports().store;
        let mut rows = store.get_many(&keys, STALENESS).await?;
        let heads = rows.split_off(names.len());
        let (mut seqnos, mut records) = (Vec::new(), Vec::new());
        for (held, head) in rows.into_iter().zip(heads) {
            let (Some((_, held)), Some((_, head))) = (held, head) else {
                continue;
            };
            let seqno = Seqno::new(CHAIN_HEADS.read(&head)?.seqno);
            seqnos.push(seqno.ok_or_else(|| malformed("chain head"))?);
            records.push(TOX_RECORDS.key(&NAMES.read(&held)?.identity()?));
        }
        let rows = self.read_many(&TOX_RECORDS, &records, STALENESS).await?;
        let mut profiles = Vec::with_capacity(rows.len());
        for (seqno, row) in seqnos.into_iter().zip(rows) {
            // A release between the two reads leaves no record: then the name is unknown.
            let Some(row) = row else { continue };
            let record = row.record()?;
            profiles.push(Profile {
                name: record.name,
                tox_id: record.tox_id,
                bio: record.bio,
                visibility: record.visibility,
                is_proven: record.is_proven,
                changed_at: record.changed_at,
                seqno,
            });
        }
        Ok(profiles)
    }
}
