//! Starts and ends a real server.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal};

use crate::clock;
use crate::http::Connection;

/// How often a starting or ending server is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// How to start a server.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// Working directory; a server without configuration keeps its data below.
    pub(crate) folder: PathBuf,
    /// Where its output goes, appended.
    pub(crate) log: PathBuf,
    pub(crate) environment: Vec<(&'static str, OsString)>,
    pub(crate) address: SocketAddr,
    /// The one core it may use.
    pub(crate) core: Option<usize>,
}

impl Launch {
    /// `sealbook serve` on a free port, without configuration but for the limits, which would stop
    /// a single address that writes this much.
    pub(crate) fn sealbook(program: &Path, folder: &Path, log: &Path) -> Result<Self> {
        let address = free_address()?;
        let mut arguments: Vec<OsString> = vec!["serve".into()];
        for setting in [
            format!("server.listen={address}"),
            "limits.enabled=false".to_owned(),
        ] {
            arguments.extend(["--set".into(), setting.into()]);
        }
        Ok(Self {
            program: program.canonicalize().with_context(|| {
                format!("no server at {}: give --sealbook PATH", program.display())
            })?,
            arguments,
            folder: folder.to_owned(),
            log: log.to_owned(),
            environment: Vec::new(),
            address,
            core: None,
        })
    }

    /// One more of `sealbook`'s settings, as `section.key=value`.
    pub(crate) fn set(&mut self, setting: String) {
        self.arguments.extend(["--set".into(), setting.into()]);
    }

    /// Starts the process; it does not answer yet.
    pub(crate) fn start(&self) -> Result<Server> {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("open {}", self.log.display()))?;
        let mut command = match self.core {
            Some(core) => {
                let mut taskset = Command::new("taskset");
                taskset.arg("-c").arg(core.to_string()).arg(&self.program);
                taskset
            }
            None => Command::new(&self.program),
        };
        command
            .args(&self.arguments)
            .current_dir(&self.folder)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("share the log")?)
            .stderr(log);
        let child = command
            .spawn()
            .with_context(|| format!("start {}", self.program.display()))?;
        Ok(Server {
            child,
            address: self.address,
            log: self.log.clone(),
        })
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it accepts connections.
    pub(crate) async fn connect(&mut self, wait: Duration) -> Result<Connection> {
        let began = clock::now();
        loop {
            if let Ok(connection) = Connection::open(self.address).await {
                return Ok(connection);
            }
            if let Some(status) = self.child.try_wait().context("look at the server")? {
                bail!("the server ended: {status}");
            }
            if began.elapsed() > wait {
                bail!("no connection within {wait:?}");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether it ended by itself.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("look at the server")
    }

    /// Waits until it has ended by itself; `None` when it has not.
    pub(crate) async fn ended_within(&mut self, wait: Duration) -> Result<Option<ExitStatus>> {
        let began = clock::now();
        loop {
            let ended = self.ended()?;
            if ended.is_some() || began.elapsed() > wait {
                return Ok(ended);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill().context("kill the server")?;
        self.child.wait().context("wait for the killed server")?;
        Ok(())
    }

    /// SIGSTOP: connections stay, nothing answers.
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.context("the server has no process id")?;
        rustix::process::kill_process(pid, signal).with_context(|| format!("send {signal:?}"))
    }

    /// SIGTERM, and how long it took to end; killed when `wait` is over.
    pub(crate) async fn terminate(mut self, wait: Duration) -> Result<(ExitStatus, Duration)> {
        let began = clock::now();
        self.signal(Signal::TERM)?;
        loop {
            if let Some(status) = self.child.try_wait().context("look at the server")? {
                return Ok((status, began.elapsed()));
            }
            if began.elapsed() > wait {
                bail!("still there {wait:?} after SIGTERM");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The end of its output.
    pub(crate) fn last_words(&self) -> String {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already waited for after `kill`; then both fail and nothing is left to do.
        let killed = self.child.kill().and_then(|()| self.child.wait());
        drop(killed);
    }
}

/// A loopback address nobody listens on at the moment.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    listener.local_addr().context("find a free port")
}

/// The server to test: the one named, or `sealbook` beside this programme.
pub(crate) fn find(named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path);
    }
    let own = std::env::current_exe().context("find this programme")?;
    Ok(own.with_file_name("sealbook"))
}
