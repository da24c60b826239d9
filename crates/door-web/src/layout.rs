//! What every page shows around its own part.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use httpkit::page::html;

use crate::State;
use crate::pages::files::{ICON, STYLE};
use crate::words::{ago, grouped};

/// The frame of a page: head, header and footer.
pub(crate) struct Frame {
    /// Of the page.
    pub(crate) title: String,
    /// What the site calls itself.
    pub(crate) site: String,
    /// The home domain.
    pub(crate) domain: String,
    pub(crate) has_people: bool,
    /// Whether claims of accounts elsewhere are checked here.
    pub(crate) has_accounts: bool,
    pub(crate) contact: Option<Contact>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) style: String,
    pub(crate) icon: String,
    /// Whether search engines may keep the page.
    pub(crate) is_indexed: bool,
    /// Whether the header has a search box: where the page itself has none.
    pub(crate) has_search: bool,
    /// The link of the header that leads to this very page.
    pub(crate) here: &'static str,
    pub(crate) version: &'static str,
}

/// How to reach the operator.
pub(crate) struct Contact {
    pub(crate) url: String,
    /// Without the scheme.
    pub(crate) text: String,
}

/// The newest checkpoint, for people.
pub(crate) struct Checkpoint {
    pub(crate) size: String,
    /// First digits of the root.
    pub(crate) root: String,
    pub(crate) age: String,
    /// When it was signed, for machines.
    pub(crate) time: String,
    /// Whether there was a change yet.
    pub(crate) is_empty: bool,
}

impl Frame {
    /// The frame of a page with this title. No read: the newest checkpoint is in memory.
    pub(crate) fn new(state: &State, title: impl Into<String>) -> Self {
        let settings = &state.settings;
        let domain = state.engine.names().home().to_owned();
        Self {
            title: title.into(),
            site: settings.title.clone().unwrap_or_else(|| domain.clone()),
            domain,
            has_people: settings.has_people,
            has_accounts: !state.engine.claims().services().is_empty(),
            contact: settings.contact.as_deref().map(Contact::of),
            checkpoint: Checkpoint::newest(state),
            style: format!("/static/style.css?{}", STYLE.query()),
            icon: format!("/static/icon.svg?{}", ICON.query()),
            is_indexed: true,
            has_search: true,
            here: "",
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// Search engines are asked not to keep the page.
    pub(crate) fn unindexed(self) -> Self {
        Self {
            is_indexed: false,
            ..self
        }
    }

    /// The page has a search box of its own.
    pub(crate) fn without_search(self) -> Self {
        Self {
            has_search: false,
            ..self
        }
    }

    /// The page is the one that this link of the header leads to.
    pub(crate) fn at(self, here: &'static str) -> Self {
        Self { here, ..self }
    }
}

impl Contact {
    fn of(url: &str) -> Self {
        let text = url.split_once(':').map_or(url, |(_, rest)| rest);
        Self {
            url: url.to_owned(),
            text: text
                .trim_start_matches('/')
                .trim_end_matches('/')
                .to_owned(),
        }
    }
}

impl Checkpoint {
    fn newest(state: &State) -> Self {
        let head = state.engine.log().head();
        Self {
            size: grouped(head.size),
            root: head.root.to_hex().chars().take(8).collect(),
            age: ago(state.engine.now().since(head.time)),
            time: head.time.to_string(),
            is_empty: head.size <= 1,
        }
    }
}

/// A page from its template.
///
/// # Panics
/// Never: templates write to memory, and what they show has no failing `Display`.
pub(crate) fn render(status: StatusCode, page: &impl Template) -> Response {
    html(status, page.render().expect("a template writes to memory"))
}
