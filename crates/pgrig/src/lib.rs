//! A real PostgreSQL for tests: Debian's, run as an ordinary user in a temporary directory.
//!
//! [`Postgres::start`] makes a server of its own, [`Postgres::standby`] a synchronous standby of it.
//! Faults are methods: kill, pause, resume, restart, promote. A server ends with the value that
//! stands for it, and also when the process that holds the value dies, however it dies.
//!
//! PostgreSQL refuses to run as root; then its processes run as the user `postgres` (or `nobody`).
//! All calls block.

mod binaries;
mod client;
mod crowd;
mod disk;
mod faults;
mod folder;
mod process;
mod settings;

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use binaries::Binaries;
pub use client::psql;
pub use crowd::Crowd;
use disk::Disk;
pub use disk::can_mount;
use folder::Folder;
pub use settings::Settings;

/// Name of the superuser, and of the database.
const NAME: &str = "sealbook";
/// Time a server has to start, to stop or to catch up.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// Runs a server under a shell.
const WATCHDOG: &str = include_str!("watchdog.sh");

/// A running (or stopped, or killed) server.
pub struct Postgres {
    binaries: Binaries,
    settings: Settings,
    port: u16,
    /// The watchdog; its standard input is what keeps the server alive.
    watchdog: Option<Child>,
    /// A small disk for the data, when the settings ask for one.
    disk: Option<Disk>,
    // After the disk: what is mounted in a folder goes before the folder.
    dir: Folder,
}

impl Postgres {
    /// Makes a server with an empty database and waits until it accepts connections.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start; the message ends with its log.
    pub fn start(settings: Settings) -> Result<Self> {
        let mut server = Self::prepare(settings)?;
        server.initialise()?;
        server.run()?;
        server.psql_in("postgres", &format!("CREATE DATABASE {NAME}"))?;
        Ok(server)
    }

    /// Makes a standby of this server, and has this server wait for it with each commit (unless the
    /// settings say otherwise).
    ///
    /// # Errors
    /// When the copy or the standby fails.
    pub fn standby(&self) -> Result<Self> {
        let mut standby = Self::prepare(self.settings.clone())?;
        standby.follow(self)?;
        Ok(standby)
    }

