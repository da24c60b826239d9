//! Tiles of hashes.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use engine::merkle::tile::{TILE_WIDTH, TilePath, parse_tile_path};

use crate::answer;
use crate::error::{InText, Refusal};

/// `GET /log/tile/{level}/{index}[.p/{width}]`
///
/// C2SP tlog-tiles, "Merkle Tree". One read.
pub(crate) async fn handle(
    State(state): State<crate::State>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, InText> {
    let Path((level, rest)) = path.map_err(|_| NO_SUCH)?;
    match parse_tile_path(&format!("tile/{level}/{rest}")) {
        Ok(TilePath::Tile { id, width }) => {
            let tile = state.engine.log().tile(id, width).await?;
            Ok(answer::bytes(cache(width), tile))
        }
        Ok(TilePath::Entries { .. }) | Err(_) => Err(NO_SUCH.into()),
    }
}

/// What is said of a path that names no tile of any log.
pub(crate) const NO_SUCH: Refusal = Refusal::NotFound("not a canonical tile path");

/// How long a tile of this width may be kept.
pub(crate) fn cache(width: u16) -> &'static str {
    if width == TILE_WIDTH {
        answer::IMMUTABLE
    } else {
        answer::SHORT
    }
}
