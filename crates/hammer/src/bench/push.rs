//! B3: a durable push beside the two primitives it cannot do without.

use std::hint::black_box;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use crypto::boxed::{self, BoxPublicKey, BoxSecretKey};
use crypto::ed25519::SigningKey;
use crypto::secret::Secret;
use rustix::process::{Pid, Signal};

use super::line::{Line, Target};
use super::{Bed, CONNECTIONS, Cost, cost};
use crate::clock;
use crate::http::Connection;
use crate::random::Random;
use crate::server::Server;
use crate::stats::median;
use crate::tox::{self, Record};
use crate::traffic::{Driven, Pace, Population, Request, Source, drive};

const MESSAGE_BYTES: usize = 300;
const PRIMITIVE_ROUNDS: u32 = 2_000;

/// Updates of names that exist, each connection its own.
struct Pushes {
    population: Population,
    key: BoxPublicKey,
    random: Random,
    number: u64,
}

impl Source for Pushes {
    fn next(&mut self) -> Result<Request> {
        let own = self.population.names / CONNECTIONS;
        let number = self.number + CONNECTIONS * self.random.below(own.max(1));
        let profile = self.population.profile(number % self.population.names);
        let record = Record {
            version: u32::try_from(self.random.below(1 << 32)).unwrap_or(0),
            privacy: 1,
        };
        Ok(Request {
            path: tox::API,
            body: profile.push(&self.key, &record, &mut self.random)?,
            kind: 0,
        })
    }
}

/// Rounds of pushes and of the primitives in turn, then one short round under strace.
pub(super) async fn measure(bed: &Bed, server: &Server) -> Result<Vec<Line>> {
    let mut costs: Vec<Cost> = Vec::new();
    let mut floors = Vec::new();
    let mut refused = 0;
    for round in 0..bed.rounds {
        bed.output.progress(&format!("B3, round {}", round + 1));
        floors.push(floor_us()?);
        let (cost, driven) = cost(server, pushes(bed, server, round).await?).await?;
        costs.push(cost);
        refused += driven.answers.iter().filter(|it| it.2 != Some(0)).count();
    }
    let of = |field: fn(&Cost) -> f64| median(&costs.iter().map(field).collect::<Vec<_>>());
    let syncs = match syncs_per_push(bed, server).await {
        Ok(syncs) => format!("{syncs:.3} syncs a push (strace -c, a round of its own)"),
        Err(error) => format!("syncs not counted: {error:#}"),
    };
    Ok(vec![Line {
        id: "B3",
        what: format!("push at {} names, server CPU a push", bed.population.names),
        ours: of(|cost| cost.us_per_request),
        unit: "us",
        yardstick: Some(("box open + Ed25519 sign".to_owned(), median(&floors))),
        target: Some(Target::AtMost(2.5)),
        note: format!(
            "{:.0} durable pushes/s over {CONNECTIONS} connections, the generator's sealing \
             included; {refused} refused; {syncs}",
            of(|cost| cost.per_second),
        ),
    }])
}

/// The future that drives one round of pushes.
async fn pushes(
    bed: &Bed,
    server: &Server,
    round: u32,
) -> Result<impl Future<Output = Result<Driven>> + use<>> {
    let mut connection = Connection::open(server.address()).await?;
    let key = tox::server_key(&mut connection).await?;
    let population = bed.population;
    let pace = Pace {
        connections: CONNECTIONS,
        duration: bed.round,
        rate: None,
    };
    let seed = clock::unix_s() ^ (u64::from(round) << 40);
    Ok(drive(server.address(), pace, move |number| {
        Ok(Pushes {
            population,
            key,
            random: Random::stream(seed, number),
            number,
        })
    }))
}

/// CPU microseconds of opening one box and making one signature with the server's own code.
fn floor_us() -> Result<f64> {
    let server = BoxSecretKey::from_bytes([1; 32]);
    let client = BoxSecretKey::from_bytes([2; 32]);
    let (nonce, message) = ([3; 24], [4; MESSAGE_BYTES]);
    let sealed = boxed::seal(&client, &server.public(), &nonce, &message).context("seal")?;
    let signer = SigningKey::from_seed(&Secret::new([5; 32])).context("make a key")?;
    let sender = client.public();
    let began = clock::thread_cpu();
    for _ in 0..PRIMITIVE_ROUNDS {
        black_box(boxed::open(&server, &sender, &nonce, black_box(&sealed)).context("open")?);
        black_box(signer.sign(black_box(&message)));
    }
    let used = clock::thread_cpu().saturating_sub(began);
    Ok(used.as_secs_f64() * 1e6 / f64::from(PRIMITIVE_ROUNDS))
}

/// fsync and fdatasync calls a push, counted by strace while pushes are driven. Tracing slows the
/// server, so nothing else is measured in this round.
async fn syncs_per_push(bed: &Bed, server: &Server) -> Result<f64> {
    let counts = bed.scratch.path().join("strace");
    let mut strace = Command::new("strace")
        .args(["-f", "-c", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(&counts)
        .args(["-p", &server.pid().to_string()])
        .stderr(Stdio::null())
        .spawn()
        .context("start strace")?;
    let driven = pushes(bed, server, u32::MAX).await?.await;
    let pid = i32::try_from(strace.id()).ok().and_then(Pid::from_raw);
    rustix::process::kill_process(pid.context("strace has no id")?, Signal::INT)
        .context("stop strace")?;
    strace.wait().context("wait for strace")?;
    let counts = std::fs::read_to_string(&counts).context("read strace's counts")?;
    let syncs = f64::from(u32::try_from(calls(&counts)).unwrap_or(u32::MAX));
    let pushes = u32::try_from(driven?.answers.len()).unwrap_or(u32::MAX);
    Ok(syncs / f64::from(pushes.max(1)))
}

/// The sum of the fourth column over lines that end in a sync call's name.
fn calls(counts: &str) -> u64 {
    counts
        .lines()
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
        .filter(|fields| matches!(fields.last(), Some(&("fsync" | "fdatasync"))))
        .filter_map(|fields| fields.get(3)?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_from_straces_table() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n \
                     90.00    0.001000          10       100           fdatasync\n \
                     10.00    0.000100          10        10         1 fsync\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     100.00    0.001100          10       110         1 total\n";
        assert_eq!(calls(table), 110);
        assert_eq!(calls(""), 0);
    }

    #[test]
    fn the_floor_is_some_microseconds() {
        let floor = floor_us().unwrap();
        assert!(floor > 1.0 && floor < 10_000.0, "{floor}");
    }
}
