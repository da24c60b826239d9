//! The route table of a door, as data and as a router.

#[doc(hidden)]
pub use axum;

/// One row of a door's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// In capitals, as on the wire.
    pub method: &'static str,
    /// Every spelling of the path, in axum's syntax. At least one.
    pub paths: &'static [&'static str],
    /// The handler's path below the door's crate: `keys::put::handle` is in `src/keys/put.rs`.
    pub handler: &'static str,
}

/// Expands a door's table to `pub const ROUTES: &[Route]` and `pub fn router(state) -> Router`.
///
/// ```
/// # mod keys { pub mod put { pub async fn handle() {} } pub mod get { pub async fn handle() {} } }
/// # async fn wrong_method() -> axum::http::StatusCode { axum::http::StatusCode::BAD_REQUEST }
/// #[derive(Clone)]
/// pub struct State;
///
/// httpkit::routes! { State, fallback => wrong_method;
///     put ["/v1/keys", "/v1/keys/"] => keys::put::handle;
///     get ["/v1/keys/{number}"]     => keys::get::handle;
/// }
///
/// # fn main() {
/// let _router: axum::Router = router(State);
/// assert_eq!(ROUTES[0].handler, "keys::put::handle");
/// # }
/// ```
///
/// The first word is the state's type (`Clone`). The optional `fallback` is a handler that answers
/// every method a listed path does not have (`HEAD` and `OPTIONS` included), instead of axum's
/// empty 405. As HTTP wants it, a path with `get` answers `HEAD` like `GET` without the body. An
/// unlisted path is not the door's business and stays with the server.
///
/// The same path may stand in several rows with different methods. Listing a path and a method
/// twice makes `router` panic, at the start of the process.
#[macro_export]
macro_rules! routes {
    (
        $state:ty $(, fallback => $fallback:path)?;
        $($method:ident [$($path:literal),+ $(,)?] => $handler:path;)*
    ) => {
        /// Every method and path this door answers, and where.
        pub const ROUTES: &[$crate::routes::Route] = &[$(
            $crate::routes::Route {
                method: $crate::__method_name!($method),
                paths: &[$($path),+],
                handler: ::core::stringify!($handler),
            },
        )*];

        /// The door's router: every row of [`ROUTES`].
        pub fn router(state: $state) -> $crate::routes::axum::Router {
            $crate::routes::axum::Router::<$state>::new()
                $($(.route($path, $crate::routes::axum::routing::$method($handler)))+)*
                $(.method_not_allowed_fallback($fallback))?
                .with_state(state)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __method_name {
    (get) => {
        "GET"
    };
    (post) => {
        "POST"
    };
    (put) => {
        "PUT"
    };
    (delete) => {
        "DELETE"
    };
    (patch) => {
        "PATCH"
    };
    (head) => {
        "HEAD"
    };
    (options) => {
        "OPTIONS"
    };
}
