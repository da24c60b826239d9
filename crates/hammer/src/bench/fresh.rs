//! B14: from a write's acknowledgement to a published, verified checkpoint that covers it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;

use super::Bed;
use super::line::{Line, Target};
use crate::clock;
use crate::http::Connection;
use crate::log_view::Trust;
use crate::random::Random;
use crate::server::Server;
use crate::stats::{ms, percentile};
use crate::tox::{self, Profile, Record};

/// Clients that write and then look until they see their write proven.
const CLIENTS: u64 = 8;
const LOOK: Duration = Duration::from_millis(2);
/// Longest wait for one write.
const WAIT: Duration = Duration::from_secs(30);

/// Eight clients in closed loops for two rounds' time.
pub(super) async fn measure(bed: &Bed, server: &Server) -> Result<Vec<Line>> {
    bed.output.progress("B14");
    let mut connection = Connection::open(server.address()).await?;
    let trust = Arc::new(Trust::first_contact(&mut connection).await?);
    let mut tasks = JoinSet::new();
    for client in 0..CLIENTS {
        tasks.spawn(look(server.address(), trust.clone(), client, bed.round * 2));
    }
    let mut waits = Vec::new();
    while let Some(part) = tasks.join_next().await {
        waits.extend(part.context("a client broke")??);
    }
    let at = |share| {
        percentile(&waits, share)
            .map(ms)
            .context("no write was covered")
    };
    Ok(vec![Line {
        id: "B14",
        what: "write acknowledged to covered by a verified checkpoint, p99".to_owned(),
        ours: at(0.99)?,
        unit: "ms",
        yardstick: None,
        target: Some(Target::AtMost(1000.0)),
        note: format!(
            "p50 {:.1} ms, max {:.1} ms; {} writes by {CLIENTS} clients, each looks at \
             /log/names every {LOOK:?}",
            at(0.5)?,
            at(1.0)?,
            waits.len()
        ),
    }])
}

async fn look(
    server: SocketAddr,
    trust: Arc<Trust>,
    client: u64,
    duration: Duration,
) -> Result<Vec<Duration>> {
    let mut connection = Connection::open(server).await?;
    let key = tox::server_key(&mut connection).await?;
    let mut random = Random::stream(clock::unix_s(), client);
    let began = clock::now();
    let mut waits = Vec::new();
    let mut serial = 0;
    while began.elapsed() < duration {
        serial += 1;
        let name = format!("fresh{client}-{serial}");
        let profile = Profile::new(name, random.next(), serial);
        let record = Record {
            version: 1,
            privacy: 0,
        };
        let body = profile.push(&key, &record, &mut random)?;
        let reply = tox::ask(&mut connection, &body).await?;
        ensure!(reply.c == 0, "a push was refused with {}", reply.c);
        let acknowledged = clock::now();
        while trust.prove(&mut connection, &profile).await?.record != Some(record) {
            ensure!(
                acknowledged.elapsed() < WAIT,
                "a write is not covered after {WAIT:?}"
            );
            tokio::time::sleep(LOOK).await;
        }
        waits.push(acknowledged.elapsed());
    }
    Ok(waits)
}
