//! Proofs that a server holds, each made as its clients make them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::super::Bed;
use crate::clock;
use crate::http::Connection;
use crate::nextid::{self, Account, Avatar, PROOF, Service};
use crate::server::Server;
use crate::upstream::Upstream;

/// Connections that fill: a post is answered with the next checkpoint, five times a second.
const FILLING: u64 = 1000;
/// Of these so many are at services that are asked: more may not wait for one of them.
const ASKING: usize = 500;
/// Longest wait for one answer: with so many, some wait for others.
const POST_WAIT: Duration = Duration::from_secs(60);

/// Avatars with a claim at each of two services.
#[derive(Clone)]
pub(super) struct Directory {
    seed: u64,
    services: [Service; 2],
    avatars: u64,
    /// The accounts, those of an avatar next to each other.
    accounts: Arc<Vec<(Service, String)>>,
}

impl Directory {
    /// That many proofs, rounded up to an even number.
    pub(super) fn new(seed: u64, services: [Service; 2], proofs: u64) -> Result<Self> {
        let avatars = proofs.div_ceil(2);
        let numbers = (0..avatars).flat_map(|number| services.map(|service| (service, number)));
        let accounts = numbers
            .map(|(service, number)| Ok((service, Account::new(service, seed, number)?.identity)));
        Ok(Self {
            seed,
            services,
            avatars,
            accounts: Arc::new(accounts.collect::<Result<_>>()?),
        })
    }

    pub(super) fn proofs(&self) -> u64 {
        self.avatars * 2
    }

    /// An account that an avatar claims.
    pub(super) fn account(&self, number: u64) -> Result<&(Service, String)> {
        let at = usize::try_from(number)?;
        self.accounts.get(at).context("no proof has this number")
    }

    /// Posts every claim, that of the first service before that of the second.
    pub(super) async fn fill(&self, bed: &Bed, server: &Server, upstream: &Upstream) -> Result<()> {
        let began = clock::now();
        let mut tasks = JoinSet::new();
        let asking = Arc::new(Semaphore::new(ASKING));
        for first in 0..FILLING.min(self.avatars) {
            let part = Part {
                directory: self.clone(),
                first,
                upstream: upstream.clone(),
                asking: asking.clone(),
            };
            let connection = Connection::open(server.address()).await?;
            tasks.spawn(part.fill(connection.waiting(POST_WAIT)));
        }
        while let Some(part) = tasks.join_next().await {
            part.context("a filling task broke")??;
        }
        bed.output.progress(&format!(
            "{} proofs posted in {:.1} s",
            self.proofs(),
            began.elapsed().as_secs_f64()
        ));
        Ok(())
    }
}

/// The avatars of one connection.
struct Part {
    directory: Directory,
    first: u64,
    upstream: Upstream,
    asking: Arc<Semaphore>,
}

impl Part {
    async fn fill(self, mut connection: Connection) -> Result<()> {
        let Directory {
            seed,
            services,
            avatars,
            ..
        } = self.directory;
        for number in (self.first..avatars).step_by(usize::try_from(FILLING)?) {
            let avatar = Avatar::new(seed, number)?;
            let mut prev: Option<String> = None;
            for service in services {
                let account = Account::new(service, seed, number)?;
                let claim = avatar.claim(&account, prev.as_deref());
                let _turn = match &claim.page {
                    Some(_) => Some(self.asking.acquire().await?),
                    None => None,
                };
                let path = claim.page.map(|page| self.upstream.show(page));
                let answer = connection.post(PROOF, &claim.body).await?;
                ensure!(
                    nextid::posted(&answer) == Some(0),
                    "the claim of {} was refused: {} {}",
                    account.identity,
                    answer.status,
                    String::from_utf8_lossy(&answer.body)
                );
                if let Some(path) = path {
                    self.upstream.forget(&path);
                }
                prev = Some(claim.signature);
            }
        }
        Ok(())
    }
}
