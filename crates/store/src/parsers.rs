//! The parsers that are this crate's own, as plain functions: each parses, and panics if what it
//! accepted breaks a promise. For the fuzz targets, and of no use to anybody else.

use crate::embedded::{journal, marks};
use crate::postgres::target::Target;

/// Reads the URL of a database, and answers what is said when it is none.
///
/// # Errors
/// The words an operator would read, without the URL's place in them.
pub fn database_url(url: &str) -> Result<(), String> {
    let target = Target::parse(url)?;
    assert!(!target.servers.is_empty(), "a target has a server");
    for server in &target.servers {
        assert_eq!(server.config.get_ports().len(), 1, "one port each");
    }
    Ok(())
}

/// Reads the numbers of commits that an embedded store keeps beside its engine; the newest.
///
/// # Panics
/// When more of them count as damaged than there are.
#[must_use]
pub fn commit_marks(bytes: &[u8]) -> Option<u64> {
    match marks::found(bytes) {
        marks::Found::Newest {
            number, damaged, ..
        } => {
            let records = bytes.len().div_ceil(16);
            assert!(damaged < records as u64, "one record is whole");
            let is_there = bytes
                .chunks(16)
                .any(|record| record.starts_with(&number.to_be_bytes()));
            assert!(is_there, "a number is read, not made");
            Some(number)
        }
        marks::Found::Missing | marks::Found::Unreadable => None,
    }
}

/// Reads the journal of an embedded store: how many whole batches it begins with.
///
/// # Panics
/// When the parts of the file do not add up, or what was cut off counts for what is left.
#[must_use]
pub fn journal(bytes: &[u8]) -> u64 {
    let scan = journal::scanned(bytes, None);
    assert!(scan.valid_bytes <= scan.used_bytes);
    assert_eq!(scan.used_bytes, bytes.len() as u64);
    assert_eq!(scan.batches == 0, scan.valid_bytes == 0);
    if let Some(resumes_at) = scan.resumes_at {
        assert!((scan.valid_bytes + 1..scan.used_bytes).contains(&resumes_at));
    }
    let whole = usize::try_from(scan.valid_bytes).unwrap_or(bytes.len());
    let kept = journal::scanned(bytes.get(..whole).unwrap_or(bytes), None);
    assert_eq!((kept.batches, kept.commit), (scan.batches, scan.commit));
    assert_eq!(kept.tail_bytes(), 0);
    scan.batches
}
