//! B9, B9q, B9s and U2: claims of accounts elsewhere, over the ProofService API.

mod directory;
mod finds;
mod posts;
mod stuck;

use anyhow::Result;

use self::directory::Directory;
use super::line::Line;
use super::{Bed, started};
use crate::nextid::Service;
use crate::upstream::Upstream;

/// The lines measured here.
pub(super) const LINES: &[&str] = &["B9", "B9q", "B9s", "U2"];
const SEED: u64 = 2;

/// The lines that are wanted: all but U2 about one server that holds as many proofs as others names.
pub(super) async fn measure(bed: &Bed, wanted: impl Fn(&str) -> bool) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    if ["B9", "B9q", "B9s"].iter().any(|id| wanted(id)) {
        let upstream = Upstream::start().await?;
        let mut launch = bed.launch_in("proofs")?;
        upstream.stand_in(&mut launch);
        let server = started(&launch).await?;
        let services = [Service::Ethereum, Service::GitHub];
        let directory = Directory::new(SEED, services, bed.population.names)?;
        directory.fill(bed, &server, &upstream).await?;
        if wanted("B9q") {
            lines.extend(finds::exact(bed, &server, &directory).await?);
        }
        if wanted("B9s") {
            lines.extend(finds::part(bed, &server, &directory).await?);
        }
        if wanted("B9") {
            lines.extend(posts::measure(bed, &server, &upstream).await?);
        }
        server.kill()?;
    }
    if wanted("U2") {
        lines.extend(stuck::measure(bed).await?);
    }
    Ok(lines)
}
