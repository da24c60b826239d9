//! The servers: each with a data directory of its own, all with the same keys and one store.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::server::{Launch, Server};
use crate::tools::{Source, run};
use crate::tox::{self, NO_USER};

const CLOCKSHIFT: Source = Source {
    name: "clockshift",
    text: include_str!("../../../../tests/tools/clockshift.c"),
};
/// Longest wait for a process that starts, and for one that was asked to stop.
const START_WAIT: Duration = Duration::from_secs(30);
const STOP_WAIT: Duration = Duration::from_secs(30);
/// What a stop may take (R11).
const STOP_MAX: Duration = Duration::from_secs(5);

/// All processes.
pub(crate) struct Fleet {
    processes: Vec<Process>,
    clockshift: PathBuf,
    /// The process whose clock is wrong.
    shifted: Option<usize>,
}

struct Process {
    launch: Launch,
    server: Option<Server>,
}

impl Fleet {
    /// Prepares processes over a store, with keys made for this run; starts none.
    pub(crate) async fn prepare(
        sealbook: &Path,
        folder: &Path,
        count: usize,
        store: &str,
    ) -> Result<Self> {
        let keys = make_keys(sealbook, folder).await?;
        let mut processes = Vec::new();
        for at in 0..count {
            let home = folder.join(format!("process-{at}"));
            fs::create_dir_all(home.join("data")).context("make a data folder")?;
            run(Command::new("cp")
                .arg("-a")
                .arg(&keys)
                .arg(home.join("data/keys")))?;
            let log = folder.join(format!("process-{at}.log"));
            let mut launch = Launch::sealbook(sealbook, &home, &log)?;
            launch.set(format!("store.url={store}"));
            let server = None;
            processes.push(Process { launch, server });
        }
        Ok(Self {
            processes,
            clockshift: CLOCKSHIFT.library(folder)?,
            shifted: None,
        })
    }

    /// Starts processes at the same moment and waits until each answers.
    pub(crate) async fn start(&mut self, which: &[usize]) -> Result<()> {
        for at in which {
            let process = self.process(*at)?;
            process.server = Some(process.launch.start()?);
        }
        for at in which {
            self.first_answer(*at).await?;
        }
        Ok(())
    }

    async fn first_answer(&mut self, at: usize) -> Result<()> {
        let server = self.server(at)?;
        let answered = async {
            let mut connection = server.connect(START_WAIT).await?;
            let reply = tox::ask(&mut connection, &tox::lookup("nobody")).await?;
            ensure!(reply.c == NO_USER, "the first look-up answers {}", reply.c);
            Ok(())
        };
        let answered = answered.await;
        answered.with_context(|| format!("process {at} said: {}", server.last_words()))
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let addresses = self.processes.iter();
        addresses.map(|process| process.launch.address).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.processes.len()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, at: usize) -> Result<()> {
        let server = self.process(at)?.server.take();
        server.context("the process does not run")?.kill()
    }

    /// SIGSTOP.
    pub(crate) fn freeze(&mut self, at: usize) -> Result<()> {
        self.server(at)?.pause()
    }

    /// SIGCONT.
    pub(crate) fn thaw(&mut self, at: usize) -> Result<()> {
        self.server(at)?.resume()
    }

    /// SIGTERM, waited for; answers what was wrong with how it ended.
    pub(crate) async fn stop(&mut self, at: usize) -> Result<Option<String>> {
        let server = self.process(at)?.server.take();
        let server = server.context("the process does not run")?;
        let (status, took) = server.terminate(STOP_WAIT).await?;
        let is_right = status.success() && took <= STOP_MAX;
        Ok((!is_right).then(|| format!("process {at} stopped after {took:?}: {status}")))
    }

    /// The process whose clock is wrong, if there is one.
    pub(crate) fn shifted(&self) -> Option<usize> {
        self.shifted
    }

    /// Has the next start of a process, which must be stopped, happen with a clock that is so many
    /// seconds wrong; 0 for the right time.
    pub(crate) fn shift_clock(&mut self, at: usize, shift_s: i64) -> Result<()> {
        let library = self.clockshift.clone().into_os_string();
        let shift = OsString::from(shift_s.to_string());
        let process = self.process(at)?;
        process.launch.environment.clear();
        if shift_s == 0 {
            self.shifted = None;
            return Ok(());
        }
        process.launch.environment = vec![("LD_PRELOAD", library), ("CLOCKSHIFT_S", shift)];
        self.shifted = Some(at);
        Ok(())
    }

    /// Processes that ended by themselves, with their last words.
    pub(crate) fn deserters(&mut self) -> Result<Vec<String>> {
        let mut deserters = Vec::new();
        for (at, process) in self.processes.iter_mut().enumerate() {
            let Some(server) = &mut process.server else {
                continue;
            };
            if let Some(status) = server.ended()? {
                let said = server.last_words();
                deserters.push(format!("process {at} ended by itself: {status}: {said}"));
            }
        }
        Ok(deserters)
    }

    fn process(&mut self, at: usize) -> Result<&mut Process> {
        self.processes
            .get_mut(at)
            .context("there is no such process")
    }

    fn server(&mut self, at: usize) -> Result<&mut Server> {
        let server = self.process(at)?.server.as_mut();
        server.context("the process does not run")
    }
}

/// Lets a server make its keys, over a store of its own, and answers where they are.
async fn make_keys(sealbook: &Path, folder: &Path) -> Result<PathBuf> {
    let home = folder.join("keys");
    fs::create_dir(&home).context("make a folder for keys")?;
    let log = folder.join("keys.log");
    let mut server = Launch::sealbook(sealbook, &home, &log)?.start()?;
    server.connect(START_WAIT).await?;
    let (status, _) = server.terminate(STOP_WAIT).await?;
    if !status.success() {
        bail!("the server that made the keys ended with {status}");
    }
    Ok(home.join("data/keys"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_clock_shows_another_time_of_day_and_no_other_wait() {
        let folder = tempfile::tempdir().unwrap();
        let library = CLOCKSHIFT.library(folder.path()).unwrap();
        let script = "import time, datetime\n\
                      began = time.monotonic()\n\
                      time.sleep(0.01)\n\
                      assert time.monotonic() - began < 60\n\
                      print(int(time.time()), int(time.clock_gettime(time.CLOCK_REALTIME)))\n";
        let shifted = |seconds: &str| -> Vec<i64> {
            let mut python = Command::new("python3");
            python.args(["-c", script]).env("LD_PRELOAD", &library);
            let output = python.env("CLOCKSHIFT_S", seconds).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            let times = said.split_whitespace().map(|time| time.parse().unwrap());
            times.collect()
        };
        let now = i64::try_from(crate::clock::unix_s()).unwrap();
        for (seconds, shift) in [("3600", 3600), ("-3600", -3600), ("0", 0)] {
            for time in shifted(seconds) {
                assert!((time - now - shift).abs() < 30, "{seconds}: {time} {now}");
            }
        }
    }
}
