//! Bundles of entries.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use engine::merkle::tile::{TilePath, parse_tile_path};

use crate::answer;
use crate::error::InText;
use crate::tile::{NO_SUCH, cache};

/// `GET /log/tile/entries/{index}[.p/{width}]`
///
/// C2SP tlog-tiles, "Log Entries". One read.
pub(crate) async fn handle(
    State(state): State<crate::State>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, InText> {
    let Path(rest) = path.map_err(|_| NO_SUCH)?;
    match parse_tile_path(&format!("tile/entries/{rest}")) {
        Ok(TilePath::Entries { index, width }) => {
            let bundle = state.engine.log().entries(index, width).await?;
            Ok(answer::bytes(cache(width), bundle))
        }
        Ok(TilePath::Tile { .. }) | Err(_) => Err(NO_SUCH.into()),
    }
}
