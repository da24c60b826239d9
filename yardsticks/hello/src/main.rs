//! The ceiling of bare hyper: what an HTTP server does that does nothing.
//!
//! usage: `hello PORT [THREADS]`. `GET /` answers 300 bytes; `POST /` reads the body, parses
//! nothing and answers the same.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

static ANSWER: &[u8] = &[b'x'; 300];

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() == Method::POST {
        let _ = request.into_body().collect().await;
    }
    let response = Response::builder().header("content-type", "application/json");
    Ok(response
        .body(Full::new(Bytes::from_static(ANSWER)))
        .unwrap())
}

async fn serve(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).ok();
        tokio::spawn(async move {
            // A connection that breaks is the client's affair.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
        });
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let port = arguments
        .next()
        .and_then(|it| it.parse().ok())
        .expect("usage: hello PORT [THREADS]");
    let threads = arguments
        .next()
        .map_or(1, |it| it.parse().expect("THREADS is a number"));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap()
        .block_on(serve(port));
}
