//! A reader of fjall's journal files (format 3), used before fjall opens them and by the check.
//!
//! fjall cuts a journal at the first place it cannot read and says nothing; zeroed bytes in the
//! middle so cost everything behind them, and a hole in the last batch makes it refuse to open.
//! Reading first tells the tail a crash tore, which may be cut, from damage, where whole batches
//! follow the unreadable place and nothing may be touched.
//!
//! A batch is `01 count:u32 seqno:u64`, then `count` items, then `03 checksum:u64 "FJL" 03`, all
//! little-endian. An item is `02 kind:u8 compression:u8 keyspace:u64 key_len:u16 value_len:u32
//! stored_len:u32 key value` or `04 keyspace:u64`; the checksum is XXH3-64 over the items. The
//! rest of a file is zeros: it is allocated ahead.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{SeekFrom as SeekTo, seek};
use rustix::io::Errno;
use xxhash_rust::xxh3::xxh3_64;

use super::{COMMIT_KEY, SYS_KEYSPACE};

const TAG_START: u8 = 1;
const TAG_ITEM: u8 = 2;
const TAG_END: u8 = 3;
const TAG_CLEAR: u8 = 4;
const MAGIC: &[u8] = b"FJL\x03";

/// What a journal file holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Whole batches from the start of the file.
    pub(crate) batches: u64,
    /// Where the last whole batch ends, in bytes.
    pub(crate) valid_bytes: u64,
    /// Where the last byte that is not zero ends, in bytes; above `valid_bytes` there is a tail.
    pub(crate) used_bytes: u64,
    /// A whole batch begins here, behind an unreadable place.
    pub(crate) resumes_at: Option<u64>,
    /// The last commit number in the whole batches from the start.
    pub(crate) commit: Option<u64>,
}

impl Scan {
    /// Bytes behind the last whole batch.
    pub(crate) fn tail_bytes(&self) -> u64 {
        self.used_bytes.saturating_sub(self.valid_bytes)
    }
}

/// Journal files of a fjall directory, oldest first.
pub(crate) fn files(fjall: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(fjall)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str());
        let number = number.and_then(|name| name.strip_suffix(".jnl"));
        if let Some(number) = number.and_then(|number| number.parse::<u64>().ok()) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Reads one journal file; nothing is changed.
pub(crate) fn scan(path: &Path) -> io::Result<Scan> {
    scan_to(path, None)
}

/// The same, and a batch with a higher commit number than `last` ends it: that one and all behind it
/// are a tail.
pub(crate) fn scan_to(path: &Path, last: Option<u64>) -> io::Result<Scan> {
    Ok(scanned(&read_used(path)?, last))
}

/// What a journal's bytes hold, up to the last one that is not zero.
pub(crate) fn scanned(bytes: &[u8], last: Option<u64>) -> Scan {
    let mut batches = 0;
    let mut commit = None;
    let mut rest = bytes;
    let is_refused = |number: Option<u64>| last.is_some() && number > last;
    let mut refused = false;
    while let Some((after, number)) = skip_batch(rest) {
        refused = is_refused(number);
        if refused {
            break;
        }
        rest = after;
        commit = number.or(commit);
        batches += 1;
    }
    let valid = bytes.len() - rest.len();
    let resumes_at = (1..rest.len())
        .find(|&at| !refused && rest.get(at..).and_then(skip_batch).is_some())
        .map(|at| to_u64(valid + at));
    let (valid_bytes, used_bytes) = (to_u64(valid), to_u64(bytes.len()));
    Scan {
        batches,
        valid_bytes,
        used_bytes,
        resumes_at,
        commit,
    }
}

/// Moves what follows the whole batches into `kept` and cuts the journal there.
pub(crate) fn cut_tail(path: &Path, scan: &Scan, kept: &Path) -> io::Result<()> {
    let mut journal = OpenOptions::new().read(true).write(true).open(path)?;
    journal.seek(SeekFrom::Start(scan.valid_bytes))?;
    let mut tail = Vec::new();
    Read::by_ref(&mut journal)
        .take(scan.tail_bytes())
        .read_to_end(&mut tail)?;
    let mut copy = File::create(kept)?;
    copy.write_all(&tail)?;
    copy.sync_all()?;
    journal.set_len(scan.valid_bytes)?;
    journal.sync_all()
}

/// A file's bytes up to the last one that is not zero. What was allocated ahead and never written
/// is not read: it is most of a young journal's 64 MiB.
fn read_used(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let written = data_end(&file)?;
    file.rewind()?;
    let mut bytes = Vec::with_capacity(usize::try_from(written).unwrap_or_default());
    Read::by_ref(&mut file)
        .take(written)
        .read_to_end(&mut bytes)?;
    let used = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |at| at + 1);
    bytes.truncate(used);
    Ok(bytes)
}

