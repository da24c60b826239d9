//! Runs a command with a PostgreSQL of its own.
//!
//! usage: `pgrig [--standby] [--fsync] -- COMMAND [ARGUMENT...]`
//!
//! The command finds the server's URL in `STORE_URL`; with `--standby` the URL names primary and
//! standby. The exit code is the command's.

use std::env::args_os;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use pgrig::{Postgres, Settings};

fn main() -> Result<ExitCode> {
    let mut arguments = args_os().skip(1);
    let (mut with_standby, mut settings) = (false, Settings::default());
    loop {
        match arguments.next().as_deref().and_then(|word| word.to_str()) {
            Some("--standby") => with_standby = true,
            Some("--fsync") => settings.fsync = true,
            Some("--") => break,
            Some(_) | None => bail!("usage: pgrig [--standby] [--fsync] -- COMMAND [ARGUMENT...]"),
        }
    }
    let command: Vec<OsString> = arguments.collect();
    let (programme, rest) = command.split_first().context("no command is given")?;
    let server = Postgres::start(settings)?;
    let standby = with_standby.then(|| server.standby()).transpose()?;
    let url = match &standby {
        Some(standby) => Postgres::url_of(&[&server, standby]),
        None => server.url(),
    };
    let done = Command::new(programme)
        .args(rest)
        .env("STORE_URL", url)
        .status()
        .with_context(|| format!("run {}", programme.display()))?;
    let code = done.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
