//! The port's contract, alone and with several processes, under each isolation level.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use engine::ports::store::Store;
use store::{Options, conformance};

use crate::rig::{self, Taken};

const SERIALIZABLE: &str = "%20-cdefault_transaction_isolation%3Dserializable";
const REPEATABLE: &str = "%20-cdefault_transaction_isolation%3Drepeatable%5C%20read";

async fn run(options: &str) {
    conformance::run(async || rig::open(&rig::fresh_url(options).await).await).await;
}

/// Three processes that share a database.
async fn run_taking_turns(options: &str) {
    conformance::run(async || {
        let url = rig::fresh_url(options).await;
        let mut stores = Vec::new();
        for _ in 0..3 {
            let options = Options {
                cache_bytes: 0,
                connections: 6,
                ..Options::default()
            };
            stores.push(store::open(&url, options).await.expect("the store opens"));
        }
        Arc::new(Taken(stores, AtomicU32::new(0))) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn read_committed() {
    run("").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn serializable() {
    run(SERIALIZABLE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_processes_read_committed() {
    run_taking_turns("").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_processes_repeatable_read() {
    run_taking_turns(REPEATABLE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_processes_serializable() {
    run_taking_turns(SERIALIZABLE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_survive_the_process() {
    let url = rig::fresh_url("").await;
    conformance::run_durable(async || rig::open(&url).await).await;
}
