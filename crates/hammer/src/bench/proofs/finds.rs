//! B9q and B9s: who claims an account, by its name and by a part of names.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::super::line::{Line, Target};
use super::super::{Bed, CONNECTIONS, Cost, awake, cost};
use super::directory::Directory;
use crate::http::Answer;
use crate::nextid;
use crate::random::{Random, Zipf};
use crate::server::Server;
use crate::stats::{median, ms, percentile};
use crate::traffic::{Driven, Pace, Request, Source, drive};

/// Skew of the accounts.
const ZIPF_S: f64 = 0.99;
/// Searches a second: some, so that none waits for another.
const RATE: f64 = 200.0;
const PART_LEAST: u64 = 3;
const PART_MOST: u64 = 8;
const PAGES: u64 = 4;
/// Milliseconds in which 99 of 100 searches are to be answered.
const SEARCH_P99_MS: f64 = 10.0;

/// Look-ups by name, Zipf over the accounts, all of which are claimed.
pub(super) struct Lookups {
    directory: Directory,
    zipf: Arc<Zipf>,
    random: Random,
}

impl Lookups {
    /// Those of one connection of a round.
    pub(super) fn new(directory: &Directory, zipf: &Arc<Zipf>, random: Random) -> Self {
        Self {
            directory: directory.clone(),
            zipf: zipf.clone(),
            random,
        }
    }
}

impl Source for Lookups {
    fn next(&mut self) -> Result<Request> {
        let rank = self.zipf.rank(&mut self.random);
        let (service, identity) = self.directory.account(rank)?;
        Ok(Request::get(nextid::exact(*service, identity)))
    }

    fn code(&self, answer: &Answer) -> Option<i32> {
        nextid::one(answer)
    }
}

/// How often each account is asked for.
pub(super) fn zipf(directory: &Directory) -> Arc<Zipf> {
    Arc::new(Zipf::new(directory.proofs(), ZIPF_S))
}

/// B9q: rounds of a bare server and of ours in turn.
pub(super) async fn exact(bed: &Bed, server: &Server, directory: &Directory) -> Result<Vec<Line>> {
    let hello = bed.hello().await?;
    let zipf = zipf(directory);
    let pace = Pace {
        connections: CONNECTIONS,
        duration: bed.round,
        rate: None,
    };
    let (mut bare, mut ours): (Vec<Cost>, Vec<Cost>) = Default::default();
    let mut newest = Driven::default();
    for round in 0..bed.rounds {
        bed.output.progress(&format!("B9q, round {}", round + 1));
        for (server, costs) in [(&hello, &mut bare), (server, &mut ours)] {
            let driving = drive(server.address(), pace, |number| {
                let random = Random::stream(round.into(), number);
                Ok(Lookups::new(directory, &zipf, random))
            });
            let (cost, driven) = cost(server, awake(driving)).await?;
            costs.push(cost);
            newest = driven;
        }
    }
    hello.kill()?;
    bed.judge("B9q", unexpected(&newest))?;
    let of = |costs: &[Cost], field: fn(&Cost) -> f64| {
        median(&costs.iter().map(field).collect::<Vec<_>>())
    };
    let latencies: Vec<Duration> = newest.answers.iter().map(|answer| answer.1).collect();
    let p99 = percentile(&latencies, 0.99).map(ms);
    Ok(vec![Line {
        id: "B9q",
        what: format!(
            "GET /v1/proof of an account at {} proofs, server CPU a request",
            directory.proofs()
        ),
        ours: of(&ours, |cost| cost.us_per_request),
        unit: "us",
        yardstick: Some((
            "bare hyper GET".to_owned(),
            of(&bare, |cost| cost.us_per_request),
        )),
        target: Some(Target::AtMost(2.2)),
        note: format!(
            "{:.0} requests/s against {:.0}; p99 {:.2} ms over {CONNECTIONS} connections; {} \
             unexpected answers",
            of(&ours, |cost| cost.per_second),
            of(&bare, |cost| cost.per_second),
            p99.context("no look-up was answered")?,
            unexpected(&newest),
        ),
    }])
}

/// Searches for parts of names that exist: the worse for a server, the more accounts share them.
struct Searches {
    directory: Directory,
    random: Random,
}

impl Source for Searches {
    fn next(&mut self) -> Result<Request> {
        let number = self.random.below(self.directory.proofs());
        let (_, name) = self.directory.account(number)?;
        let length = PART_LEAST + self.random.below(PART_MOST - PART_LEAST + 1);
        let count = u64::try_from(name.len())?;
        let first = self.random.below(count - length + 1);
        let range = usize::try_from(first)?..usize::try_from(first + length)?;
        let part = name.get(range).context("names are ASCII")?;
        let page = 1 + self.random.below(PAGES);
        Ok(Request::get(nextid::search(part, page)))
    }

    fn code(&self, answer: &Answer) -> Option<i32> {
        nextid::some(answer)
    }
}

/// B9s: searches at a fixed rate.
pub(super) async fn part(bed: &Bed, server: &Server, directory: &Directory) -> Result<Vec<Line>> {
    let pace = Pace {
        connections: CONNECTIONS,
        duration: bed.round,
        rate: Some(RATE),
    };
    let mut costs = Vec::new();
    let mut latencies: Vec<Duration> = Vec::new();
    let mut unmatched = 0;
    for round in 0..bed.rounds {
        bed.output.progress(&format!("B9s, round {}", round + 1));
        let driving = drive(server.address(), pace, |number| {
            Ok(Searches {
                directory: directory.clone(),
                random: Random::stream(round.into(), number),
            })
        });
        let (cost, driven) = cost(server, driving).await?;
        costs.push(cost.us_per_request);
        unmatched += unexpected(&driven);
        latencies.extend(driven.answers.iter().map(|answer| answer.1));
    }
    bed.judge("B9s", unmatched)?;
    let at = |share| percentile(&latencies, share).map(ms);
    Ok(vec![Line {
        id: "B9s",
        what: format!(
            "GET /v1/proof of {PART_LEAST} to {PART_MOST} letters at {} proofs, p99",
            directory.proofs()
        ),
        ours: at(0.99).context("no search was answered")?,
        unit: "ms",
        yardstick: None,
        target: Some(Target::AtMost(SEARCH_P99_MS)),
        note: format!(
            "{:.0} us of server CPU a search at {RATE:.0}/s, pages 1 to {PAGES} of 40 proofs; p50 \
             {:.2} ms, slowest {:.2} ms; {unmatched} unexpected answers",
            median(&costs),
            at(0.5).unwrap_or_default(),
            at(1.0).unwrap_or_default(),
        ),
    }])
}

/// How many answers are not what was asked for.
pub(super) fn unexpected(driven: &Driven) -> usize {
    let answers = driven.answers.iter();
    answers.filter(|answer| answer.2 != Some(0)).count()
}
