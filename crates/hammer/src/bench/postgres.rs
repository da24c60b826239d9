//! P1 to P4: the same server over PostgreSQL, whose syncs are on.
//!
//! Servers are pinned as for the other lines, PostgreSQL is not: it takes what both cores have left.
//! Its CPU time is that of all its processes.

mod bare;
mod lookups;
mod registrations;
mod spent;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use pgrig::{Postgres, Settings};

use super::line::Line;
use super::{Bed, CONNECTIONS, START_WAIT};
use crate::server::{self, Launch, Server};
use crate::tox;
use bare::Commits;

/// Connections a database takes: a yardstick's, the server's pool, and some to look in.
const DATABASE_CONNECTIONS: u32 = 200;

/// The lines asked for by id.
pub(super) async fn measure(
    bed: &Bed,
    sizes: &[u64],
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    if wanted("P1") || wanted("P2") {
        lines.extend(registrations::measure(bed).await?);
    }
    if wanted("P3") || wanted("P4") {
        for names in sizes {
            lines.extend(lookups::measure(bed, *names).await?);
        }
    }
    Ok(lines)
}

/// A database of its own, and a folder for the servers over it.
struct Site {
    database: Postgres,
    folder: PathBuf,
}

impl Site {
    fn start(bed: &Bed, name: &str) -> Result<Self> {
        let settings = Settings {
            connections: DATABASE_CONNECTIONS,
            ..Settings::durable()
        };
        let folder = bed.scratch.path().join(name);
        std::fs::create_dir(&folder).context("make a server's folder")?;
        Ok(Self {
            database: Postgres::start(settings).context("start PostgreSQL")?,
            folder,
        })
    }

    /// Our server over the database.
    async fn serve(&self, bed: &Bed) -> Result<Server> {
        answering(&self.launch(bed, "data")?).await
    }

    /// How to start one of our servers over the database. All have the keys of the one whose data
    /// are in `data`.
    fn launch(&self, bed: &Bed, data: &str) -> Result<Launch> {
        let log = self.folder.join("server.log");
        let mut launch = Launch::sealbook(&bed.launch.program, &self.folder, &log)?;
        launch.core = bed.launch.core;
        launch.set(format!("store.url={}", self.database.url()));
        launch.set(format!("server.data_dir={data}"));
        launch.set("keys.dir=data/keys".to_owned());
        Ok(launch)
    }

    /// The yardstick `pgnaive` over the database.
    async fn naive(&self, bed: &Bed) -> Result<Server> {
        let address = server::free_address()?;
        // Two more than the generator has: those that ask for the key.
        let connections = CONNECTIONS + 2;
        let launch = Launch {
            program: bed.yardstick("pgnaive")?,
            arguments: vec![
                address.port().to_string().into(),
                self.database.url().into(),
                connections.to_string().into(),
            ],
            folder: self.folder.clone(),
            log: self.folder.join("naive.log"),
            environment: Vec::new(),
            address,
            core: bed.launch.core,
        };
        answering(&launch).await
    }

    /// The yardstick `pgcommit` over the database, which our server has made its tables in.
    async fn commits(&self, bed: &Bed) -> Result<Commits> {
        self.serve(bed).await?.kill()?;
        Commits::start(bed, &self.database.url())
    }
}

/// Starts a server and waits until it has answered: it may listen before its store is open.
async fn answering(launch: &Launch) -> Result<Server> {
    let mut server = launch.start()?;
    let mut connection = server.connect(START_WAIT).await?;
    let asked = tox::server_key(&mut connection).await;
    asked.with_context(|| format!("the server says {}", server.last_words()))?;
    Ok(server)
}
