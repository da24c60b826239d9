//! What a writer does while one run of the server lasts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use crypto::boxed::BoxPublicKey;

use crate::clock;
use crate::http::Connection;
use crate::ledger::State;
use crate::tox::{API, Reply};
use crate::writers::Writer;

/// Names a writer ends up with, unless a run says otherwise.
const SLOTS_MAX: usize = 40;

/// What all writers of one run share.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) server: SocketAddr,
    pub(crate) key: BoxPublicKey,
    /// Set before the power is cut: what is acknowledged from then on was perhaps never promised
    /// by a disk that had power, so it stays open.
    pub(crate) ending: Arc<AtomicBool>,
    /// Names a writer ends up with.
    pub(crate) slots_max: usize,
    /// Writes each writer makes.
    pub(crate) writes_max: u64,
    /// Whether a writer ends with the first write that is not acknowledged.
    pub(crate) until_refused: bool,
}

impl Run {
    /// A run without an end of its own.
    pub(crate) fn new(server: SocketAddr, key: BoxPublicKey) -> Self {
        Self {
            server,
            key,
            ending: Arc::new(AtomicBool::new(false)),
            slots_max: SLOTS_MAX,
            writes_max: u64::MAX,
            until_refused: false,
        }
    }
}

/// Writes until the connection breaks, every name has an open write, or the run's writes are made.
pub(crate) async fn write(mut writer: Writer, run: Run) -> Writer {
    writer.unanswered = None;
    let Ok(mut connection) = Connection::open(run.server).await else {
        return writer;
    };
    for _ in 0..run.writes_max {
        let Some((at, state)) = writer.choose(run.slots_max) else {
            break;
        };
        let began = clock::now();
        match exchange(&mut writer, &mut connection, &run, (at, state)).await {
            Ok(code) if code != 0 && run.until_refused => break,
            Ok(_) => {}
            Err(_) => {
                writer.unanswered = Some((at, began));
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
) -> Result<i32> {
    let body = writer.begin(at, state, &run.key)?;
    let began = clock::now();
    let reply = Reply::read(&connection.post(API, &body).await?)?;
    if !run.ending.load(Ordering::SeqCst) {
        writer.settle(at, reply.c);
        if reply.c == 0 {
            writer.last_acknowledged = Some(began);
        }
    }
    Ok(reply.c)
}
