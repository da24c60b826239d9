//! Route tables: the data and the behaviour.
#![expect(clippy::unwrap_used, reason = "a broken exchange fails its test")]

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use httpkit::routes::Route;

/// Handlers.
pub mod keys {
    /// Answers PUT.
    pub mod put {
        use axum::extract::State;

        /// Says where it is.
        pub async fn handle(State(number): State<u32>) -> String {
            format!("put {number}")
        }
    }
    /// Answers GET.
    pub mod get {
        use axum::extract::Path;

        /// Says where it is.
        pub async fn handle(Path(number): Path<String>) -> String {
            format!("get {number}")
        }
    }
}

async fn wrong_method() -> (StatusCode, &'static str) {
    (StatusCode::BAD_REQUEST, "wrong method")
}

/// A door with an answer of its own to wrong methods.
pub mod shaped {
    use super::{keys, wrong_method};

    httpkit::routes! { u32, fallback => wrong_method;
        put    ["/v1/keys", "/v1/keys/"]       => keys::put::handle;
        delete ["/v1/keys"]                    => keys::put::handle;
        get    ["/v1/keys/{number}"]           => keys::get::handle;
    }
}

/// A door without.
pub mod plain {
    use super::keys;

    httpkit::routes! { u32; post ["/plain"] => keys::put::handle; }
}

async fn ask(router: axum::Router, method: Method, path: &str) -> (StatusCode, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn the_table_says_method_paths_and_place() {
    let put = Route {
        method: "PUT",
        paths: &["/v1/keys", "/v1/keys/"],
        handler: "keys::put::handle",
    };
    let delete = Route {
        method: "DELETE",
        paths: &["/v1/keys"],
        handler: "keys::put::handle",
    };
    let get = Route {
        method: "GET",
        paths: &["/v1/keys/{number}"],
        handler: "keys::get::handle",
    };
    assert_eq!(shaped::ROUTES, [put, delete, get]);
    assert_eq!(plain::ROUTES.len(), 1);
}

#[tokio::test]
async fn every_spelling_reaches_its_handler() {
    for (method, path, body) in [
        (Method::PUT, "/v1/keys", "put 7"),
        (Method::PUT, "/v1/keys/", "put 7"),
        (Method::DELETE, "/v1/keys", "put 7"),
        (Method::GET, "/v1/keys/49", "get 49"),
        (Method::HEAD, "/v1/keys/49", ""),
    ] {
        let answer = ask(shaped::router(7), method.clone(), path).await;
        assert_eq!(answer, (StatusCode::OK, body.to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn every_other_method_reaches_the_fallback() {
    let odd = Method::from_bytes(b"BREW").unwrap();
    for method in [
        Method::GET,
        Method::POST,
        Method::PATCH,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
        odd,
    ] {
        let answer = ask(shaped::router(7), method.clone(), "/v1/keys").await;
        assert_eq!(
            answer,
            (StatusCode::BAD_REQUEST, "wrong method".to_owned()),
            "{method}"
        );
    }
    let (status, body) = ask(shaped::router(7), Method::HEAD, "/v1/keys").await;
    assert_eq!((status, body.as_str()), (StatusCode::BAD_REQUEST, ""));
}

#[tokio::test]
async fn without_a_fallback_it_is_405_and_an_unlisted_path_404() {
    let answer = ask(plain::router(7), Method::GET, "/plain").await;
    assert_eq!(answer.0, StatusCode::METHOD_NOT_ALLOWED);
    let answer = ask(shaped::router(7), Method::GET, "/v1/other").await;
    assert_eq!(answer.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn two_doors_keep_their_own_fallback_when_merged() {
    let merged = shaped::router(1).merge(plain::router(2));
    let shaped = ask(merged.clone(), Method::POST, "/v1/keys").await;
    assert_eq!(shaped.0, StatusCode::BAD_REQUEST);
    let plain = ask(merged, Method::PUT, "/plain").await;
    assert_eq!(plain.0, StatusCode::METHOD_NOT_ALLOWED);
}
