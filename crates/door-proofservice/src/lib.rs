//! The ProofService API of Next.ID: which accounts an avatar controls, and the chain of signed links
//! that shows it.
//!
//! The door parses, calls one verb of [`engine::claims`] and renders; it holds no rule and no state.
//! The words of the protocol are its own: a *proof* is what the engine calls a claim, a *platform* a
//! service, a *persona* or *avatar* the key whose chain it is. `README.md` beside this crate lists its
//! sources and every place where it differs from them.
//!
//! - `proof`, `chain`, `subkey`, `healthz`: one file per route
//! - `body`, `query`: requests, read as clients of the reference server rely on
//! - `post_text`: what users are to post
//! - `cors`, `unlisted`: other origins, and paths that are not here
//! - `wire`, `error`: answers and refusals

mod body;
mod caller;
mod chain;
mod cors;
mod error;
mod healthz;
pub mod parsers;
mod post_text;
mod proof;
mod query;
mod subkey;
mod unlisted;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use engine::Engine;
use httpkit::around;
use httpkit::limits::{BodyPolicy, BodyProblem};

use error::Refusal;

pub use unlisted::unlisted;

/// What an operator may choose, and what `/healthz` says of the build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most entries of a page, at least 1.
    pub page_size: u32,
    /// What the operator calls this installation, such as "production".
    pub environment: String,
    /// The commit it was built from, or "UNKNOWN".
    pub revision: String,
    /// When, in UNIX seconds, or "0".
    pub built_at: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_size: 40,
            environment: "unknown".to_owned(),
            revision: "UNKNOWN".to_owned(),
            built_at: "0".to_owned(),
        }
    }
}

/// What the door's handlers share. Cheap to clone.
#[derive(Clone)]
pub struct State {
    /// The directory.
    pub engine: Engine,
    /// The operator's choices.
    pub settings: Arc<Settings>,
}

impl BodyPolicy for State {
    fn refuse_body(&self, problem: BodyProblem) -> Response {
        Refusal::Body(problem).into_response()
    }
}

httpkit::routes! { State, fallback => unlisted::wrong_method;
    get  ["/healthz"]                 => healthz::handle;
    post ["/v1/proof/payload"]        => proof::payload::handle;
    post ["/v1/proof"]                => proof::submit::handle;
    get  ["/v1/proof"]                => proof::find::handle;
    get  ["/v1/proof/exists"]         => proof::exists::handle;
    post ["/v1/proof/restore_pubkey"] => proof::restore::handle;
    get  ["/v1/proofchain"]           => chain::read::handle;
    get  ["/v1/proofchain/changes"]   => chain::changes::handle;
    post ["/v1/subkey/payload"]       => subkey::payload::handle;
    post ["/v1/subkey"]               => subkey::add::handle;
    get  ["/v1/subkey"]               => subkey::find::handle;
}

/// The door whole: [`router`], open to pages of every origin. [`unlisted`] answers what reaches no
/// route.
pub fn door(state: State) -> Router {
    around::put(router(state), cors::Cors)
}
