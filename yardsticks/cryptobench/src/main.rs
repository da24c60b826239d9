//! Single-core limits of the primitives the server spends its time on, in operations per second of
//! CPU time of one thread; the best of three rounds.
//!
//! usage: `cryptobench [box|sign]`; with `--features libsodium` that library is measured beside.

use std::hint::black_box;

use crypto_box::aead::Aead;
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use ed25519_dalek::{Signer, SigningKey, Verifier};

/// Bytes of a typical sealed request.
const MESSAGE_BYTES: usize = 300;
/// CPU seconds of one round.
const ROUND_S: f64 = 0.35;

fn main() {
    let filter = std::env::args().nth(1);
    let on = |part: &str| filter.as_deref().is_none_or(|wanted| wanted == part);
    let message = vec![7u8; MESSAGE_BYTES];
    if on("sign") {
        sign(&message);
    }
    if on("box") {
        boxes(&message);
    }
}

/// CPU time of this thread in seconds.
fn cpu_s() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live timespec, which the call fills.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn bench<T>(name: &str, mut work: impl FnMut() -> T) {
    let mut round = |count: u64| {
        let start = cpu_s();
        for _ in 0..count {
            black_box(work());
        }
        cpu_s() - start
    };
    let mut count = 1;
    let count = loop {
        let spent = round(count);
        if spent > 0.03 {
            break ((count as f64 * ROUND_S / spent) as u64).max(1);
        }
        count *= 4;
    };
    let best = (0..3)
        .map(|_| round(count) / count as f64)
        .fold(f64::MAX, f64::min);
    println!(
        "{name:<52} {:>12.0} /s   {:>10.3} us",
        1.0 / best,
        best * 1e6
    );
}

fn sign(message: &[u8]) {
    let mut rng = rand::rngs::OsRng;
    let key = SigningKey::generate(&mut rng);
    let public = key.verifying_key();
    let signature = key.sign(message);
    bench("ed25519 sign (dalek)", || key.sign(message));
    bench("ed25519 verify (dalek)", || {
        public.verify(message, &signature).unwrap()
    });
    bench("ed25519 verify_strict (dalek)", || {
        public.verify_strict(message, &signature).unwrap()
    });

    let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(key.as_bytes()).unwrap();
    bench("ed25519 sign (aws-lc-rs)", || pair.sign(message));
    let algorithm = &aws_lc_rs::signature::ED25519;
    let other = aws_lc_rs::signature::UnparsedPublicKey::new(algorithm, public.as_bytes());
    let bytes = signature.to_bytes();
    bench("ed25519 verify (aws-lc-rs)", || {
        other.verify(message, &bytes).unwrap()
    });

    let keys: Vec<SigningKey> = (0..64).map(|_| SigningKey::generate(&mut rng)).collect();
    let signatures: Vec<_> = keys.iter().map(|key| key.sign(message)).collect();
    let publics: Vec<_> = keys.iter().map(SigningKey::verifying_key).collect();
    let messages = vec![message; 64];
    bench("ed25519 verify_batch of 64 (whole batch)", || {
        ed25519_dalek::verify_batch(&messages, &signatures, &publics).unwrap();
    });
    #[cfg(feature = "libsodium")]
    sodium::sign(message);
}

fn boxes(message: &[u8]) {
    let mut rng = rand::rngs::OsRng;
    let client = SecretKey::generate(&mut rng);
    let server = SecretKey::generate(&mut rng);
    let nonce = crypto_box::Nonce::from([3u8; 24]);
    let sealed = SalsaBox::new(&server.public_key(), &client)
        .encrypt(&nonce, message)
        .unwrap();
    let sender = client.public_key().to_bytes();
    bench("crypto_box open 300 B, X25519 included", || {
        let opener = SalsaBox::new(&PublicKey::from(sender), &server);
        opener.decrypt(&nonce, &sealed[..]).unwrap()
    });
    let opener = SalsaBox::new(&client.public_key(), &server);
    bench("crypto_box open 300 B, shared key kept", || {
        opener.decrypt(&nonce, &sealed[..]).unwrap()
    });
    #[cfg(feature = "libsodium")]
    sodium::boxes(message);
}

#[cfg(feature = "libsodium")]
mod sodium {
    //! The same by libsodium.

    use super::bench;

    unsafe extern "C" {
        fn sodium_init() -> i32;
        fn crypto_box_keypair(pk: *mut u8, sk: *mut u8) -> i32;
        fn crypto_box_easy(
            c: *mut u8,
            m: *const u8,
            len: u64,
            n: *const u8,
            pk: *const u8,
            sk: *const u8,
        ) -> i32;
        fn crypto_box_open_easy(
            m: *mut u8,
            c: *const u8,
            len: u64,
            n: *const u8,
            pk: *const u8,
            sk: *const u8,
        ) -> i32;
        fn crypto_sign_keypair(pk: *mut u8, sk: *mut u8) -> i32;
        fn crypto_sign_detached(
            s: *mut u8,
            len_out: *mut u64,
            m: *const u8,
            len: u64,
            sk: *const u8,
        ) -> i32;
        fn crypto_sign_verify_detached(s: *const u8, m: *const u8, len: u64, pk: *const u8) -> i32;
    }

    pub(super) fn sign(message: &[u8]) {
        let (mut public, mut secret) = ([0u8; 32], [0u8; 64]);
        let (mut signature, mut length) = ([0u8; 64], 0u64);
        let (m, m_len) = (message.as_ptr(), message.len() as u64);
        // SAFETY: every buffer has the length libsodium's manual states for it and outlives the call.
        unsafe {
            sodium_init();
            crypto_sign_keypair(public.as_mut_ptr(), secret.as_mut_ptr());
            bench("ed25519 sign (libsodium)", || {
                let s = signature.as_mut_ptr();
                crypto_sign_detached(s, &mut length, m, m_len, secret.as_ptr())
            });
            bench("ed25519 verify (libsodium)", || {
                let s = signature.as_ptr();
                assert_eq!(crypto_sign_verify_detached(s, m, m_len, public.as_ptr()), 0);
            });
        }
    }

    pub(super) fn boxes(message: &[u8]) {
        let (mut pk, mut sk, mut pk2, mut sk2) = ([0u8; 32], [0u8; 32], [0u8; 32], [0u8; 32]);
        let nonce = [3u8; 24];
        let len = message.len() as u64;
        let mut sealed = vec![0u8; message.len() + 16];
        let mut opened = vec![0u8; message.len()];
        // SAFETY: every buffer has the length libsodium's manual states for it and outlives the call.
        unsafe {
            sodium_init();
            crypto_box_keypair(pk.as_mut_ptr(), sk.as_mut_ptr());
            crypto_box_keypair(pk2.as_mut_ptr(), sk2.as_mut_ptr());
            let c = sealed.as_mut_ptr();
            crypto_box_easy(
                c,
                message.as_ptr(),
                len,
                nonce.as_ptr(),
                pk2.as_ptr(),
                sk.as_ptr(),
            );
            bench("crypto_box open 300 B (libsodium)", || {
                let (m, c, n) = (opened.as_mut_ptr(), sealed.as_ptr(), nonce.as_ptr());
                assert_eq!(
                    crypto_box_open_easy(m, c, len + 16, n, pk.as_ptr(), sk2.as_ptr()),
                    0
                );
            });
        }
    }
}
