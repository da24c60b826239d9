//! The toxme API over a socket.

use axum::Router;
use axum::routing::{get, post};
use client::http::{HttpError, HttpOptions, REPLY_BYTES_MAX};
use client::link::Visibility;
use client::toxme::{Code, Found, Registration, ToxmeClient, ToxmeError};

use crate::server::{Server, profile, serve};

fn code(error: &ToxmeError) -> Option<i64> {
    match error {
        ToxmeError::Refused { code, .. } => Some(code.0),
        ToxmeError::Http(_) | ToxmeError::ServerKey(_) | ToxmeError::Countersignature => None,
    }
}

#[tokio::test]
async fn a_name_lives_and_goes() {
    let server = Server::start().await;
    let (toxme, alice) = (server.toxme(), profile(1));
    let keys = toxme.server_keys().await.unwrap();
    let wanted = |bio| Registration {
        name: "Alice",
        visibility: Visibility::Searchable,
        bio,
    };
    let first = toxme
        .push(&keys, &alice, wanted("hi"), server.fresh(1))
        .await;
    assert!(first.unwrap().is_some());
    let second = toxme
        .push(&keys, &alice, wanted("ho"), server.fresh(2))
        .await;
    assert!(second.unwrap().is_none());
    let replayed = toxme
        .push(&keys, &alice, wanted("ho"), server.fresh(2))
        .await;
    assert_eq!(code(&replayed.unwrap_err()), Some(-3));
    let stolen = toxme
        .push(&keys, &profile(2), wanted(""), server.fresh(3))
        .await;
    let stolen = stolen.unwrap_err();
    assert_eq!(code(&stolen), Some(Code::NAME_TAKEN.0));
    assert!(
        stolen
            .to_string()
            .starts_with("the name belongs to another key (-25)")
    );

    let record = toxme.lookup("ALICE").await.unwrap();
    assert_eq!(record.tox_id, alice.tox_id());
    assert_eq!((&*record.name, &*record.domain), ("alice", "example.test"));
    let key = alice.tox_id().key();
    assert_eq!(toxme.reverse(&key).await.unwrap(), "alice");
    let found = Found {
        name: "alice".into(),
        bio: "ho".into(),
    };
    assert_eq!(toxme.search("LIC", 0).await.unwrap(), [found]);
    assert_eq!(toxme.search("lic", 1).await.unwrap(), []);
    assert!(toxme.status().await.unwrap().names <= 200);

    assert!(record.is_vouched_for);

    let reset = toxme.reset_password(&keys, &alice, server.fresh(5)).await;
    assert_eq!(reset.unwrap().expose().split('-').count(), 6);
    let bob = profile(2);
    let reset = toxme.reset_password(&keys, &bob, server.fresh(6)).await;
    assert_eq!(code(&reset.unwrap_err()), Some(Code::UNKNOWN_NAME.0));

    toxme.delete(&keys, &alice, server.fresh(4)).await.unwrap();
    let gone = toxme.lookup("alice").await.unwrap_err();
    assert_eq!(code(&gone), Some(Code::NO_USER.0));
    let gone = toxme.reverse(&key).await.unwrap_err();
    assert_eq!(code(&gone), Some(Code::UNKNOWN_NAME.0));
}

#[tokio::test]
async fn replies_are_countersigned_by_the_right_key_only() {
    let server = Server::with_three_names().await;
    let toxme = server.toxme();
    let key = toxme.server_keys().await.unwrap().sign_key.unwrap();
    let asked = toxme.countersigned([7; 64], key);
    asked.lookup("alice").await.unwrap();
    let unknown = asked.lookup("nobody").await.unwrap_err();
    assert_eq!(code(&unknown), Some(-42));
    let other = crypto::ed25519::SigningKey::from_seed(&crypto::secret::Secret::new([5; 32]));
    let other = toxme.countersigned([7; 64], other.unwrap().verifying_key());
    let refused = other.lookup("alice").await.unwrap_err();
    assert!(matches!(refused, ToxmeError::Countersignature));
}

#[tokio::test]
async fn a_reply_that_is_none_is_an_error() {
    let long = || async { "x".repeat(REPLY_BYTES_MAX + 1) };
    let router = Router::new()
        .route("/long/api", post(long))
        .route("/bare/api", post(|| async { r#"{"c": 0}"# }))
        .route("/html/api", post(|| async { "<html>" }))
        .route(
            "/odd/api",
            post(|| async { r#"{"c": -99, "detail": "a\u0007b"}"# }),
        )
        .route("/html/pk", get(|| async { r#"{"c": 0, "key": "00"}"# }));
    let (address, _tasks) = serve(router).await;
    let client = |path: &str| {
        ToxmeClient::new(&format!("{address}/{path}"), &HttpOptions::default()).unwrap()
    };
    let error = client("long").lookup("a").await.unwrap_err();
    assert!(matches!(error, ToxmeError::Http(HttpError::TooLarge)));
    for path in ["bare", "html"] {
        let error = client(path).lookup("a").await.unwrap_err();
        assert!(
            matches!(error, ToxmeError::Http(HttpError::Reply(_))),
            "{path}"
        );
    }
    let error = client("html").server_keys().await.unwrap_err();
    assert!(matches!(error, ToxmeError::Http(HttpError::Reply(_))));
    let error = client("none").server_keys().await.unwrap_err();
    assert!(matches!(
        error,
        ToxmeError::Http(HttpError::Refused { status: 404, .. })
    ));
    let error = client("odd").lookup("a").await.unwrap_err();
    assert!(error.to_string().ends_with("(-99): ab"), "{error}");
    for bad in ["", "example.org", "ftp://example.org", "https://e.org/?a=b"] {
        let made = ToxmeClient::new(bad, &HttpOptions::default());
        assert!(matches!(made, Err(HttpError::Address(_))), "{bad}");
    }
}
