//! Refusals as pages: the status, code and words of each. Codes are those of the toxme API, in
//! brackets behind the words as the original showed them (toxme wire specification, section 8).

use std::time::Duration;

use askama::Template;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use engine::claims::ClaimError;
use engine::error::Internal;
use engine::log::LogError;
use engine::names::NameError;
use httpkit::csrf::Forgery;
use httpkit::fault::Fault;
use httpkit::form::FormProblem;
use httpkit::limits::BodyProblem;
use httpkit::log::RequestId;
use httpkit::page::NEVER_STORED;

use crate::State;
use crate::layout::{Frame, render};
use crate::words::{grouped, lasting};

/// Why a visitor gets another page than the one asked for.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Others could have read the request.
    Insecure,
    /// No such page.
    NotFound,
    /// Not a method of this path.
    Method,
    /// The number of a page of results is none.
    Page,
    /// A query that is no text.
    Query,
    /// The body could not be read.
    Body(BodyProblem),
    /// The body is no form.
    Form(FormProblem),
    /// The form was not sent by one of our pages.
    Forged(Forgery),
    /// A Tox ID with a typing error.
    ToxId,
    /// A bio that is too long.
    Bio,
    /// A box with a value that no box has.
    Box,
    /// Neither Update nor Delete.
    EditAction,
    /// The public list is empty from here on.
    NobodyListed,
    /// A key that has signed nothing here, or what is no key.
    UnknownAvatar,
    /// The engine refused.
    Name(NameError),
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

impl From<Internal> for Refusal {
    fn from(error: Internal) -> Self {
        Self::Name(error.into())
    }
}

impl From<LogError> for Refusal {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Internal(internal) => internal.into(),
            LogError::Absent | LogError::NoProof(_) => {
                Internal::new("reading the proof of a page", error).into()
            }
        }
    }
}

impl From<ClaimError> for Refusal {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Internal(internal) => internal.into(),
            ClaimError::Loading => NameError::Loading.into(),
            ClaimError::Limited(limited) => NameError::Limited(limited).into(),
            ClaimError::UnknownService(_)
            | ClaimError::Malformed(_)
            | ClaimError::Stale { .. }
            | ClaimError::SignedOver(_)
            | ClaimError::BadSignature
            | ClaimError::UuidUsed(_)
            | ClaimError::NotBound
            | ClaimError::Refused(_)
            | ClaimError::TooMany(_)
            | ClaimError::AlreadyBound
            | ClaimError::Unrestored(_) => Internal::new("reading claims for a page", error).into(),
        }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    status: u16,
    heading: &'static str,
    words: String,
    code: Option<i8>,
    request_id: &'a str,
    /// The page over HTTPS, for a visitor who came without.
    secure_url: Option<&'a str>,
    /// Whether looking for somebody may help.
    offers_search: bool,
}

impl Refusal {
    /// The page. Our own failures are attached for the log, and not shown.
    pub(crate) fn page(self, state: &State, id: &RequestId) -> Response {
        let secure_url = matches!(self, Self::Insecure)
            .then_some(state.settings.public_url.as_deref())
            .flatten();
        let page = ErrorPage {
            frame: Frame::new(state, self.heading()).unindexed(),
            status: self.status().as_u16(),
            heading: self.heading(),
            words: self.words(),
            code: self.code(),
            request_id: id.as_str(),
            secure_url: secure_url.filter(|url| url.starts_with("https:")),
            offers_search: self.status() == StatusCode::NOT_FOUND,
        };
        let response = render(self.status(), &page);
        self.finish(response)
    }

    /// What a refusal adds to any page that tells of it, its own or the form again: headers, and the
    /// fault for the log.
    pub(crate) fn finish(self, mut response: Response) -> Response {
        response.headers_mut().insert(CACHE_CONTROL, NEVER_STORED);
        if let Self::Name(NameError::Limited(limited)) = &self {
            let wait = HeaderValue::from(whole_seconds(limited.retry_after));
            response.headers_mut().insert(RETRY_AFTER, wait);
        }
        if let Self::Name(NameError::Internal(internal)) = self {
            return Fault::new(internal).attach(response);
        }
        response
    }

