//! The log for auditors, witnesses and clients: C2SP tlog-tiles, proofs as JSON, and the bundle that
//! proves a look-up. Everything here is public and read-only.
//!
//! The README lists where this differs from the specifications, and why.

mod answer;
mod avatars;
mod bundle;
mod checkpoint;
mod checkpoints;
mod consistency;
mod entries;
mod error;
mod inclusion;
mod key;
mod names;
mod record;
mod tile;

use axum::http::StatusCode;
use axum::http::header::ALLOW;
use axum::response::{IntoResponse, Response};
use engine::Engine;

/// What the door's handlers see.
#[derive(Clone)]
pub struct State {
    /// The directory.
    pub engine: Engine,
}

httpkit::routes! { State, fallback => wrong_method;
    get ["/log/checkpoint"]              => checkpoint::handle;
    get ["/log/checkpoints"]             => checkpoints::handle;
    get ["/log/tile/entries/{*path}"]    => entries::handle;
    get ["/log/tile/{level}/{*path}"]    => tile::handle;
    get ["/log/inclusion"]               => inclusion::handle;
    get ["/log/consistency"]             => consistency::handle;
    get ["/log/names/{name}"]            => names::handle;
    get ["/log/avatars/{avatar}"]        => avatars::handle;
    get ["/log/key"]                     => key::handle;
}

/// Answers any method but GET and HEAD.
async fn wrong_method() -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    (status, [(ALLOW, "GET,HEAD")], "the log is read with GET\n").into_response()
}
