//! The file `commits`: which commit number was acknowledged last, kept outside the engine.
//!
//! # Format
//! 64 KiB, written full of zeros at creation so that a record never changes the file's size, then
//! filled front to back with records of 16 bytes: `number: u64` big-endian, then the XXH3-64 of
//! those 8 bytes, big-endian. Numbers increase. A full file is replaced through `commits.new` and
//! a rename; the new file starts with the last number.
//!
//! # Order, and why
//! A group of batches is written as: the engine's batch holding number *n* and its sync, then
//! record *n* here and its sync, then the acknowledgements.
//! - *Every silent loss shows*: an acknowledged group has its record on disk, so an engine that
//!   lost it is behind the newest record.
//! - *No false alarm*: record *n* is written only when the engine's *n* is on disk, so a crash at
//!   any point leaves the engine equal to the newest record or one ahead of it. The other order,
//!   or both syncs at once, would leave the engine behind after an innocent crash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

pub(crate) const FILE: &str = "commits";
const FILE_NEW: &str = "commits.new";
const FILE_BYTES: usize = 64 << 10;
const RECORD_BYTES: usize = 16;
const RECORDS_MAX: usize = FILE_BYTES / RECORD_BYTES;

/// What the file says when it is read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No such file: a new store, or an operator accepts the store as it is.
    Missing,
    /// A file without one valid record.
    Unreadable,
    /// The newest number; `damaged` counts records that were not zero and not valid.
    Newest {
        /// The newest valid number.
        number: u64,
        /// Records that do not match their checksum.
        damaged: u64,
        /// Whether the only damaged record is the last one: a write torn by a crash.
        torn_tail: bool,
    },
}

/// The file, open for writing.
pub(crate) struct Marks {
    dir: PathBuf,
    file: File,
    next: usize,
}

/// Reads the file in `dir`.
pub(crate) fn read(dir: &Path) -> io::Result<Found> {
    let bytes = match fs::read(dir.join(FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => return Err(error),
    };
    Ok(found(&bytes))
}

/// What the bytes of the file say.
pub(crate) fn found(bytes: &[u8]) -> Found {
    let mut newest = None;
    let mut damaged = 0;
    let mut last_damaged = false;
    for record in bytes.chunks(RECORD_BYTES) {
        if let Some(number) = parse(record) {
            newest = newest.max(Some(number));
            last_damaged = false;
        } else if record.iter().any(|&byte| byte != 0) {
            damaged += 1;
            last_damaged = true;
        }
    }
    newest.map_or(Found::Unreadable, |number| Found::Newest {
        number,
        damaged,
        torn_tail: last_damaged && damaged == 1,
    })
}

impl Marks {
    /// Replaces the file with one that holds `number` alone; durable on return.
    pub(crate) fn create(dir: &Path, number: u64) -> io::Result<Self> {
        let file = write_new(dir, number)?;
        Ok(Self {
            dir: dir.to_owned(),
            file,
            next: 1,
        })
    }

    /// Writes the next number; durable on return.
    pub(crate) fn put(&mut self, number: u64) -> io::Result<()> {
        if self.next >= RECORDS_MAX {
            *self = Self::create(&self.dir, number)?;
            return Ok(());
        }
        let at = u64::try_from(self.next * RECORD_BYTES).map_err(io::Error::other)?;
        self.file.write_all_at(&record(number), at)?;
        self.file.sync_data()?;
        self.next += 1;
        Ok(())
    }
}

fn write_new(dir: &Path, number: u64) -> io::Result<File> {
    let path = dir.join(FILE_NEW);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)?;
    let mut bytes = record(number).to_vec();
    bytes.resize(FILE_BYTES, 0);
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&path, dir.join(FILE))?;
    File::open(dir)?.sync_all()?;
    Ok(file)
}

fn record(number: u64) -> [u8; RECORD_BYTES] {
    let number = number.to_be_bytes();
    let sum = xxh3_64(&number).to_be_bytes();
    let mut record = [0; RECORD_BYTES];
    record[..8].copy_from_slice(&number);
    record[8..].copy_from_slice(&sum);
    record
}

fn parse(record: &[u8]) -> Option<u64> {
    let (number, sum) = record.split_first_chunk::<8>()?;
    (sum == xxh3_64(number).to_be_bytes()).then_some(u64::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(number: u64, damaged: u64, torn_tail: bool) -> Found {
        Found::Newest {
            number,
            damaged,
            torn_tail,
        }
    }

    #[test]
    fn keeps_the_newest_number_over_replacements() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), Found::Missing);
        let mut marks = Marks::create(dir.path(), 0).unwrap();
        for number in 1..10 {
            marks.put(number).unwrap();
        }
        assert_eq!(read(dir.path()).unwrap(), newest(9, 0, false));
        marks.next = RECORDS_MAX;
        marks.put(10).unwrap();
        marks.put(11).unwrap();
        assert_eq!(read(dir.path()).unwrap(), newest(11, 0, false));
        assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().len(), 65_536);
    }

    #[test]
    fn a_torn_record_is_told_from_a_damaged_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut marks = Marks::create(dir.path(), 7).unwrap();
        marks.put(8).unwrap();
        marks.put(9).unwrap();
        let path = dir.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        let mut torn = whole.clone();
        torn[2 * RECORD_BYTES + 8..3 * RECORD_BYTES].fill(0);
        fs::write(&path, &torn).unwrap();
        assert_eq!(read(dir.path()).unwrap(), newest(8, 1, true));
        let mut flipped = whole;
        flipped[RECORD_BYTES + 3] ^= 1;
        fs::write(&path, &flipped).unwrap();
        assert_eq!(read(dir.path()).unwrap(), newest(9, 1, false));
        fs::write(&path, vec![0; FILE_BYTES]).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Found::Unreadable);
    }
}
