//! Claims as pages show them: whose account, whether that holds, and since when.

use engine::claims::{AvatarView, ClaimView, Standing};
use engine::types::UnixMillis;

use crate::State;
use crate::identicon;
use crate::services;
use crate::words::{ago, avatar_path, shortened};

/// An avatar with some of its claims.
pub(crate) struct AvatarLine {
    pub(crate) path: String,
    /// First and last digits of its key.
    pub(crate) short: String,
    pub(crate) picture: String,
    pub(crate) claims: Vec<ClaimLine>,
    /// Its claims that are not among these.
    pub(crate) others: usize,
}

/// A claim.
pub(crate) struct ClaimLine {
    pub(crate) service: String,
    pub(crate) identity: String,
    /// The account's other name; empty when it has none.
    pub(crate) other: String,
    /// The page of the account.
    pub(crate) account: Option<String>,
    pub(crate) standing: Standing,
    /// Whether the last check held.
    pub(crate) held: bool,
    /// Why it did not.
    pub(crate) reason: String,
    pub(crate) checked: Moment,
    /// When it was first claimed.
    pub(crate) since: Moment,
    /// Whether the server checks such claims now.
    pub(crate) is_asked: bool,
}

/// A moment, for people and for machines.
pub(crate) struct Moment {
    pub(crate) age: String,
    pub(crate) at: String,
}

impl AvatarLine {
    /// An avatar with those of its claims that are wanted, `most` of them.
    pub(crate) fn of(
        state: &State,
        view: &AvatarView,
        is_wanted: impl Fn(&ClaimView) -> bool,
        most: usize,
    ) -> Self {
        let wanted = view.claims.iter().filter(|claim| is_wanted(claim));
        let claims: Vec<_> = wanted
            .take(most)
            .map(|claim| ClaimLine::of(state, claim))
            .collect();
        Self {
            path: avatar_path(&view.avatar),
            short: shortened(&view.avatar.to_string()),
            picture: identicon::of(view.avatar.as_bytes()),
            others: view.claims.len().saturating_sub(claims.len()),
            claims,
        }
    }
}

impl ClaimLine {
    pub(crate) fn of(state: &State, claim: &ClaimView) -> Self {
        let service = claim.service.as_str();
        let is_same = claim.alt_id.eq_ignore_ascii_case(&claim.identity);
        let claims = state.engine.claims();
        Self {
            service: services::label(service).to_owned(),
            identity: services::shown(service, &claim.identity),
            other: if is_same {
                String::new()
            } else {
                claim.alt_id.clone()
            },
            account: services::account(service, &claim.identity),
            standing: claims.standing(claim),
            held: claim.is_valid,
            reason: claim.invalid_reason.clone(),
            checked: Moment::of(state, claim.checked_at),
            since: Moment::of(state, claim.created_at),
            is_asked: claims.services().contains(&service),
        }
    }

    /// The class of the mark that tells how it stands.
    pub(crate) fn class(&self) -> &'static str {
        match self.standing {
            Standing::Holds => "holds",
            Standing::Contradicted => "contradicted",
            Standing::Unchecked => "unchecked",
        }
    }

    /// What that mark says.
    pub(crate) fn word(&self) -> &'static str {
        match self.standing {
            Standing::Holds => "holds",
            Standing::Contradicted => "contradicted",
            Standing::Unchecked => "not checked lately",
        }
    }

    /// What stands before the time of the last check.
    pub(crate) fn verb(&self) -> &'static str {
        match (self.standing, self.held) {
            (Standing::Holds | Standing::Contradicted, _) => "checked",
            (Standing::Unchecked, true) => "held when last checked,",
            (Standing::Unchecked, false) => "did not hold when last checked,",
        }
    }
}

impl Moment {
    pub(crate) fn of(state: &State, moment: UnixMillis) -> Self {
        Self {
            age: ago(state.engine.now().since(moment)),
            at: moment.to_string(),
        }
    }

    /// A moment in UNIX seconds, as clients say it.
    pub(crate) fn of_seconds(state: &State, seconds: i64) -> Self {
        let seconds = u64::try_from(seconds).unwrap_or_default();
        Self::of(state, UnixMillis(seconds.saturating_mul(1000)))
    }
}
