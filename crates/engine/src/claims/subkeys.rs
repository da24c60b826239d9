//! Subkeys: keys that an avatar lends its word to, such as those of passkeys.

use crypto::secp256k1::{Signature, personal_digest};

use crate::dialects::nextid::{SubkeyAlgorithm, SubkeyKey, subkey_payload};
use crate::limits::{SUBKEY_TEXT_BYTES_MAX, SUBKEYS_FOUND_MAX, SUBKEYS_PER_AVATAR_MAX};
use crate::ports::store::{Freshness, Key};
use crate::tables::{AVATARS, AvatarRow, SUBKEY_OWNERS, SUBKEYS, SeenRow, SubkeyId, SubkeyRow};
use crate::tx::{Tx, in_tx, scan_table};
use crate::types::{Avatar, Label, UnixMillis};

use super::check::unformed;
use super::row::{label_of, malformed, save_in};
use super::{Caller, ClaimError, Claims};

/// A subkey to be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubkeyDraft {
    /// To which avatar.
    pub avatar: Avatar,
    /// Its kind.
    pub algorithm: SubkeyAlgorithm,
    /// The key in hexadecimal, as it was sent: that is what is signed.
    pub public_key: String,
    /// Where it is used.
    pub rp_id: String,
}

/// A signed binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubkeyPosting {
    /// What is bound.
    pub draft: SubkeyDraft,
    /// What people call it.
    pub name: String,
    /// By the avatar over the draft's payload.
    pub signature: Vec<u8>,
}

/// A subkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subkey {
    /// Of which avatar.
    pub avatar: Avatar,
    /// Its kind.
    pub algorithm: SubkeyAlgorithm,
    /// The key in hexadecimal, as it was sent.
    pub public_key: String,
    /// What people call it.
    pub name: String,
    /// Where it is used.
    pub rp_id: String,
    /// When it was bound.
    pub created_at: UnixMillis,
}

/// A binding that was checked.
struct Binding {
    label: Label,
    avatar: Avatar,
    /// Of the key and where it is used: an avatar binds it once.
    id: [u8; 32],
    key: [u8; 32],
    row: SubkeyRow,
}

