//! Tile paths: `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use super::{TILE_WIDTH, TileId};

const LEVEL_MAX: u8 = 63;
/// Seven groups of three digits hold every u64.
const INDEX_LEN_MAX: usize = 7 * "x000/".len();

/// What a tile path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TilePath {
    /// Hashes of the tree.
    Tile {
        /// Which tile.
        id: TileId,
        /// How many hashes: 1 to 255, or 256 for a full tile.
        width: u16,
    },
    /// An entry bundle: the leaves under the level-0 tile of the same index.
    Entries {
        /// Which bundle.
        index: u64,
        /// How many entries: 1 to 255, or 256 for a full bundle.
        width: u16,
    },
}

/// The text is not the canonical path of any tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathError;

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a canonical tile path")
    }
}

impl core::error::Error for PathError {}

impl TileId {
    /// The path of this tile `width` hashes wide, such as `tile/0/x001/x234/067.p/112`.
    ///
    /// A width of 256 (or above) gives the path of the full tile, which has no `.p` part.
    pub fn path(&self, width: u16) -> String {
        TilePath::Tile { id: *self, width }.to_string()
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, width) = match self {
            Self::Tile { id, width } => {
                write!(f, "tile/{}/", id.level)?;
                (id.index, *width)
            }
            Self::Entries { index, width } => {
                f.write_str("tile/entries/")?;
                (*index, *width)
            }
        };
        f.write_str(&index_path(index))?;
        if width < TILE_WIDTH {
            write!(f, ".p/{width}")?;
        }
        Ok(())
    }
}

/// Reads a tile path without a leading slash.
///
/// Only the one canonical spelling is taken, so that a cache never holds a tile twice.
///
/// # Errors
/// [`PathError`] for anything else, such as a leading zero group, a width of 0 or above 255.
pub fn parse_tile_path(path: &str) -> Result<TilePath, PathError> {
    let rest = path.strip_prefix("tile/").ok_or(PathError)?;
    let (kind, rest) = rest.split_once('/').ok_or(PathError)?;
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, number(width).ok_or(PathError)?),
        None => (rest, TILE_WIDTH),
    };
    if width == 0 || (width >= TILE_WIDTH && rest.contains(".p/")) {
        return Err(PathError);
    }
    let index = parse_index(index).ok_or(PathError)?;
    if kind == "entries" {
        return Ok(TilePath::Entries { index, width });
    }
    let level = number(kind)
        .and_then(|level| u8::try_from(level).ok())
        .ok_or(PathError)?;
    if level > LEVEL_MAX {
        return Err(PathError);
    }
    Ok(TilePath::Tile {
        id: TileId { level, index },
        width,
    })
}

/// Three digits per element, an `x` before all but the last.
fn index_path(index: u64) -> String {
    let mut text = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    text
}

fn parse_index(text: &str) -> Option<u64> {
    if text.len() > INDEX_LEN_MAX {
        return None;
    }
    let mut index = 0_u64;
    for element in text.split('/') {
        let digits = element.strip_prefix('x').unwrap_or(element);
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    // The lenient reading above becomes strict by comparing with the one canonical spelling.
    (index_path(index) == text).then_some(index)
}

/// A decimal of at most three digits without leading zeros.
fn number(text: &str) -> Option<u16> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_of_the_specification() {
        assert_eq!(
            TileId {
                level: 0,
                index: 273
            }
            .path(112),
            "tile/0/273.p/112"
        );
        assert_eq!(TileId { level: 1, index: 0 }.path(256), "tile/1/000");
        assert_eq!(TileId { level: 1, index: 1 }.path(17), "tile/1/001.p/17");
        assert_eq!(TileId { level: 2, index: 0 }.path(1), "tile/2/000.p/1");
        let entries = TilePath::Entries {
            index: 1_234_067,
            width: 256,
        };
        assert_eq!(entries.to_string(), "tile/entries/x001/x234/067");
    }

    #[test]
    fn other_spellings_are_refused() {
        for path in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile/0/000/",
            "tile/00/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000",
            "tile/0/x000/000",
            "tile/0/x001/x234",
            "tile/0/001/234",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "tile/0/000.P/1",
            "tile/entries/x00a/000",
            "tile/entries/٠٠٠",
            "tile/8/0/000",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            "tile/0/x000/x000/x000/x000/x000/x000/x000/x000/000",
            "tile/0/000 ",
        ] {
            assert_eq!(parse_tile_path(path), Err(PathError), "{path}");
        }
    }

    proptest! {
        #[test]
        fn every_tile_path_round_trips(level in 0_u8..64, index: u64, width in 1_u16..=256) {
            let tile = TilePath::Tile { id: TileId { level, index }, width };
            prop_assert_eq!(parse_tile_path(&tile.to_string()), Ok(tile));
            let entries = TilePath::Entries { index, width };
            prop_assert_eq!(parse_tile_path(&entries.to_string()), Ok(entries));
        }

        #[test]
        fn what_parses_is_canonical(path in "tile/([0-9]{1,2}|entries)/(x[0-9]{3}/){0,7}[0-9]{3}(\\.p/[0-9]{1,3})?") {
            if let Ok(parsed) = parse_tile_path(&path) {
                prop_assert_eq!(parsed.to_string(), path);
            }
        }
    }
}
