//! Hashes of a served log, read from its tiles.

use std::collections::HashMap;

use anyhow::{Context as _, Result, ensure};
use merkle::Hash;
use merkle::tile::{NodeId, TileId, node_in_tile, tile_of};

use crate::http::Connection;

/// The tiles of a log of one size; each is fetched once.
pub(crate) struct Tiles<'c> {
    connection: &'c mut Connection,
    size: u64,
    fetched: HashMap<TileId, Vec<u8>>,
}

impl<'c> Tiles<'c> {
    pub(crate) fn new(connection: &'c mut Connection, size: u64) -> Self {
        Self {
            connection,
            size,
            fetched: HashMap::new(),
        }
    }

    /// The hashes of complete subtrees.
    pub(crate) async fn nodes(&mut self, nodes: &[NodeId]) -> Result<Vec<Hash>> {
        let mut hashes = Vec::with_capacity(nodes.len());
        for node in nodes {
            let (id, _) = tile_of(*node);
            let tile = self.tile(id).await?;
            let hash = node_in_tile(tile, *node);
            hashes.push(hash.with_context(|| format!("{node:?} is not in its tile"))?);
        }
        Ok(hashes)
    }

    async fn tile(&mut self, id: TileId) -> Result<&[u8]> {
        if !self.fetched.contains_key(&id) {
            let path = format!("/log/{}", id.path(id.width(self.size)));
            let answer = self.connection.get(&path).await?;
            ensure!(answer.status == 200, "{path}: status {}", answer.status);
            self.fetched.insert(id, answer.body);
        }
        self.fetched
            .get(&id)
            .map(Vec::as_slice)
            .context("the tile was just fetched")
    }
}
