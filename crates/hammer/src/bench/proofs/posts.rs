//! B9: a claim that is taken, beside the one signature a bare server would have to check.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::super::line::{Line, Target};
use super::super::push::{AHEAD_MARGIN, syncs_each};
use super::super::stock::Stock;
use super::super::{Bed, Cost, awake, cost};
use super::finds::unexpected;
use crate::clock;
use crate::http::Answer;
use crate::nextid::{self, Account, Avatar, PROOF, Service};
use crate::server::Server;
use crate::stats::{median, ms, percentile};
use crate::traffic::{Driven, Pace, Request, Source, drive};
use crate::upstream::Upstream;

/// Connections: a post is answered with the next checkpoint, five times a second, so that fewer would
/// leave the server idle. No more than may wait for one service.
const POSTING: u64 = 512;
/// Requests made ahead for each second of a first round.
const AHEAD_PER_SECOND: f64 = 3_000.0;

/// Between the numbers of the avatars that claim accounts at one service and at another: each claim is
/// an avatar's first.
const APART: u64 = 1 << 32;

/// Posts of one body that nobody looks into.
struct Same(Vec<u8>);

impl Source for Same {
    fn next(&mut self) -> Result<Request> {
        Ok(Request::post(PROOF, self.0.clone()))
    }

    fn code(&self, answer: &Answer) -> Option<i32> {
        (answer.status == 200).then_some(0)
    }
}

/// What was seen of posts at one service.
struct Seen {
    service: Service,
    stock: Stock,
    costs: Vec<Cost>,
    refused: usize,
    latencies: Vec<Duration>,
}

/// Rounds of a bare server and of ours, for each service, in turn; then one round to count syncs.
pub(super) async fn measure(bed: &Bed, server: &Server, upstream: &Upstream) -> Result<Vec<Line>> {
    let hello = bed.hello_with(&["recover"]).await?;
    let body = Same(claim(Service::Ethereum, 0, 0)?.body);
    let mut bare: Vec<Cost> = Vec::new();
    let mut all = [(Service::Ethereum, 0), (Service::GitHub, APART)]
        .map(|(service, first)| Seen::of(service, first, upstream));
    for round in 0..bed.rounds {
        bed.output.progress(&format!("B9, round {}", round + 1));
        let driving = drive(hello.address(), pace(bed), |_| Ok(Same(body.0.clone())));
        bare.push(cost(&hello, awake(driving)).await?.0);
        for seen in &mut all {
            seen.round(bed, server).await?;
        }
    }
    hello.kill()?;
    let bare: Vec<f64> = bare.iter().map(|cost| cost.us_per_request).collect();
    let mut lines = Vec::new();
    for seen in &all {
        lines.push(seen.line(bed, server, median(&bare)).await?);
    }
    Ok(lines)
}

impl Seen {
    fn of(service: Service, first: u64, upstream: &Upstream) -> Self {
        let (seed, upstream) = (clock::unix_s(), upstream.clone());
        let mut made = first;
        let make = move || {
            made += 1;
            let claim = claim(service, seed, made)?;
            claim.page.map(|page| upstream.show(page));
            Ok(claim.body)
        };
        Self {
            service,
            stock: Stock::new(PROOF, nextid::posted, Box::new(make)),
            costs: Vec::new(),
            refused: 0,
            latencies: Vec::new(),
        }
    }

    async fn round(&mut self, bed: &Bed, server: &Server) -> Result<()> {
        let last = self.costs.last().map(|cost| cost.per_second);
        let rate = last.map_or(AHEAD_PER_SECOND, |rate| rate * AHEAD_MARGIN);
        self.stock.fill(rate * bed.round.as_secs_f64())?;
        let (cost, driven) = cost(server, awake(self.drive(bed, server))).await?;
        self.costs.push(cost);
        self.refused += unexpected(&driven);
        self.latencies = driven.answers.iter().map(|answer| answer.1).collect();
        Ok(())
    }

    async fn drive(&self, bed: &Bed, server: &Server) -> Result<Driven> {
        drive(server.address(), pace(bed), |_| Ok(self.stock.clone())).await
    }

    async fn line(&self, bed: &Bed, server: &Server, bare_us: f64) -> Result<Line> {
        bed.judge("B9", self.refused)?;
        let of =
            |field: fn(&Cost) -> f64| median(&self.costs.iter().map(field).collect::<Vec<_>>());
        let syncs = match syncs_each(bed, server, self.drive(bed, server)).await {
            Ok(syncs) => format!("{syncs:.3} syncs a post (tracepoints, a round of its own)"),
            Err(error) => format!("syncs not counted: {error:#}"),
        };
        let at = |share| percentile(&self.latencies, share).map(ms);
        Ok(Line {
            id: "B9",
            what: format!(
                "POST /v1/proof, {}, at {} proofs, server CPU a post",
                self.service.name(),
                bed.population.names
            ),
            ours: of(|cost| cost.us_per_request),
            unit: "us",
            yardstick: Some(("bare hyper POST + secp256k1 recover".to_owned(), bare_us)),
            target: Some(Target::AtMost(3.0)),
            note: format!(
                "{:.0} durable posts/s in the log over {POSTING} connections, p50 {:.0} ms, p99 {:.0} \
                 ms; {} refused, {} signed late; {syncs}",
                of(|cost| cost.per_second),
                at(0.5).context("no post was answered")?,
                at(0.99).unwrap_or_default(),
                self.refused,
                self.stock.late(),
            ),
        })
    }
}

fn pace(bed: &Bed) -> Pace {
    Pace {
        connections: POSTING,
        duration: bed.round,
        rate: None,
    }
}

/// The first claim of an avatar nobody has seen.
fn claim(service: Service, seed: u64, number: u64) -> Result<nextid::Claim> {
    let avatar = Avatar::new(seed, number)?;
    Ok(avatar.claim(&Account::new(service, seed, number)?, None))
}
