//! Names that a server holds, and requests about them.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;

use crate::clock;
use crate::http::{Answer, Connection};
use crate::output::Output;
use crate::random::Random;
use crate::tox::{self, Profile, Record};

/// A number of names, each with a key pair made from seed and number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Population {
    pub(crate) names: u64,
    pub(crate) seed: u64,
}

impl Population {
    /// The name of a number; numbers from `names` on are names nobody holds.
    pub(crate) fn name(number: u64) -> String {
        format!("n{number:09}")
    }

    pub(crate) fn profile(&self, number: u64) -> Profile {
        Profile::new(Self::name(number), self.seed, number)
    }

    /// Pushes every name, over `connections` connections. Most of the time is this side's: two
    /// X25519 multiplications a name.
    pub(crate) async fn fill(
        &self,
        server: SocketAddr,
        connections: u64,
        output: &Output,
    ) -> Result<Duration> {
        self.fill_from(0, server, connections, output).await
    }

    /// The same from a number on.
    pub(crate) async fn fill_from(
        &self,
        from: u64,
        server: SocketAddr,
        connections: u64,
        output: &Output,
    ) -> Result<Duration> {
        let began = clock::now();
        let mut tasks = JoinSet::new();
        for first in from..from.saturating_add(connections) {
            tasks.spawn(fill_part(*self, server, first, connections, *output));
        }
        while let Some(part) = tasks.join_next().await {
            part.context("a filling task broke")??;
        }
        Ok(began.elapsed())
    }
}

async fn fill_part(
    population: Population,
    server: SocketAddr,
    first: u64,
    step: u64,
    output: Output,
) -> Result<()> {
    let mut connection = Connection::open(server).await?;
    let key = tox::server_key(&mut connection).await?;
    let mut random = Random::stream(clock::unix_s(), first);
    let mut number = first;
    while number < population.names {
        let profile = population.profile(number);
        let record = Record {
            version: 1,
            privacy: 1,
        };
        let body = profile.push(&key, &record, &mut random)?;
        let reply = tox::ask(&mut connection, &body).await?;
        ensure!(
            reply.c == 0,
            "{} was refused with {}",
            profile.name,
            reply.c
        );
        if number.is_multiple_of(10_000) {
            output.progress(&format!("{number} of {} names pushed", population.names));
        }
        number += step;
    }
    Ok(())
}

/// One request.
pub(crate) struct Request {
    pub(crate) path: Cow<'static, str>,
    /// What is posted; a request without it is a GET.
    pub(crate) body: Option<Vec<u8>>,
    /// Index of its kind, for counting.
    pub(crate) kind: usize,
}

impl Request {
    pub(crate) fn post(path: &'static str, body: Vec<u8>) -> Self {
        Self {
            path: path.into(),
            body: Some(body),
            kind: 0,
        }
    }

    pub(crate) fn get(path: String) -> Self {
        Self {
            path: path.into(),
            body: None,
            kind: 0,
        }
    }

    /// The same, counted with others of its kind.
    pub(crate) fn of_kind(self, kind: usize) -> Self {
        Self { kind, ..self }
    }
}

/// What comes of driving a server for a while.
#[derive(Clone, Debug, Default)]
pub(crate) struct Driven {
    /// Kind, latency and code of each answered request, as its source reads it.
    pub(crate) answers: Vec<(usize, Duration, Option<i32>)>,
    /// Requests without an answer.
    pub(crate) unanswered: u64,
    pub(crate) wall: Duration,
}

/// How hard to drive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) connections: u64,
    pub(crate) duration: Duration,
    /// Requests a second over all connections, sent on time whatever the server does, each timed
    /// from when it was due; or as fast as answers come.
    pub(crate) rate: Option<f64>,
}

/// Makes the requests of one connection.
pub(crate) trait Source: Send + 'static {
    fn next(&mut self) -> Result<Request>;

    /// What an answer says: 0 that all is well; nothing where the answer is not of the expected form.
    /// Unless told otherwise it is the code of a toxme answer.
    fn code(&self, answer: &Answer) -> Option<i32> {
        tox::code(answer)
    }
}

/// Drives a server; `source` makes the source of each connection.
pub(crate) async fn drive<S: Source>(
    server: SocketAddr,
    pace: Pace,
    mut source: impl FnMut(u64) -> Result<S>,
) -> Result<Driven> {
    let mut tasks = JoinSet::new();
    let began = clock::now();
    for number in 0..pace.connections {
        tasks.spawn(drive_one(server, pace, number, began, source(number)?));
    }
    let mut all = Driven::default();
    while let Some(part) = tasks.join_next().await {
        let part = part.context("a driving task broke")??;
        all.answers.extend(part.answers);
        all.unanswered += part.unanswered;
    }
    all.wall = began.elapsed();
    Ok(all)
}

async fn drive_one(
    server: SocketAddr,
    pace: Pace,
    number: u64,
    began: Instant,
    mut source: impl Source,
) -> Result<Driven> {
    let mut connection = Connection::open(server).await?;
    let mut driven = Driven::default();
    let mut due = Schedule::new(&pace, number, began);
    while let Some(start) = due.next().await {
        let request = source.next()?;
        let answer = match &request.body {
            Some(body) => connection.post(&request.path, body).await,
            None => connection.get(&request.path).await,
        };
        let Ok(answer) = answer else {
            driven.unanswered += 1;
            connection = Connection::open(server).await?;
            continue;
        };
        driven
            .answers
            .push((request.kind, start.elapsed(), source.code(&answer)));
    }
    Ok(driven)
}

/// When one connection's requests are due.
struct Schedule {
    end: Instant,
    next: Instant,
    step: Option<Duration>,
}

impl Schedule {
    fn new(pace: &Pace, number: u64, began: Instant) -> Self {
        let connections = u32::try_from(pace.connections.max(1)).unwrap_or(u32::MAX);
        let step = pace
            .rate
            .map(|rate| Duration::from_secs_f64(f64::from(connections) / rate.max(0.001)));
        let share = f64::from(u32::try_from(number).unwrap_or(0)) / f64::from(connections);
        Self {
            end: began + pace.duration,
            next: began + step.unwrap_or_default().mul_f64(share),
            step,
        }
    }

    /// Waits for the next request to be due and answers when it was; `None` at the end.
    async fn next(&mut self) -> Option<Instant> {
        let Some(step) = self.step else {
            let now = clock::now();
            return (now < self.end).then_some(now);
        };
        let due = self.next;
        self.next += step;
        if due >= self.end {
            return None;
        }
        tokio::time::sleep_until(due.into()).await;
        Some(due)
    }
}
