//! The toxme API: names for Tox IDs, as the clients of toxme.io speak it.
//!
//! The door parses, calls one verb of [`engine::names`] and renders; it holds no rule and no state.
//! `README.md` beside this crate lists its sources and every place where it differs from them.
//!
//! - `api`: `POST /api`, told apart by `action`; one file per action
//! - `pk`: the server's public keys
//! - `caller`, `sealed`, `memorabilia`: what requests have in common
//! - `wire`, `error`: replies and codes

mod api;
mod caller;
mod error;
mod memorabilia;
pub mod parsers;
mod pk;
mod sealed;
mod wire;

use axum::response::Response;
use engine::Engine;
use httpkit::limits::{BodyPolicy, BodyProblem};

use error::Refusal;

/// What an operator may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether requests that others can read on the way are refused with -2. On unless the operator
    /// says otherwise: without it a password travels in the open, and anybody on the way can swap a
    /// Tox ID.
    pub require_secure: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            require_secure: true,
        }
    }
}

/// What the door's handlers share. Cheap to clone.
#[derive(Clone)]
pub struct State {
    /// The directory.
    pub engine: Engine,
    /// The operator's choices.
    pub settings: Settings,
}

impl BodyPolicy for State {
    fn refuse_body(&self, problem: BodyProblem) -> Response {
        let refusal = Refusal::Payload(match problem {
            BodyProblem::TooLarge { .. } => "the request is longer than 64 KiB",
            BodyProblem::Broken => "the request ended early; send it again",
            BodyProblem::TooSlow => "the request took too long to arrive; send it again",
        });
        refusal.answer(None)
    }
}

httpkit::routes! { State, fallback => api::wrong_method;
    post ["/api", "/", "/a", "/ap"] => api::handle;
    get  ["/pk"]                    => pk::handle;
}
