//! The `.tlog-proof` form: the map head with its proof, and all else in the `extra` line.
//!
//! | bytes of `extra` | field |
//! |---|---|
//! | 0 | version, 1 |
//! | 1..79 | the map head entry |
//! | 79..81 | length of the map proof, u16 big-endian |
//! | then | the map proof |
//! | then | 0: no opening, and the end; 1: an opening follows |
//! | then 32 | salt |
//! | then the rest | link |

use merkle::entry::ENTRY_LEN;
use merkle::map::MapProof;
use merkle::proof_file::ProofFile;

use super::{Bundle, BundleError, Opening, Said};

const VERSION: u8 = 1;
const WITHOUT_OPENING: u8 = 0;
const WITH_OPENING: u8 = 1;
const EXTRA: BundleError = BundleError("the extra line of the proof file");

pub(super) fn read(bytes: &[u8]) -> Result<Bundle, BundleError> {
    let file = ProofFile::parse(bytes).map_err(|_| BundleError("malformed proof file"))?;
    let extra = file.extra.as_deref().ok_or(EXTRA)?;
    let (map_head, map_proof, opening) = split(extra).ok_or(EXTRA)?;
    Ok(Bundle {
        said: Said::default(),
        opening,
        map_proof: MapProof::decode(map_proof).map_err(|_| EXTRA)?,
        map_head: map_head.to_vec(),
        index: file.index,
        path: file.path,
        checkpoint: file.checkpoint,
    })
}

fn split(extra: &[u8]) -> Option<(&[u8], &[u8], Option<Opening>)> {
    let (version, rest) = extra.split_first()?;
    let (map_head, rest) = rest.split_at_checked(ENTRY_LEN)?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (map_proof, rest) = rest.split_at_checked(length)?;
    let (flag, rest) = rest.split_first()?;
    let opening = match (*version, *flag) {
        (VERSION, WITHOUT_OPENING) if rest.is_empty() => None,
        (VERSION, WITH_OPENING) => {
            let (salt, link) = rest.split_first_chunk()?;
            Some(Opening {
                salt: *salt,
                link: link.to_vec(),
            })
        }
        _ => return None,
    };
    Some((map_head, map_proof, opening))
}
