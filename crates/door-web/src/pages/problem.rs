//! What is wrong with a form, for the page that shows it again.

use axum::http::StatusCode;
use engine::names::NameError;
use engine::types::{Bio, ToxId};

use crate::error::Refusal;

/// Words at the top of a form, with a link to the field they are about.
pub(crate) struct Problem {
    pub(crate) words: String,
    pub(crate) code: Option<i8>,
    pub(crate) field: &'static str,
}

impl Problem {
    pub(crate) fn of(refusal: &Refusal) -> Self {
        Self {
            words: refusal.words(),
            code: refusal.code(),
            field: refusal.field().unwrap_or_default(),
        }
    }
}

/// Whether a form is shown again: when its visitor can mend it there.
pub(crate) fn is_mendable(refusal: &Refusal) -> bool {
    matches!(refusal.status(), StatusCode::BAD_REQUEST)
}

impl Refusal {
    /// What the engine says of a form, with the field it means.
    pub(crate) fn of_form(error: NameError, tox_id: &str, bio: &str) -> Self {
        let is_malformed = matches!(error, NameError::Malformed(_));
        if is_malformed && ToxId::parse(tox_id.trim()).is_none() {
            Self::ToxId
        } else if is_malformed && Bio::parse(bio).is_none() {
            Self::Bio
        } else {
            Self::Name(error)
        }
    }
}
