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
        let words = match (lines.is_empty(), self.page) {
            (true, 0) => "no name found that its owner lets be searched".to_owned(),
            (true, page) => format!("no names on page {page}"),
            (false, _) => lines.join("\n"),
        };
        let names: Vec<_> = found
            .iter()
            .map(|found| json!({ "name": found.name, "bio": found.bio }))
            .collect();
        output.result(&words, &json!({ "names": names, "page": self.page }))
    }
}

/// A stranger's text on one line, without anything a terminal would obey, changes of the direction
/// of writing included: they could make one record look like another.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            other => other,
        })
        .filter(|character| !character.is_control() && !is_direction(*character))
        .collect()
}

fn is_direction(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bio_cannot_command_the_terminal() {
        let bio = "a\n\tb\r\u{1b}[31mc\u{7f}\u{9b}2J \u{202e}d\u{2066}\u{2028}é";
        assert_eq!(printable(bio), "a  b[31mc2J d é");
    }
}
