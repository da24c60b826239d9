//! `sealbook store …`

mod check;
mod convert;
mod stats;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use engine::ports::store::Store;

use crate::config::StoreUrl;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::wire_up::{absolute, open_store, unopened};

/// A file every embedded store has.
pub(super) const MARK_FILE: &str = "format";

/// Connections to a database: one command asks for little at once.
const CONNECTIONS: u32 = 8;

#[derive(Subcommand)]
pub(crate) enum StoreCommand {
    /// Read every row of a stopped server's store, and name the first damaged place
    Check(check::Check),
    /// Move everything a stopped server keeps to another store, and compare
    Convert(convert::Convert),
    /// Read a whole store and count what it holds
    Stats(stats::Stats),
}

impl StoreCommand {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Check(command) => command.run(output),
            Self::Convert(command) => command.run(output),
            Self::Stats(command) => command.run(output),
        }
    }
}

/// A store, and what it takes to get at it.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) url: StoreUrl,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) password_file: Option<PathBuf>,
}

impl Access {
    /// A store that asks for nothing.
    pub(super) fn plain(url: StoreUrl) -> Self {
        Self {
            url,
            ca_file: None,
            password_file: None,
        }
    }

    /// Opens the store; makes one that is absent.
    pub(super) async fn open(&self) -> Result<Arc<dyn Store>, Failure> {
        open_store(&self.url, self.options()).await
    }

    /// Opens the store, and makes nothing; `None` where there is none.
    pub(super) async fn open_existing(&self) -> Result<Option<Arc<dyn Store>>, Failure> {
        let opening = store::open_existing(self.url.expose(), self.options());
        opening.await.map_err(unopened)
    }

    fn options(&self) -> store::Options {
        store::Options {
            connections: CONNECTIONS,
            ca_file: self.ca_file.clone(),
            password_file: self.password_file.clone(),
            ..store::Options::default()
        }
    }

    /// The store as people know it, wherever they are: without a password, and from the root.
    pub(super) fn name(&self) -> String {
        match self.url.dir() {
            Some(dir) => format!("file:{}", absolute(dir)),
            None => self.url.to_string(),
        }
    }
}

/// Reads the URL of a store that outlives the process.
fn lasting(flag: &str, text: &str) -> Result<StoreUrl, Failure> {
    let usage = |said: String| Failure::new(Exit::Usage, format!("{flag}: {said}"));
    let expected = "expected \"file:PATH\" or \"postgres://USER@HOST:PORT/DATABASE\"";
    match StoreUrl::parse(text) {
        Ok(url) if url.is_in_memory() => {
            Err(usage("a store in memory ends with this command".to_owned()))
        }
        Ok(url) => Ok(url),
        Err(found) => Err(usage(format!("{expected}, {found}"))),
    }
}
