//! Takes back what `lostcache.so` saw written but not synced. The records are described there.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::tools::files_below;

const MARK: u64 = u64::MAX;
const HEADER_BYTES: usize = 24;

/// One change of a file: where, the file's size before, and the bytes that stood there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    offset: u64,
    size: u64,
    bytes: Vec<u8>,
}

/// Undoes every change of a file below `data` that was not synced, and empties `undo`, which lies
/// elsewhere. Answers how many changes were undone.
pub(crate) fn play_back(data: &Path, undo: &Path) -> Result<u64> {
    let mut undone = 0;
    for (path, state) in files_below(data)? {
        let records = undo.join(state.ino().to_string());
        if !records.exists() {
            continue;
        }
        let records = fs::read(&records).with_context(|| format!("read {}", records.display()))?;
        let file = OpenOptions::new().write(true).open(&path);
        let file = file.with_context(|| format!("open {}", path.display()))?;
        for change in unsynced(&records).iter().rev() {
            take_back(&file, change).with_context(|| format!("restore {}", path.display()))?;
            undone += 1;
        }
    }
    fs::remove_dir_all(undo).context("remove the undo records")?;
    fs::create_dir(undo).context("make the folder for undo records")?;
    Ok(undone)
}

fn take_back(file: &File, change: &Change) -> std::io::Result<()> {
    file.write_all_at(&change.bytes, change.offset)?;
    file.set_len(change.size)
}

/// The changes behind the last mark, oldest first. A record torn by the kill is left out: the
/// change it announces was not made.
fn unsynced(records: &[u8]) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut synced = 0;
    let mut rest = records;
    while let Some((record, after)) = next(rest) {
        let at = records.len() - rest.len();
        if record.offset == MARK {
            synced = synced.max(record.size);
        } else {
            changes.push((u64::try_from(at).unwrap_or(MARK), record));
        }
        rest = after;
    }
    changes.retain(|(at, _)| *at >= synced);
    changes.into_iter().map(|(_, change)| change).collect()
}

fn next(bytes: &[u8]) -> Option<(Change, &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
    let mut fields = header
        .chunks_exact(8)
        .filter_map(|field| field.try_into().ok())
        .map(u64::from_ne_bytes);
    let (offset, size, length) = (fields.next()?, fields.next()?, fields.next()?);
    let (bytes, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let bytes = bytes.to_vec();
    let change = Change {
        offset,
        size,
        bytes,
    };
    Some((change, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: u64, size: u64, bytes: &[u8]) -> Vec<u8> {
        let length = u64::try_from(bytes.len()).unwrap();
        let header = [offset, size, length].map(u64::to_ne_bytes).concat();
        [&header, bytes].concat()
    }

    #[test]
    fn only_what_no_sync_covers_is_undone() {
        let first = record(0, 0, b"");
        let second = record(4, 4, b"");
        let synced = u64::try_from(first.len()).unwrap();
        let records = [
            first,
            second,
            record(MARK, synced, b""),
            record(0, 8, b"abcd"),
        ]
        .concat();
        let offsets = |records: &[u8]| -> Vec<(u64, u64)> {
            let changes = unsynced(records);
            changes.iter().map(|it| (it.offset, it.size)).collect()
        };
        assert_eq!(offsets(&records), [(4, 4), (0, 8)]);
        assert_eq!(offsets(&records[..records.len() - 1]), [(4, 4)]);
        assert_eq!(offsets(&[]), []);
    }

    #[test]
    fn files_go_back_to_their_last_sync() {
        let folder = tempfile::tempdir().unwrap();
        let (data, undo) = (folder.path().join("data"), folder.path().join("undo"));
        fs::create_dir_all(data.join("deep")).unwrap();
        fs::create_dir(&undo).unwrap();
        let path = data.join("deep/file");
        fs::write(&path, b"SYNCED and more").unwrap();
        let inode = fs::metadata(&path).unwrap().ino().to_string();
        // "synced" was synced; then "SYNCED" was written over it and " and more" behind it.
        let records = [record(0, 6, b"synced"), record(6, 6, b"")].concat();
        fs::write(undo.join(inode), records).unwrap();
        assert_eq!(play_back(&data, &undo).unwrap(), 2);
        assert_eq!(fs::read(&path).unwrap(), b"synced");
        assert_eq!(fs::read_dir(&undo).unwrap().count(), 0);
        assert_eq!(play_back(&data, &undo).unwrap(), 0);
    }
}
