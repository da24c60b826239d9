//! Several processes over one store, with everything that runs beside requests, in simulated time.

use std::sync::Arc;
use std::time::Duration;

use engine::ports::store::Store;
use engine::ports::timer::Timer;
use engine::reconcile::{Progress, Reconciler};
use engine::{Engine, Settings};
use tokio::task::{JoinSet, yield_now};

use crate::{FixedClock, World, shared_memory};

/// How far the clock moves at once.
const STEP: Duration = Duration::from_millis(50);
/// Turns every task gets after each step: more than any needs until it waits for the clock again.
const TURNS: usize = 64;
/// Pause of a reconciler after a failure, as in the server.
const BACK_OFF: Duration = Duration::from_secs(1);

/// Processes over one store and one clock. For a runtime of one thread, where a run is the same
/// every time.
pub struct Fleet {
    /// The processes, in the order they joined; those that were killed too.
    pub worlds: Vec<World>,
    /// Their clock.
    pub clock: Arc<FixedClock>,
    /// The rows of all of them.
    pub store: Arc<dyn Store>,
    settings: Settings,
    running: Vec<JoinSet<()>>,
}

impl Fleet {
    /// This many processes over a new shared store in memory.
    pub async fn of(count: usize, settings: Settings) -> Self {
        let clock = World::start_clock();
        let store = Arc::new(shared_memory(&clock));
        let mut fleet = Self::over(store, clock, settings);
        for _ in 0..count {
            fleet.join().await;
        }
        fleet
    }

    /// No process yet.
    #[must_use]
    pub fn over(store: Arc<dyn Store>, clock: Arc<FixedClock>, settings: Settings) -> Self {
        Self {
            worlds: Vec::new(),
            clock,
            store,
            settings,
            running: Vec::new(),
        }
    }

    /// One more process, running.
    pub async fn join(&mut self) {
        self.join_over(self.store.clone(), self.clock.clone()).await;
    }

    /// One more process, running, with a view of the store and a machine's clock of its own. The
    /// clock has to be moved with the fleet's.
    pub async fn join_over(&mut self, store: Arc<dyn Store>, clock: Arc<FixedClock>) {
        let seed = self.worlds.len() as u64 + 1;
        let world = World::join(store, clock, self.settings.clone(), seed).await;
        self.worlds.push(world);
        self.running.push(JoinSet::new());
        self.resume(self.worlds.len() - 1);
    }

    /// A process.
    ///
    /// # Panics
    /// When there is no such one.
    #[must_use]
    pub fn world(&self, process: usize) -> &World {
        self.worlds
            .get(process)
            .expect("a test knows its processes")
    }

    /// Stops what runs beside requests in a process at once, as a kill or a pause would.
    pub fn pause(&mut self, process: usize) {
        if let Some(running) = self.running.get_mut(process) {
            *running = JoinSet::new();
        }
    }

    /// Lets it run again.
    pub fn resume(&mut self, process: usize) {
        let engine = self.world(process).engine.clone();
        let clock = self.world(process).clock.clone();
        if let Some(running) = self.running.get_mut(process) {
            let needed = |reconciler: &Reconciler| reconciler.is_needed(&engine);
            for reconciler in Reconciler::ALL.into_iter().filter(needed) {
                running.spawn(reconcile(reconciler, engine.clone(), clock.clone()));
            }
        }
    }

    /// Stops a process as an operator does.
    ///
    /// # Panics
    /// When it cannot end its work.
    pub async fn stop(&mut self, process: usize) {
        self.pause(process);
        for reconciler in Reconciler::ALL {
            let done = reconciler.finish(&self.world(process).engine).await;
            done.expect("a test's process ends its work");
        }
    }

    /// Lets time pass.
    pub async fn run(&self, time: Duration) {
        let end = self.clock.monotonic() + time;
        while self.clock.monotonic() < end {
            self.step().await;
        }
    }

    /// Lets time pass in steps of 50 ms until `is_so`, at most `most`; answers how much it took,
    /// and `None` when it was too little.
    pub async fn until(
        &self,
        most: Duration,
        mut is_so: impl AsyncFnMut() -> bool,
    ) -> Option<Duration> {
        let start = self.clock.monotonic();
        while !is_so().await {
            if self.clock.monotonic() - start >= most {
                return None;
            }
            self.step().await;
        }
        Some(self.clock.monotonic() - start)
    }

    async fn step(&self) {
        self.clock.advance(STEP);
        for world in &self.worlds {
            if !Arc::ptr_eq(&world.clock, &self.clock) {
                world.clock.advance(STEP);
            }
        }
        for _ in 0..TURNS {
            yield_now().await;
        }
    }

    /// The process that leads, by the lease; `None` when nobody does.
    ///
    /// # Panics
    /// When the store cannot be read, or two processes have one role.
    pub async fn leader(&self) -> Option<usize> {
        let engine = &self.world(0).engine;
        let all = engine.processes().await.expect("the rows are read");
        let leads = |role: &String| role == "sequence";
        let mut leaders = all.iter().filter(|one| one.roles.iter().any(leads));
        let leader = leaders.next()?;
        assert!(leaders.next().is_none(), "one process leads");
        for (at, world) in self.worlds.iter().enumerate() {
            let all = world.engine.processes().await.expect("the rows are read");
            let me = all.iter().find(|one| one.is_me).expect("it sees itself");
            if me.id == leader.id {
                return Some(at);
            }
        }
        None
    }
}

async fn reconcile(reconciler: Reconciler, engine: Engine, clock: Arc<FixedClock>) {
    loop {
        match reconciler.tick(&engine).await {
            Ok(Progress::MoreNow) => yield_now().await,
            Ok(Progress::Idle) => reconciler.wait(&engine).await,
            Err(_) => clock.sleep(BACK_OFF).await,
        }
    }
}
