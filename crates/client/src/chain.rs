//! A ProofService chain, checked offline: that the avatar signed each link, that each names the one
//! before, and that the log holds exactly these links and no newer one.
//!
//! What cannot be checked is what the server saw at the services, and whether a post is still there.

mod payload;
mod signatures;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;
use merkle::Hash;
use merkle::entry::{EntryKind, LogEntry, commit};
use merkle::proof::verify_inclusion;

use crate::avatar::Avatar;
use crate::bundle::ChainHead;
use crate::claim::Claim;
use crate::link::{Evidence, Link, Statement};
use crate::proofs::{Action, ChainItem, InLog};

/// A link's entry, as the log gave it.
#[derive(Clone, Debug)]
pub struct LoggedEntry {
    /// The 78 bytes of the entry.
    pub entry: Vec<u8>,
    /// Its audit path in the tree of the checkpoint.
    pub path: Vec<Hash>,
}

/// A link that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("link {seqno}: {what}")]
pub struct ChainFault {
    /// Its position in the chain, from 1.
    pub seqno: usize,
    /// What is wrong with it.
    pub what: Finding,
}

/// What is wrong with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The payload is not the text that belongs to what the link says.
    #[error("what was signed is not what the link says")]
    Payload,
    /// The payload names another predecessor.
    #[error("it does not name the link before it")]
    Prev,
    /// Neither the avatar nor, in a delete, the wallet has signed it.
    #[error("it is not signed by the avatar")]
    Signature,
    /// The wallet or the other avatar that is claimed has not signed it.
    #[error("the account that it claims has not signed it")]
    Account,
    /// The server does not say where the link stands in its log.
    #[error("the server does not say where it stands in the log")]
    NotLogged,
    /// The log's entry is none, or not of this link.
    #[error("the log's entry is of something else")]
    Entry,
    /// The log does not contain the entry.
    #[error("the log does not contain it")]
    Inclusion,
    /// The log committed to another link.
    #[error("the log has committed to another link")]
    Commitment,
    /// The link as committed to says something else than the answer.
    #[error("the log's link says something else than the server")]
    Contradiction,
    /// The link's state is not what the links so far lead to.
    #[error("its state is not what the links before it lead to")]
    State,
    /// The log's map knows a newer link than the last one that was shown.
    #[error("the log has it, and the server does not show it")]
    KeptBack,
    /// The last link that was shown is not the one that the log's map has as the newest.
    #[error("the log's map has another link as the newest")]
    NotNewest,
}

/// What a chain comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifiedChain {
    /// Links, all verified.
    pub links: usize,
    /// What the avatar claims after the last of them: platform and identity, sorted.
    pub claimed: BTreeSet<(String, String)>,
}

/// Checks the links of a chain, in their order, one after the other.
#[derive(Debug)]
pub struct ChainVerifier<'v> {
    head: &'v ChainHead,
    chain: VerifiedChain,
    /// Signature of the newest link, as text.
    signature: Option<String>,
    /// Commitment of the newest link.
    commitment: Option<Hash>,
}

impl<'v> ChainVerifier<'v> {
    /// Of the avatar whose chain ends there.
    #[must_use]
    pub fn new(head: &'v ChainHead) -> Self {
        Self {
            head,
            chain: VerifiedChain::default(),
            signature: None,
            commitment: None,
        }
    }

    /// Checks the next link: one signature, some 25 hashes.
    ///
    /// # Errors
    /// What is wrong with it; the chain cannot go on then.
    pub fn next(&mut self, item: &ChainItem, logged: &LoggedEntry) -> Result<(), ChainFault> {
        let seqno = self.chain.links.saturating_add(1);
        self.check(item, logged, seqno)
            .map_err(|what| ChainFault { seqno, what })
    }

    /// What the links came to, once it is known that they are all there are.
    ///
    /// # Errors
    /// [`Finding::KeptBack`] for the first link that is missing at the end, [`Finding::NotNewest`] when
    /// the map has fewer links, or another last one.
    pub fn finish(self) -> Result<VerifiedChain, ChainFault> {
        let (seqno, newest) = (self.chain.links, self.head.newest);
        let links = newest.map_or(Ok(0), |newest| usize::try_from(newest.seqno));
        if links.is_ok_and(|links| links > seqno) {
            let (seqno, what) = (seqno.saturating_add(1), Finding::KeptBack);
            return Err(ChainFault { seqno, what });
        }
        if links != Ok(seqno) || newest.map(|newest| newest.commitment) != self.commitment {
            let what = Finding::NotNewest;
            return Err(ChainFault { seqno, what });
        }
        Ok(self.chain)
    }

