//! Connections for reads.

use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{
    BuildError, Manager, Metrics, Pool, PoolError, RecycleError, RecycleResult, Timeouts,
};

use super::connection::{Connection, Connector, Refusal};

/// Longest wait for a free connection.
pub(crate) const CONNECTION_WAIT: Duration = Duration::from_secs(2);

pub(crate) type ReadPool = Pool<Opener>;

/// Makes connections, and looks whether one that was used before is still good.
pub(crate) struct Opener(Arc<Connector>);

impl Manager for Opener {
    type Type = Connection;
    type Error = Refusal;

    async fn create(&self) -> Result<Connection, Refusal> {
        self.0.connect().await
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Refusal> {
        if connection.is_closed() {
            return Err(RecycleError::message("it is closed"));
        }
        if connection.is_busy() {
            return Err(RecycleError::message("what it does was given up"));
        }
        if !self.0.is_current(connection) {
            return Err(RecycleError::message("another server has taken over"));
        }
        Ok(())
    }
}

/// A pool of at most this many connections, empty at first.
///
/// # Errors
/// Never, as a runtime is named.
pub(crate) fn pool(connector: Arc<Connector>, connections: usize) -> Result<ReadPool, BuildError> {
    let timeouts = Timeouts {
        wait: Some(CONNECTION_WAIT),
        // The connector's own.
        create: None,
        recycle: None,
    };
    Pool::builder(Opener(connector))
        .max_size(connections)
        .timeouts(timeouts)
        .runtime(deadpool::Runtime::Tokio1)
        .build()
}

/// Why there is no connection, in words.
pub(crate) fn no_connection(error: PoolError<Refusal>) -> String {
    match error {
        PoolError::Backend(refusal) => refusal.said,
        PoolError::Closed => "the store is closed".to_owned(),
        PoolError::Timeout(_) | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            "all connections to the database are in use".to_owned()
        }
    }
}
