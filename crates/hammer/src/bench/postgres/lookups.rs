//! P3 and P4: look-ups through the record cache, beside the embedded store, and shared by two
//! processes.

use std::sync::Arc;

use anyhow::Result;
use tokio::try_join;

use super::spent::{Spent, Watched};
use super::{Site, answering};
use crate::bench::line::{Line, Target};
use crate::bench::lookup::{Lookups, unexpected};
use crate::bench::{Bed, CONNECTIONS};
use crate::random::{Random, Zipf};
use crate::server::Server;
use crate::traffic::{Driven, Pace, Population, drive};

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

/// Rounds of the embedded store, of one process over PostgreSQL and of two, in turn; the first
/// round of each only fills the caches.
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
    let embedded = embedded(bed, &site).await?;
    bed.fill(&embedded, names.population).await?;
    let second = answering(&site.launch(bed, "data-of-the-second")?).await?;
    let [mut file, mut one, mut two] = [Seen::default(), Seen::default(), Seen::default()];
    for round in 0..=bed.rounds {
        bed.output
            .progress(&format!("P3, P4 at {count} names, round {round}"));
        let both = [&first, &second];
        file.round(bed, &names, round, &[&embedded], None).await?;
        one.round(bed, &names, round, &[&first], Some(&site))
            .await?;
        two.round(bed, &names, round, &both, Some(&site)).await?;
    }
    Ok(lines(count, &file, &one, &two))
}

/// A server with the embedded store.
async fn embedded(bed: &Bed, site: &Site) -> Result<Server> {
    let mut launch = site.launch(bed, "data-of-the-embedded")?;
    launch.set("store.url=file:store-of-the-embedded".to_owned());
    launch.set("keys.dir=data-of-the-embedded/keys".to_owned());
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
        let driving = async {
            match servers {
                [first, second] => {
                    let half = CONNECTIONS / 2;
                    let one = names.drive(bed, first, half, round.into());
                    let other = names.drive(bed, second, half, u64::from(round) | 1 << 32);
                    let (mut one, other) = try_join!(one, other)?;
                    one.answers.extend(other.answers);
                    Ok(one)
                }
                _ => {
                    let only = servers.first().copied();
                    let only = anyhow::Context::context(only, "no server to drive")?;
                    names.drive(bed, only, CONNECTIONS, round.into()).await
                }
            }
        };
        let (spent, driven) = watched.over(driving).await?;
        if round > 0 {
            self.rounds.push(spent);
            self.unexpected += unexpected(&driven);
        }
        Ok(())
    }
}

impl Names {
    async fn drive(
        &self,
        bed: &Bed,
        server: &Server,
        connections: u64,
        seed: u64,
    ) -> Result<Driven> {
        let pace = Pace {
            connections,
            duration: bed.round,
            rate: None,
        };
        drive(server.address(), pace, |number| {
            let random = Random::stream(seed, number);
            Ok(Lookups::new(self.population, &self.zipf, random))
        })
        .await
    }
}

fn lines(count: u64, file: &Seen, one: &Seen, two: &Seen) -> Vec<Line> {
    let [file_spent, one_spent, two_spent] = [file, one, two].map(|it| Spent::median(&it.rounds));
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
            "{:.0} requests/s against {:.0}; PostgreSQL {:.2} us a request; {} unexpected answers",
            two_spent.per_second, one_spent.per_second, two_spent.database_us, two.unexpected,
        ),
    };
    vec![p3, p4]
}