    fn avatar(&self) -> &'v Avatar {
        &self.head.avatar
    }

    fn check(
        &mut self,
        item: &ChainItem,
        logged: &LoggedEntry,
        seqno: usize,
    ) -> Result<(), Finding> {
        let prev = payload::prev(item, self.avatar())?;
        if prev != self.signature {
            return Err(Finding::Prev);
        }
        let signature = signatures::check(item, self.avatar())?;
        let account = (item.platform.clone(), item.identity.clone());
        match item.action {
            Action::Create => self.chain.claimed.insert(account),
            Action::Delete => self.chain.claimed.remove(&account),
        };
        let log = item.log.as_ref().ok_or(Finding::NotLogged)?;
        let commitment = self.entry(log, logged, seqno)?;
        let link = open(log, &commitment)?;
        self.is_in_place(&link, seqno)?;
        self.says_the_same(item, &link, &signature)?;
        self.signature = Some(item.signature.clone());
        self.commitment = Some(commitment);
        self.chain.links = seqno;
        Ok(())
    }

    /// The commitment in the log's entry, once it is known to be of this link.
    fn entry(&self, log: &InLog, logged: &LoggedEntry, seqno: usize) -> Result<Hash, Finding> {
        let index = log.leaf_index.ok_or(Finding::NotLogged)?;
        let entry = LogEntry::decode(&logged.entry).map_err(|_| Finding::Entry)?;
        let is_own = entry.kind == EntryKind::Link
            && entry.label == self.avatar().label()
            && usize::try_from(entry.seqno) == Ok(seqno);
        if !is_own {
            return Err(Finding::Entry);
        }
        let leaf = merkle::leaf_hash(&logged.entry);
        let (size, root) = (self.head.checkpoint.size, &self.head.checkpoint.root);
        verify_inclusion(index, size, &leaf, &logged.path, root).map_err(|_| Finding::Inclusion)?;
        Ok(entry.commitment)
    }

    /// The committed link stands where it belongs.
    fn is_in_place(&self, link: &Link, seqno: usize) -> Result<(), Finding> {
        let is_own = link.label == self.avatar().label()
            && usize::try_from(link.seqno) == Ok(seqno)
            && link.prev == self.commitment;
        if is_own {
            Ok(())
        } else {
            Err(Finding::Contradiction)
        }
    }

    /// The committed link says what the server says, and its evidence is what was just verified.
    fn says_the_same(
        &self,
        item: &ChainItem,
        link: &Link,
        signature: &[u8],
    ) -> Result<(), Finding> {
        let claim = match (&link.statement, item.action) {
            (Statement::MakeClaim(claim), Action::Create)
            | (Statement::RevokeClaim(claim), Action::Delete) => claim,
            _ => return Err(Finding::Contradiction),
        };
        let Evidence::Signed {
            payload,
            signature: in_link,
            ..
        } = &link.evidence
        else {
            return Err(Finding::Contradiction);
        };
        let is_same = payload == item.signature_payload.as_bytes() && in_link == signature;
        if !is_same || !says(claim, item) {
            return Err(Finding::Contradiction);
        }
        if claim.state != state(&self.chain.claimed) {
            return Err(Finding::State);
        }
        Ok(())
    }
}

/// Whether a claim and an answer agree in every member.
fn says(claim: &Claim, item: &ChainItem) -> bool {
    claim.service == item.platform
        && claim.identity == item.identity
        && claim.alt_id == item.alt_id
        && claim.location == item.proof_location
        && HEXLOWER.encode(&claim.uuid) == item.uuid.replace('-', "")
        && claim.created_at.to_string() == item.created_at
        && claim.wallet_signature == item.extra.wallet_signature
        && claim.target_signature == item.extra.target_signature
}

/// `SHA-256("sealbook/claims/v1" ‖ 00 ‖ pairs)`: platform and identity of each claim in the order of
/// their bytes, each behind its length as a big-endian u16.
fn state(claimed: &BTreeSet<(String, String)>) -> Hash {
    let mut bytes = b"sealbook/claims/v1\0".to_vec();
    for text in claimed.iter().flat_map(|(platform, of)| [platform, of]) {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    Hash(crypto::token::sha256(&bytes))
}

fn open(log: &InLog, commitment: &Hash) -> Result<Link, Finding> {
    let bytes = |text: &str| STANDARD.decode(text).map_err(|_| Finding::Commitment);
    let (salt, link) = (bytes(&log.salt)?, bytes(&log.link)?);
    let salt = salt.try_into().map_err(|_| Finding::Commitment)?;
    if commit(&salt, &link) != *commitment {
        return Err(Finding::Commitment);
    }
    Link::decode(&link).map_err(|_| Finding::Contradiction)
}
