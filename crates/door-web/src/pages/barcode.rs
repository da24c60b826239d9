//! The barcode of a name.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Shared};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::names::NameError;

use crate::State;
use crate::error::Refusal;
use crate::qr;
use crate::visit::Visit;

/// `GET /barcode/{name}.svg`
///
/// Toxme wire specification, section 9: 404 with an empty body for a name that nobody has.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    visit: Visit,
    file: Result<Path<String>, PathRejection>,
) -> Response {
    let file = file.map(|Path(file)| file).unwrap_or_default();
    let Some(name) = file.strip_suffix(".svg") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match draw(&state, name).await {
        Err(refusal) if refusal.status().is_client_error() => StatusCode::NOT_FOUND.into_response(),
        result => visit.answer(&state, result),
    }
}

async fn draw(state: &State, name: &str) -> Result<Response, Refusal> {
    let name = engine::types::Name::parse(name).map_err(|_| NameError::Unknown)?;
    let profile = state.engine.names().profile(&name).await?;
    let kind = HeaderValue::from_static("image/svg+xml; charset=utf-8");
    let kept = HeaderValue::from_static("public, max-age=86400");
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, kept)];
    Ok((headers, qr::svg(&profile.tox_id)).into_response())
}
