//! P1 and P2: registrations through HTTP beside the naive design, and beside the one call of the
//! database they cannot do without.

use std::time::Duration;

use anyhow::{Context as _, Result};
use pgrig::Postgres;

use super::Site;
use super::bare::Commits;
use super::spent::{Spent, Watched};
use crate::bench::line::{Line, Target};
use crate::bench::push::{AHEAD_MARGIN, AHEAD_PER_SECOND, Primitives};
use crate::bench::stock::{Pushes, Stock};
use crate::bench::{Bed, CONNECTIONS, cost};
use crate::http::Connection;
use crate::log_view::Trust;
use crate::random::Random;
use crate::server::Server;
use crate::stats::{median, ms, percentile};
use crate::tox::{self, Profile, Record};
use crate::traffic::{Driven, Pace, Request, Source, drive};

/// The log has taken in what was registered when its size has not changed for this long.
const QUIET: Duration = Duration::from_millis(500);

/// Always the same request.
struct Same(Vec<u8>);

impl Source for Same {
    fn next(&mut self) -> Result<Request> {
        Ok(Request::post(tox::API, self.0.clone()))
    }
}

/// A server that takes registrations, with what it is sent and what was seen.
struct Registry<'a> {
    server: &'a Server,
    database: &'a Postgres,
    stock: Stock,
    /// Reads the log that has to take everything in; `None` where there is none.
    trust: Option<Trust>,
    rounds: Vec<Spent>,
    newest: Driven,
    refused: usize,
}

impl<'a> Registry<'a> {
    async fn new(server: &'a Server, database: &'a Postgres) -> Result<Self> {
        Ok(Self {
            server,
            database,
            stock: Stock::of(server, Pushes::Registrations).await?,
            trust: None,
            rounds: Vec::new(),
            newest: Driven::default(),
            refused: 0,
        })
    }

    async fn with_log(mut self) -> Result<Self> {
        let mut connection = Connection::open(self.server.address()).await?;
        self.trust = Some(Trust::first_contact(&mut connection).await?);
        Ok(self)
    }

    /// One round; CPU time is counted until the log is quiet.
    async fn round(&mut self, bed: &Bed) -> Result<()> {
        let last = self.rounds.last().map(|round| round.per_second);
        let rate = last.map_or(AHEAD_PER_SECOND, |rate| rate * AHEAD_MARGIN);
        self.stock.fill(rate * bed.round.as_secs_f64())?;
        let pace = Pace {
            connections: CONNECTIONS,
            duration: bed.round,
            rate: None,
        };
        let driving = async {
            let driven = drive(self.server.address(), pace, |_| Ok(self.stock.clone())).await?;
            self.quiet().await?;
            Ok(driven)
        };
        let watched = Watched {
            servers: &[self.server],
            database: Some(self.database),
        };
        let (spent, driven) = watched.over(driving).await?;
        self.rounds.push(spent);
        self.refused += driven.answers.iter().filter(|it| it.2 != Some(0)).count();
        self.newest = driven;
        Ok(())
    }

    async fn quiet(&self) -> Result<()> {
        let Some(trust) = &self.trust else {
            return Ok(());
        };
        let mut connection = Connection::open(self.server.address()).await?;
        let mut size = None;
        loop {
            let now = trust.newest(&mut connection).await?.size;
            if size.replace(now) == Some(now) {
                return Ok(());
            }
            tokio::time::sleep(QUIET).await;
        }
    }

    fn p99_ms(&self) -> Result<f64> {
        let latencies: Vec<_> = self.newest.answers.iter().map(|answer| answer.1).collect();
        let p99 = percentile(&latencies, 0.99).map(ms);
        p99.context("no registration was answered")
    }
}

/// CPU microseconds a registration cannot do without.
struct Floor {
    commits: Vec<Spent>,
    http: Vec<f64>,
    open: Vec<f64>,
}

