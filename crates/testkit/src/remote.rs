//! Other domains, as tests want them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use engine::ports::remote_names::{RemoteFault, RemoteNames};
use engine::types::{Domain, Name, ToxId};
use tokio::sync::Semaphore;

type Answer = Result<Option<ToxId>, RemoteFault>;

/// Answers as it was told, and records what it was asked. Of a name it was told nothing of it says
/// that there is none.
pub struct FakeNames {
    answers: Mutex<BTreeMap<String, Answer>>,
    asked: Mutex<Vec<String>>,
    within: Mutex<Vec<Duration>>,
    answering: Semaphore,
}

impl FakeNames {
    /// One that answers at once.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let this = Self::silent();
        this.answer(Semaphore::MAX_PERMITS);
        this
    }

    /// One that answers when it is told to.
    #[must_use]
    pub fn silent() -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::default(),
            asked: Mutex::default(),
            within: Mutex::default(),
            answering: Semaphore::new(0),
        })
    }

    /// Says what `name@domain` is answered with.
    pub fn tell(&self, address: &str, answer: Answer) {
        self.answers
            .lock()
            .expect("no test panics while it holds this")
            .insert(address.to_owned(), answer);
    }

    /// Lets it answer so many questions.
    pub fn answer(&self, questions: usize) {
        self.answering.add_permits(questions);
    }

    /// What it was asked, as `name@domain`, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock();
        asked.expect("no test panics while it holds this").clone()
    }

    /// The time each question was given, in order.
    #[must_use]
    pub fn within(&self) -> Vec<Duration> {
        let within = self.within.lock();
        within.expect("no test panics while it holds this").clone()
    }
}

#[async_trait]
impl RemoteNames for FakeNames {
    async fn lookup(&self, domain: &Domain, name: &Name, within: Duration) -> Answer {
        let address = format!("{name}@{domain}");
        self.within
            .lock()
            .expect("no test panics while it holds this")
            .push(within);
        self.asked
            .lock()
            .expect("no test panics while it holds this")
            .push(address.clone());
        let turn = self.answering.acquire().await;
        turn.expect("it is never closed").forget();
        let answers = self.answers.lock();
        let answers = answers.expect("no test panics while it holds this");
        answers.get(&address).copied().unwrap_or(Ok(None))
    }
}
