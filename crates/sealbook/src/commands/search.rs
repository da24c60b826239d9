//! `sealbook search`

use clap::Args;
use serde_json::json;

use super::on_one_core;
use super::remote::Remote;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Search {
    /// Part of a name
    fragment: String,
    /// Page of at most 30 names, from 0
    #[arg(long, default_value_t = 0)]
    page: u32,
    #[command(flatten)]
    remote: Remote,
}

impl Search {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        on_one_core(self.search(*output))
    }

    async fn search(self, output: Output) -> Result<(), Failure> {
        let toxme = self.remote.toxme()?;
        let found = toxme.search(&self.fragment, self.page).await;
        let found = found.map_err(|error| self.remote.refused(error))?;
        let lines: Vec<String> = found
            .iter()
            .map(|found| match found.bio.as_str() {
                "" => printable(&found.name),
                bio => printable(&format!("{}  {bio}", found.name)),
            })
            .collect();
        let words = if lines.is_empty() {
            "no such name".to_owned()
        } else {
            lines.join("\n")
        };
        let names: Vec<_> = found
            .iter()
            .map(|found| json!({ "name": found.name, "bio": found.bio }))
            .collect();
        output.result(&words, &json!({ "names": names, "page": self.page }))
    }
}

/// A stranger's text on one line, without anything a terminal would obey.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\t' => ' ',
            other => other,
        })
        .filter(|character| !character.is_control())
        .collect()
}
