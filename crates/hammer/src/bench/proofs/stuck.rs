//! U2: look-ups beside a thousand checks that services never answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

use super::super::line::{Line, Target};
use super::super::{Bed, CONNECTIONS, cost, started};
use super::SEED;
use super::directory::Directory;
use super::finds::{Lookups, unexpected, zipf};
use crate::clock;
use crate::http::Connection;
use crate::nextid::{Account, Avatar, PROOF, Service};
use crate::random::{Random, Zipf};
use crate::server::{Launch, Server};
use crate::stats::{median, ms, percentile};
use crate::traffic::{Driven, Pace, drive};
use crate::upstream::Upstream;

/// Posts under way whose check is stuck.
const STUCK: u64 = 1000;
/// Where they are: half ask one service, half a host each.
const SERVICES: [Service; 2] = [Service::GitHub, Service::Https];
/// Proofs that are looked up; each look-up finds one that is overdue.
const PROOFS_MOST: u64 = 10_000;
/// Look-ups a second: some, so that none waits for another.
const RATE: f64 = 1000.0;
/// The posts begin one after the other over the time in which one is given up, so that at any time as
/// many are given up as begin.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(10);
/// A round lasts longer than those of other lines: 99th percentiles move.
const LONGER: u32 = 4;
const WARM_UP: Duration = Duration::from_secs(2);
const POST_WAIT: Duration = Duration::from_secs(60);
const STOP_WAIT: Duration = Duration::from_secs(60);

/// What is measured, and how it is started.
struct Site {
    launch: Launch,
    upstream: Upstream,
    directory: Directory,
    zipf: Arc<Zipf>,
}

/// What was seen of rounds of one kind.
#[derive(Default)]
struct Seen {
    p99s: Vec<f64>,
    costs: Vec<f64>,
    unexpected: usize,
    /// Upstream requests without an answer at the end of each round.
    held: Vec<u64>,
}

/// Rounds without and with stuck checks in turn, the server started anew for each: without, no proof
/// is ever overdue; with, all are.
pub(super) async fn measure(bed: &Bed) -> Result<Vec<Line>> {
    let upstream = Upstream::start().await?;
    let mut launch = bed.launch_in("stuck")?;
    upstream.stand_in(&mut launch);
    let proofs = bed.population.names.min(PROOFS_MOST);
    let directory = Directory::new(SEED, SERVICES, proofs)?;
    let site = Site {
        zipf: zipf(&directory),
        launch,
        upstream,
        directory,
    };
    let server = site.start("never").await?;
    site.directory.fill(bed, &server, &site.upstream).await?;
    server.terminate(STOP_WAIT).await?;
    let [mut calm, mut stuck] = <[Seen; 2]>::default();
    for round in 0..bed.rounds {
        bed.output
            .progress(&format!("U2, round {} without", round + 1));
        site.calm(bed, round, &mut calm).await?;
        bed.output
            .progress(&format!("U2, round {} with", round + 1));
        site.stuck(bed, round, &mut stuck).await?;
    }
    bed.judge("U2", calm.unexpected + stuck.unexpected)?;
    Ok(vec![line(&site, &calm, &stuck)])
}

impl Site {
    async fn start(&self, recheck_after: &str) -> Result<Server> {
        let mut launch = self.launch.clone();
        launch.set(format!("proofs.recheck_after={recheck_after}"));
        started(&launch).await
    }

    async fn calm(&self, bed: &Bed, round: u32, seen: &mut Seen) -> Result<()> {
        let server = self.start("never").await?;
        self.lookups(&server, round, WARM_UP).await?;
        self.round(bed, &server, round, seen).await?;
        server.kill()
    }

    async fn stuck(&self, bed: &Bed, round: u32, seen: &mut Seen) -> Result<()> {
        self.upstream.set_silent(true);
        let server = self.start("1s").await?;
        let over = GIVEN_UP_AFTER.min(bed.round * LONGER);
        let posts = Posts::begin(server.address(), over)?;
        self.lookups(&server, round, over + WARM_UP).await?;
        self.round(bed, &server, round, seen).await?;
        drop(posts);
        server.kill()?;
        self.upstream.set_silent(false);
        Ok(())
    }

    /// One round that counts.
    async fn round(&self, bed: &Bed, server: &Server, round: u32, seen: &mut Seen) -> Result<()> {
        let driving = self.lookups(server, round, bed.round * LONGER);
        let (cost, driven) = cost(server, driving).await?;
        let latencies: Vec<Duration> = driven.answers.iter().map(|answer| answer.1).collect();
        let p99 = percentile(&latencies, 0.99).context("no look-up was answered")?;
        seen.p99s.push(ms(p99));
        seen.costs.push(cost.us_per_request);
        seen.unexpected += unexpected(&driven);
        seen.held.push(self.upstream.held());
        Ok(())
    }

    async fn lookups(&self, server: &Server, round: u32, duration: Duration) -> Result<Driven> {
        let pace = Pace {
            connections: CONNECTIONS,
            duration,
            rate: Some(RATE),
        };
        drive(server.address(), pace, |number| {
            let random = Random::stream(round.into(), number);
            Ok(Lookups::new(&self.directory, &self.zipf, random))
        })
        .await
    }
}

/// Posts that wait; they end when this is dropped.
struct Posts {
    _tasks: JoinSet<Result<()>>,
}

impl Posts {
    /// As many as there are to be, the first one now and the last one at the end of a time.
    fn begin(server: SocketAddr, over: Duration) -> Result<Self> {
        let mut tasks = JoinSet::new();
        let now = clock::now();
        let seed = clock::unix_s();
        for (number, service) in (0..STUCK).zip(SERVICES.into_iter().cycle()) {
            let avatar = Avatar::new(seed, number)?;
            let body = avatar
                .claim(&Account::new(service, seed, number)?, None)
                .body;
            let share = f64::from(u32::try_from(number)?) / f64::from(u32::try_from(STUCK)?);
            let begin = now + over.mul_f64(share);
            tasks.spawn(async move {
                tokio::time::sleep_until(begin.into()).await;
                let mut connection = Connection::open(server).await?.waiting(POST_WAIT);
                loop {
                    // Refused after a while, and tried again.
                    connection.post(PROOF, &body).await?;
                }
            });
        }
        Ok(Self { _tasks: tasks })
    }
}

fn line(site: &Site, calm: &Seen, stuck: &Seen) -> Line {
    let held = stuck.held.iter().min().copied().unwrap_or_default();
    Line {
        id: "U2",
        what: format!(
            "GET /v1/proof at {} proofs beside {STUCK} posts whose services never answer, p99",
            site.directory.proofs()
        ),
        ours: median(&stuck.p99s),
        unit: "ms",
        yardstick: Some(("without them".to_owned(), median(&calm.p99s))),
        target: Some(Target::AtMost(1.2)),
        note: format!(
            "{RATE:.0} look-ups/s, each of an overdue proof, so that background checks are stuck too; at \
             least {held} requests to services under way; p99s {:.2?} and {:.2?} ms; server CPU a look-up \
             {:.0} and {:.0} us; {} unexpected answers",
            stuck.p99s,
            calm.p99s,
            median(&stuck.costs),
            median(&calm.costs),
            stuck.unexpected + calm.unexpected,
        ),
    }
}
