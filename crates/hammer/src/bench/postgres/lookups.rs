//! P3 and P4: look-ups through the record cache, beside the embedded store, and shared by two
//! processes; beside those, two that share nothing but the core and the load.
//!
//! A cache over a shared store keeps what is asked for and lets the rest grow old within a second, so
//! each round is driven for a while before it counts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

use super::spent::{Spent, Watched};
use super::{Site, answering};
use crate::bench::line::{Line, Target};
use crate::bench::lookup::{Lookups, unexpected};
use crate::bench::{Bed, CONNECTIONS};
use crate::random::{Random, Zipf};
use crate::server::Server;
use crate::traffic::{Driven, Pace, Population, drive};

/// How long servers are driven before a round counts.
const WARM_UP: Duration = Duration::from_secs(2);

/// The names that are asked for, in every store the same.
struct Names {
    population: Population,
    zipf: Arc<Zipf>,
}

/// What was seen of one arrangement of servers.
#[derive(Default)]
struct Seen {
    rounds: Vec<Spent>,
    unexpected: usize,
}

/// Rounds of the embedded store, of one process over PostgreSQL and of two, in turn.
pub(super) async fn measure(bed: &Bed, count: u64) -> Result<Vec<Line>> {
    let names = Names {
        population: Population {
            names: count,
            seed: 1,
        },
        zipf: Arc::new(Zipf::new(count, 0.99)),
    };
    let site = Site::start(bed, &format!("lookups-{count}"))?;
    let first = site.serve(bed).await?;
    bed.fill(&first, names.population).await?;
    let embedded = alone(bed, &site, "embedded").await?;
    bed.fill(&embedded, names.population).await?;
    let other = alone(bed, &site, "other").await?;
    bed.fill(&other, names.population).await?;
    let second = answering(&site.launch(bed, "data-of-the-second")?).await?;
    let [mut file, mut apart, mut one, mut two] = <[Seen; 4]>::default();
    for round in 0..bed.rounds {
        bed.output
            .progress(&format!("P3, P4 at {count} names, round {}", round + 1));
        let both = [&first, &second];
        file.round(bed, &names, round, &[&embedded], None).await?;
        apart
            .round(bed, &names, round, &[&embedded, &other], None)
            .await?;
        one.round(bed, &names, round, &[&first], Some(&site))
            .await?;
        two.round(bed, &names, round, &both, Some(&site)).await?;
    }
    Ok(lines(count, [&file, &apart, &one, &two]))
}

/// A server with an embedded store and keys of its own.
async fn alone(bed: &Bed, site: &Site, name: &str) -> Result<Server> {
    let mut launch = site.launch(bed, &format!("data-of-{name}"))?;
    launch.set(format!("store.url=file:store-of-{name}"));
    launch.set(format!("keys.dir=data-of-{name}/keys"));
    answering(&launch).await
}

impl Seen {
    async fn round(
        &mut self,
        bed: &Bed,
        names: &Names,
        round: u32,
        servers: &[&Server],
        site: Option<&Site>,
    ) -> Result<()> {
        let watched = Watched {
            servers,
            database: site.map(|site| &site.database),
        };
        let seed = u64::from(round);
        names.drive(servers, WARM_UP, seed | 1 << 32).await?;
        let driving = names.drive(servers, bed.round, seed);
        let (spent, driven) = watched.over(driving).await?;
        self.rounds.push(spent);
        self.unexpected += unexpected(&driven);
        Ok(())
    }
}

impl Names {
    /// Drives servers at once, each with its part of the connections.
    async fn drive(&self, servers: &[&Server], duration: Duration, seed: u64) -> Result<Driven> {
        let count = u64::try_from(servers.len()).unwrap_or(1).max(1);
        let pace = Pace {
            connections: CONNECTIONS / count,
            duration,
            rate: None,
        };
        let mut parts = JoinSet::new();
        for (number, server) in (0..).zip(servers) {
            let (address, population) = (server.address(), self.population);
            let zipf = Arc::clone(&self.zipf);
            parts.spawn(drive(address, pace, move |connection| {
                let random = Random::stream(seed, number * CONNECTIONS + connection);
                Ok(Lookups::new(population, &zipf, random))
            }));
        }
        let mut all = Driven::default();
        while let Some(part) = parts.join_next().await {
            let part = part.context("a driving task broke")??;
            all.answers.extend(part.answers);
            all.unanswered += part.unanswered;
            all.wall = all.wall.max(part.wall);
        }
        Ok(all)
    }
}

fn lines(count: u64, seen: [&Seen; 4]) -> Vec<Line> {
    let [file_spent, apart_spent, one_spent, two_spent] = seen.map(|it| Spent::median(&it.rounds));
    let [file, _, one, two] = seen;
    let p3 = Line {
        id: "P3",
        what: format!("look-up at {count} names on PostgreSQL, server CPU a request"),
        ours: one_spent.server_us,
        unit: "us",
        yardstick: Some(("the embedded store".to_owned(), file_spent.server_us)),
        target: Some(Target::AtMost(1.2)),
        note: format!(
            "{:.0} requests/s against {:.0}; PostgreSQL {:.2} us a request; {} unexpected answers",
            one_spent.per_second,
            file_spent.per_second,
            one_spent.database_us,
            one.unexpected + file.unexpected,
        ),
    };
    let p4 = Line {
        id: "P4",
        what: format!("look-up at {count} names, two processes share database and load, CPU"),
        ours: two_spent.server_us,
        unit: "us",
        yardstick: Some(("one process".to_owned(), one_spent.server_us)),
        target: Some(Target::AtMost(1.1)),
        note: format!(
            "{:.0} requests/s against {:.0}; PostgreSQL {:.2} us a request; {} unexpected answers; two \
             embedded servers that share only core and load: {:.1} us, {:.2} times one of them",
            two_spent.per_second,
            one_spent.per_second,
            two_spent.database_us,
            two.unexpected,
            apart_spent.server_us,
            apart_spent.server_us / file_spent.server_us,
        ),
    };
    vec![p3, p4]
}
