//! Avatars that are one person's: those joined by claims of each other, either way, over any number of
//! steps.

use std::collections::{BTreeSet, HashMap};

use crate::error::Internal;
use crate::limits::{ALIAS_ROWS_MAX, ALIASES_MAX, READ_KEYS_MAX};
use crate::tables::AvatarRow;
use crate::types::{Avatar, Label};

use super::row::label_of;
use super::{Claims, NEXTID};

/// Avatars whose rows were read, and whom each is joined to.
type Joined = HashMap<Label, Vec<(Label, Avatar)>>;

impl Claims<'_> {
    /// The aliases of some avatars whose rows were read, each without itself, in the order of their
    /// keys: at most 64 of each, the nearest first, and the rows of at most 1,024 avatars are read for
    /// all of them. One round trip for each step away from them, 64 at most, and none without aliases.
    ///
    /// # Errors
    /// Our own failures only.
    pub(super) async fn aliases(
        &self,
        rows: &HashMap<Label, AvatarRow>,
    ) -> Result<HashMap<Label, Vec<Avatar>>, Internal> {
        let mut joined = Joined::new();
        for (label, row) in rows {
            joined.insert(*label, self.neighbours(row));
        }
        // Each step finds one more of somebody's, or ends: so many steps find all that is shown.
        for _ in 0..ALIASES_MAX {
            let mut missing = unread(&joined);
            let room = ALIAS_ROWS_MAX.saturating_sub(joined.len());
            missing.truncate(room.min(READ_KEYS_MAX));
            if missing.is_empty() {
                break;
            }
            for (label, row) in missing.iter().zip(self.avatar_rows(&missing).await?) {
                let joins = row.as_ref().map(|row| self.neighbours(row));
                joined.insert(*label, joins.unwrap_or_default());
            }
        }
        let closure = |label: &Label| (*label, closure(*label, &joined));
        Ok(rows.keys().map(closure).collect())
    }

    /// Those an avatar claims to be, and those that claim to be it.
    fn neighbours(&self, row: &AvatarRow) -> Vec<(Label, Avatar)> {
        let claims = row.claims.iter().filter(|claim| claim.service == NEXTID);
        let claimed = claims.filter_map(|claim| Avatar::parse(&claim.identity));
        let claiming = row.aliased_by.iter();
        claimed
            .chain(claiming.filter_map(|key| Avatar::from_bytes(key)))
            .map(|avatar| (label_of(self.0, &avatar), avatar))
            .collect()
    }
}

/// Avatars that were named and whose rows were not read.
fn unread(joined: &Joined) -> Vec<Label> {
    let named = joined.values().flatten().map(|(label, _)| *label);
    let labels: BTreeSet<Label> = named.collect();
    let unread = labels.into_iter();
    unread.filter(|label| !joined.contains_key(label)).collect()
}

fn closure(of: Label, joined: &Joined) -> Vec<Avatar> {
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::from([of]));
    let mut step = vec![of];
    while !step.is_empty() && found.len() < ALIASES_MAX {
        let mut next = Vec::new();
        let near = step.iter().filter_map(|label| joined.get(label)).flatten();
        for (label, avatar) in near {
            if found.len() < ALIASES_MAX && seen.insert(*label) {
                found.insert(*avatar);
                next.push(*label);
            }
        }
        step = next;
    }
    found.into_iter().collect()
}
