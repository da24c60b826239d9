//! The port's contract on the backends of this crate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use engine::ports::store::Store;
use store::memory::MemoryStore;
use store::{OpenError, Options, conformance};
use testkit::faulty;

async fn embedded(path: &std::path::Path) -> Arc<dyn Store> {
    let url = format!("file:{}", path.display());
    store::open(&url, Options::default())
        .await
        .expect("a fresh or closed store opens")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory() {
    conformance::run(async || store::open("memory:", Options::default()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wrapper_without_faults() {
    conformance::run(async || Arc::new(faulty(MemoryStore::new()).0) as Arc<dyn Store>).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn embedded_store() {
    let dir = tempfile::tempdir().unwrap();
    let made = AtomicU32::new(0);
    conformance::run(async || {
        let number = made.fetch_add(1, Ordering::Relaxed);
        embedded(&dir.path().join(number.to_string())).await
    })
    .await;
}

#[tokio::test]
async fn embedded_store_without_a_cache_and_on_one_thread() {
    let dir = tempfile::tempdir().unwrap();
    let made = AtomicU32::new(0);
    conformance::run(async || {
        let number = made.fetch_add(1, Ordering::Relaxed);
        let url = format!("file:{}/{number}", dir.path().display());
        let options = Options {
            cache_bytes: 0,
            ..Options::default()
        };
        store::open(&url, options).await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn embedded_store_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    conformance::run_durable(async || embedded(&path).await).await;
}

#[tokio::test]
async fn unknown_urls_name_the_known_ones() {
    for url in ["", "file:", "redis://localhost", "./data"] {
        let refused = store::open(url, Options::default()).await;
        let Err(error @ OpenError::UnknownScheme(_)) = refused else {
            panic!("{url} was opened")
        };
        let said = error.to_string();
        assert!(
            said.contains("memory:") && said.contains("file:PATH"),
            "{said}"
        );
    }
}