    /// Makes a standby of `primary` out of this server, at the same port: what it held is thrown
    /// away. It must not run.
    ///
    /// # Errors
    /// As [`Postgres::standby`].
    pub fn follow(&mut self, primary: &Self) -> Result<()> {
        ensure!(self.watchdog.is_none(), "the server runs");
        for folder in [self.data(), self.wal()] {
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("remove {}", folder.display()));
                }
                Ok(()) | Err(_) => {}
            }
        }
        let mut copy = self.binaries.command("pg_basebackup");
        copy.args(["-h", "127.0.0.1", "-p", &primary.port.to_string()])
            .args(["-U", NAME, "--write-recovery-conf", "--wal-method=stream"])
            .args(["--checkpoint=fast", "--no-sync", "-D"])
            .arg(self.data())
            .arg(format!("--waldir={}", self.wal().display()));
        if let Some(password) = &self.settings.password {
            copy.env("PGPASSWORD", password);
        }
        process::finish(copy)?;
        self.run()?;
        let mut follows = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
        if self.settings.synchronous {
            primary.psql("ALTER SYSTEM SET synchronous_standby_names = '*'")?;
            primary.psql("SELECT pg_reload_conf()")?;
            follows = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        }
        wait_until("the standby follows", || {
            Ok(primary.psql(follows)?.trim() == "1")
        })
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        Self::url_of(&[self])
    }

    /// Where clients of several servers connect, one of which takes writes.
    #[must_use]
    pub fn url_of(servers: &[&Self]) -> String {
        let password = servers
            .first()
            .and_then(|server| server.settings.password.as_ref());
        let secret = password.map_or_else(String::new, |password| format!(":{password}"));
        let hosts: Vec<String> = servers
            .iter()
            .map(|server| format!("127.0.0.1:{}", server.port))
            .collect();
        format!("postgres://{NAME}{secret}@{}/{NAME}", hosts.join(","))
    }

    /// The port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Folder of the server's files, its configuration among them.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        let beside = || self.dir.path().join("data");
        self.disk.as_ref().map_or_else(beside, Disk::data)
    }

    /// Folder of the write-ahead log: never on the small disk, a server whose log is full ends.
    fn wal(&self) -> PathBuf {
        self.dir.path().join("wal")
    }

    /// Runs SQL in the database and answers what it prints, columns separated by `|`.
    ///
    /// # Errors
    /// When the server or the statement fails.
    pub fn psql(&self, sql: &str) -> Result<String> {
        self.psql_in(NAME, sql)
    }

    /// Ends the server in order and starts it again; connections are cut.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.run()
    }

    /// Ends the server in order; connections are cut. Starting again is [`Postgres::run`].
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut watchdog) = self.watchdog.take() else {
            return Ok(());
        };
        send_word(&mut watchdog)?;
        drop(watchdog.stdin.take());
        wait_until("the server ends", || Ok(watchdog.try_wait()?.is_some()))
    }

    /// Starts the server on its files, after [`Postgres::stop`] or [`Postgres::kill`].
    ///
    /// # Errors
    /// When it does not start; the message ends with its log.
    pub fn run(&mut self) -> Result<()> {
        ensure!(self.watchdog.is_none(), "the server runs");
        let pid_file = self.data().join("postmaster.pid");
        let socket_lock = format!(".s.PGSQL.{}.lock", self.port);
        // What a killed server left there says that it is ready, or that it still runs.
        for left in [&pid_file, &self.dir.path().join(socket_lock)] {
            let _may_be_absent = fs::remove_file(left);
        }
        let watchdog = self.spawn()?;
        let started = self.watchdog.insert(watchdog);
        let log = self.dir.path().join("log");
        wait_until("the server starts", || {
            if started.try_wait()?.is_some() {
                let said = fs::read_to_string(&log).unwrap_or_default();
                bail!("PostgreSQL ended at its start; its log says:\n{said}");
            }
            Ok(process::is_ready(&pid_file))
        })
    }

    /// CPU time that the server's processes have used, those that have ended included.
    ///
    /// # Errors
    /// When they cannot be found.
    pub fn cpu_time(&self) -> Result<Duration> {
        Ok(self.family()?.into_iter().map(process::cpu_time).sum())
    }

    /// Ids of the server's processes, the postmaster first.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn family(&self) -> Result<Vec<u32>> {
        process::family(&self.data().join("postmaster.pid"))
    }

    fn prepare(settings: Settings) -> Result<Self> {
        let binaries = Binaries::find()?;
        let dir = Folder::make(&binaries)?;
        let disk = match settings.disk_bytes {
            Some(bytes) => Some(Disk::mount(dir.path(), bytes, &binaries)?),
            None => None,
        };
        Ok(Self {
            binaries,
            settings,
            port: free_port()?,
            watchdog: None,
            disk,
            dir,
        })
    }

    fn initialise(&self) -> Result<()> {
        let mut init = self.binaries.command("initdb");
        init.args(["--no-sync", "--no-locale", "--encoding=UTF8", "-U", NAME]);
        if let Some(password) = &self.settings.password {
            let file = self.dir.path().join("password");
            fs::write(&file, password).context("write the password")?;
            self.binaries.give(&file)?;
            init.arg("--auth=scram-sha-256");
            init.arg(format!("--pwfile={}", file.display()));
        } else {
            init.arg("--auth=trust");
        }
        init.arg("-D").arg(self.data());
        init.arg("--waldir").arg(self.wal());
        process::finish(init).map(drop)
    }

    /// Starts the server under a shell that ends it when our end of the pipe closes, in a process
    /// group of its own, so that what ends ours does not end the shell first.
    fn spawn(&self) -> Result<Child> {
        let folder = fs::canonicalize(self.dir.path()).context("find the folder")?;
        let log = self.dir.path().join("log");
        let mut shell = self.binaries.unprivileged("sh");
        shell.process_group(0);
        shell.args(["-c", WATCHDOG, "sh"]).arg(&log).arg(folder);
        // Only root can take a disk away: then the folder is left to who comes next.
        shell.arg(if self.disk.is_some() {
            "keep"
        } else {
            "remove"
        });
        shell.arg(self.binaries.path("postgres"));
        shell.arg("-D").arg(self.data());
        let sockets = self.dir.path().display().to_string();
        for (key, value) in self.settings.parameters(self.port, &sockets) {
            shell.arg("-c").arg(format!("{key}={value}"));
        }
        shell.stdin(std::process::Stdio::piped());
        shell.spawn().context("start PostgreSQL")
    }

    fn psql_in(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = self.binaries.command("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", NAME])
            .args(["-d", database, "-c", sql]);
        if let Some(password) = &self.settings.password {
            psql.env("PGPASSWORD", password);
        }
        process::finish(psql)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A paused server would not end, and a child that is left behind would hold the folder.
        if self.watchdog.is_some() {
            let _may_be_gone = self.kill();
        }
    }
}

/// Tells the watchdog that the pipe is about to close in order.
fn send_word(watchdog: &mut Child) -> Result<()> {
    let pipe = watchdog.stdin.as_mut().context("the pipe is closed")?;
    match pipe.write_all(b"ordered\n") {
        // It has ended, as the server has.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("tell the watchdog"),
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
    Ok(listener.local_addr()?.port())
}

fn wait_until(what: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let looks = PATIENCE.as_millis() / LOOK.as_millis();
    for _ in 0..looks {
        if done()? {
            return Ok(());
        }
        pause();
    }
    bail!("waited in vain until {what}")
}

/// Waits a moment.
#[expect(
    clippy::disallowed_methods,
    reason = "a process that is not ours tells nobody when it is ready"
)]
pub(crate) fn pause() {
    std::thread::sleep(LOOK);
}

/// Whether PostgreSQL is installed here: what a test asks that can do without.
#[must_use]
pub fn is_installed() -> bool {
    Binaries::find().is_ok()
}
