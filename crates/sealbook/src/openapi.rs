//! The description of the interface, for programs that read such.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// What `cargo xtask endpoints` compares with the routes of the doors.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

httpkit::routes! { ();
    get ["/openapi.json"] => handle;
}

/// GET /openapi.json
async fn handle() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::DOCUMENT;

    #[test]
    fn the_document_is_of_this_release() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
