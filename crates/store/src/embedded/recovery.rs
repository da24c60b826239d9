//! Opening the engine, and judging whether it still holds what was acknowledged.
//!
//! Journals are read before the engine may touch them (see `journal`), the newest commit number is
//! compared with the file `commits` (see `marks`). A store that is behind opens for reading only.

use std::fs;
use std::io;
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

/// Opens a store that exists. `acknowledged` is the number this process knows, if it does: then what
/// the journals hold beyond it was refused and seen by nobody, and is dropped.
pub(crate) fn open(
    dir: &Directory,
    cache_bytes: u64,
    acknowledged: Option<u64>,
) -> Result<Opened, OpenError> {
    let found = marks::read(dir.path()).map_err(failed("read commits in", dir.path()))?;
    let known = acknowledged.max(newest(&found));
    forget_cached(dir)?;
    let tails = trim_journals(dir, known, acknowledged.and(known))?;
    check_pointers(dir)?;
    let handle = open_engine(dir, cache_bytes)?;
    let counters = handle
        .counters()
        .map_err(|error| damaged(dir, error.to_string()))?;
    let marks = match judge(&found, known, counters.commit) {
        Ok(()) => {
            for tail in tails {
                fs::remove_file(&tail).map_err(failed("remove", &tail))?;
            }
            let marks = Marks::create(dir.path(), counters.commit);
            Ok(marks.map_err(failed("write commits in", dir.path()))?)
        }
        Err(why) => Err(with_tails(why, &tails)),
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

fn with_tails(mut why: String, tails: &[PathBuf]) -> String {
    for tail in tails {
        why.push_str("; a cut end of a journal is kept in ");
        why.push_str(&tail.display().to_string());
    }
    why
}

/// Cuts what a crash left at the end of journals, and commits after `last_commit` at the end of the newest
/// one. Returns where the cut ends are kept.
fn trim_journals(
    dir: &Directory,
    known: Option<u64>,
    last_commit: Option<u64>,
) -> Result<Vec<PathBuf>, OpenError> {
    let files = journal::files(&dir.engine()).map_err(failed("list", &dir.engine()))?;
    let last = files.len().saturating_sub(1);
    let mut kept = Vec::new();
    for (index, path) in files.iter().enumerate() {
        let to = last_commit.filter(|_| index == last);
        let scan = journal::scan_to(path, to).map_err(failed("read", path))?;
        if scan.tail_bytes() == 0 {
            continue;
        }
        if is_damaged(&scan, index == last, known) {
            return Err(OpenError::Damaged {
                path: path.clone(),
                offset: Some(scan.valid_bytes),
                said: "unreadable from there, and acknowledged commits may be behind it".to_owned(),
            });
        }
        kept.push(cut(dir, path, &scan)?);
    }
    Ok(kept)
}

/// Whether a journal is damaged, and not only torn by a crash or a refused write. What reaches the
/// newest acknowledged number is complete, whatever follows; else only the end of the newest
/// journal may be torn, with no whole batch behind the unreadable place.
pub(crate) fn is_damaged(scan: &Scan, newest: bool, known: Option<u64>) -> bool {
    let complete = known.is_some_and(|known| scan.commit >= Some(known));
    scan.tail_bytes() > 0 && !complete && (!newest || scan.resumes_at.is_some())
}

/// Makes the system read journals from the disk again. After a failed write or sync its memory may
/// hold pages that never got there and that it will not write again, and it keeps them beyond the
/// process: to go on from them would build on what a power cut takes away.
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
            Some(io) if !is_content(io.kind()) => {
                failed("open the engine in", dir.path())(io::Error::new(io.kind(), error))
            }
            Some(_) | None => damaged(dir, error.to_string()),
        }
    })
}

/// Refuses an engine of which a keyspace has lost the file that names its tables: the engine would
/// take it for a new one, and start without the rows.
fn check_pointers(dir: &Directory) -> Result<(), OpenError> {
    let keyspaces = dir.engine().join("keyspaces");
    let entries = match fs::read_dir(&keyspaces) {
        // An emptied engine is found by its commit number.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed("list", &keyspaces))?,
    };
    for entry in entries {
        let path = entry.map_err(failed("list", &keyspaces))?.path();
        let pointer = path.join("current");
        if path.is_dir() && !pointer.exists() {
            return Err(OpenError::Damaged {
                path: pointer,
                offset: None,
                said: "the file is missing".to_owned(),
            });
        }
    }
    Ok(())
}

/// Whether an error speaks of what files hold, and not of the system: the engine looks for files
/// that others name, and reads where and as far as they say.
fn is_content(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::NotFound
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
    )
}

fn damaged(dir: &Directory, said: String) -> OpenError {
    OpenError::Damaged {
        path: dir.engine(),
        offset: None,
        said,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use engine::ports::store::{Batch, Key, Store};

    use super::*;
    use crate::Options;
    use crate::embedded::EmbeddedStore;

    #[tokio::test]
    async fn a_refused_group_is_dropped_when_the_engine_is_opened_anew() {
        for (acknowledged, left) in [(None, 3), (Some(3), 3), (Some(2), 2)] {
            let dir = tempfile::tempdir().unwrap();
            let store = EmbeddedStore::open(dir.path(), Options::default()).unwrap();
            for number in 0..3_u8 {
                let put = (Key::from(vec![number]), Bytes::from_static(b"value"));
                let batch = Batch {
                    puts: vec![put],
                    ..Batch::default()
                };
                store.commit(batch).await.unwrap();
            }
            store.close().await;
            // The refused group has no record in it.
            fs::remove_file(dir.path().join(marks::FILE)).unwrap();
            let (directory, _) = Directory::take(dir.path()).unwrap();
            let opened = open(&directory, 1 << 20, acknowledged).unwrap();
            let rows = opened.handle.rows().count();
            assert_eq!((rows, opened.counters.commit), (left, left as u64));
            assert!(opened.marks.is_ok());
        }
    }

    #[test]
    fn only_what_may_hold_acknowledged_batches_is_damage() {
        let scan = |used_bytes, resumes_at, commit| Scan {
            batches: 3,
            valid_bytes: 100,
            used_bytes,
            resumes_at,
            commit,
        };
        let (whole, torn) = (scan(100, None, Some(7)), scan(150, None, Some(7)));
        let hole = scan(150, Some(130), Some(7));
        let empty = scan(150, Some(130), None);
        assert!(!is_damaged(&whole, false, Some(9)));
        assert!(
            !is_damaged(&torn, true, Some(9)),
            "the commit number shows what was lost"
        );
        assert!(
            is_damaged(&torn, false, Some(9)),
            "only the newest journal may be torn"
        );
        assert!(
            !is_damaged(&torn, false, Some(7)),
            "everything acknowledged is before it"
        );
        assert!(is_damaged(&hole, true, Some(9)) && is_damaged(&hole, true, None));
        assert!(!is_damaged(&hole, true, Some(7)));
        assert!(is_damaged(&empty, true, Some(1)) && is_damaged(&empty, true, None));
    }
}
