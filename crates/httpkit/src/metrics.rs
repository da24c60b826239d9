//! Counts of requests, by API, route and code.
//!
//! Every series a request can move is found in a table that is made once, and moved by atomic
//! additions: no lock and no allocation for a request. What a client sends never becomes a label, so
//! there are no more series than routes times codes.

use std::collections::HashMap;
use std::sync::OnceLock;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
};

use crate::routes::Route;

/// Route of a request that no route matched, and the API it counts for.
pub const UNMATCHED: &str = "unmatched";
const NO_API: &str = "none";

/// Upper bounds of the buckets of durations, in seconds.
const SECONDS: [f64; 14] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];
/// HTTP's status codes.
const CODE_MIN: u16 = 100;
const CODES: usize = 500;

/// The counts of all requests of a server.
#[derive(Debug)]
pub struct Requests {
    /// By path; a path may be several rows' with different methods.
    routes: HashMap<&'static str, Vec<(&'static str, RouteCounts)>>,
    unmatched: RouteCounts,
}

/// The series of one row of a route table.
#[derive(Debug)]
pub struct RouteCounts {
    api: &'static str,
    route: &'static str,
    requests: IntCounterVec,
    /// By status code; made when the code first occurs.
    codes: Box<[OnceLock<IntCounter>]>,
    seconds: Histogram,
}

impl Requests {
    /// Makes the series of every row and registers them. Each table comes with the name of its API;
    /// all spellings of a row's path count as the first one.
    ///
    /// # Errors
    /// When the registry has metrics of these names already.
    pub fn new(
        tables: &[(&'static str, &'static [Route])],
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new("sealbook_http_requests_total", "Requests answered."),
            &["api", "route", "code"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "sealbook_http_request_duration_seconds",
                "Time from a request's head to the answer's.",
            )
            .buckets(SECONDS.to_vec()),
            &["api", "route"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        let counts = |api, route| RouteCounts {
            api,
            route,
            requests: requests.clone(),
            codes: (0..CODES).map(|_| OnceLock::new()).collect(),
            seconds: seconds.with_label_values(&[api, route]),
        };
        let mut routes: HashMap<_, Vec<_>> = HashMap::new();
        for (api, table) in tables {
            for row in *table {
                let name = row.paths.first().copied().unwrap_or_default();
                for path in row.paths {
                    let row = (row.method, counts(api, name));
                    routes.entry(*path).or_default().push(row);
                }
            }
        }
        Ok(Self {
            routes,
            unmatched: counts(NO_API, UNMATCHED),
        })
    }

    /// The series of a request: those of its path and method, or of its path alone where no row has
    /// the method, which then is refused.
    #[must_use]
    pub fn of(&self, path: Option<&str>, method: &str) -> &RouteCounts {
        let Some(rows) = path.and_then(|path| self.routes.get(path)) else {
            return &self.unmatched;
        };
        let method = if method == "HEAD" { "GET" } else { method };
        let exact = rows.iter().find(|(of_row, _)| *of_row == method);
        exact
            .or(rows.first())
            .map_or(&self.unmatched, |(_, counts)| counts)
    }
}

impl RouteCounts {
    /// The API the route belongs to.
    #[must_use]
    pub fn api(&self) -> &'static str {
        self.api
    }

    /// Counts a request that was answered with this status code after so many seconds.
    pub fn count(&self, code: u16, seconds: f64) {
        let at = usize::from(code.saturating_sub(CODE_MIN)).min(CODES - 1);
        if let Some(counter) = self.codes.get(at) {
            counter.get_or_init(|| self.counter(code)).inc();
        }
        self.seconds.observe(seconds);
    }

    fn counter(&self, code: u16) -> IntCounter {
        self.requests
            .with_label_values(&[self.api, self.route, &code.to_string()])
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    const TABLE: &[Route] = &[
        Route {
            method: "POST",
            paths: &["/api", "/"],
            handler: "api",
        },
        Route {
            method: "GET",
            paths: &["/u/{name}"],
            handler: "user",
        },
    ];
    const PAGES: &[Route] = &[Route {
        method: "GET",
        paths: &["/"],
        handler: "home",
    }];

    fn text(registry: &Registry) -> String {
        TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap()
    }

    #[test]
    fn requests_are_counted_by_row_and_code() {
        let registry = Registry::new();
        let requests = Requests::new(&[("toxme", TABLE), ("web", PAGES)], &registry).unwrap();
        requests.of(Some("/"), "POST").count(200, 0.0002);
        requests.of(Some("/api"), "POST").count(400, 0.0002);
        requests.of(Some("/api"), "PUT").count(400, 0.0002);
        requests.of(Some("/"), "HEAD").count(200, 0.0002);
        requests.of(Some("/u/{name}"), "GET").count(404, 100.0);
        requests.of(Some("/u/alice"), "GET").count(404, 0.0002);
        requests.of(None, "GET").count(999, 0.0002);
        let text = text(&registry);
        for line in [
            r#"sealbook_http_requests_total{api="toxme",code="200",route="/api"} 1"#,
            r#"sealbook_http_requests_total{api="toxme",code="400",route="/api"} 2"#,
            r#"sealbook_http_requests_total{api="web",code="200",route="/"} 1"#,
            r#"sealbook_http_requests_total{api="toxme",code="404",route="/u/{name}"} 1"#,
            r#"sealbook_http_requests_total{api="none",code="404",route="unmatched"} 1"#,
            r#"sealbook_http_requests_total{api="none",code="999",route="unmatched"} 1"#,
            r#"sealbook_http_request_duration_seconds_count{api="toxme",route="/api"} 3"#,
            r#"sealbook_http_request_duration_seconds_bucket{api="toxme",route="/u/{name}",le="30"} 0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("alice"), "{text}");
    }

    #[test]
    fn one_registry_takes_them_once() {
        let registry = Registry::new();
        assert!(Requests::new(&[("toxme", TABLE)], &registry).is_ok());
        assert!(Requests::new(&[("toxme", TABLE)], &registry).is_err());
    }
}
