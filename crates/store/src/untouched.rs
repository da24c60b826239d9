//! A store that is read and cannot be written to, as by a dry run.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use engine::ports::store::{
    Batch, CommitError, Direction, Freshness, Health, Key, KeyRange, Row, Store, StoreError,
    Version,
};
use engine::types::UnixMillis;

/// Refuses every batch. It says that nobody shares it, so that the engine does not begin by telling
/// other processes of this one, which is a write.
pub struct Untouched(pub Arc<dyn Store>);

#[async_trait]
impl Store for Untouched {
    async fn get_many(
        &self,
        keys: &[Key],
        fresh: Freshness,
    ) -> Result<Vec<Option<(Version, Bytes)>>, StoreError> {
        self.0.get_many(keys, fresh).await
    }

    async fn scan(
        &self,
        range: KeyRange,
        direction: Direction,
        limit: u32,
        fresh: Freshness,
    ) -> Result<Vec<Row>, StoreError> {
        self.0.scan(range, direction, limit, fresh).await
    }

    async fn commit(&self, _batch: Batch) -> Result<Version, CommitError> {
        Err(CommitError::Fatal(
            "it was opened for looking only".to_owned(),
        ))
    }

    async fn now(&self) -> Result<UnixMillis, StoreError> {
        self.0.now().await
    }

    fn health(&self) -> Health {
        self.0.health()
    }

    async fn close(&self) {
        self.0.close().await;
    }
}
