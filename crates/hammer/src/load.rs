//! `hammer load`: the toxme mix against a running server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crypto::boxed::BoxPublicKey;
use serde_json::{Value, json};

use crate::clock;
use crate::http::Connection;
use crate::output::Output;
use crate::random::{Random, Zipf};
use crate::stats::{ms, percentile};
use crate::tox::{self, Profile, Record};
use crate::traffic::{Driven, Pace, Population, Request, Source, drive};

/// Skew of the keys, and the share of look-ups for names nobody holds.
const ZIPF_S: f64 = 0.99;
const MISSES_PERCENT: u64 = 20;
const KINDS: [&str; 6] = [
    "lookup",
    "memorabilia",
    "reverse",
    "search",
    "push",
    "delete",
];
const LOOKUP: usize = 0;
const MEMORABILIA: usize = 1;
const REVERSE: usize = 2;
const SEARCH: usize = 3;
const PUSH: usize = 4;
const DELETE: usize = 5;
/// Spare names a connection registers before it deletes some.
const SPARES: usize = 8;

/// Drive a running server with the toxme mix.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Load {
    /// The server's address.
    #[arg(long, default_value = "127.0.0.1:8080")]
    server: SocketAddr,
    /// How long, in seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Kept-alive connections.
    #[arg(long, default_value_t = 64)]
    connections: u64,
    /// Names asked for; the same number and seed as the run that pushed them.
    #[arg(long, default_value_t = 10_000)]
    names: u64,
    /// Push the names first.
    #[arg(long)]
    fill: bool,
    /// Requests a second, sent on time; as fast as answers come when absent.
    #[arg(long)]
    rate: Option<f64>,
    /// Seed of keys and choices.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the programme.
pub(crate) async fn run(load: &Load, output: &Output) -> Result<bool> {
    let population = Population {
        names: load.names,
        seed: load.seed,
    };
    if load.fill {
        population
            .fill(load.server, load.connections, output)
            .await?;
    }
    let mut connection = Connection::open(load.server).await?;
    let key = tox::server_key(&mut connection).await?;
    let zipf = Arc::new(Zipf::new(load.names, ZIPF_S));
    // Spare names are this run's own: those of the run before are held by keys that are gone.
    let run = clock::unix_s();
    let pace = Pace {
        connections: load.connections,
        duration: Duration::from_secs(load.seconds),
        rate: load.rate,
    };
    let driven = drive(load.server, pace, |number| {
        Ok(Mix {
            population,
            key,
            zipf: Arc::clone(&zipf),
            random: Random::stream(load.seed ^ run, number),
            spare: format!("spare{run:x}-{number}"),
            spares: Vec::new(),
            serial: 0,
        })
    })
    .await?;
    let (text, value) = report(&driven);
    output.print(&text, &value)?;
    Ok(true)
}

/// The mix of one connection (per mille): 855 look-ups, 95 with memorabilia, 20 reverse look-ups,
/// 20 searches, 8 pushes, 2 deletes.
struct Mix {
    population: Population,
    key: BoxPublicKey,
    zipf: Arc<Zipf>,
    random: Random,
    /// What the names begin with that this connection registers and deletes.
    spare: String,
    /// Names of this connection's own that it may delete.
    spares: Vec<Profile>,
    serial: u64,
}

impl Source for Mix {
    fn next(&mut self) -> Result<Request> {
        let kind = match self.random.below(1000) {
            0..855 => LOOKUP,
            855..950 => MEMORABILIA,
            950..970 => REVERSE,
            970..990 => SEARCH,
            990..998 => PUSH,
            _ if self.spares.is_empty() => PUSH,
            _ => DELETE,
        };
        Ok(Request::post(tox::API, self.body(kind)?).of_kind(kind))
    }
}

