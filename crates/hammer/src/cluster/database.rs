//! The store: a primary and its standby, which change places.

use std::path::Path;

use anyhow::{Context as _, Result};
use pgrig::{Crowd, Postgres, Settings};

/// Connections of each server: enough for the processes, few enough to be taken by one client.
const CONNECTIONS: u32 = 100;
/// Size of the disk that can be filled.
const DISK_BYTES: u64 = 1 << 30;

/// Two PostgreSQL servers at two addresses that stay.
pub(crate) struct Database {
    servers: [Postgres; 2],
    /// Which of them takes writes.
    primary: usize,
    /// Another client that has all connections.
    crowd: Option<Crowd>,
}

impl Database {
    /// Starts both. What is acknowledged is on the disk of both, if `synchronous`.
    pub(crate) fn start(synchronous: bool) -> Result<Self> {
        let settings = Settings {
            connections: CONNECTIONS,
            synchronous,
            // A standby that lost its primary looks for it this often; commits wait meanwhile.
            parameters: vec![("wal_retrieve_retry_interval".to_owned(), "1s".to_owned())],
            disk_bytes: pgrig::can_mount().then_some(DISK_BYTES),
            ..Settings::durable()
        };
        let first = Postgres::start(settings)?;
        let second = first.standby()?;
        Ok(Self {
            servers: [first, second],
            primary: 0,
            crowd: None,
        })
    }

    /// Where clients find whichever takes writes.
    pub(crate) fn url(&self) -> String {
        let [first, second] = &self.servers;
        Postgres::url_of(&[first, second])
    }

    /// Kills the primary and promotes the standby, which may have been cut off before.
    pub(crate) fn fail_over(&mut self) -> Result<()> {
        let primary = self.servers.get_mut(self.primary);
        primary.context("the primary")?.kill()?;
        self.standby()?.promote()?;
        self.primary = 1 - self.primary;
        Ok(())
    }

    /// Cuts the standby off: it gets nothing more.
    pub(crate) fn cut_off(&self) -> Result<()> {
        self.standby()?.cut_off()
    }

    /// Makes a standby of the server that was killed.
    pub(crate) fn rebuild(&mut self) -> Result<()> {
        let (first, second) = self.servers.split_at_mut(1);
        let (first, second) = (first.first_mut(), second.first_mut());
        let (first, second) = first.zip(second).context("two servers")?;
        if self.primary == 0 {
            second.follow(first)
        } else {
            first.follow(second)
        }
    }

    /// Stops the primary in order and starts it again.
    pub(crate) fn restart(&mut self) -> Result<()> {
        let primary = self.servers.get_mut(self.primary);
        primary.context("the primary")?.restart()
    }

    /// Stops both, the primary first, so that the standby has all it wrote.
    pub(crate) fn down(&mut self) -> Result<()> {
        for at in [self.primary, 1 - self.primary] {
            self.servers.get_mut(at).context("a server")?.stop()?;
        }
        Ok(())
    }

    /// Starts both after [`Database::down`].
    pub(crate) fn up(&mut self) -> Result<()> {
        for server in &mut self.servers {
            server.run()?;
        }
        Ok(())
    }

    /// Stops all processes of both in their tracks.
    pub(crate) fn pause(&mut self) -> Result<()> {
        self.servers.iter().try_for_each(Postgres::pause)
    }

    /// Lets both go on.
    pub(crate) fn resume(&mut self) -> Result<()> {
        self.servers.iter().try_for_each(Postgres::resume)
    }

    /// Stops both and copies their files below a folder.
    pub(crate) fn save(&mut self, folder: &Path) -> Result<()> {
        for (at, server) in self.servers.iter_mut().enumerate() {
            server.save(&folder.join(format!("postgres-{at}")))?;
        }
        Ok(())
    }

    /// Another client takes all connections.
    pub(crate) fn crowd_out(&mut self) -> Result<()> {
        self.crowd = Some(self.primary()?.exhaust()?);
        Ok(())
    }

    /// The other client leaves.
    pub(crate) fn disperse(&mut self) -> Result<()> {
        self.crowd = None;
        Ok(())
    }

    /// The server that takes writes.
    pub(crate) fn primary(&self) -> Result<&Postgres> {
        self.servers.get(self.primary).context("the primary")
    }

    /// The server that follows it.
    pub(crate) fn standby(&self) -> Result<&Postgres> {
        self.servers.get(1 - self.primary).context("the standby")
    }
}
