//! `GET /metrics`: what the process counts, as Prometheus reads it.
//!
//! The crate `prometheus` keeps counters and histograms as atomics that are found once and moved
//! without a lock, knows the process's own figures, and writes the text format that `promtool check
//! metrics` reads; `prometheus-client` writes OpenMetrics only, whose counters that tool refuses.
//! What the engine counts itself is asked for when somebody scrapes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::Engine;
use engine::figures::Figures;
use engine::ports::store::Health;
use httpkit::client_ip::ConnectInfo;
use httpkit::fault::Fault;
use httpkit::metrics::Requests;
use httpkit::routes::Route;
use prometheus::proto::MetricFamily;
use prometheus::{
    Error, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::{COMMIT, VERSION};

/// Upper bounds of the buckets of what ends with a sync, in seconds.
const SYNC_SECONDS: [f64; 13] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0,
];

/// What is counted as it happens.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    /// Time of each batch of the log that was published.
    pub(crate) appends: Histogram,
    /// Time of each sync of the store.
    pub(crate) syncs: Histogram,
    pub(crate) connections: Connections,
}

/// Connections of clients, counted.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) open: IntGauge,
    pub(crate) evicted: IntCounter,
    /// By reason: "full" or "address".
    pub(crate) refused: IntCounterVec,
}

impl Metrics {
    /// # Errors
    /// When two metrics have one name: a bug.
    pub(crate) fn new() -> Result<Self, Error> {
        let registry = Registry::new();
        let process = prometheus::process_collector::ProcessCollector::for_self();
        registry.register(Box::new(process))?;
        let appends = histogram(
            "sealbook_log_append_duration_seconds",
            "Time from taking a batch of links to its published checkpoint.",
        )?;
        let syncs = histogram(
            "sealbook_store_fsync_seconds",
            "Time until a group of commits was durable: a sync of the embedded store, or a call to \
             the database that commits.",
        )?;
        let connections = Connections::new()?;
        registry.register(Box::new(appends.clone()))?;
        registry.register(Box::new(syncs.clone()))?;
        registry.register(Box::new(connections.open.clone()))?;
        registry.register(Box::new(connections.evicted.clone()))?;
        registry.register(Box::new(connections.refused.clone()))?;
        Ok(Self {
            registry,
            appends,
            syncs,
            connections,
        })
    }

    /// The counts of requests to these routes.
    ///
    /// # Errors
    /// When they were made before.
    pub(crate) fn requests(
        &self,
        tables: &[(&'static str, &'static [Route])],
    ) -> Result<Requests, Error> {
        Requests::new(tables, &self.registry)
    }

    /// Takes the time of every sync.
    pub(crate) fn on_sync(&self) -> store::OnSync {
        let syncs = self.syncs.clone();
        Arc::new(move |took: Duration| syncs.observe(took.as_secs_f64()))
    }
}

impl Connections {
    pub(crate) fn new() -> Result<Self, Error> {
        let refused = IntCounterVec::new(
            Opts::new(
                "sealbook_connections_refused_total",
                "Connections refused: all places taken by busy ones (full), or too many of one \
                 address (address).",
            ),
            &["reason"],
        )?;
        for reason in ["full", "address"] {
            refused.with_label_values(&[reason]);
        }
        Ok(Self {
            open: IntGauge::new("sealbook_connections", "Open connections of clients.")?,
            evicted: IntCounter::new(
                "sealbook_connections_evicted_total",
                "Idle connections closed to make room for others.",
            )?,
            refused,
        })
    }
}

fn histogram(name: &str, help: &str) -> Result<Histogram, Error> {
    Histogram::with_opts(HistogramOpts::new(name, help).buckets(SYNC_SECONDS.to_vec()))
}

/// What a scrape looks at.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(crate) metrics: Metrics,
    /// Directory of the embedded store.
    pub(crate) store_dir: Option<PathBuf>,
    /// Whether only this machine is answered: on a listener that clients use too.
    pub(crate) only_here: bool,
}

httpkit::routes! { State;
    get ["/metrics"] => scrape;
}

/// GET /metrics
async fn scrape(
    axum::extract::State(state): axum::extract::State<State>,
    connection: Option<axum::Extension<ConnectInfo>>,
    headers: HeaderMap,
) -> Response {
    let is_here = connection.is_some_and(|connection| connection.is_direct_from_here(&headers));
    if state.only_here && !is_here {
        return (StatusCode::NOT_FOUND, "nothing here\n").into_response();
    }
    // Files are looked at, of the store and in /proc.
    let text = tokio::task::spawn_blocking(move || state.text()).await;
    match text
        .map_err(|error| Error::Msg(error.to_string()))
        .flatten()
    {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            let generic = (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n");
            Fault::new(error).attach(generic.into_response())
        }
    }
}

