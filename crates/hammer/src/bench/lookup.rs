//! B1: a look-up beside a bare hyper server that reads the same body and answers 300 bytes.

use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::line::{Line, Target};
use super::{Bed, CONNECTIONS, Cost, cost};
use crate::random::{Random, Zipf};
use crate::server::Server;
use crate::stats::{median, ms, percentile};
use crate::tox;
use crate::traffic::{Driven, Pace, Population, Request, Source, drive};

const MISSES_PERCENT: u64 = 20;

/// The look-ups of one connection, Zipf over the names, a fifth of them for names nobody holds.
pub(super) struct Lookups {
    population: Population,
    zipf: Arc<Zipf>,
    random: Random,
}

impl Lookups {
    pub(super) fn new(population: Population, zipf: &Arc<Zipf>, random: Random) -> Self {
        Self {
            population,
            zipf: Arc::clone(zipf),
            random,
        }
    }
}

impl Source for Lookups {
    fn next(&mut self) -> Result<Request> {
        let rank = self.zipf.rank(&mut self.random);
        let miss = self.random.below(100) < MISSES_PERCENT;
        let number = if miss {
            self.population.names + rank
        } else {
            rank
        };
        Ok(Request {
            path: tox::API,
            body: tox::lookup(&Population::name(number)),
            kind: 0,
        })
    }
}

/// Rounds of both in turn.
pub(super) async fn measure(bed: &Bed, server: &Server) -> Result<Vec<Line>> {
    let hello = bed.hello().await?;
    let zipf = Arc::new(Zipf::new(bed.population.names, 0.99));
    let mut ours = Vec::new();
    let mut bare = Vec::new();
    let mut newest = Driven::default();
    for round in 0..bed.rounds {
        bed.output.progress(&format!("B1, round {}", round + 1));
        bare.push(one(bed, &hello, &zipf, round).await?.0);
        let (cost, driven) = one(bed, server, &zipf, round).await?;
        ours.push(cost);
        newest = driven;
    }
    hello.kill()?;
    let of = |costs: &[Cost], field: fn(&Cost) -> f64| {
        median(&costs.iter().map(field).collect::<Vec<_>>())
    };
    let latencies: Vec<_> = newest.answers.iter().map(|answer| answer.1).collect();
    let p99 = percentile(&latencies, 0.99).map(ms);
    let wrong = unexpected(&newest);
    Ok(vec![Line {
        id: "B1",
        what: format!(
            "look-up at {} names, server CPU a request",
            bed.population.names
        ),
        ours: of(&ours, |cost| cost.us_per_request),
        unit: "us",
        yardstick: Some((
            "bare hyper POST".to_owned(),
            of(&bare, |cost| cost.us_per_request),
        )),
        target: Some(Target::AtMost(2.0)),
        note: format!(
            "{:.0} requests/s against {:.0}; p99 {:.2} ms over {CONNECTIONS} connections; {wrong} \
             unexpected answers",
            of(&ours, |cost| cost.per_second),
            of(&bare, |cost| cost.per_second),
            p99.context("no look-up was answered")?,
        ),
    }])
}

/// How many answers are neither a record nor "no such name".
pub(super) fn unexpected(driven: &Driven) -> usize {
    let expected = |code| matches!(code, Some(0 | tox::NO_USER));
    let answers = driven.answers.iter();
    answers.filter(|answer| !expected(answer.2)).count()
}

async fn one(bed: &Bed, server: &Server, zipf: &Arc<Zipf>, round: u32) -> Result<(Cost, Driven)> {
    let pace = Pace {
        connections: CONNECTIONS,
        duration: bed.round,
        rate: None,
    };
    let driving = drive(server.address(), pace, |number| {
        let random = Random::stream(round.into(), number);
        Ok(Lookups::new(bed.population, zipf, random))
    });
    cost(server, driving).await
}
