//! CPU time of servers and of PostgreSQL over one round.

use std::time::Duration;

use anyhow::{Context as _, Result};
use pgrig::Postgres;

use crate::process;
use crate::server::Server;
use crate::stats::median;
use crate::traffic::Driven;

/// Who is watched.
#[derive(Clone, Copy)]
pub(super) struct Watched<'a> {
    pub(super) servers: &'a [&'a Server],
    pub(super) database: Option<&'a Postgres>,
}

/// CPU time a request, and requests a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spent {
    pub(super) server_us: f64,
    pub(super) database_us: f64,
    pub(super) per_second: f64,
}

impl Spent {
    /// Of a number of requests that took this long by the clock and this much CPU time.
    pub(super) fn of(count: u32, wall: Duration, server: Duration, database: Duration) -> Self {
        let count = f64::from(count.max(1));
        Self {
            server_us: server.as_secs_f64() * 1e6 / count,
            database_us: database.as_secs_f64() * 1e6 / count,
            per_second: count / wall.as_secs_f64(),
        }
    }

    /// Everybody's CPU time a request.
    pub(super) fn total_us(&self) -> f64 {
        self.server_us + self.database_us
    }

    /// The median of each figure by itself.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let of = |field: fn(&Self) -> f64| median(&rounds.iter().map(field).collect::<Vec<_>>());
        Self {
            server_us: of(|it| it.server_us),
            database_us: of(|it| it.database_us),
            per_second: of(|it| it.per_second),
        }
    }
}

impl Watched<'_> {
    /// Drives for one round; `drive` returns when all its work is done by everybody.
    pub(super) async fn over(
        &self,
        drive: impl Future<Output = Result<Driven>>,
    ) -> Result<(Spent, Driven)> {
        let before = self.used()?;
        let driven = drive.await?;
        let after = self.used()?;
        let count = u32::try_from(driven.answers.len()).context("more answers than counted")?;
        let server = after.0.saturating_sub(before.0);
        let database = after.1.saturating_sub(before.1);
        Ok((Spent::of(count, driven.wall, server, database), driven))
    }

    fn used(&self) -> Result<(Duration, Duration)> {
        let pids = self.servers.iter().map(|server| server.pid());
        let servers = pids.map(process::cpu).sum::<Result<Duration>>()?;
        let database = self.database.map(Postgres::cpu_time).transpose()?;
        Ok((servers, database.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shared_out_over_the_requests() {
        let second = Duration::from_secs(1);
        let spent = Spent::of(1000, second * 2, second / 10, second / 5);
        assert_eq!(spent.per_second, 500.0);
        assert!((spent.server_us - 100.0).abs() < 1e-9, "{spent:?}");
        assert!((spent.total_us() - 300.0).abs() < 1e-9, "{spent:?}");
        let nothing = Spent::of(0, second, second, second);
        assert_eq!(nothing.server_us, 1e6, "no answer is no free round");
    }

    #[test]
    fn medians_are_taken_figure_by_figure() {
        let round = |server_us, per_second| Spent {
            server_us,
            database_us: 1.0,
            per_second,
        };
        let median = Spent::median(&[round(1.0, 30.0), round(2.0, 10.0), round(9.0, 20.0)]);
        assert_eq!(median, round(2.0, 20.0));
    }
}
