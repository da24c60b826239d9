//! The integrity check of a directory: reads everything there is and names the first damaged place.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::directory::{Directory, Holds, failed, inspect};
use super::handle::{Counters, Handle};
use super::{directory, journal, marks, recovery};
use crate::OpenError;

/// Memory for the engine's blocks while checking.
const CACHE_BYTES: u64 = 16 << 20;

/// What [`check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Another process holds the store: its journals and its commit numbers were checked, its rows
    /// were not.
    pub in_use: bool,
    /// Whole batches in the journals.
    pub journal_batches: u64,
    /// The commit number the engine is at; `None` if it was not opened.
    pub commit: Option<u64>,
    /// Rows read, each with the checksum of its block; `None` if the engine was not opened.
    pub rows: Option<u64>,
    /// The first damaged place.
    pub damage: Option<Damage>,
}

/// A damaged place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, or the engine's directory where the engine does not say which.
    pub path: PathBuf,
    /// First unreadable byte, if known.
    pub offset: Option<u64>,
    /// What is wrong, as a sentence part.
    pub said: String,
}

/// Checks the store in `path`, which is best closed; `progress` gets the rows read so far, now and
/// then. Blocks, for about a second per million rows.
///
/// Journals are read first and as they are. If they are whole, the engine is opened as a start
/// would open it (a torn end of the newest journal is cut) and every row is read.
///
/// # Errors
/// `NotAStore`, `NewerFormat`, or `Io`. Damage is no error: it is in the report.
pub fn check(path: &Path, progress: impl FnMut(u64)) -> Result<Report, OpenError> {
    let directory = match Directory::take(path) {
        Ok((directory, Holds::Store)) => Some(directory),
        Ok((_, Holds::Nothing)) => {
            return Err(OpenError::NotAStore {
                path: path.to_owned(),
            });
        }
        Err(OpenError::Held { .. }) => None,
        Err(error) => return Err(error),
    };
    inspect(path)?;
    let mut report = Report {
        in_use: directory.is_none(),
        ..Report::default()
    };
    check_journals(path, &mut report)?;
    if let Some(directory) = directory
        && report.damage.is_none()
    {
        check_engine(&directory, &mut report, progress)?;
    }
    Ok(report)
}

fn check_journals(path: &Path, report: &mut Report) -> Result<(), OpenError> {
    let engine = path.join(directory::ENGINE_DIR);
    let found = marks::read(path).map_err(failed("read commits in", path))?;
    let known = recovery::newest(&found);
    let files = journal::files(&engine).map_err(failed("list", &engine))?;
    check_files(&files, known, report)
}

/// Checks journals, oldest first, of a store whose newest acknowledged number is `known`.
fn check_files(
    files: &[PathBuf],
    known: Option<u64>,
    report: &mut Report,
) -> Result<(), OpenError> {
    let last = files.len().saturating_sub(1);
    for (index, file) in files.iter().enumerate() {
        let scan = match journal::scan(file) {
            // The process that holds the store has removed it: its rows are in tables by now.
            Err(error) if report.in_use && error.kind() == ErrorKind::NotFound => continue,
            scan => scan.map_err(failed("read", file))?,
        };
        report.journal_batches += scan.batches;
        // A live store is writing at the end of its newest journal: that end may look torn.
        let growing = report.in_use && index == last;
        if !growing && recovery::is_damaged(&scan, index == last, known) {
            report.damage = Some(Damage {
                path: file.clone(),
                offset: Some(scan.valid_bytes),
                said: "unreadable, and not the torn end of the newest journal".to_owned(),
            });
            return Ok(());
        }
    }
    Ok(())
}

