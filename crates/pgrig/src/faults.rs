//! What can go wrong with a server, on purpose.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{Crowd, NAME, Postgres, process, wait_until};

impl Postgres {
    /// Kills all processes of the server at once, as a crash of the machine would.
    ///
    /// # Errors
    /// When they cannot be found or killed.
    pub fn kill(&mut self) -> Result<()> {
        let Some(mut watchdog) = self.watchdog.take() else {
            return Ok(());
        };
        crate::send_word(&mut watchdog)?;
        let family = self.family()?;
        process::signal(&family, rustix::process::Signal::KILL)?;
        wait_until("the processes are gone", || {
            Ok(family.iter().all(|pid| process::is_gone(*pid)))
        })?;
        watchdog.kill().context("kill the watchdog")?;
        watchdog.wait().context("wait for the watchdog")?;
        Ok(())
    }

    /// Stops all processes in their tracks: connections stay, nothing answers.
    ///
    /// # Errors
    /// When they cannot be found or signalled.
    pub fn pause(&self) -> Result<()> {
        // The postmaster first, so that it makes no more children.
        process::signal(&self.family()?, rustix::process::Signal::STOP)?;
        process::signal(&self.family()?, rustix::process::Signal::STOP)
    }

    /// Lets the processes go on after [`Postgres::pause`].
    ///
    /// # Errors
    /// As [`Postgres::pause`].
    pub fn resume(&self) -> Result<()> {
        process::signal(&self.family()?, rustix::process::Signal::CONT)
    }

    /// Makes a standby take writes; answers when it does.
    ///
    /// # Errors
    /// When it is none, or does not become a primary.
    pub fn promote(&self) -> Result<()> {
        let mut promote = self.binaries.command("pg_ctl");
        promote.args(["promote", "--wait", "--silent", "-D"]);
        promote.arg(self.data());
        process::finish(promote).map(drop)
    }

    /// Cuts a standby off from its primary, for good: it gets nothing more, as when the network
    /// between the two breaks.
    ///
    /// # Errors
    /// When it is no standby, or goes on following.
    pub fn cut_off(&self) -> Result<()> {
        self.psql("ALTER SYSTEM SET primary_conninfo = ''")?;
        self.psql("SELECT pg_reload_conf()")?;
        let receivers = "SELECT count(*) FROM pg_stat_wal_receiver";
        wait_until("the standby is cut off", || {
            Ok(self.psql(receivers)?.trim() == "0")
        })
    }

    /// Takes all connections to the database away and lets nobody in until [`Postgres::admit`].
    ///
    /// # Errors
    /// When the server does not obey.
    pub fn refuse(&self) -> Result<()> {
        self.admission(false)?;
        self.end_sessions("")
    }

    /// Lets clients in again after [`Postgres::refuse`].
    ///
    /// # Errors
    /// When the server does not obey.
    pub fn admit(&self) -> Result<()> {
        self.admission(true)
    }

    fn admission(&self, allowed: bool) -> Result<()> {
        let sql = format!("ALTER DATABASE {NAME} ALLOW_CONNECTIONS {allowed}");
        self.psql_in("postgres", &sql).map(drop)
    }

    /// Ends the clients' sessions in the database, those for which `AND …` holds.
    pub(crate) fn end_sessions(&self, and: &str) -> Result<()> {
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = '{NAME}' AND pid <> pg_backend_pid() {and}"
        );
        self.psql_in("postgres", &sql).map(drop)
    }

    /// Stops the server and copies its files, its log among them, into a new folder, from where
    /// `postgres -D` can show what it held.
    ///
    /// # Errors
    /// When it does not stop, or there is no room.
    pub fn save(&mut self, to: &Path) -> Result<()> {
        self.stop()?;
        let mut copy = Command::new("cp");
        // What the data links to comes along, and whoever owned it owns the copy.
        copy.args(["-R", "-L", "-p"]).arg(self.data()).arg(to);
        process::finish(copy)?;
        let log = self.dir.path().join("log");
        fs::copy(log, to.join("log")).context("copy the log")?;
        Ok(())
    }

    /// Takes every connection the server has left, and those of other clients, until the answer is
    /// dropped. The server must need no password.
    ///
    /// # Errors
    /// When no connection can be had at all.
    pub fn exhaust(&self) -> Result<Crowd> {
        Crowd::gather(self)
    }

    /// Fills the small disk of [`crate::Settings::disk_bytes`] to the last byte, until
    /// [`Postgres::free`].
    ///
    /// # Errors
    /// When there is no such disk.
    pub fn fill(&self) -> Result<()> {
        let disk = self.disk.as_ref().context("the server has no small disk")?;
        disk.fill()
    }

    /// Gives back the space that [`Postgres::fill`] took.
    ///
    /// # Errors
    /// As [`Postgres::fill`].
    pub fn free(&self) -> Result<()> {
        let disk = self.disk.as_ref().context("the server has no small disk")?;
        disk.free()
    }
}
