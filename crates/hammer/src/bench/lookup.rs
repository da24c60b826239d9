//! B1, B1m and B12: look-ups beside a bare hyper server that reads the same body and answers 300
//! bytes, with memorabilia, and beside a server that holds fewer names.

use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::line::{Line, Target};
use super::push::Primitives;
use super::{Bed, CONNECTIONS, Cost, awake, cost};
use crate::random::{Random, Zipf};
use crate::server::Server;
use crate::stats::{median, ms, percentile};
use crate::tox;
use crate::traffic::{Driven, Pace, Population, Request, Source, drive};

const MISSES_PERCENT: u64 = 20;
/// Names of the server that holds few.
const FEW: u64 = 10_000;

/// The look-ups of one connection, Zipf over the names, a fifth of them for names nobody holds.
pub(super) struct Lookups {
    population: Population,
    zipf: Arc<Zipf>,
    random: Random,
    memorabilia: bool,
}

impl Lookups {
    pub(super) fn new(population: Population, zipf: &Arc<Zipf>, random: Random) -> Self {
        Self {
            population,
            zipf: Arc::clone(zipf),
            random,
            memorabilia: false,
        }
    }

    /// The same, each with 64 bytes to be countersigned, never the same twice.
    fn with_memorabilia(self) -> Self {
        Self {
            memorabilia: true,
            ..self
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
        let name = Population::name(number);
        let body = if self.memorabilia {
            tox::lookup_with(&name, &self.random.bytes())
        } else {
            tox::lookup(&name)
        };
        Ok(Request::post(tox::API, body))
    }
}

/// What was seen of one kind of look-up.
#[derive(Default)]
struct Seen {
    costs: Vec<Cost>,
    newest: Driven,
}

impl Seen {
    fn us(&self) -> f64 {
        self.median(|cost| cost.us_per_request)
    }

    fn median(&self, field: fn(&Cost) -> f64) -> f64 {
        median(&self.costs.iter().map(field).collect::<Vec<_>>())
    }

    /// Rates, latency and answers, for people.
    fn note(&self, bare: &Self) -> Result<String> {
        let latencies: Vec<_> = self.newest.answers.iter().map(|answer| answer.1).collect();
        let p99 = percentile(&latencies, 0.99).map(ms);
        Ok(format!(
            "{:.0} requests/s against {:.0}; p99 {:.2} ms over {CONNECTIONS} connections; {} \
             unexpected answers",
            self.median(|cost| cost.per_second),
            bare.median(|cost| cost.per_second),
            p99.context("no look-up was answered")?,
            unexpected(&self.newest),
        ))
    }
}

/// Names, and how often each is asked for.
#[derive(Clone)]
struct Asked {
    population: Population,
    zipf: Arc<Zipf>,
    memorabilia: bool,
}

impl Asked {
    fn of(population: Population) -> Self {
        Self {
            population,
            zipf: Arc::new(Zipf::new(population.names, 0.99)),
            memorabilia: false,
        }
    }

    async fn round(&self, bed: &Bed, server: &Server, round: u32, seen: &mut Seen) -> Result<()> {
        let pace = Pace {
            connections: CONNECTIONS,
            duration: bed.round,
            rate: None,
        };
        let driving = drive(server.address(), pace, |number| {
            let random = Random::stream(round.into(), number);
            let lookups = Lookups::new(self.population, &self.zipf, random);
            Ok(if self.memorabilia {
                lookups.with_memorabilia()
            } else {
                lookups
            })
        });
        let (cost, driven) = cost(server, awake(driving)).await?;
        seen.costs.push(cost);
        seen.newest = driven;
        Ok(())
    }
}

/// Rounds of all in turn.
pub(super) async fn measure(bed: &Bed, server: &Server) -> Result<Vec<Line>> {
    let few = Population {
        names: FEW.min(bed.population.names),
        seed: 1,
    };
    let small = bed.another("few").await?;
    bed.fill(&small, few).await?;
    let hello = bed.hello().await?;
    let plain = Asked::of(bed.population);
    let signed = Asked {
        memorabilia: true,
        ..plain.clone()
    };
    let fewer = Asked::of(few);
    let [mut bare, mut ours, mut memorabilia, mut at_few] = <[Seen; 4]>::default();
    let mut signatures = Vec::new();
    for round in 0..bed.rounds {
        bed.output
            .progress(&format!("B1, B1m, B12, round {}", round + 1));
        plain.round(bed, &hello, round, &mut bare).await?;
        plain.round(bed, server, round, &mut ours).await?;
        signatures.push(Primitives::measure()?.sign_us);
        signed.round(bed, server, round, &mut memorabilia).await?;
        fewer.round(bed, &small, round, &mut at_few).await?;
    }
    hello.kill()?;
    small.kill()?;
    let names = bed.population.names;
    let line = |id, what: &str, seen: &Seen, yardstick: (String, f64), most| {
        Ok::<_, anyhow::Error>(Line {
            id,
            what: format!("{what} at {names} names, server CPU a request"),
            ours: seen.us(),
            unit: "us",
            yardstick: Some(yardstick),
            target: Some(Target::AtMost(most)),
            note: seen.note(&bare)?,
        })
    };
    let signing = bare.us() + median(&signatures);
    Ok(vec![
        line(
            "B1",
            "look-up",
            &ours,
            ("bare hyper POST".to_owned(), bare.us()),
            2.0,
        )?,
        line(
            "B1m",
            "look-up with memorabilia",
            &memorabilia,
            ("bare hyper POST + Ed25519 sign".to_owned(), signing),
            1.6,
        )?,
        line(
            "B12",
            "look-up",
            &ours,
            (format!("the same at {} names", few.names), at_few.us()),
            1.3,
        )?,
    ])
}

/// How many answers are neither a record nor "no such name".
pub(super) fn unexpected(driven: &Driven) -> usize {
    let expected = |code| matches!(code, Some(0 | tox::NO_USER));
    let answers = driven.answers.iter();
    answers.filter(|answer| !expected(answer.2)).count()
}