/// Where the last written part of a file ends; its length where the file system cannot tell.
fn data_end(file: &File) -> io::Result<u64> {
    let (mut at, mut end) = (0, 0);
    loop {
        match seek(file, SeekTo::Data(at)) {
            Ok(begin) => {
                end = seek(file, SeekTo::Hole(begin))?;
                at = end;
            }
            // Nothing but holes from here on.
            Err(Errno::NXIO) => return Ok(end),
            Err(_) => return Ok(file.metadata()?.len()),
        }
    }
}

/// What follows the batch at the start of `bytes`, and the commit number in that batch; `None` if
/// no whole batch is there.
fn skip_batch(bytes: &[u8]) -> Option<(&[u8], Option<u64>)> {
    let (&TAG_START, rest) = bytes.split_first()? else {
        return None;
    };
    let (count, rest) = rest.split_first_chunk::<4>()?;
    let count = u32::from_le_bytes(*count);
    let (_seqno, items) = rest.split_first_chunk::<8>()?;
    let mut rest = items;
    let mut commit = None;
    for _ in 0..count {
        let (after, number) = skip_item(rest)?;
        rest = after;
        commit = number.or(commit);
    }
    let hashed = items.get(..items.len() - rest.len())?;
    let (&TAG_END, rest) = rest.split_first()? else {
        return None;
    };
    let (checksum, rest) = rest.split_first_chunk::<8>()?;
    let rest = rest.strip_prefix(MAGIC)?;
    (count > 0 && u64::from_le_bytes(*checksum) == xxh3_64(hashed)).then_some((rest, commit))
}

fn skip_item(bytes: &[u8]) -> Option<(&[u8], Option<u64>)> {
    let (tag, rest) = bytes.split_first()?;
    match *tag {
        TAG_CLEAR => Some((rest.get(8..)?, None)),
        TAG_ITEM => {
            let (keyspace, rest) = rest.get(2..)?.split_first_chunk::<8>()?;
            let (key_length, rest) = rest.split_first_chunk::<2>()?;
            let (stored, rest) = rest.get(4..)?.split_first_chunk::<4>()?;
            let (key, rest) = rest.split_at_checked(u16::from_le_bytes(*key_length).into())?;
            let stored = usize::try_from(u32::from_le_bytes(*stored)).ok()?;
            let (value, rest) = rest.split_at_checked(stored)?;
            let ours = u64::from_le_bytes(*keyspace) == SYS_KEYSPACE && key == COMMIT_KEY;
            let number = if ours { value.first_chunk::<8>() } else { None };
            Some((rest, number.map(|number| u64::from_be_bytes(*number))))
        }
        _ => None,
    }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use fjall::{Database, KeyspaceCreateOptions, PersistMode};

    use super::*;

    /// A journal of `batches` batches of three rows, written by fjall itself.
    fn journal(dir: &Path, batches: u64) -> PathBuf {
        let database = Database::builder(dir).worker_threads(1).open().unwrap();
        let rows = database
            .keyspace("rows", KeyspaceCreateOptions::default)
            .unwrap();
        for batch in 0..batches {
            let mut write = database.batch().durability(Some(PersistMode::SyncData));
            for row in 0..3_u8 {
                write.insert(&rows, [b'k', row], vec![7; 5000]);
            }
            write.remove(&rows, batch.to_be_bytes());
            write.commit().unwrap();
        }
        files(dir).unwrap().pop().unwrap()
    }

    #[test]
    fn reads_what_fjall_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let scan = scan(&journal(dir.path(), 9)).unwrap();
        assert_eq!(scan.batches, 9);
        assert_eq!(scan.tail_bytes(), 0);
        assert_eq!(scan.resumes_at, None);
    }

    #[test]
    fn tells_a_torn_tail_from_damage() {
        let dir = tempfile::tempdir().unwrap();
        let path = journal(dir.path(), 4);
        let whole = scan(&path).unwrap();
        let batch = whole.valid_bytes / 4;
        let mut bytes = fs::read(&path).unwrap();
        bytes[usize::try_from(batch * 3 + 100).unwrap()] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let torn = scan(&path).unwrap();
        assert_eq!((torn.batches, torn.resumes_at), (3, None));
        assert_eq!(torn.tail_bytes(), batch);

        bytes[usize::try_from(batch + 100).unwrap()] ^= 1;
        bytes[usize::try_from(batch * 3 + 100).unwrap()] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let damaged = scan(&path).unwrap();
        assert_eq!((damaged.batches, damaged.resumes_at), (1, Some(batch * 2)));
    }

    #[test]
    fn cutting_keeps_the_tail_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = journal(dir.path(), 2);
        let whole = scan(&path).unwrap();
        let half = whole.valid_bytes / 2;
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(half + 77)
            .unwrap();
        let torn = scan(&path).unwrap();
        let kept = dir.path().join("kept");
        cut_tail(&path, &torn, &kept).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), half);
        assert_eq!(to_u64(fs::read(&kept).unwrap().len()), torn.tail_bytes());
        assert_eq!(scan(&path).unwrap().tail_bytes(), 0);
    }
}
