//! What pages are made of, and what robots are told.

use axum::extract::{Path, RawQuery, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;
use httpkit::log::RequestId;
use httpkit::page::StaticFile;

use crate::State;
use crate::error::Refusal;

/// The one style sheet.
pub(crate) const STYLE: StaticFile = StaticFile::new(
    "text/css; charset=utf-8",
    include_bytes!("../../static/style.css"),
);

/// The icon of the site.
pub(crate) const ICON: StaticFile =
    StaticFile::new("image/svg+xml", include_bytes!("../../static/icon.svg"));

/// `GET /static/{file}`
///
/// Also over plain HTTP: the page that says so needs its style.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    id: RequestId,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    file: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Response {
    match file.as_ref().map(|Path(name)| name.as_str()) {
        Ok("style.css") => STYLE.answer(&headers, query.as_deref()),
        Ok("icon.svg") => ICON.answer(&headers, query.as_deref()),
        Ok(_) | Err(_) => Refusal::NotFound.page(&state, &id),
    }
}

/// `GET /robots.txt`
///
/// Toxme wire specification, section 9: the home page may be indexed, nobody's name.
pub(crate) async fn robots() -> &'static str {
    "User-agent: *\nAllow: /$\nAllow: /static/\nDisallow: /\n"
}