impl Claims<'_> {
    /// What the avatar signs to bind a subkey. Reads nothing.
    ///
    /// # Errors
    /// `Malformed` only.
    pub fn prepare_subkey(&self, draft: &SubkeyDraft) -> Result<String, ClaimError> {
        draft.key()?;
        Ok(draft.payload())
    }

    /// Binds a subkey to the avatar that signed for it; answers what was signed. It is not in the
    /// avatar's chain, nor in the log. Every attempt is charged to the address first. Two reads in one
    /// round trip, three writes, one fsync.
    ///
    /// # Errors
    /// `Malformed`, `Refused` for what no signature looks like, `BadSignature`, `AlreadyBound`, `TooMany`,
    /// `Limited` or `Internal`.
    pub async fn add_subkey(
        &self,
        caller: &Caller,
        posting: &SubkeyPosting,
    ) -> Result<String, ClaimError> {
        self.0.flood().charge_claim_post(caller.address)?;
        let (draft, payload) = (&posting.draft, posting.draft.payload());
        let key = draft.key()?;
        if posting.name.len() > SUBKEY_TEXT_BYTES_MAX {
            return Err(ClaimError::Malformed("name is too long"));
        }
        let digest = personal_digest(payload.as_bytes());
        let signature = Signature::parse(&posting.signature).map_err(unformed)?;
        let signed = draft.avatar.key().verify(&digest, &signature);
        signed.map_err(|_| ClaimError::BadSignature)?;
        let binding = Binding {
            label: label_of(self.0, &draft.avatar),
            avatar: draft.avatar,
            id: draft.id(&key),
            key: key_hash(&key),
            row: SubkeyRow {
                avatar: draft.avatar.as_bytes().to_vec(),
                algorithm: draft.algorithm.as_str().to_owned(),
                public_key: draft.public_key.clone(),
                name: posting.name.clone(),
                rp_id: draft.rp_id.clone(),
                created_at_ms: self.0.now().0,
                signature: signature.as_bytes().to_vec(),
            },
        };
        let engine = self.0;
        in_tx!(engine, "add_subkey", |tx| self.bind_in(tx, &binding).await)?;
        Ok(payload)
    }

    /// The subkeys of an avatar, oldest first. One scan.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn subkeys_of(&self, avatar: &Avatar) -> Result<Vec<Subkey>, ClaimError> {
        let range = SUBKEYS.range(&label_of(self.0, avatar).0.0);
        let store = &self.0.ports().store;
        let rows = scan_table(store, &SUBKEYS, range, SUBKEYS_PER_AVATAR_MAX).await?;
        shown(rows.into_iter().map(|(.., row)| row))
    }

    /// The bindings of a subkey in any of its forms, oldest first; at most 256, as anybody may bind any
    /// key to an avatar. A scan and a read.
    ///
    /// # Errors
    /// `Malformed` when it is no such key, and our own failures.
    pub async fn subkeys_with(
        &self,
        algorithm: SubkeyAlgorithm,
        public_key: &str,
    ) -> Result<Vec<Subkey>, ClaimError> {
        let key = SubkeyKey::parse(algorithm, public_key).ok_or(NOT_A_KEY)?;
        let range = SUBKEY_OWNERS.range(&key_hash(&key));
        let store = &self.0.ports().store;
        let rows = scan_table(store, &SUBKEY_OWNERS, range, SUBKEYS_FOUND_MAX).await?;
        let key = |((_, key), ..): ((_, SubkeyId), _, _)| SUBKEYS.key(&key);
        let keys: Vec<Key> = rows.into_iter().map(key).collect();
        let rows = store.get_many(&keys, Freshness::Now).await?;
        let rows = rows
            .into_iter()
            .flatten()
            .map(|(_, row)| SUBKEYS.read(&row));
        let rows: Result<Vec<_>, _> = rows.collect();
        shown(rows?.into_iter())
    }

    async fn bind_in(&self, tx: &mut Tx<'_>, binding: &Binding) -> Result<(), ClaimError> {
        let (label, at) = (binding.label, (binding.label, binding.id));
        tx.prefetch(&[AVATARS.key(&label), SUBKEYS.key(&at)])
            .await?;
        if tx.get(&SUBKEYS, &at).await?.is_some() {
            return Err(ClaimError::AlreadyBound);
        }
        let before = tx.get(&AVATARS, &label).await?;
        let mut after = match &before {
            Some(row) => row.clone(),
            None => AvatarRow::of(&binding.avatar),
        };
        if after.subkeys >= SUBKEYS_PER_AVATAR_MAX {
            return Err(ClaimError::TooMany(SUBKEYS_PER_AVATAR_MAX as usize));
        }
        after.subkeys = after.subkeys.saturating_add(1);
        save_in(tx, self.0, label, before.as_ref(), after);
        tx.put(&SUBKEYS, &at, &binding.row);
        tx.put(&SUBKEY_OWNERS, &(binding.key, at), &SeenRow {});
        Ok(())
    }
}

const NOT_A_KEY: ClaimError =
    ClaimError::Malformed("when parsing subkey public key: not recognized");

impl SubkeyDraft {
    fn payload(&self) -> String {
        subkey_payload(&self.avatar, self.algorithm, &self.public_key, &self.rp_id)
    }

    /// The key, if all of it is well formed.
    fn key(&self) -> Result<SubkeyKey, ClaimError> {
        match self.rp_id.len() {
            0 => return Err(ClaimError::Malformed("rp_id is empty")),
            1..=SUBKEY_TEXT_BYTES_MAX => {}
            _ => return Err(ClaimError::Malformed("rp_id is too long")),
        }
        SubkeyKey::parse(self.algorithm, &self.public_key).ok_or(NOT_A_KEY)
    }

    fn id(&self, key: &SubkeyKey) -> [u8; 32] {
        let key = key_hash(key);
        crypto::token::sha256(&[&key, self.rp_id.as_bytes()].concat())
    }
}

/// Names a key, in whatever form it was sent.
fn key_hash(key: &SubkeyKey) -> [u8; 32] {
    let parts = [key.algorithm().as_str().as_bytes(), key.as_bytes()];
    crypto::token::sha256(&parts.join(&0))
}

fn shown(rows: impl Iterator<Item = SubkeyRow>) -> Result<Vec<Subkey>, ClaimError> {
    let mut subkeys = Vec::new();
    for row in rows {
        let algorithm = SubkeyAlgorithm::parse(&row.algorithm);
        subkeys.push(Subkey {
            avatar: Avatar::from_bytes(&row.avatar).ok_or_else(|| malformed("subkey"))?,
            algorithm: algorithm.ok_or_else(|| malformed("subkey"))?,
            public_key: row.public_key,
            name: row.name,
            rp_id: row.rp_id,
            created_at: UnixMillis(row.created_at_ms),
        });
    }
    // A sort that keeps equal ones in the order of their keys.
    subkeys.sort_by_key(|subkey| subkey.created_at);
    Ok(subkeys)
}
