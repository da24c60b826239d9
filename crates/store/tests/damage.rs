//! What an embedded store makes of directories that are not as it left them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helpers may panic"
)]

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use engine::ports::store::{Batch, CommitError, Freshness, Health, Key, Store};
use store::{OpenError, Options};

async fn open(path: &Path) -> Result<Arc<dyn Store>, OpenError> {
    store::open(&format!("file:{}", path.display()), Options::default()).await
}

async fn put(store: &dyn Store, name: &str) -> Result<(), CommitError> {
    let puts = vec![(
        Key::copy_from_slice(name.as_bytes()),
        Bytes::from(vec![b'x'; 2000]),
    )];
    store
        .commit(Batch {
            puts,
            ..Batch::default()
        })
        .await
        .map(|_| ())
}

async fn holds(store: &dyn Store, name: &str) -> bool {
    let keys = [Key::copy_from_slice(name.as_bytes())];
    store.get_many(&keys, Freshness::Now).await.unwrap()[0].is_some()
}

/// A closed store with the rows 0 to 9, one commit each.
async fn ten_rows(path: &Path) {
    let store = open(path).await.unwrap();
    for number in 0..10 {
        put(&*store, &number.to_string()).await.unwrap();
    }
    store.close().await;
}

fn read_only_reason(store: &dyn Store) -> String {
    let Health::ReadOnly(why) = store.health() else {
        unreachable!("the store is {:?}", store.health())
    };
    why
}

fn journal(path: &Path) -> PathBuf {
    let files = fs::read_dir(path.join("fjall"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|end| end == "jnl"))
        .max()
        .unwrap()
}

fn used(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    let used = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |at| at + 1);
    used.try_into().unwrap()
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .unwrap();
    assert!(done.success());
}

fn tails(path: &Path) -> usize {
    let names = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().starts_with("tail-kept"))
        .count()
}

#[tokio::test]
async fn a_cut_journal_makes_the_store_read_only() {
    let dir = tempfile::tempdir().unwrap();
    ten_rows(dir.path()).await;
    let journal = journal(dir.path());
    let length = used(&journal);
    OpenOptions::new()
        .write(true)
        .open(&journal)
        .unwrap()
        .set_len(length / 2 + 100)
        .unwrap();

    for _ in 0..2 {
        let store = open(dir.path()).await.unwrap();
        let why = read_only_reason(&*store);
        assert!(why.contains("at commit 5,"), "{why}");
        assert!(why.contains("commit 10 was acknowledged"), "{why}");
        assert!(holds(&*store, "3").await && !holds(&*store, "9").await);
        let refused = put(&*store, "late").await;
        assert!(
            matches!(&refused, Err(CommitError::Fatal(said)) if *said == why),
            "{refused:?}"
        );
        store.close().await;
        assert_eq!(tails(dir.path()), 1, "the cut end is kept");
    }

    fs::remove_file(dir.path().join("commits")).unwrap();
    let store = open(dir.path()).await.unwrap();
    assert_eq!(
        store.health(),
        Health::Ready,
        "an operator accepts the loss"
    );
    put(&*store, "late").await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn an_older_engine_directory_makes_the_store_read_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let older = dir.path().join("older");
    ten_rows(&path).await;
    copy(&path.join("fjall"), &older);
    let store = open(&path).await.unwrap();
    put(&*store, "newer").await.unwrap();
    store.close().await;
    fs::remove_dir_all(path.join("fjall")).unwrap();
    copy(&older, &path.join("fjall"));

    let store = open(&path).await.unwrap();
    let why = read_only_reason(&*store);
    assert!(
        why.contains("at commit 10,") && why.contains("commit 11 was acknowledged"),
        "{why}"
    );
    store.close().await;

    fs::remove_dir_all(path.join("fjall")).unwrap();
    fs::create_dir(path.join("fjall")).unwrap();
    let store = open(&path).await.unwrap();
    let why = read_only_reason(&*store);
    assert!(
        why.contains("at commit 0,"),
        "an emptied engine is no new store: {why}"
    );
}

#[tokio::test]
async fn a_torn_end_of_the_journal_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    ten_rows(dir.path()).await;
    let journal = journal(dir.path());
    let length = used(&journal);
    let mut file = OpenOptions::new().write(true).open(&journal).unwrap();
    file.seek(SeekFrom::Start(length)).unwrap();
    // The start of a batch of two items, then nothing.
    file.write_all(&[1, 2, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 77])
        .unwrap();
    drop(file);
    let store = open(dir.path()).await.unwrap();
    assert_eq!(store.health(), Health::Ready);
    assert!(holds(&*store, "9").await);
    put(&*store, "after").await.unwrap();
    store.close().await;
    assert_eq!(tails(dir.path()), 0, "nothing acknowledged was in it");
    let store = open(dir.path()).await.unwrap();
    assert!(holds(&*store, "after").await);
}