fn check_engine(
    directory: &Directory,
    report: &mut Report,
    progress: impl FnMut(u64),
) -> Result<(), OpenError> {
    let opened = match recovery::open(directory, CACHE_BYTES, None) {
        Ok(opened) => opened,
        Err(OpenError::Damaged { path, offset, said }) => {
            report.damage = Some(Damage { path, offset, said });
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    report.commit = Some(opened.counters.commit);
    if let Err(said) = opened.marks {
        let path = directory.path().join(marks::FILE);
        report.damage = Some(Damage {
            path,
            offset: None,
            said,
        });
    }
    let (rows, broken) = read_rows(&opened.handle, opened.counters, progress);
    report.rows = Some(rows);
    if let Some(said) = broken {
        report.damage = Some(Damage {
            path: directory.engine(),
            offset: None,
            said,
        });
    }
    Ok(())
}

/// Rows that could be read, and what stopped the reading.
fn read_rows(
    handle: &Handle,
    counters: Counters,
    mut progress: impl FnMut(u64),
) -> (u64, Option<String>) {
    let mut rows = 0;
    let mut last = None;
    for row in handle.rows() {
        let said = match row {
            Ok((key, version, _)) if version.0 <= counters.version => {
                rows += 1;
                if rows % 10_000 == 0 {
                    progress(rows);
                }
                last = Some(key);
                continue;
            }
            Ok((key, version, _)) => {
                let shown = key.escape_ascii();
                format!(
                    "row {shown} has version {}, which was never given",
                    version.0
                )
            }
            Err(error) => {
                let place = last.map_or_else(
                    || "at the first row".to_owned(),
                    |key| format!("after row {}", key.escape_ascii()),
                );
                format!("{error}, {place}")
            }
        };
        return (rows, Some(said));
    }
    (rows, None)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::os::unix::fs::FileExt;

    use bytes::Bytes;
    use engine::ports::store::{Batch, Key, Store};

    use super::*;
    use crate::Options;
    use crate::embedded::EmbeddedStore;

    async fn store(path: &Path, commits: u64) -> EmbeddedStore {
        let store = EmbeddedStore::open(path, Options::default()).unwrap();
        for number in 0..commits {
            let row = |part: u64| {
                (
                    Key::from(format!("{number}/{part}")),
                    Bytes::from(vec![b'x'; 700]),
                )
            };
            let puts = (0..40).map(row).collect();
            store
                .commit(Batch {
                    puts,
                    ..Batch::default()
                })
                .await
                .unwrap();
        }
        store
    }

    #[tokio::test]
    async fn a_whole_store_is_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        let open = store(dir.path(), 3).await;
        let report = check(dir.path(), |_| {}).unwrap();
        assert!(
            report.in_use && report.rows.is_none() && report.damage.is_none(),
            "{report:?}"
        );
        open.close().await;
        let report = check(dir.path(), |_| {}).unwrap();
        let expected = Report {
            in_use: false,
            journal_batches: 3,
            commit: Some(3),
            rows: Some(120),
            damage: None,
        };
        assert_eq!(report, expected);
        assert!(matches!(
            check(tempfile::tempdir().unwrap().path(), |_| {}),
            Err(OpenError::NotAStore { .. })
        ));
    }

    #[tokio::test]
    async fn a_journal_that_its_holder_removes_meanwhile_is_no_damage() {
        let dir = tempfile::tempdir().unwrap();
        store(dir.path(), 3).await.close().await;
        let mut files = journal::files(&dir.path().join("fjall")).unwrap();
        files.insert(0, dir.path().join("fjall/0000.jnl"));
        let check = |in_use| {
            let mut report = Report {
                in_use,
                ..Report::default()
            };
            check_files(&files, Some(3), &mut report).map(|()| report)
        };
        let report = check(true).unwrap();
        assert_eq!((report.journal_batches, report.damage), (3, None));
        assert!(check(false).is_err(), "nobody else can have removed it");
    }

    #[tokio::test]
    async fn damage_in_a_journal_is_found_at_its_offset() {
        let dir = tempfile::tempdir().unwrap();
        store(dir.path(), 4).await.close().await;
        let path = journal::files(&dir.path().join("fjall"))
            .unwrap()
            .pop()
            .unwrap();
        let batch = journal::scan(&path).unwrap().valid_bytes / 4;
        let before = fs::read(&path).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(b"?", batch + batch / 2).unwrap();
        let damage = check(dir.path(), |_| {}).unwrap().damage.unwrap();
        assert_eq!((damage.path, damage.offset), (path.clone(), Some(batch)));
        assert_eq!(
            fs::metadata(&path).unwrap().len(),
            u64::try_from(before.len()).unwrap()
        );
    }

    #[tokio::test]
    async fn damage_in_a_table_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let open = store(dir.path(), 20).await;
        let handle = open.handle().await.unwrap();
        handle.write_out().unwrap();
        drop(handle);
        open.close().await;
        let tables = dir.path().join("fjall/keyspaces/2/tables");
        let table = fs::read_dir(&tables)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&table)
            .unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, 3000).unwrap();
        file.write_all_at(&[byte[0] ^ 1], 3000).unwrap();
        let mut told = Vec::new();
        let report = check(dir.path(), |rows| told.push(rows)).unwrap();
        let damage = report.damage.unwrap();
        assert!(damage.said.contains("ChecksumMismatch"), "{}", damage.said);
        assert!(report.rows.is_some_and(|rows| rows < 800));
        assert!(told.is_empty(), "progress comes every 10,000 rows");
    }
}
