//! The bundle that proves a look-up.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use engine::types::Name;

use crate::bundle::{self, Parameters, Subject};
use crate::error::Refusal;

/// Longest name in bytes of UTF-8, before it is normalised: 63 characters with all their marks.
const NAME_BYTES_MAX: usize = 1024;

/// `GET /log/names/{name}[?format=tlog]`
///
/// Ours; docs/LOG-FORMAT.md has both forms. Four reads. A name that nobody holds has a bundle too,
/// which proves that.
pub(crate) async fn handle(
    State(state): State<crate::State>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Path(text) = path?;
    let Query(parameters) = query?;
    let name = parse(&text)?;
    let log = state.engine.log();
    let bundle = log.name_bundle(&name).await?;
    let subject = Subject::Name(name.as_str().to_owned());
    bundle::answer(&subject, &bundle, &parameters, log.verifier_key())
}

fn parse(text: &str) -> Result<Name, Refusal> {
    if text.len() > NAME_BYTES_MAX {
        let detail = format!("a name has at most {NAME_BYTES_MAX} bytes");
        return Err(Refusal::BadRequest(detail));
    }
    Name::parse(text).map_err(|fault| Refusal::BadRequest(fault.to_string()))
}
