//! B3: a durable push beside the two primitives it cannot do without.

use std::hint::black_box;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use crypto::boxed::{self, BoxSecretKey};
use crypto::ed25519::SigningKey;
use crypto::secret::Secret;
use rustix::process::{Pid, Signal};

use super::line::{Line, Target};
use super::stock::{Pushes, Stock};
use super::{Bed, CONNECTIONS, Cost, cost};
use crate::clock;
use crate::server::Server;
use crate::stats::median;
use crate::traffic::{Driven, Pace, drive};

const MESSAGE_BYTES: usize = 300;
const PRIMITIVE_ROUNDS: u32 = 2_000;
/// Requests sealed ahead for each second of a first round.
pub(super) const AHEAD_PER_SECOND: f64 = 6_000.0;
/// How much more than the last round took is sealed ahead of the next.
pub(super) const AHEAD_MARGIN: f64 = 2.0;

/// Rounds of pushes and of the primitives in turn, then one round to count syncs.
pub(super) async fn measure(bed: &Bed, server: &Server) -> Result<Vec<Line>> {
    let stock = Stock::of(server, Pushes::Updates(bed.population)).await?;
    let mut costs: Vec<Cost> = Vec::new();
    let mut floors = Vec::new();
    let mut refused = 0;
    for round in 0..bed.rounds {
        bed.output.progress(&format!("B3, round {}", round + 1));
        let primitives = Primitives::measure()?;
        floors.push(primitives.open_us + primitives.sign_us);
        let last = costs.last().map(|cost| cost.per_second);
        let rate = last.map_or(AHEAD_PER_SECOND, |rate| rate * AHEAD_MARGIN);
        stock.fill(rate * bed.round.as_secs_f64())?;
        let (cost, driven) = cost(server, pushes(bed, server, &stock)).await?;
        costs.push(cost);
        refused += driven.answers.iter().filter(|it| it.2 != Some(0)).count();
    }
    let of = |field: fn(&Cost) -> f64| median(&costs.iter().map(field).collect::<Vec<_>>());
    let syncs = match syncs_each(bed, server, pushes(bed, server, &stock)).await {
        Ok(syncs) => format!("{syncs:.3} syncs a push (tracepoints, a round of its own)"),
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
            "{:.0} durable pushes/s over {CONNECTIONS} connections; {refused} refused, {} sealed \
             late; {syncs}",
            of(|cost| cost.per_second),
            stock.late(),
        ),
    }])
}

/// Drives one round of pushes.
async fn pushes(bed: &Bed, server: &Server, stock: &Stock) -> Result<Driven> {
    let pace = Pace {
        connections: CONNECTIONS,
        duration: bed.round,
        rate: None,
    };
    drive(server.address(), pace, |_| Ok(stock.clone())).await
}

/// CPU microseconds of the server's own primitives, measured on this core.
#[derive(Clone, Copy, Debug)]
pub(super) struct Primitives {
    /// Opening one box.
    pub(super) open_us: f64,
    /// One Ed25519 signature.
    pub(super) sign_us: f64,
}

impl Primitives {
    pub(super) fn measure() -> Result<Self> {
        let server = BoxSecretKey::from_bytes([1; 32]);
        let client = BoxSecretKey::from_bytes([2; 32]);
        let (nonce, message) = ([3; 24], [4; MESSAGE_BYTES]);
        let sealed = boxed::seal(&client, &server.public(), &nonce, &message).context("seal")?;
        let signer = SigningKey::from_seed(&Secret::new([5; 32])).context("make a key")?;
        let sender = client.public();
        Ok(Self {
            open_us: us_each(|| {
                let opened = boxed::open(&server, &sender, &nonce, black_box(&sealed));
                black_box(opened.context("open")?);
                Ok(())
            })?,
            sign_us: us_each(|| {
                black_box(signer.sign(black_box(&message)));
                Ok(())
            })?,
        })
    }
}

fn us_each(mut primitive: impl FnMut() -> Result<()>) -> Result<f64> {
    let began = clock::thread_cpu();
    for _ in 0..PRIMITIVE_ROUNDS {
        primitive()?;
    }
    let used = clock::thread_cpu().saturating_sub(began);
    Ok(used.as_secs_f64() * 1e6 / f64::from(PRIMITIVE_ROUNDS))
}

/// fsync and fdatasync calls a request, counted by the kernel's tracepoints while requests are driven.
pub(super) async fn syncs_each(
    bed: &Bed,
    server: &Server,
    driving: impl Future<Output = Result<Driven>>,
) -> Result<f64> {
    let counts = bed.scratch.path().join("syncs");
    let mut perf = Command::new("perf")
        .args(["stat", "-x", ",", "-o"])
        .arg(&counts)
        .args([
            "-e",
            "syscalls:sys_enter_fsync,syscalls:sys_enter_fdatasync",
        ])
        .args(["-p", &server.pid().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start perf")?;
    let driven = driving.await;
    let pid = i32::try_from(perf.id()).ok().and_then(Pid::from_raw);
    rustix::process::kill_process(pid.context("perf has no id")?, Signal::INT)
        .context("stop perf")?;
    perf.wait().context("wait for perf")?;
    let counts = std::fs::read_to_string(&counts).context("read perf's counts")?;
    let syncs = f64::from(calls(&counts).context("perf counted nothing: it needs root")?);
    let requests = u32::try_from(driven?.answers.len()).unwrap_or(u32::MAX);
    Ok(syncs / f64::from(requests.max(1)))
}

/// The sum of the counts in lines such as `123,,syscalls:sys_enter_fsync,…`; `None` without any.
fn calls(counts: &str) -> Option<u32> {
    let counts: Vec<u32> = counts
        .lines()
        .filter(|line| line.contains("sys_enter_f"))
        .filter_map(|line| line.split(',').next()?.parse().ok())
        .collect();
    (!counts.is_empty()).then(|| counts.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_from_perfs_table() {
        let table = "# started on Fri\n\n12,,syscalls:sys_enter_fsync,98,100.00,,\n\
                     100,,syscalls:sys_enter_fdatasync,98,100.00,,\n";
        assert_eq!(calls(table), Some(112));
        assert_eq!(
            calls("<not counted>,,syscalls:sys_enter_fsync,0,0.00,,\n"),
            None
        );
    }

    #[test]
    fn primitives_take_some_microseconds() {
        let Primitives { open_us, sign_us } = Primitives::measure().unwrap();
        for us in [open_us, sign_us] {
            assert!(us > 1.0 && us < 10_000.0, "{us}");
        }
    }
}
