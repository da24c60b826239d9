//! The bundle as one `.tlog-proof` file.
//!
//! The file's index, path and checkpoint prove the map head, the log's last entry. Its `extra` line
//! holds the rest:
//!
//! | bytes | field |
//! |---|---|
//! | 0 | version, 1 |
//! | 1..79 | the map head entry, whose leaf hash the path begins with |
//! | 79..81 | length of the map proof, u16 big-endian |
//! | then | the map proof, as `MapProof::encode` |
//! | then | 0: no opening, and the end; 1: an opening follows |
//! | then 32 | salt |
//! | then the rest | link |

use engine::error::Internal;
use engine::log::Bundle;
use engine::merkle::note::Note;
use engine::merkle::proof_file::ProofFile;

use crate::error::Refusal;

const VERSION: u8 = 1;
const WITHOUT_OPENING: u8 = 0;
const WITH_OPENING: u8 = 1;

/// The file's text.
pub(super) fn write(bundle: &Bundle) -> Result<String, Refusal> {
    let checkpoint = Note::parse(&bundle.head.note).map_err(ours)?;
    let file = ProofFile {
        extra: Some(extra(bundle)?),
        index: bundle.head.size.saturating_sub(1),
        path: bundle.inclusion.clone(),
        checkpoint,
    };
    Ok(file.to_string())
}

fn extra(bundle: &Bundle) -> Result<Vec<u8>, Refusal> {
    let map_proof = bundle.map_proof.encode();
    let length = u16::try_from(map_proof.len()).map_err(ours)?;
    let mut extra = vec![VERSION];
    extra.extend_from_slice(&bundle.head.map_entry().encode());
    extra.extend_from_slice(&length.to_be_bytes());
    extra.extend_from_slice(&map_proof);
    let present = bundle.present.as_ref();
    match present.and_then(|present| present.opening.as_ref()) {
        Some(opening) => {
            extra.push(WITH_OPENING);
            extra.extend_from_slice(&opening.salt);
            extra.extend_from_slice(&opening.link);
        }
        None => extra.push(WITHOUT_OPENING),
    }
    Ok(extra)
}

fn ours(error: impl std::error::Error + Send + Sync + 'static) -> Refusal {
    Refusal::Internal(Internal::new("writing a proof file", error))
}
