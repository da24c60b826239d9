//! The links of an avatar's chain, for people.

use engine::claims::ChainLink;
use engine::types::{Avatar, ClaimAction};

use crate::State;
use crate::claims::Moment;
use crate::error::Refusal;
use crate::services;
use crate::words::{avatar_path, grouped, shortened};

/// Links on one page.
const LINK_ROWS: u32 = 15;
/// Characters shown of where a post was.
const LOCATION_CHARS: usize = 100;

/// A page of the chain, oldest link first.
pub(super) struct Chain {
    /// Links of the whole chain.
    pub(super) total: u64,
    pub(super) links: Vec<LinkLine>,
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
    /// From 1.
    pub(super) number: u64,
}

/// A link.
pub(super) struct LinkLine {
    pub(super) seqno: u32,
    /// Whether it makes a claim, and does not take one back.
    pub(super) is_create: bool,
    pub(super) service: String,
    pub(super) identity: String,
    /// When its owner signed it, as he said.
    pub(super) signed: Moment,
    pub(super) signature: String,
    pub(super) short_signature: String,
    /// Its place in the log; `None` while it is on its way.
    pub(super) entry: Option<Entry>,
    /// Where the post was; `None` where none was needed.
    pub(super) post: Option<Post>,
    /// The copy on Arweave.
    pub(super) copy: Option<Archived>,
}

/// A place in the log.
pub(super) struct Entry {
    pub(super) index: u64,
    /// The index for people.
    pub(super) number: String,
}

/// The place of a post.
pub(super) struct Post {
    /// Its beginning: its address if it has one, else as the chain has it.
    pub(super) words: String,
    pub(super) address: Option<String>,
}

/// A copy of a link.
pub(super) struct Archived {
    pub(super) id: String,
    pub(super) address: Option<String>,
}

impl Chain {
    /// Two reads.
    ///
    /// # Errors
    /// Our own failures only.
    pub(super) async fn read(state: &State, avatar: &Avatar, page: u64) -> Result<Self, Refusal> {
        let chain = state.engine.claims().chain(avatar, page, LINK_ROWS).await?;
        let last = chain.total.div_ceil(LINK_ROWS.into()).max(1);
        let path = avatar_path(avatar);
        let link = |page: u64| format!("{path}?page={page}");
        Ok(Self {
            total: chain.total,
            links: chain.links.iter().map(|it| line(state, it)).collect(),
            previous: (page > 1).then(|| link((page - 1).min(last))),
            next: (chain.next > 0).then(|| link(chain.next)),
            number: page,
        })
    }
}

fn line(state: &State, link: &ChainLink) -> LinkLine {
    let (service, identity) = (link.service.as_str(), link.identity.as_str());
    // What this process has not heard of yet has no proof here yet.
    let size = state.engine.log().head().size;
    let entry = link.index.filter(|index| *index < size);
    let has_copy = !link.archive_id.is_empty();
    LinkLine {
        seqno: link.seqno,
        is_create: link.action == ClaimAction::Create,
        service: services::label(service).to_owned(),
        identity: services::shown(service, identity),
        signed: Moment::of_seconds(state, link.created_at),
        short_signature: shortened(&link.signature),
        signature: link.signature.clone(),
        entry: entry.map(|index| Entry {
            index,
            number: grouped(index),
        }),
        post: (!link.location.is_empty()).then(|| post(link)),
        copy: has_copy.then(|| Archived {
            address: services::archived(&link.archive_id),
            id: link.archive_id.clone(),
        }),
    }
}

fn post(link: &ChainLink) -> Post {
    let address = services::post(&link.service, &link.identity, &link.location);
    let whole = address.as_deref().unwrap_or(&link.location);
    let mut words: String = whole.chars().take(LOCATION_CHARS).collect();
    if words.len() < whole.len() {
        words.push('\u{2026}');
    }
    Post { words, address }
}
