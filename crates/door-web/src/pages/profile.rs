//! One name: where it points, and why to believe it.

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use engine::log::Bundle;
use engine::names::{NameError, Profile};
use engine::types::link::{Evidence, Link};
use engine::types::{Kid, Name, ToxId, Visibility};

use crate::State;
use crate::done::Done;
use crate::error::Refusal;
use crate::identicon;
use crate::layout::{Frame, render};
use crate::visit::Visit;
use crate::words::{ago, escaped, grouped, verify_command};

#[derive(Template)]
#[template(path = "profile.html")]
struct ProfilePage {
    frame: Frame,
    saved: Option<Saved>,
    name: String,
    escaped: String,
    picture: String,
    bio: String,
    is_proven: bool,
    visibility: &'static str,
    tox_id: String,
    /// The Tox ID in fours.
    groups: Vec<String>,
    changed: String,
    changed_at: String,
    seqno: u32,
    /// Where the barcode is, for as long as the record stands.
    barcode: String,
    proof: Option<Proof>,
    command: String,
}

/// What the visitor has just saved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Saved {
    /// It is what the page shows.
    Shown,
    /// This process has not heard of it yet.
    Behind,
}

/// Where the log has the record.
struct Proof {
    index: String,
    size: String,
    root: String,
    /// Why the server believed it.
    evidence: Option<&'static str>,
}

/// `GET /u/{name}`
///
/// Toxme wire specification, section 9: 404 for a name that nobody has or can have.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    visit: Visit,
    name: Result<Path<String>, PathRejection>,
) -> Response {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let result = show(&state, &visit, &name).await;
    visit.answer(&state, result)
}

async fn show(state: &State, visit: &Visit, name: &str) -> Result<Response, Refusal> {
    let name = Name::parse(name).map_err(|_| NameError::Unknown)?;
    let profile = state.engine.names().profile(&name).await?;
    let bundle = state.engine.log().name_bundle(&name).await?;
    let saved = visit
        .done
        .as_ref()
        .and_then(|done| Saved::of(done, &profile));
    let tox_id = profile.tox_id.to_string();
    let title = format!("{}@{}", profile.name, state.engine.names().home());
    let page = ProfilePage {
        frame: Frame::new(state, title).unindexed(),
        saved,
        name: profile.name.to_string(),
        escaped: escaped(profile.name.as_str()),
        picture: identicon::svg(&profile.tox_id),
        bio: profile.bio.as_str().to_owned(),
        is_proven: profile.is_proven,
        visibility: visibility(profile.visibility),
        groups: in_fours(&tox_id),
        tox_id,
        changed: ago(state.engine.now().since(profile.changed_at)),
        changed_at: profile.changed_at.to_string(),
        seqno: profile.seqno.get(),
        barcode: barcode(&profile),
        proof: Proof::of(&profile, &bundle),
        command: verify_command(profile.name.as_str(), visit.origin.as_deref()),
    };
    let response = render(StatusCode::OK, &page);
    Ok(match saved {
        Some(Saved::Shown) => Done::told(visit.https, response),
        Some(Saved::Behind) | None => response,
    })
}

impl Saved {
    fn of(done: &Done, profile: &Profile) -> Option<Self> {
        let link = done.link_of(&profile.name)?;
        Some(if profile.seqno.get() >= link {
            Self::Shown
        } else {
            Self::Behind
        })
    }
}

impl Proof {
    /// `None` when the log does not have this very change yet.
    fn of(profile: &Profile, bundle: &Bundle) -> Option<Self> {
        let present = bundle.present.as_ref()?;
        if present.seqno != profile.seqno.get() {
            return None;
        }
        let link = present.opening.as_ref().map(|opening| &opening.link);
        let link = link.and_then(|link| Link::decode(link).ok());
        Some(Self {
            index: grouped(present.index),
            size: grouped(bundle.head.size),
            root: bundle.head.root.to_hex().chars().take(16).collect(),
            evidence: link.map(|link| evidence(&link.evidence, &profile.tox_id)),
        })
    }
}

fn barcode(profile: &Profile) -> String {
    let name = escaped(profile.name.as_str());
    format!(
        "/barcode/{name}.svg?{}",
        super::barcode::query(profile.seqno)
    )
}

fn visibility(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Private => "only who knows the exact name",
        Visibility::Searchable => "search, too",
        Visibility::Listed => "search and the list of people, too",
    }
}

fn evidence(evidence: &Evidence, tox_id: &ToxId) -> &'static str {
    match evidence {
        Evidence::Signed { .. } => "a signature",
        Evidence::Boxed { kid } if *kid == Some(Kid::curve25519(&tox_id.key().0)) => {
            "a request sealed by the key"
        }
        Evidence::Boxed { .. } => "a request sealed by another key",
        Evidence::Password => "the record\u{2019}s edit password",
        Evidence::Unproven => "a web form, without a proof of the key",
        Evidence::Operator => "the operator of this server",
    }
}

fn in_fours(digits: &str) -> Vec<String> {
    let digits: Vec<char> = digits.chars().collect();
    digits.chunks(4).map(|four| four.iter().collect()).collect()
}
