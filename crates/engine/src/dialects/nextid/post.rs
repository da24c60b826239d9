//! A post on Twitter that was never submitted, and says all that its payload needs.

use super::{lines::line_signature, parse_created_at};
use crate::types::Uuid;

/// The members of a post, as text: only `created_at`'s digits were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwitterPost<'t> {
    /// The text after `Sig: `.
    pub signature: &'t str,
    /// The first part of the `Misc: ` line.
    pub uuid: &'t str,
    /// The second part, digits.
    pub created_at: &'t str,
    /// The third part; empty for a first link.
    pub previous: &'t str,
}

/// Reads a post with the English labels: a line `Sig: …` and a line `Misc: UUID|SECONDS|PREVIOUS`; `None`
/// without either.
#[must_use]
pub fn twitter_post(text: &str) -> Option<TwitterPost<'_>> {
    let signature = line_signature(text, "Sig: ")?;
    let lines = text
        .split('\n')
        .map(|it| it.strip_suffix('\r').unwrap_or(it));
    lines
        .filter_map(|line| line.strip_prefix("Misc: "))
        .find_map(|line| {
            let (uuid, rest) = line.split_once('|')?;
            let (created_at, previous) = rest.split_once('|')?;
            let is_number = created_at.bytes().all(|byte| byte.is_ascii_digit());
            let fits = is_number && !created_at.is_empty() && !uuid.is_empty();
            fits.then_some(TwitterPost {
                signature,
                uuid,
                created_at,
                previous,
            })
        })
}

impl TwitterPost<'_> {
    /// The post's id and time, where they can be read.
    #[must_use]
    pub fn stamp(&self) -> Option<(Uuid, i64)> {
        Some((Uuid::parse(self.uuid)?, parse_created_at(self.created_at)?))
    }
}
