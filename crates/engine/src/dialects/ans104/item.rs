//! One signed data item.

use std::fmt;

use crypto::token::sha256;
use data_encoding::BASE64URL_NOPAD;

use super::{
    Deep, ItemSigner, SignatureKind, SigningFailed, Tag, TagFault, deep_hash, read_tags, write_tags,
};
use crate::limits::ITEM_BYTES_MAX;

/// SHA-256 of an item's signature: the name it is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(pub [u8; 32]);

/// 43 characters of base64url.
impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

/// Why bytes are no item, or none can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemFault {
    /// The bytes end too early, or a flag is neither 0 nor 1.
    #[error("not a data item")]
    Malformed,
    /// Longer than 64 KiB.
    #[error("a data item of more than 64 KiB")]
    TooLong,
    /// A number of a signature type that this server does not verify.
    #[error("signature type {0} is not supported")]
    Kind(u16),
    /// The tags cannot be read or written, or are not so many as the item says.
    #[error("bad tags: {0}")]
    Tags(#[from] TagFault),
    /// The owner did not sign it.
    #[error("the owner did not sign it")]
    BadSignature,
    /// The key made no signature.
    #[error(transparent)]
    SigningFailed(#[from] SigningFailed),
}

/// A new item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedItem {
    /// Its name.
    pub id: ItemId,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl SignedItem {
    /// Signs data with its tags, without target and anchor.
    ///
    /// # Errors
    /// [`ItemFault::TooLong`], [`ItemFault::Tags`], [`ItemFault::SigningFailed`].
    pub fn make(signer: &dyn ItemSigner, tags: &[Tag], data: &[u8]) -> Result<Self, ItemFault> {
        let encoded = write_tags(tags)?;
        let owner = signer.owner();
        let parts = Parts {
            target: &[],
            anchor: &[],
            tags: &encoded,
            data,
        };
        let signature = signer.sign(&parts.hash(signer.kind(), &owner))?;
        let count = tags.len() as u64;
        let length = encoded.len() as u64;
        let bytes = [
            &(signer.kind() as u16).to_le_bytes()[..],
            &signature,
            &owner,
            &[0, 0],
            &count.to_le_bytes(),
            &length.to_le_bytes(),
            &encoded,
            data,
        ]
        .concat();
        if bytes.len() > ITEM_BYTES_MAX {
            return Err(ItemFault::TooLong);
        }
        Ok(Self {
            id: ItemId(sha256(&signature)),
            bytes,
        })
    }
}

/// An item that was read. Its signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// Its name.
    pub id: ItemId,
    /// What kind of key signed it.
    pub kind: SignatureKind,
    /// That key.
    pub owner: &'a [u8],
    /// Whom it is for, if anybody.
    pub target: Option<&'a [u8; 32]>,
    /// What keeps it from being taken twice, if anything.
    pub anchor: Option<&'a [u8; 32]>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Its content.
    pub data: &'a [u8],
}

impl<'a> Item<'a> {
    /// Reads an item that takes up all of the bytes, and verifies its signature.
    ///
    /// # Errors
    /// [`ItemFault`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, ItemFault> {
        if bytes.len() > ITEM_BYTES_MAX {
            return Err(ItemFault::TooLong);
        }
        let mut input = Input(bytes);
        let number = u16::from_le_bytes(*input.array()?);
        let kind = SignatureKind::parse(number).ok_or(ItemFault::Kind(number))?;
        let signature = input.take(kind.signature_bytes())?;
        let owner = input.take(kind.owner_bytes())?;
        let (target, anchor) = (input.optional()?, input.optional()?);
        let (count, length) = (input.number()?, input.number()?);
        let encoded = input.take(length)?;
        let Input(data) = input;
        let tags = read_tags(encoded)?;
        if tags.len() != count {
            return Err(ItemFault::Tags(TagFault::Malformed));
        }
        let parts = Parts {
            target: target.map_or(&[], |it| it.as_slice()),
            anchor: anchor.map_or(&[], |it| it.as_slice()),
            tags: encoded,
            data,
        };
        if !kind.verify(owner, &parts.hash(kind, owner), signature) {
            return Err(ItemFault::BadSignature);
        }
        let id = ItemId(sha256(signature));
        Ok(Self {
            id,
            kind,
            owner,
            target,
            anchor,
            tags,
            data,
        })
    }
}

/// What is signed besides the owner, as it stands in the item.
struct Parts<'a> {
    target: &'a [u8],
    anchor: &'a [u8],
    tags: &'a [u8],
    data: &'a [u8],
}

impl Parts<'_> {
    /// The deep hash of `"dataitem", "1", type, owner, target, anchor, tags, data`.
    fn hash(&self, kind: SignatureKind, owner: &[u8]) -> [u8; 48] {
        let number = (kind as u16).to_string();
        deep_hash(Deep::List(&[
            Deep::Blob(b"dataitem"),
            Deep::Blob(b"1"),
            Deep::Blob(number.as_bytes()),
            Deep::Blob(owner),
            Deep::Blob(self.target),
            Deep::Blob(self.anchor),
            Deep::Blob(self.tags),
            Deep::Blob(self.data),
        ]))
    }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], ItemFault> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(ItemFault::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], ItemFault> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(ItemFault::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn optional(&mut self) -> Result<Option<&'a [u8; 32]>, ItemFault> {
        match self.array()? {
            [0] => Ok(None),
            [1] => self.array().map(Some),
            [_] => Err(ItemFault::Malformed),
        }
    }

    fn number(&mut self) -> Result<usize, ItemFault> {
        let number = u64::from_le_bytes(*self.array()?);
        usize::try_from(number).map_err(|_| ItemFault::Malformed)
    }
}
