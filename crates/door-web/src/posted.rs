//! A form that one of our own pages has sent.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::Response;
use engine::types::Visibility;
use httpkit::csrf::Token;
use httpkit::form::Form;
use httpkit::limits::RawBody;
use httpkit::log::Change;

use crate::State;
use crate::error::Refusal;
use crate::visit::Visit;

/// The hidden field with the token.
const TOKEN_FIELD: &str = "csrf";

/// The fields of a form, once it is known that the visitor meant to send them.
pub(crate) struct Posted {
    pub(crate) visit: Visit,
    pub(crate) form: Form,
    /// For the form, when it has to be shown again.
    pub(crate) token: Token,
}

impl FromRequest<State> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, state: &State) -> Result<Self, Response> {
        // Whoever sends a form means to change something, and a form that is turned away before
        // anybody looks at it belongs into the log like one that is refused.
        Self::read(request, state).await.map_err(Change::mark)
    }
}

impl Posted {
    async fn read(request: Request, state: &State) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, state).await?;
        let https = visit.https;
        let request = Request::from_parts(parts.clone(), body);
        let RawBody(body) = RawBody::from_request(request, state).await?;
        let page = |refusal: Refusal| refusal.page(state, &visit.id);
        let form = Form::parse(&parts.headers, body).await;
        let form = form.map_err(|problem| page(Refusal::Form(problem)))?;
        let checked = state.csrf.check(&parts, https, form.field(TOKEN_FIELD));
        checked.map_err(|forgery| page(Refusal::Forged(forgery)))?;
        let token = state.csrf.token(&parts.headers, https);
        Ok(Self { visit, form, token })
    }

    /// A field's text, empty when it is absent.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.form.field(field).unwrap_or_default()
    }

    /// The text of a field that keeps the stored value when it is absent or blank.
    pub(crate) fn given(&self, field: &str) -> Option<&str> {
        let text = self.text(field).trim();
        (!text.is_empty()).then_some(text)
    }

    /// Who may find the record: a box for private, and one for off the list. Neither is public, as on
    /// the forms of the original.
    ///
    /// # Errors
    /// `Box` for any value but that of a ticked box.
    pub(crate) fn visibility(&self) -> Result<Visibility, Refusal> {
        Ok(
            match (self.is_ticked("privacy")?, self.is_ticked("unlisted")?) {
                (true, _) => Visibility::Private,
                (false, true) => Visibility::Searchable,
                (false, false) => Visibility::Listed,
            },
        )
    }

    fn is_ticked(&self, field: &str) -> Result<bool, Refusal> {
        match self.form.field(field) {
            None | Some("") => Ok(false),
            Some("on") => Ok(true),
            Some(_) => Err(Refusal::Box),
        }
    }
}
