//! A disk that really is full: a small tmpfs, where mounting is allowed. (The same through a seam,
//! everywhere: the unit tests of `embedded`.)

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic")]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use engine::ports::store::{Batch, CommitError, Freshness, Health, Key, Store};
use store::Options;

struct SmallDisk {
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` where this process may not mount.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(dir.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self {
            path: dir.path().to_owned(),
            _dir: dir,
        })
    }

    /// Takes all the space; freed by removing the file it returns.
    fn fill(&self) -> PathBuf {
        let path = self.path.join("filler");
        let mut file = File::create(&path).unwrap();
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg(&self.path).status().unwrap();
        assert!(done.success() || std::thread::panicking());
    }
}

fn row(number: u32) -> Batch {
    let value = Bytes::from(vec![b'x'; 10_000]);
    Batch {
        puts: vec![(Key::from(number.to_string()), value)],
        ..Batch::default()
    }
}

async fn assert_holds(store: &dyn Store, count: u32) {
    let keys: Vec<Key> = (0..count)
        .map(|number| Key::from(number.to_string()))
        .collect();
    let rows = store.get_many(&keys, Freshness::Now).await.unwrap();
    assert!(
        rows.iter()
            .all(|row| row.as_ref().is_some_and(|row| row.1.len() == 10_000))
    );
}

async fn fill_and_free(path: &Path, disk: &SmallDisk, reserve_bytes: Option<u64>) {
    let url = format!("file:{}", path.display());
    let options = Options {
        reserve_bytes,
        ..Options::default()
    };
    let store = store::open(&url, options).await.unwrap();
    let mut written = 0;
    while written < 100 {
        store.commit(row(written)).await.unwrap();
        written += 1;
    }
    for _ in 0..3 {
        let filler = disk.fill();
        let refused = loop {
            match store.commit(row(written)).await {
                Ok(_) => written += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, CommitError::Unavailable(_)), "{refused}");
        let again = store.commit(row(written)).await;
        assert!(
            matches!(again, Err(CommitError::Unavailable(_))),
            "{again:?}"
        );
        assert!(matches!(store.health(), Health::WritesPaused(_)));
        assert_holds(&*store, written).await;

        fs::remove_file(filler).unwrap();
        store
            .commit(row(written))
            .await
            .expect("there is space again");
        written += 1;
        assert_eq!(store.health(), Health::Ready);
        assert_holds(&*store, written).await;
    }
    store.close().await;
    let store = store::open(&url, Options::default()).await.unwrap();
    assert_holds(&*store, written).await;
    store.close().await;
}

#[tokio::test]
async fn writes_pause_on_a_full_disk_and_resume() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("not run: this process may not mount a file system");
        return;
    };
    // With the reserve, the engine never meets the full disk; without, it does and is reopened.
    fill_and_free(&disk.path.join("with"), &disk, None).await;
    fill_and_free(&disk.path.join("without"), &disk, Some(0)).await;
}
