//! `sealbook store stats`

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use engine::statistics::{LeaseStatistics, Statistics, TableStatistics, statistics};
use serde_json::{Value, json};

use super::super::progress::{Meter, Step, mib};
use super::super::{Configured, on_all_cores};
use super::{Access, lasting};
use crate::failure::{Exit, Failure, chain};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Stats {
    /// Store to count; default: that of the configuration
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// File whose first line is the password for `--store`
    #[arg(long, value_name = "FILE", requires = "store")]
    password_file: Option<PathBuf>,
    /// PEM file of a certificate authority to check the database of `--store` with
    #[arg(long, value_name = "FILE", requires = "store")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    configured: Configured,
}

impl Stats {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        let access = self.access()?;
        on_all_cores(count(access, *output))
    }

    fn access(self) -> Result<Access, Failure> {
        if let Some(url) = &self.store {
            return Ok(Access {
                url: lasting("--store", url)?,
                ca_file: self.ca_file,
                password_file: self.password_file,
            });
        }
        let config = self.configured.load()?.config;
        Ok(Access {
            url: lasting("store.url", config.store_url().expose())?,
            ca_file: config.store.ca_file,
            password_file: config.store.password_file,
        })
    }
}

async fn count(access: Access, output: Output) -> Result<(), Failure> {
    let name = access.name();
    let Some(store) = access.open_existing().await? else {
        let said = format!("there is no store at {name}");
        return Err(Failure::new(Exit::NotFound, said));
    };
    let mut meter = Meter::new(output);
    let show = |rows, bytes| {
        meter.show(Step::Rows {
            phase: "counting",
            rows,
            bytes,
            total: None,
        });
    };
    let counted = statistics(store.clone(), show).await;
    meter.finish();
    store.close().await;
    let counted = counted.map_err(|error| Failure::failed(chain(&error)))?;
    output.result(&words(&name, &counted), &object(&name, &counted))
}

fn name(table: &TableStatistics) -> String {
    let unknown = || format!("unknown {:02x}", table.tag);
    table.name.map_or_else(unknown, str::to_owned)
}

fn words(store: &str, counted: &Statistics) -> String {
    let mut text = format!("{store}\n");
    let mut line = |line: String| {
        // A String takes whatever is written to it.
        let _ = writeln!(text, "{line}");
    };
    if let Some(mark) = &counted.mark {
        line(mark.to_string());
    }
    line(format!(
        "{:<16}{:>12}{:>16}{:>16}",
        "table", "rows", "key bytes", "value bytes"
    ));
    for table in &counted.tables {
        line(format!(
            "{:<16}{:>12}{:>16}{:>16}",
            name(table),
            table.rows,
            table.key_bytes,
            table.value_bytes
        ));
    }
    let (rows, bytes) = total(counted);
    line(format!("{:<16}{rows:>12}  {}", "all", mib(bytes)));
    match &counted.log {
        Some(log) => line(format!(
            "log {}: {} entries, newest head of {}",
            log.origin, log.size, log.time
        )),
        None => line("no log".to_owned()),
    }
    line(format!(
        "waiting: {} intents, {} jobs; {} jobs given up",
        counted.intents, counted.jobs, counted.jobs_parked
    ));
    for lease in &counted.leases {
        let state = if lease.is_live { "until" } else { "ended" };
        line(format!(
            "role {}: process {}, {state} {}",
            lease.role,
            holder(lease),
            lease.until
        ));
    }
    for process in &counted.processes {
        line(format!(
            "process {}, release {}, since {}, seen {} s ago",
            process.id,
            process.version.as_deref().unwrap_or("unknown"),
            process
                .started
                .map_or_else(|| "unknown".into(), |started| started.to_string()),
            process.seen_ago.as_secs()
        ));
    }
    text
}

fn total(counted: &Statistics) -> (u64, u64) {
    let rows = counted.tables.iter().map(|table| table.rows).sum();
    let bytes = |table: &TableStatistics| table.key_bytes.saturating_add(table.value_bytes);
    (rows, counted.tables.iter().map(bytes).sum())
}

fn holder(lease: &LeaseStatistics) -> String {
    let digits = lease.holder.iter();
    digits.map(|byte| format!("{byte:02x}")).collect()
}

fn object(store: &str, counted: &Statistics) -> Value {
    let tables: Vec<Value> = counted
        .tables
        .iter()
        .map(|table| {
            json!({
                "tag": table.tag, "name": table.name, "rows": table.rows,
                "key_bytes": table.key_bytes, "value_bytes": table.value_bytes,
            })
        })
        .collect();
    let log = counted.log.as_ref().map(|log| {
        json!({
            "origin": log.origin, "size": log.size, "root": log.root.to_hex(),
            "time_ms": log.time.0,
        })
    });
    let leases: Vec<Value> = counted
        .leases
        .iter()
        .map(|lease| {
            json!({
                "role": lease.role, "holder": holder(lease), "until_ms": lease.until.0,
                "live": lease.is_live,
            })
        })
        .collect();
    let processes: Vec<Value> = counted
        .processes
        .iter()
        .map(|process| {
            json!({
                "id": process.id.to_string(), "version": process.version,
                "started_ms": process.started.map(|started| started.0),
                "seen_ago_ms": u64::try_from(process.seen_ago.as_millis()).unwrap_or(u64::MAX),
                "roles": process.roles,
            })
        })
        .collect();
    let (rows, bytes) = total(counted);
    json!({
        "store": store, "tables": tables, "rows": rows, "bytes": bytes, "log": log,
        "intents": counted.intents, "jobs": counted.jobs, "jobs_parked": counted.jobs_parked,
        "leases": leases, "processes": processes, "mark": counted.mark.as_ref().map(ToString::to_string),
    })
}
