//! Runs the binary: commands to their end, servers until they are told to stop.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Longest time any server or answer is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A place of its own for one test: home and working directory in one.
pub(crate) struct Place {
    dir: TempDir,
}

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// What it writes to its standard error: a file, as a pipe that nobody reads fills up and holds
    /// the server.
    log: File,
    /// What it announced.
    pub(crate) announced: Value,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let command = Command::new(env!("CARGO_BIN_EXE_sealbook"));
        self.with_arguments(command, arguments)
    }

    /// The binary by way of a shell, which tells it its process id as systemd does.
    fn command_with_pid(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        let script = "export WATCHDOG_PID=$$; exec \"$0\" \"$@\"";
        command.args(["-c", script, env!("CARGO_BIN_EXE_sealbook")]);
        self.with_arguments(command, arguments)
    }

    fn with_arguments(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// Starts a command that is told nothing and whose words nobody reads.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Runs a command that must succeed, and reads the object it prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["--json"], arguments].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Starts a server on a free port and waits until it announces itself.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        self.serve_with(&[], arguments)
    }

    /// The same with these variables set, and its process id in `WATCHDOG_PID`.
    pub(crate) fn serve_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Server {
        let port = ["--json", "serve", "--set", "server.listen=127.0.0.1:0"];
        let mut log = tempfile::tempfile().unwrap();
        let mut child = self
            .command_with_pid(&[&port, arguments].concat())
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log.try_clone().unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let Ok(announced) = serde_json::from_str(&line) else {
            child.wait().unwrap();
            panic!("the server did not start: {}", text_of(&mut log));
        };
        Server {
            child,
            log,
            announced,
        }
    }

    /// Starts a server that must refuse to start.
    pub(crate) fn serve_refused(&self, arguments: &[&str]) -> Ran {
        let port = ["serve", "--set", "server.listen=127.0.0.1:0"];
        self.run(&[&port, arguments].concat())
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Server {
    pub(crate) fn url(&self) -> String {
        self.announced["listening"].as_str().unwrap().to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits until the log says something.
    pub(crate) fn wait_log(&self, said: &str) {
        let mut text = String::new();
        for _ in 0..100_000 {
            // From the start without moving the place where the server writes.
            let mut bytes = vec![0; 1 << 16];
            let read = self.log.read_at(&mut bytes, 0).unwrap();
            text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            if text.contains(said) {
                return;
            }
            std::thread::yield_now();
        }
        panic!("the log does not say {said:?}: {text}");
    }

    /// Sends SIGTERM and waits for the end; answers status and log.
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        self.signal(rustix::process::Signal::TERM);
        (self.child.wait().unwrap(), text_of(&mut self.log))
    }

    /// Kills the process, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Status and body of a GET in plain HTTP.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.send("GET", path, "")
    }

    /// Status and body of a POST in plain HTTP.
    pub(crate) fn post(&self, path: &str, body: &str) -> (u16, String) {
        self.send("POST", path, body)
    }

    /// Status and body of any request in plain HTTP.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let url = self.url();
        let address = url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// Asks `/readyz` until it says yes.
    pub(crate) fn wait_ready(&self) {
        for _ in 0..1000 {
            if self.get("/readyz").0 == 200 {
                return;
            }
            std::thread::yield_now();
        }
        panic!(
            "the server does not become ready: {}",
            self.get("/readyz").1
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines of a log that are not about a change somebody made.
pub(crate) fn troubles(log: &str) -> Vec<&str> {
    let is_change = |line: &str| line.contains("\"INFO\"") && line.contains("request answered");
    log.lines().filter(|line| !is_change(line)).collect()
}

/// All of a file that another process has written.
fn text_of(file: &mut File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

/// Copies a directory and everything below it.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