    /// 400 for what the visitor can mend, as the original; 404, 429 and 503 mean what they say.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound
            | Self::NobodyListed
            | Self::UnknownAvatar
            | Self::Name(NameError::Unknown) => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forged(_) => StatusCode::FORBIDDEN,
            Self::Name(NameError::Limited(_)) => StatusCode::TOO_MANY_REQUESTS,
            Self::Name(NameError::Loading | NameError::Busy) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Name(NameError::Internal(internal)) if internal.is_unavailable() => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Name(NameError::Internal(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Insecure
            | Self::Page
            | Self::Query
            | Self::Body(_)
            | Self::Form(_)
            | Self::ToxId
            | Self::Bio
            | Self::Box
            | Self::EditAction
            | Self::Name(_) => StatusCode::BAD_REQUEST,
        }
    }

    fn heading(&self) -> &'static str {
        match self {
            Self::Insecure => "Please use HTTPS",
            Self::NobodyListed => "Nobody to show",
            Self::Method => "This page does not take that",
            Self::Forged(_) => "This form was not sent from here",
            Self::Name(NameError::Limited(_)) => "Too many attempts",
            Self::Name(NameError::Loading) => "Search is warming up",
            Self::Name(NameError::Internal(internal)) if internal.is_unavailable() => {
                "The directory is out of reach"
            }
            Self::Name(NameError::Internal(_)) => "Something broke on our side",
            Self::NotFound | Self::UnknownAvatar | Self::Name(NameError::Unknown) => "Nothing here",
            Self::Page
            | Self::Query
            | Self::Body(_)
            | Self::Form(_)
            | Self::ToxId
            | Self::Bio
            | Self::Box
            | Self::EditAction
            | Self::Name(_) => "That did not work",
        }
    }

    /// What is wrong and what to do. Repeats nothing of the request.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Name(NameError::Limited(limited)) => {
                let seconds = whole_seconds(limited.retry_after);
                let wait = lasting(Duration::from_secs(seconds));
                if seconds.is_multiple_of(60) || seconds < 60 {
                    format!("Please wait a while. Try again in {wait}.")
                } else {
                    let minutes = grouped(seconds.div_ceil(60));
                    format!("Please wait a while. Try again in {wait}: about {minutes} minutes.")
                }
            }
            Self::Name(error) => name_words(error).to_owned(),
            Self::Body(problem) => body_words(*problem).to_owned(),
            Self::Form(problem) => form_words(*problem).to_owned(),
            Self::Insecure => "This server shows its pages over HTTPS only, so that nobody on the \
                               way can read or change them."
                .to_owned(),
            Self::NotFound => "There is no page at this address.".to_owned(),
            Self::Method => "Pages are read, and forms are sent from their own page.".to_owned(),
            Self::Page => "The number of a page must be a whole number from 0 on.".to_owned(),
            Self::Query => "The address of this page is not readable text.".to_owned(),
            Self::Forged(Forgery::CrossSite) => "Your browser says that another site sent this \
                                                 form. Nothing was changed. Open the form here and \
                                                 fill it in again."
                .to_owned(),
            Self::Forged(Forgery::Token) => "The form was too old, or your browser does not keep \
                                             cookies for this site. Nothing was changed. Open the \
                                             form again."
                .to_owned(),
            Self::ToxId => "This is not a Tox ID: it has 76 digits, 0 to 9 and A to F, and the \
                            last four guard against typing errors. Copy it whole from your client."
                .to_owned(),
            Self::Bio => "The bio is too long: it may have 1372 characters.".to_owned(),
            Self::Box => "A box of the form has a value that it cannot have.".to_owned(),
            Self::EditAction => "Say what to do: edit_action is Update or Delete.".to_owned(),
            Self::UnknownAvatar => {
                "No avatar with this key was ever seen here. The key of an avatar is 0x \
                                    and 66 digits, 0 to 9 and a to f."
                    .to_owned()
            }
            Self::NobodyListed => "Nobody is on this page of the list. People appear here when \
                                   they choose to be listed."
                .to_owned(),
        }
    }

    /// The API's number for it, if it has one.
    pub(crate) fn code(&self) -> Option<i8> {
        match self {
            Self::Insecure => Some(-2), // ERROR_NOTSECURE
            Self::Body(_)
            | Self::Form(_)
            | Self::ToxId
            | Self::Bio
            | Self::Box
            | Self::EditAction => Some(-3), // ERROR_BAD_PAYLOAD
            Self::Page => Some(-27),    // ERROR_INVALID_CHAR, as the API answers
            Self::Name(error) => Some(name_code(error)),
            Self::NotFound
            | Self::NobodyListed
            | Self::UnknownAvatar
            | Self::Method
            | Self::Query
            | Self::Forged(_) => None,
        }
    }

    /// The field of a form that it is about.
    pub(crate) fn field(&self) -> Option<&'static str> {
        match self {
            Self::ToxId | Self::Name(NameError::KeyBoundElsewhere) => Some("tox_id"),
            Self::Bio => Some("bio"),
            Self::Box => Some("privacy"),
            Self::Name(NameError::WrongPassword) => Some("password"),
            Self::Name(
                NameError::Taken | NameError::Character | NameError::Invalid | NameError::Unknown,
            ) => Some("name"),
            Self::Insecure
            | Self::NotFound
            | Self::Method
            | Self::Page
            | Self::Query
            | Self::Body(_)
            | Self::Form(_)
            | Self::Forged(_)
            | Self::EditAction
            | Self::NobodyListed
            | Self::UnknownAvatar
            | Self::Name(_) => None,
        }
    }
}

