//! Opening the engine, and judging whether it still holds what was acknowledged.
//!
//! Journals are read before the engine may touch them (see `journal`), the newest commit number is
//! compared with the file `commits` (see `marks`). A store that is behind opens for reading only.

use std::fs;
use std::path::{Path, PathBuf};

use super::directory::{Directory, failed};
use super::handle::{Counters, Handle};
use super::journal::{self, Scan};
use super::marks::{self, Found, Marks};
use crate::OpenError;

const TAIL_FILE: &str = "tail-kept";

/// An engine that was opened and judged.
pub(crate) struct Opened {
    pub(crate) handle: Handle,
    pub(crate) counters: Counters,
    /// The file `commits`, or why nothing may be written.
    pub(crate) marks: Result<Marks, String>,
}

/// Makes a new store in an empty directory.
pub(crate) fn create(dir: &Directory, cache_bytes: u64) -> Result<Opened, OpenError> {
    dir.begin().map_err(failed("make a store in", dir.path()))?;
    let handle = open_engine(dir, cache_bytes)?;
    let marks = Marks::create(dir.path(), 0).map_err(failed("make commits in", dir.path()))?;
    dir.finish()
        .map_err(failed("make a store in", dir.path()))?;
    Ok(Opened {
        handle,
        counters: Counters::default(),
        marks: Ok(marks),
    })
}

/// Opens a store that exists. `acknowledged` is the number this process knows, if it does.
pub(crate) fn open(
    dir: &Directory,
    cache_bytes: u64,
    acknowledged: Option<u64>,
) -> Result<Opened, OpenError> {
    let found = marks::read(dir.path()).map_err(failed("read commits in", dir.path()))?;
    let known = acknowledged.max(newest(&found));
    if acknowledged.is_some() {
        forget_cached(dir)?;
    }
    let tail = trim_journals(dir, known)?;
    let handle = open_engine(dir, cache_bytes)?;
    let counters = handle
        .counters()
        .map_err(|error| damaged(dir, error.to_string()))?;
    let marks = match judge(&found, known, counters.commit) {
        Ok(()) => {
            if let Some(tail) = tail {
                fs::remove_file(&tail).map_err(failed("remove", &tail))?;
            }
            let marks = Marks::create(dir.path(), counters.commit);
            Ok(marks.map_err(failed("write commits in", dir.path()))?)
        }
        Err(why) => Err(with_tail(why, tail.as_deref())),
    };
    Ok(Opened {
        handle,
        counters,
        marks,
    })
}

/// The newest number acknowledged, as far as the file `commits` says.
pub(crate) fn newest(found: &Found) -> Option<u64> {
    match found {
        Found::Newest { number, .. } => Some(*number),
        Found::Missing | Found::Unreadable => None,
    }
}

/// Whether the engine at commit `at` holds everything acknowledged; if not, why not.
fn judge(found: &Found, known: Option<u64>, at: u64) -> Result<(), String> {
    if let Some(known) = known
        && at < known
    {
        return Err(format!(
            "the store is at commit {at}, but commit {known} was acknowledged: the engine lost \
             commits, or an older copy was put in place; restore a backup, or delete the file \
             `commits` to go on from commit {at}"
        ));
    }
    match found {
        Found::Missing => {
            tracing::warn!(
                commit.number = at,
                "the file `commits` is missing; going on from here"
            );
        }
        Found::Unreadable => {
            return Err(format!(
                "the file `commits` holds no readable number, so whether commit {at} is the last \
                 one is unknown; restore a backup, or delete that file to go on from commit {at}"
            ));
        }
        Found::Newest {
            torn_tail: true, ..
        } => {
            tracing::warn!(
                commit.number = at,
                "dropped a torn record at the end of `commits`"
            );
        }
        Found::Newest {
            number, damaged, ..
        } if *damaged > 0 || at > number + 1 => {
            tracing::warn!(
                commit.number = at,
                "the file `commits` is damaged ({damaged} records unreadable, newest {number})"
            );
        }
        Found::Newest { .. } => {}
    }
    Ok(())
}

fn with_tail(why: String, tail: Option<&Path>) -> String {
    match tail {
        Some(tail) => format!(
            "{why}; the cut end of the journal is kept in {}",
            tail.display()
        ),
        None => why,
    }
}

/// Cuts what a crash left at the end of the newest journal. Returns where the end is kept.
fn trim_journals(dir: &Directory, known: Option<u64>) -> Result<Option<PathBuf>, OpenError> {
    let files = journal::files(&dir.engine()).map_err(failed("list", &dir.engine()))?;
    let last = files.len().saturating_sub(1);
    let mut kept = None;
    for (index, path) in files.iter().enumerate() {
        let scan = journal::scan(path).map_err(failed("read", path))?;
        if scan.tail_bytes() == 0 {
            continue;
        }
        if is_damaged(&scan, index == last, known) {
            return Err(OpenError::Damaged {
                path: path.clone(),
                offset: Some(scan.valid_bytes),
                said: "whole batches follow an unreadable place".to_owned(),
            });
        }
        kept = Some(cut(dir, path, &scan)?);
    }
    Ok(kept)
}

/// Whether a journal is damaged, and not only torn by a crash. Only the newest journal may be torn,
/// and whole batches behind the unreadable place matter only if what is before it falls short.
pub(crate) fn is_damaged(scan: &Scan, newest: bool, known: Option<u64>) -> bool {
    if scan.tail_bytes() == 0 {
        return false;
    }
    let complete = known.is_some_and(|known| scan.commit >= Some(known));
    !newest || (scan.resumes_at.is_some() && !complete)
}

/// Makes the system read journals from the disk again: after a failed write its memory may hold
/// pages that never got there, and what is opened anew must be what a restart would find.
fn forget_cached(dir: &Directory) -> Result<(), OpenError> {
    for path in journal::files(&dir.engine()).map_err(failed("list", &dir.engine()))? {
        let file = fs::File::open(&path).map_err(failed("open", &path))?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)
            .map_err(|error| failed("drop the cached pages of", &path)(error.into()))?;
    }
    Ok(())
}

fn cut(dir: &Directory, path: &Path, scan: &Scan) -> Result<PathBuf, OpenError> {
    let kept = (0_u32..)
        .map(|number| dir.path().join(format!("{TAIL_FILE}-{number}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| dir.path().join(TAIL_FILE));
    journal::cut_tail(path, scan, &kept).map_err(failed("cut the torn end of", path))?;
    tracing::warn!(
        journal.path = %path.display(),
        journal.offset = scan.valid_bytes,
        journal.dropped_bytes = scan.tail_bytes(),
        "dropped a torn write of {} bytes at the end of {}",
        scan.tail_bytes(),
        path.display(),
    );
    Ok(kept)
}

fn open_engine(dir: &Directory, cache_bytes: u64) -> Result<Handle, OpenError> {
    Handle::open(&dir.engine(), cache_bytes).map_err(|error| {
        match super::handle::io_error(&error) {
            Some(io) => {
                failed("open the engine in", dir.path())(std::io::Error::new(io.kind(), error))
            }
            None => damaged(dir, error.to_string()),
        }
    })
}

fn damaged(dir: &Directory, said: String) -> OpenError {
    OpenError::Damaged {
        path: dir.engine(),
        offset: None,
        said,
    }
}