impl State {
    fn text(&self) -> Result<String, Error> {
        let mut families = self.metrics.registry.gather();
        families.extend(self.of_this_moment()?);
        families.sort_by(|one, other| one.name().cmp(other.name()));
        TextEncoder::new().encode_to_string(&families)
    }

    /// What others count, put into metrics for this one scrape.
    fn of_this_moment(&self) -> Result<Vec<MetricFamily>, Error> {
        let now = Moment(Registry::new());
        let figures = self.engine.figures();
        now.names(&figures)?;
        now.log(&figures)?;
        now.limits(&figures)?;
        now.gauge(
            "sealbook_store_writable",
            "Whether the store takes writes: 1 or 0.",
            u64::from(self.engine.health() == Health::Ready),
        )?;
        if let Some(bytes) = self.store_dir.as_deref().and_then(bytes_below) {
            let help = "Bytes of the files of the embedded store.";
            now.gauge("sealbook_store_bytes", help, bytes)?;
        }
        now.labelled(
            ("sealbook_build_info", "What runs: always 1."),
            &["version", "commit"],
            &[(&[VERSION, COMMIT], 1)],
        )?;
        Ok(now.0.gather())
    }
}

/// Metrics of one scrape.
struct Moment(Registry);

impl Moment {
    fn names(&self, figures: &Figures) -> Result<(), Error> {
        self.labelled(
            (
                "sealbook_identities",
                "Names in the directory, by whether search finds them.",
            ),
            &["state"],
            &[
                (&["searchable"], figures.names_searchable),
                (&["private"], figures.names_private),
            ],
        )
    }

    fn log(&self, figures: &Figures) -> Result<(), Error> {
        self.gauge("sealbook_claims", "Claims of avatars.", figures.claims)?;
        self.gauge(
            "sealbook_log_size",
            "Entries under the newest published checkpoint.",
            figures.log_size,
        )?;
        self.gauge(
            "sealbook_log_pending",
            "Links that wait for their place in the log, as far as this process knows.",
            figures.log_pending,
        )?;
        self.gauge(
            "sealbook_checkpoint_age_seconds",
            "Age of the newest checkpoint; it grows while nothing changes.",
            figures.checkpoint_age.as_secs(),
        )
    }

    fn limits(&self, figures: &Figures) -> Result<(), Error> {
        let limited = IntCounterVec::new(
            Opts::new(
                "sealbook_rate_limited_total",
                "Attempts refused by a rate limit.",
            ),
            &["api", "bucket"],
        )?;
        for (bucket, count) in [
            (["toxme", "push"], figures.pushes_limited),
            (["toxme", "edit_password"], figures.edit_passwords_limited),
            (["toxme", "remote_lookup"], figures.remote_lookups_limited),
            (["proofservice", "claim"], figures.claims_limited),
        ] {
            limited.with_label_values(&bucket).inc_by(count);
        }
        let lookups = IntCounter::new("sealbook_lookups_total", "Names looked up.")?;
        lookups.inc_by(figures.lookups);
        self.0.register(Box::new(limited))?;
        self.0.register(Box::new(lookups))
    }

    fn gauge(&self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        let gauge = IntGauge::new(name, help)?;
        gauge.set(number(value));
        self.0.register(Box::new(gauge))
    }

    /// A gauge (name and help) with a series for each list of values of its labels.
    fn labelled(
        &self,
        (name, help): (&str, &str),
        labels: &[&str],
        series: &[(&[&str], u64)],
    ) -> Result<(), Error> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
        for &(values, value) in series {
            gauges.with_label_values(values).set(number(value));
        }
        self.0.register(Box::new(gauges))
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Bytes of all files below a directory; `None` when it cannot be read. A file that goes while it is
/// looked at counts as nothing.
fn bytes_below(dir: &Path) -> Option<u64> {
    let mut bytes = 0_u64;
    let mut dirs = vec![dir.to_owned()];
    let mut is_first = true;
    while let Some(dir) = dirs.pop() {
        let listed = match std::fs::read_dir(&dir) {
            Ok(listed) => listed,
            Err(_) if !is_first => continue,
            Err(_) => return None,
        };
        is_first = false;
        for file in listed.flatten() {
            match file.metadata() {
                Ok(meta) if meta.is_dir() => dirs.push(file.path()),
                Ok(meta) => bytes = bytes.saturating_add(meta.len()),
                Err(_) => {}
            }
        }
    }
    Some(bytes)
}
