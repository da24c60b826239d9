//! Requests made ahead, so that the generator's cryptography takes no time from what is measured.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use crypto::boxed::BoxPublicKey;

use crate::clock;
use crate::http::{Answer, Connection};
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

/// Makes the body of one request after the other.
type Make = Box<dyn FnMut() -> Result<Vec<u8>> + Send>;

/// Bodies made before they are needed.
struct Shelf {
    make: Make,
    ready: VecDeque<Vec<u8>>,
    late: u64,
}

/// A shelf that connections share.
#[derive(Clone)]
pub(super) struct Stock {
    shelf: Arc<Mutex<Shelf>>,
    path: &'static str,
    code: fn(&Answer) -> Option<i32>,
}

impl Stock {
    /// Pushes sealed to one server.
    pub(super) async fn of(server: &Server, pushes: Pushes) -> Result<Self> {
        let mut connection = Connection::open(server.address()).await?;
        let mut sealing = Sealing {
            key: tox::server_key(&mut connection).await?,
            pushes,
            random: Random::new(clock::unix_s()),
            made: 0,
        };
        let make = move || sealing.next();
        Ok(Self::new(tox::API, tox::code, Box::new(make)))
    }

    /// Bodies for a path, with what an answer to one says.
    pub(super) fn new(path: &'static str, code: fn(&Answer) -> Option<i32>, make: Make) -> Self {
        let shelf = Shelf {
            make,
            ready: VecDeque::new(),
            late: 0,
        };
        Self {
            shelf: Arc::new(Mutex::new(shelf)),
            path,
            code,
        }
    }

    /// Makes more until `count` are ready.
    pub(super) fn fill(&self, count: f64) -> Result<()> {
        let mut shelf = self.lock();
        while f64::from(u32::try_from(shelf.ready.len()).unwrap_or(u32::MAX)) < count {
            let body = (shelf.make)()?;
            shelf.ready.push_back(body);
        }
        Ok(())
    }

    /// Requests that had to be made while a server was driven.
    pub(super) fn late(&self) -> u64 {
        self.lock().late
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn take(&mut self) -> Result<Vec<u8>> {
        if let Some(body) = self.ready.pop_front() {
            return Ok(body);
        }
        self.late += 1;
        (self.make)()
    }
}

impl Source for Stock {
    fn next(&mut self) -> Result<Request> {
        let body = self.lock().take()?;
        Ok(Request::post(self.path, body))
    }

    fn code(&self, answer: &Answer) -> Option<i32> {
        (self.code)(answer)
    }
}

/// Seals pushes.
struct Sealing {
    key: BoxPublicKey,
    pushes: Pushes,
    random: Random,
    made: u64,
}

impl Sealing {
    fn next(&mut self) -> Result<Vec<u8>> {
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
}
