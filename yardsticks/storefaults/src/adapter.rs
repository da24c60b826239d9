//! The project's own store, as one more engine.

use std::path::Path;
use std::sync::Arc;

use ::engine::ports::store::{Batch, Freshness, Health, Key, Store};
use bytes::Bytes;
use tokio::runtime::Runtime;

use crate::engines::{Engine, Outcome, Rows};

pub struct Adapter {
    runtime: Runtime,
    store: Arc<dyn Store>,
}

impl Adapter {
    pub fn open(dir: &Path) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let url = format!("file:{}/store", dir.display());
        let store = runtime.block_on(store::open(&url, store::Options::default()))?;
        match store.health() {
            Health::Ready | Health::WritesPaused(_) => Ok(Self { runtime, store }),
            Health::ReadOnly(why) => Err(format!("read-only: {why}").into()),
        }
    }
}

impl Engine for Adapter {
    fn commit(&self, rows: &Rows) -> Outcome<()> {
        let puts = rows
            .iter()
            .map(|(key, value)| (Key::copy_from_slice(key), Bytes::copy_from_slice(value)));
        let batch = Batch {
            puts: puts.collect(),
            ..Batch::default()
        };
        self.runtime.block_on(self.store.commit(batch))?;
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        let keys = [Key::copy_from_slice(key)];
        let mut found = self
            .runtime
            .block_on(self.store.get_many(&keys, Freshness::Now))?;
        Ok(found.pop().flatten().map(|(_, value)| value.to_vec()))
    }
}
