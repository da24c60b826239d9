//! `sealbook man`

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use clap_mangen::Man as Page;
use serde_json::json;

use crate::Cli;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Man {
    /// Write a page for every command into this directory, made if absent
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        let Some(dir) = self.dir else {
            let mut page = Vec::new();
            let written = Page::new(Cli::command()).render(&mut page);
            written.map_err(|error| Failure::failed(format!("cannot make the page: {error}")))?;
            let page = String::from_utf8_lossy(&page);
            return output.result(&page, &json!({ "text": page }));
        };
        let pages = write_all(&dir)
            .map_err(|error| Failure::failed(format!("{}: {error}", dir.display())))?;
        let words = format!("{} pages written to {}", pages.len(), dir.display());
        output.result(
            &words,
            &json!({ "dir": dir.display().to_string(), "pages": pages }),
        )
    }
}

/// Writes the pages and answers the names of their files, sorted.
fn write_all(dir: &Path) -> io::Result<Vec<String>> {
    fs::create_dir_all(dir)?;
    clap_mangen::generate_to(Cli::command(), dir)?;
    let mut pages = Vec::new();
    for file in fs::read_dir(dir)? {
        let name = file?.file_name().to_string_lossy().into_owned();
        if name.starts_with("sealbook") && name.ends_with(".1") {
            pages.push(name);
        }
    }
    pages.sort();
    Ok(pages)
}
