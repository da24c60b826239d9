//! B2: searches for parts of names.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::line::{Line, Target};
use super::{Bed, CONNECTIONS, cost};
use crate::random::Random;
use crate::server::Server;
use crate::stats::{median, ms, percentile};
use crate::tox;
use crate::traffic::{Pace, Population, Request, Source, drive};

/// Searches a second: some, so that none waits for another.
const RATE: f64 = 200.0;
const PART_LEAST: u64 = 3;
const PART_MOST: u64 = 8;
const PAGES: u64 = 4;
/// Milliseconds in which 99 of 100 are to be answered.
const P99_MS: f64 = 5.0;

/// Parts of names that exist: the worse for a server, the more names share them.
struct Searches {
    population: Population,
    random: Random,
}

impl Source for Searches {
    fn next(&mut self) -> Result<Request> {
        let name = Population::name(self.random.below(self.population.names));
        let length = PART_LEAST + self.random.below(PART_MOST - PART_LEAST + 1);
        let count = u64::try_from(name.len()).unwrap_or(0);
        let first = self.random.below(count - length + 1);
        let range = usize::try_from(first)?..usize::try_from(first + length)?;
        let part = name.get(range).context("names are ASCII")?;
        Ok(Request::post(
            tox::API,
            tox::search(part, self.random.below(PAGES)),
        ))
    }
}

pub(super) async fn measure(bed: &Bed, server: &Server) -> Result<Vec<Line>> {
    let mut costs = Vec::new();
    let mut latencies: Vec<Duration> = Vec::new();
    let mut refused = 0;
    for round in 0..bed.rounds {
        bed.output.progress(&format!("B2, round {}", round + 1));
        let pace = Pace {
            connections: CONNECTIONS,
            duration: bed.round,
            rate: Some(RATE),
        };
        let driving = drive(server.address(), pace, |number| {
            Ok(Searches {
                population: bed.population,
                random: Random::stream(round.into(), number),
            })
        });
        let (cost, driven) = cost(server, driving).await?;
        costs.push(cost.us_per_request);
        refused += driven.answers.iter().filter(|it| it.2 != Some(0)).count();
        latencies.extend(driven.answers.iter().map(|answer| answer.1));
    }
    let p99 = percentile(&latencies, 0.99).map(ms);
    let most = percentile(&latencies, 1.0).map(ms);
    Ok(vec![Line {
        id: "B2",
        what: format!(
            "search of {PART_LEAST} to {PART_MOST} letters at {} names, p99",
            bed.population.names
        ),
        ours: p99.context("no search was answered")?,
        unit: "ms",
        yardstick: None,
        target: Some(Target::AtMost(P99_MS)),
        note: format!(
            "{:.0} us of server CPU a search at {RATE:.0}/s, pages 0 to {}; slowest {:.2} ms; \
             {refused} refused",
            median(&costs),
            PAGES - 1,
            most.unwrap_or_default(),
        ),
    }])
}
