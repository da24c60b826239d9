//! What a writer does while one run of the server lasts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use crypto::boxed::BoxPublicKey;

use crate::http::Connection;
use crate::ledger::State;
use crate::tox::{API, Reply};
use crate::writers::Writer;

/// What all writers of one run share.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) server: SocketAddr,
    pub(crate) key: BoxPublicKey,
    /// Set before the power is cut: what is acknowledged from then on was perhaps never promised
    /// by a disk that had power, so it stays open.
    pub(crate) ending: Arc<AtomicBool>,
}

/// Writes until the connection breaks or every name has an open write.
pub(crate) async fn write(mut writer: Writer, run: Run, slots_max: usize) -> Writer {
    if let Ok(mut connection) = Connection::open(run.server).await {
        while let Some((at, state)) = writer.choose(slots_max) {
            if exchange(&mut writer, &mut connection, &run, (at, state))
                .await
                .is_err()
            {
                break;
            }
        }
    }
    writer
}

async fn exchange(
    writer: &mut Writer,
    connection: &mut Connection,
    run: &Run,
    (at, state): (usize, State),
) -> Result<()> {
    let body = writer.begin(at, state, &run.key)?;
    let reply = Reply::read(&connection.post(API, &body).await?)?;
    if !run.ending.load(Ordering::SeqCst) {
        writer.settle(at, reply.c);
    }
    Ok(())
}