#[tokio::test]
async fn zeros_inside_the_journal_are_damage_and_nothing_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    ten_rows(dir.path()).await;
    let journal = journal(dir.path());
    let mut file = OpenOptions::new().write(true).open(&journal).unwrap();
    file.seek(SeekFrom::Start(4096)).unwrap();
    file.write_all(&[0; 4096]).unwrap();
    drop(file);
    let before = fs::read(&journal).unwrap();
    for _ in 0..2 {
        let refused = open(dir.path()).await.err();
        let Some(OpenError::Damaged {
            path,
            offset: Some(offset),
            ..
        }) = &refused
        else {
            unreachable!("{refused:?}")
        };
        assert_eq!(path, &journal);
        assert!((2000..=4096).contains(offset), "{offset}");
        assert!(fs::read(&journal).unwrap() == before);
    }
}

/// Every regular file below a directory, in order.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let below = |path: PathBuf| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    };
    paths.into_iter().flat_map(below).collect()
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 0x41;
    fs::write(path, bytes).unwrap();
}

fn shorten(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..4]).unwrap();
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

/// Whether a file of the engine names its tables, or names the file that does.
fn is_in_use(path: &Path) -> bool {
    let Ok(pointer) = fs::read(path.with_file_name("current")) else {
        return false;
    };
    let version = u64::from_le_bytes(pointer[..8].try_into().unwrap());
    path.ends_with("current") || path.ends_with(format!("v{version}"))
}

#[tokio::test]
async fn an_engine_s_file_that_is_gone_short_or_points_nowhere_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    ten_rows(&whole).await;
    let mut tried = 0;
    for (round, change) in [flip, shorten, remove].into_iter().enumerate() {
        for at in 0.. {
            let place = dir.path().join(format!("{round}-{at}"));
            copy(&whole, &place);
            let Some(path) = files(&place)
                .into_iter()
                .filter(|path| is_in_use(path))
                .nth(at)
            else {
                break;
            };
            change(&path);
            let refused = open(&place).await.err();
            assert!(
                matches!(refused, Some(OpenError::Damaged { .. })),
                "{round} {}: {refused:?}",
                path.display()
            );
            tried += 1;
        }
    }
    assert!(tried >= 18, "{tried}");
}

#[tokio::test]
async fn a_new_directory_is_for_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/store");
    ten_rows(&path).await;
    for made in [path.parent().unwrap(), &path] {
        let mode = fs::metadata(made).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", made.display());
    }
}

#[tokio::test]
async fn a_torn_commit_number_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    ten_rows(dir.path()).await;
    let commits = dir.path().join("commits");
    let length = used(&commits);
    let mut file = OpenOptions::new().write(true).open(&commits).unwrap();
    file.seek(SeekFrom::Start(length - 4)).unwrap();
    file.write_all(&[0; 4]).unwrap();
    drop(file);
    let store = open(dir.path()).await.unwrap();
    assert_eq!(store.health(), Health::Ready);
    put(&*store, "after").await.unwrap();
    store.close().await;

    fs::write(&commits, vec![7; 64]).unwrap();
    let store = open(dir.path()).await.unwrap();
    assert!(read_only_reason(&*store).contains("no readable number"));
}

#[tokio::test]
async fn other_formats_and_other_directories_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    ten_rows(&path).await;
    fs::write(path.join("format"), "sealbook store 2\n").unwrap();
    let refused = open(&path).await.err();
    let Some(OpenError::NewerFormat {
        found: 2, known: 1, ..
    }) = &refused
    else {
        unreachable!("{refused:?}")
    };
    assert!(refused.is_some_and(|refused| {
        refused
            .to_string()
            .contains("run the release that wrote it")
    }));
    fs::write(path.join("format"), "something else\n").unwrap();
    assert!(matches!(
        open(&path).await,
        Err(OpenError::NotAStore { .. })
    ));

    let other = dir.path().join("home");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("letter.txt"), "dear reader").unwrap();
    assert!(matches!(
        open(&other).await,
        Err(OpenError::NotAStore { .. })
    ));
    let names: Vec<_> = fs::read_dir(&other)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(
        names,
        ["letter.txt"],
        "a refused directory is left as it was"
    );
}

#[tokio::test]
async fn an_interrupted_making_starts_over() {
    let dir = tempfile::tempdir().unwrap();
    ten_rows(dir.path()).await;
    fs::rename(dir.path().join("format"), dir.path().join("format.new")).unwrap();
    let store = open(dir.path()).await.unwrap();
    assert_eq!(store.health(), Health::Ready);
    assert!(
        !holds(&*store, "1").await,
        "a store that was never finished was never used"
    );
}