/// Rounds of all parties in turn: the naive design, ours, the bare call, bare hyper, the box.
pub(super) async fn measure(bed: &Bed) -> Result<Vec<Line>> {
    let theirs = Site::start(bed, "naive")?;
    let mut commits = theirs.commits(bed).await?;
    let naive = theirs.naive(bed).await?;
    let site = Site::start(bed, "registrations")?;
    let server = site.serve(bed).await?;
    let hello = bed.hello().await?;
    let mut ours = Registry::new(&server, &site.database)
        .await?
        .with_log()
        .await?;
    let mut rival = Registry::new(&naive, &theirs.database).await?;
    let mut floor = Floor {
        commits: Vec::new(),
        http: Vec::new(),
        open: Vec::new(),
    };
    for round in 0..bed.rounds {
        bed.output.progress(&format!("P1, P2, round {}", round + 1));
        rival.round(bed).await?;
        ours.round(bed).await?;
        floor.round(bed, &mut commits, &theirs, &hello).await?;
    }
    Ok(vec![rates(&ours, &rival)?, costs(&ours, &floor)])
}

impl Floor {
    async fn round(
        &mut self,
        bed: &Bed,
        commits: &mut Commits,
        theirs: &Site,
        hello: &Server,
    ) -> Result<()> {
        self.commits
            .push(commits.round(&theirs.database, bed.round)?);
        let server = crypto::boxed::BoxSecretKey::from_bytes([1; 32]).public();
        let profile = Profile::new("p000000001".to_owned(), 1, 1);
        let record = Record {
            version: 1,
            privacy: 1,
        };
        let body = profile.push(&server, &record, &mut Random::new(1))?;
        let pace = Pace {
            connections: CONNECTIONS,
            duration: bed.round,
            rate: None,
        };
        let driving = drive(hello.address(), pace, |_| Ok(Same(body.clone())));
        self.http.push(cost(hello, driving).await?.0.us_per_request);
        self.open.push(Primitives::measure()?.open_us);
        Ok(())
    }
}

/// P1.
fn rates(ours: &Registry<'_>, rival: &Registry<'_>) -> Result<Line> {
    let (our, their) = (Spent::median(&ours.rounds), Spent::median(&rival.rounds));
    Ok(Line {
        id: "P1",
        what: "registrations on PostgreSQL".to_owned(),
        ours: our.per_second,
        unit: "/s",
        yardstick: Some((
            "a transaction with a counter row".to_owned(),
            their.per_second,
        )),
        target: Some(Target::AtLeast(5.0)),
        note: format!(
            "p99 {:.1} ms against {:.1} over {CONNECTIONS} connections; CPU a registration: server \
             {:.0} us against {:.0}, PostgreSQL {:.0} us against {:.0}; {} and {} refused, {} and \
             {} sealed late",
            ours.p99_ms()?,
            rival.p99_ms()?,
            our.server_us,
            their.server_us,
            our.database_us,
            their.database_us,
            ours.refused,
            rival.refused,
            ours.stock.late(),
            rival.stock.late(),
        ),
    })
}

/// P2.
fn costs(ours: &Registry<'_>, floor: &Floor) -> Line {
    let our = Spent::median(&ours.rounds);
    let commit = Spent::median(&floor.commits);
    let (http, open) = (median(&floor.http), median(&floor.open));
    Line {
        id: "P2",
        what: "registration on PostgreSQL, sequenced: CPU of server and PostgreSQL".to_owned(),
        ours: our.total_us(),
        unit: "us",
        yardstick: Some((
            "bare kv_commit + box open + bare hyper".to_owned(),
            commit.total_us() + open + http,
        )),
        target: Some(Target::AtMost(1.3)),
        note: format!(
            "server {:.0} us, PostgreSQL {:.0} us; the bare call {:.0} us of its client and {:.0} us \
             of PostgreSQL at {:.0}/s, box {open:.1} us, hyper {http:.1} us",
            our.server_us, our.database_us, commit.server_us, commit.database_us, commit.per_second,
        ),
    }
}
