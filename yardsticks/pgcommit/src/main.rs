//! The one call of PostgreSQL that a registration cannot do without: the server's own `kv_commit`,
//! called with the keys and values of one registration at a time.
//!
//! usage: `pgcommit URL TASKS`, on a database that the server was started on before, so that its
//! tables and its function are there. It opens a connection for each task and prints `ready`; for
//! each line `MS` of its input all tasks then call one after the other for so many milliseconds,
//! and it prints `N calls in MS ms`. Whoever runs it measures the CPU time of both sides.
//!
//! It reads nothing first, serves nobody and puts nothing together: what the server saves by
//! committing registrations in groups counts for the server, what it spends on reads, on cryptography
//! and on sequencing counts against it.

mod registration;

use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, Statement};

use registration::Registration;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How the server sets its sessions where it matters to the plans of a call.
const SESSION: &str = "SET jit = off; SET enable_seqscan = off; SET enable_bitmapscan = off;
    SET enable_nestloop = off; SET plan_cache_mode = force_generic_plan";

/// A connection, and the registrations that nobody else makes.
struct Caller {
    client: Client,
    commit: Statement,
    next: u64,
    step: u64,
}

impl Caller {
    async fn connect(url: &str, first: u64, step: u64) -> Outcome<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(async {
            if let Err(error) = connection.await {
                eprintln!("{error}");
            }
        });
        client.batch_execute(SESSION).await?;
        let places: Vec<String> = (1..=21).map(|place| format!("${place}")).collect();
        let call = format!("SELECT kv_commit({})", places.join(", "));
        Ok(Self {
            commit: client.prepare(&call).await?,
            client,
            next: first,
            step,
        })
    }

    /// Calls until the time is up; answers how often.
    async fn call_until(&mut self, end: Instant) -> Outcome<u64> {
        let mut calls = 0;
        while Instant::now() < end {
            let registration = Registration::new(self.next);
            self.next += self.step;
            let arguments = registration.arguments();
            self.client
                .query_one(&self.commit, &arguments.parameters())
                .await?;
            calls += 1;
        }
        Ok(calls)
    }
}

async fn round(callers: Vec<Caller>, ms: u64) -> Outcome<(Vec<Caller>, u64)> {
    let end = Instant::now() + Duration::from_millis(ms);
    let mut tasks = JoinSet::new();
    for mut caller in callers {
        tasks.spawn(async move {
            let calls = caller.call_until(end).await;
            calls.map(|calls| (caller, calls))
        });
    }
    let (mut callers, mut all) = (Vec::new(), 0);
    while let Some(done) = tasks.join_next().await {
        let (caller, calls) = done??;
        callers.push(caller);
        all += calls;
    }
    Ok((callers, all))
}

async fn run(url: &str, tasks: u64) -> Outcome<()> {
    let began = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let first = began.as_secs() << 24;
    let mut callers = Vec::new();
    for task in 0..tasks {
        callers.push(Caller::connect(url, first + task, tasks).await?);
    }
    let mut out = std::io::stdout();
    writeln!(out, "ready")?;
    for line in std::io::stdin().lock().lines() {
        let ms = line?.trim().parse()?;
        let began = Instant::now();
        let (back, calls) = round(callers, ms).await?;
        callers = back;
        writeln!(out, "{calls} calls in {} ms", began.elapsed().as_millis())?;
    }
    Ok(())
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, tasks] = arguments.as_slice() else {
        return Err("usage: pgcommit URL TASKS".into());
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(url, tasks.parse()?))
}