fn name_code(error: &NameError) -> i8 {
    match error {
        NameError::Malformed(_) => -3,                 // ERROR_BAD_PAYLOAD
        NameError::Limited(_) => -4,                   // ERROR_RATE_LIMIT
        NameError::Taken => -25,                       // ERROR_NAME_TAKEN
        NameError::KeyBoundElsewhere => -26,           // ERROR_DUPE_ID
        NameError::Character | NameError::Page => -27, // ERROR_INVALID_CHAR
        NameError::WrongPassword => -28,               // original server, edit form
        NameError::Invalid => -29,                     // ERROR_INVALID_NAME
        NameError::UnknownKey => -30,                  // ERROR_UNKNOWN_NAME
        NameError::InvalidId => -31,                   // ERROR_INVALID_ID
        NameError::Elsewhere(_) => -41,                // ERROR_LOOKUP_FAILED
        NameError::Unknown => -42,                     // ERROR_NO_USER
        NameError::Loading | NameError::Busy | NameError::Internal(_) => -43, // ERROR_LOOKUP_INTERNAL
    }
}

fn name_words(error: &NameError) -> &'static str {
    match error {
        NameError::Malformed(_) => "The form cannot be read.",
        NameError::Limited(_) => "Please wait a while.",
        NameError::Taken => {
            "This name is in use, or was given up lately. Choose another, or edit the record with \
             its password."
        }
        NameError::KeyBoundElsewhere => {
            "This Tox ID has another name here, and can have one only. If that name is yours, delete it \
             first, with its password or your Tox client. If you never registered it, register the \
             name you want with your Tox client: its key gives the other one up."
        }
        NameError::Character => {
            "The name has a character that is not allowed: no blanks, no invisible characters, no \
             quotation marks, and none of @ / : ; ( )"
        }
        NameError::Page => "The number of a page must be a whole number from 0 on.",
        NameError::WrongPassword => "Wrong password, or there is no such name.",
        NameError::Invalid => "A name has 1 to 63 characters, and some words are reserved.",
        NameError::UnknownKey => "No name is known for this key, or its owner does not tell it.",
        NameError::InvalidId => "This is not the public key of a Tox ID.",
        NameError::Elsewhere(_) => "Pages show names of this domain only.",
        NameError::Busy => "Too much is under way. Try again in a minute.",
        NameError::Unknown => {
            "Nobody has this name here. Names are found by their exact spelling, letter by letter."
        }
        NameError::Loading => {
            "The list of names is being read after a start. Try again in a minute."
        }
        NameError::Internal(internal) if internal.is_unavailable() => {
            "The directory cannot reach its records at the moment. Try again in a minute."
        }
        NameError::Internal(_) => {
            "The operator of this server finds the cause in the log, by the request below."
        }
    }
}

fn body_words(problem: BodyProblem) -> &'static str {
    match problem {
        BodyProblem::TooLarge { .. } => "The form is longer than 64 KiB.",
        BodyProblem::Broken => "The form ended early. Send it again.",
        BodyProblem::TooSlow => "The form took too long to arrive. Send it again.",
    }
}

fn form_words(problem: FormProblem) -> &'static str {
    match problem {
        FormProblem::ContentType | FormProblem::Framing => "What was sent is not a form.",
        FormProblem::NotText => "What was sent is not text in UTF-8.",
        FormProblem::Twice => "A field of the form came twice. Send each once.",
        FormProblem::TooMany => "What was sent has more fields than any form here.",
    }
}

/// Whole seconds, rounded up, so that who waits that long has waited long enough.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0))
}
