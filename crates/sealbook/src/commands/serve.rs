//! `sealbook serve`

use clap::Args;
use rustix::thread::disable_transparent_huge_pages;

use super::{Configured, on_all_cores};
use crate::config::LogFormat;
use crate::failure::Failure;
use crate::logging;
use crate::output::Output;
use crate::serve::serve;

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    configured: Configured,
}

impl Serve {
    pub(super) fn run(self, output: &Output, log: &str) -> Result<(), Failure> {
        let loaded = self.configured.load()?;
        let format = match loaded.config.log.format {
            LogFormat::Auto if output.is_json() => LogFormat::Json,
            format @ (LogFormat::Auto | LogFormat::Text | LogFormat::Json) => format,
        };
        logging::start(log, format)?;
        use_small_pages();
        on_all_cores(serve(&loaded.config, *output))
    }
}

/// The allocator asks for huge pages, and most of one stays unused: with a million names a server held
/// a third more, and its look-ups cost as much.
fn use_small_pages() {
    if let Err(error) = disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "the system decides on huge pages");
    }
}