impl Mix {
    fn body(&mut self, kind: usize) -> Result<Vec<u8>> {
        let rank = self.zipf.rank(&mut self.random);
        match kind {
            REVERSE => Ok(tox::reverse(&self.population.profile(rank).key_hex())),
            SEARCH => {
                let name = Population::name(rank);
                let digits = usize::try_from(3 + self.random.below(6)).unwrap_or(3);
                let part = name.get(name.len() - digits..).unwrap_or(&name);
                Ok(tox::search(part, 0))
            }
            PUSH => self.push(rank),
            DELETE => {
                let spare = self.spares.pop().context("a spare was there")?;
                spare.delete(&self.key, &mut self.random)
            }
            MEMORABILIA => {
                let memorabilia = BASE64.encode(self.random.bytes::<64>());
                let body = json!({
                    "action": 3,
                    "name": self.asked(rank),
                    "memorabilia": memorabilia,
                });
                Ok(body.to_string().into_bytes())
            }
            _ => Ok(tox::lookup(&self.asked(rank))),
        }
    }

    /// The name of a rank, or one that nobody holds.
    fn asked(&mut self, rank: u64) -> String {
        let miss = self.random.below(100) < MISSES_PERCENT;
        Population::name(if miss {
            self.population.names + rank
        } else {
            rank
        })
    }

    fn push(&mut self, rank: u64) -> Result<Vec<u8>> {
        let version = u32::try_from(self.random.below(1 << 32)).unwrap_or(0);
        let record = Record {
            version,
            privacy: 1,
        };
        if self.spares.len() >= SPARES {
            let profile = self.population.profile(rank);
            return profile.push(&self.key, &record, &mut self.random);
        }
        self.serial += 1;
        let name = format!("{}-{}", self.spare, self.serial);
        let profile = Profile::new(name, self.random.next(), self.serial);
        let body = profile.push(&self.key, &record, &mut self.random);
        self.spares.push(profile);
        body
    }
}

fn report(driven: &Driven) -> (String, Value) {
    let count = u32::try_from(driven.answers.len()).unwrap_or(u32::MAX);
    let rate = f64::from(count) / driven.wall.as_secs_f64();
    let mut lines = vec![format!(
        "{count} requests, {rate:.0} a second, {} without an answer",
        driven.unanswered
    )];
    let mut kinds = Vec::new();
    for (kind, name) in KINDS.iter().enumerate() {
        let of_kind = driven.answers.iter().filter(|answer| answer.0 == kind);
        let times: Vec<Duration> = of_kind.clone().map(|answer| answer.1).collect();
        let refused = of_kind.filter(|answer| !expected(kind, answer.2)).count();
        let [p50, p99] = [0.5, 0.99].map(|share| percentile(&times, share).map_or(0.0, ms));
        let count = times.len();
        lines.push(format!(
            "{name:<12} {count:>9}  p50 {p50:>8.2} ms  p99 {p99:>8.2} ms  unexpected {refused}"
        ));
        kinds.push(json!({
            "kind": name, "count": count, "p50_ms": p50, "p99_ms": p99, "unexpected": refused,
        }));
    }
    let value = json!({
        "requests": count, "per_second": rate, "unanswered": driven.unanswered, "kinds": kinds,
    });
    (lines.join("\n"), value)
}

/// Whether a code is what this kind may get: a fifth of the look-ups ask for names nobody holds.
fn expected(kind: usize, code: Option<i32>) -> bool {
    match code {
        Some(0) => true,
        Some(tox::NO_USER) => kind == LOOKUP || kind == MEMORABILIA,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crypto::boxed::BoxSecretKey;

    use super::*;

    #[test]
    fn the_mix_has_the_shares_it_says() {
        let mut mix = Mix {
            population: Population { names: 50, seed: 1 },
            key: BoxSecretKey::from_bytes([1; 32]).public(),
            zipf: Arc::new(Zipf::new(50, ZIPF_S)),
            random: Random::new(5),
            spare: "spare".to_owned(),
            spares: Vec::new(),
            serial: 0,
        };
        let mut counts = [0_u32; KINDS.len()];
        for _ in 0..10_000 {
            counts[mix.next().unwrap().kind] += 1;
        }
        assert!((8300..8800).contains(&counts[LOOKUP]), "{counts:?}");
        assert!((850..1050).contains(&counts[MEMORABILIA]), "{counts:?}");
        for kind in [REVERSE, SEARCH] {
            assert!((150..250).contains(&counts[kind]), "{counts:?}");
        }
        assert!(counts[PUSH] > 50 && counts[DELETE] > 5, "{counts:?}");
    }
}
