//! The barcode of a name.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::names::NameError;
use engine::types::Seqno;
use httpkit::page::kept;

use crate::State;
use crate::error::Refusal;
use crate::qr;
use crate::visit::Visit;

/// The query with which a page asks for the code of the record that this link made. A name's links
/// are numbered on, so no other record ever has it.
pub(crate) fn query(link: Seqno) -> String {
    format!("link={}", link.get())
}

/// `GET /barcode/{name}.svg`
///
/// Toxme wire specification, section 9: 404 with an empty body for a name that nobody has. Kept only
/// when asked for by the number of the newest link; any other address may show something else soon.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    visit: Visit,
    headers: HeaderMap,
    RawQuery(asked): RawQuery,
    file: Result<Path<String>, PathRejection>,
) -> Response {
    let file = file.map(|Path(file)| file).unwrap_or_default();
    let Some(name) = file.strip_suffix(".svg") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match draw(&state, name, asked.as_deref(), &headers).await {
        Err(refusal) if refusal.status().is_client_error() => StatusCode::NOT_FOUND.into_response(),
        result => visit.answer(&state, result),
    }
}

async fn draw(
    state: &State,
    name: &str,
    asked: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let name = engine::types::Name::parse(name).map_err(|_| NameError::Unknown)?;
    let profile = state.engine.names().profile(&name).await?;
    let is_named = asked == Some(query(profile.seqno).as_str());
    let tag = profile.tox_id.to_string();
    let drawn = Body::from(qr::svg(&profile.tox_id));
    Ok(kept(
        headers,
        ("image/svg+xml; charset=utf-8", &tag),
        is_named,
        drawn,
    ))
}
