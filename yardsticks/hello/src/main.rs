//! The ceiling of bare hyper: what an HTTP server does that does nothing.
//!
//! usage: `hello PORT [THREADS] [recover]`. `GET /` answers 300 bytes; `POST /` reads the body, parses
//! nothing and answers the same. With `recover` each request is answered after one secp256k1 key was
//! recovered from a signature, by libsecp256k1.

use std::convert::Infallible;
use std::hint::black_box;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use secp256k1::ecdsa::RecoverableSignature;
use secp256k1::{Message, SecretKey};
use tokio::net::TcpListener;

static ANSWER: &[u8] = &[b'x'; 300];

/// What is done for each request.
#[derive(Clone, Copy)]
enum Work {
    Nothing,
    Recover(Message, RecoverableSignature),
}

impl Work {
    fn recover() -> Self {
        let key = SecretKey::from_secret_bytes([7; 32]).unwrap();
        let message = Message::from_digest([9; 32]);
        Self::Recover(
            message,
            RecoverableSignature::sign_ecdsa_recoverable(message, &key),
        )
    }

    fn run(&self) {
        if let Self::Recover(message, signature) = self {
            black_box(
                black_box(signature)
                    .recover_ecdsa(black_box(*message))
                    .unwrap(),
            );
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    work: Work,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() == Method::POST {
        let _ = request.into_body().collect().await;
    }
    work.run();
    let response = Response::builder().header("content-type", "application/json");
    Ok(response
        .body(Full::new(Bytes::from_static(ANSWER)))
        .unwrap())
}

async fn serve(port: u16, work: Work) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).ok();
        tokio::spawn(async move {
            // A connection that breaks is the client's affair.
            let _ = http1::Builder::new()
                .serve_connection(
                    TokioIo::new(stream),
                    service_fn(move |request| answer(request, work)),
                )
                .await;
        });
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let port = arguments
        .next()
        .and_then(|it| it.parse().ok())
        .expect("usage: hello PORT [THREADS] [recover]");
    let threads = arguments
        .next()
        .map_or(1, |it| it.parse().expect("THREADS is a number"));
    let work = match arguments.next().as_deref() {
        None => Work::Nothing,
        Some("recover") => Work::recover(),
        Some(other) => panic!("{other} is no work: recover"),
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap()
        .block_on(serve(port, work));
}
