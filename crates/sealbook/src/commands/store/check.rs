//! `sealbook store check`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use store::embedded::{Damage, Report, check};

use super::super::Configured;
use super::super::progress::{Meter, Step};
use super::{Access, lasting};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::wire_up::unopened;

#[derive(Args)]
pub(crate) struct Check {
    /// Store to check, "file:PATH"; default: that of the configuration
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    #[command(flatten)]
    configured: Configured,
}

impl Check {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        let url = match &self.store {
            Some(url) => lasting("--store", url)?,
            None => {
                let config = self.configured.load()?.config;
                lasting("store.url", config.store_url().expose())?
            }
        };
        let Some(dir) = url.dir().map(PathBuf::from) else {
            let said = "a database checks itself: this command is for stores in a directory";
            return Err(Failure::new(Exit::Usage, said));
        };
        let name = Access::plain(url).name();
        if !dir.exists() {
            let said = format!("there is no store at {name}");
            return Err(Failure::new(Exit::NotFound, said));
        }
        let mut meter = Meter::new(*output);
        let report = check(&dir, |rows| {
            meter.show(Step::Rows {
                phase: "checking",
                rows,
                bytes: 0,
                total: None,
            });
        });
        meter.finish();
        let report = report.map_err(unopened)?;
        match &report.damage {
            Some(damage) => Err(Failure::new(Exit::Unverified, damaged(damage))),
            None => output.result(&words(&name, &report), &object(&report)),
        }
    }
}

fn damaged(damage: &Damage) -> String {
    let (path, said) = (damage.path.display(), &damage.said);
    match damage.offset {
        Some(offset) => format!("{path} is damaged at byte {offset}: {said}"),
        None => format!("{path} is damaged: {said}"),
    }
}

fn words(name: &str, report: &Report) -> String {
    let batches = report.journal_batches;
    match (report.rows, report.commit) {
        (Some(rows), Some(commit)) => format!(
            "{name} is whole: {rows} rows at commit {commit}, {batches} batches in its journals"
        ),
        _ => format!(
            "{name} is in use: its {batches} batches in journals are whole; stop the server to \
             check its rows"
        ),
    }
}

fn object(report: &Report) -> serde_json::Value {
    json!({
        "ok": true, "in_use": report.in_use, "rows": report.rows, "commit": report.commit,
        "journal_batches": report.journal_batches,
    })
}
