//! B13: more registrations than the server can take.

use anyhow::{Context as _, Result};

use super::line::{Line, Target};
use super::push::AHEAD_PER_SECOND;
use super::stock::{Pushes, Stock};
use super::{Bed, CONNECTIONS};
use crate::server::Server;
use crate::stats::{median, ms, percentile};
use crate::traffic::{Driven, Pace, drive};

/// What is offered, in multiples of the peak.
const OVERLOAD: f64 = 3.0;
/// Connections over which it is offered; what one waits for, others go on offering.
const OFFERING: u64 = 800;

/// Rounds at the peak and beyond it in turn.
pub(super) async fn measure(bed: &Bed, server: &Server) -> Result<Vec<Line>> {
    let stock = Stock::of(server, Pushes::Registrations).await?;
    let [mut peaks, mut goodputs] = <[Vec<f64>; 2]>::default();
    let mut newest = [Driven::default(), Driven::default()];
    for round in 0..bed.rounds {
        bed.output.progress(&format!("B13, round {}", round + 1));
        let peak = offered(bed, server, &stock, CONNECTIONS, None).await?;
        peaks.push(good(&peak));
        let rate = good(&peak) * OVERLOAD;
        let over = offered(bed, server, &stock, OFFERING, Some(rate)).await?;
        goodputs.push(good(&over));
        newest = [peak, over];
    }
    let [peak, over] = newest.each_ref().map(p99_ms);
    Ok(vec![Line {
        id: "B13",
        what: format!("registrations a second with {OVERLOAD:.0} times as many offered"),
        ours: median(&goodputs),
        unit: "/s",
        yardstick: Some(("at the peak".to_owned(), median(&peaks))),
        target: Some(Target::AtLeast(0.9)),
        note: format!(
            "p99 {:.1} ms over {OFFERING} connections against {:.1} over {CONNECTIONS}; {} unanswered, \
             {} sealed late",
            over.context("nothing was answered beyond the peak")?,
            peak.context("nothing was answered at the peak")?,
            newest.iter().map(|driven| driven.unanswered).sum::<u64>(),
            stock.late(),
        ),
    }])
}

async fn offered(
    bed: &Bed,
    server: &Server,
    stock: &Stock,
    connections: u64,
    rate: Option<f64>,
) -> Result<Driven> {
    stock.fill(AHEAD_PER_SECOND * 2.0 * bed.round.as_secs_f64())?;
    let pace = Pace {
        connections,
        duration: bed.round,
        rate,
    };
    drive(server.address(), pace, |_| Ok(stock.clone())).await
}

/// Registrations that were accepted, a second.
fn good(driven: &Driven) -> f64 {
    let count = driven.answers.iter().filter(|it| it.2 == Some(0)).count();
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / driven.wall.as_secs_f64()
}

fn p99_ms(driven: &Driven) -> Option<f64> {
    let latencies: Vec<_> = driven.answers.iter().map(|answer| answer.1).collect();
    percentile(&latencies, 0.99).map(ms)
}
