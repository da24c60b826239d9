//! Requests sealed ahead, so that the generator's cryptography takes no time from what is measured.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use crypto::boxed::BoxPublicKey;

use crate::clock;
use crate::http::Connection;
use crate::random::Random;
use crate::server::Server;
use crate::tox::{self, Profile, Record};
use crate::traffic::{Population, Request, Source};

/// What is pushed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pushes {
    /// New names, each with a key of its own.
    Registrations,
    /// Changes of names that exist, each in turn.
    Updates(Population),
}

/// Pushes sealed to one server before they are needed.
struct Shelf {
    key: BoxPublicKey,
    pushes: Pushes,
    ready: VecDeque<Vec<u8>>,
    random: Random,
    made: u64,
    late: u64,
}

/// A shelf that connections share.
#[derive(Clone)]
pub(super) struct Stock(Arc<Mutex<Shelf>>);

impl Stock {
    pub(super) async fn of(server: &Server, pushes: Pushes) -> Result<Self> {
        let mut connection = Connection::open(server.address()).await?;
        Ok(Self(Arc::new(Mutex::new(Shelf {
            key: tox::server_key(&mut connection).await?,
            pushes,
            ready: VecDeque::new(),
            random: Random::new(clock::unix_s()),
            made: 0,
            late: 0,
        }))))
    }

    /// Seals until `count` are ready.
    pub(super) fn fill(&self, count: f64) -> Result<()> {
        let mut shelf = self.lock();
        while f64::from(u32::try_from(shelf.ready.len()).unwrap_or(u32::MAX)) < count {
            let body = shelf.seal()?;
            shelf.ready.push_back(body);
        }
        Ok(())
    }

    /// Requests that had to be sealed while a server was driven.
    pub(super) fn late(&self) -> u64 {
        self.lock().late
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn seal(&mut self) -> Result<Vec<u8>> {
        self.made += 1;
        let (profile, version) = match self.pushes {
            Pushes::Registrations => {
                let name = format!("p{:09}", self.made);
                (Profile::new(name, self.random.next(), self.made), 1)
            }
            Pushes::Updates(population) => {
                let version = u32::try_from(self.random.below(1 << 32)).unwrap_or(0);
                (population.profile(self.made % population.names), version)
            }
        };
        let record = Record {
            version,
            privacy: 1,
        };
        profile.push(&self.key, &record, &mut self.random)
    }

    fn take(&mut self) -> Result<Vec<u8>> {
        if let Some(body) = self.ready.pop_front() {
            return Ok(body);
        }
        self.late += 1;
        self.seal()
    }
}

impl Source for Stock {
    fn next(&mut self) -> Result<Request> {
        Ok(Request {
            path: tox::API,
            body: self.lock().take()?,
            kind: 0,
        })
    }
}
