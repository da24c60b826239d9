//! What went wrong on our side, on its way from a door to the log.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use axum::response::Response;

/// An error the client may not see. The door renders a generic answer and attaches the fault to
/// it; the request log writes it, once, with the request's id.
#[derive(Clone, Debug)]
pub struct Fault(Arc<dyn Error + Send + Sync>);

impl Fault {
    /// Wraps an error together with its sources.
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }

    /// Attaches the fault to the generic answer the door gives for it. A response carries one
    /// fault: the last one attached.
    #[must_use]
    pub fn attach(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }
}

/// The error and its sources, outermost first, joined by `": "`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("reading the record of a label")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn prints_the_whole_chain() {
        let fault = Fault::new(Outer(std::io::Error::other("disk is gone")));
        assert_eq!(
            fault.to_string(),
            "reading the record of a label: disk is gone"
        );
    }

    #[test]
    fn travels_with_the_response_and_not_in_it() {
        let fault = Fault::new(Outer(std::io::Error::other("disk is gone")));
        let response = fault.attach("generic".into_response());
        assert!(response.extensions().get::<Fault>().is_some());
        assert!(
            response
                .headers()
                .values()
                .all(|value| value == "text/plain; charset=utf-8")
        );
    }
}
