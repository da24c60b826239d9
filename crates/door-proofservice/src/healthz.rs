//! How the server presents itself.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::State;
use crate::wire::json;

#[derive(Serialize)]
struct Body<'b> {
    hello: &'static str,
    runtime: &'static str,
    platforms: Vec<&'b str>,
    environment: &'b str,
    revision: &'b str,
    built_at: &'b str,
}

/// `GET /healthz`
///
/// API document, "General info"; specification, section 2. Reads nothing from the store: it says what
/// the server is, not how it is, which is for `/readyz`.
pub(crate) async fn handle(Shared(state): Shared<State>) -> Response {
    let claims = state.engine.claims();
    let mut platforms = claims.services();
    platforms.sort_unstable();
    let settings = &state.settings;
    json(
        StatusCode::OK,
        &Body {
            hello: "proof service",
            runtime: "standalone",
            platforms,
            environment: &settings.environment,
            revision: &settings.revision,
            built_at: &settings.built_at,
        },
    )
}
