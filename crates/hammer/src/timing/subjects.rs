//! What is measured: each has two classes of inputs that an attacker would like to tell apart.

use std::hint::black_box;

use crypto::boxed::{BoxPublicKey, BoxSecretKey, NONCE_BYTES, TAG_BYTES, open, seal};
use crypto::secret::Secret;
use crypto::{password, token};

use crate::random::Random;

/// One comparison.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// Whether it is the one that must be caught.
    pub(crate) is_control: bool,
    /// Makes it ready, with secrets of its own.
    pub(crate) make: fn(&mut Random) -> Box<dyn Call>,
}

/// A comparison with its secrets.
pub(crate) trait Call {
    /// An input of a class, always of one length.
    fn input(&self, is_second: bool, random: &mut Random) -> Vec<u8>;
    /// What is measured.
    fn run(&self, input: &[u8]) -> bool;
}

/// Everything there is.
pub(crate) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "token: right or random",
        is_control: false,
        make: |random| Box::new(Compare::new(random, token::equal, Guess::Right)),
    },
    Subject {
        name: "token: first byte or last byte",
        is_control: false,
        make: |random| Box::new(Compare::new(random, token::equal, Guess::Last)),
    },
    Subject {
        name: "edit password: right or random",
        is_control: false,
        make: |random| Box::new(EditPassword::new(random)),
    },
    Subject {
        name: "sealed request: tag's first or last",
        is_control: false,
        make: |random| Box::new(SealedTag::new(random)),
    },
    Subject {
        name: "control: stops at the first byte",
        is_control: true,
        make: |random| Box::new(Compare::new(random, naive, Guess::Right)),
    },
];

/// Calls measured as one, so that the clock's grain matters less.
const REPEATS: usize = 8;
const TOKEN_BYTES: usize = 32;

/// What nobody should write.
#[inline(never)]
fn naive(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|pair| black_box(pair.0) == pair.1)
}

/// What the second class guesses; the first is wrong from the first byte on.
#[derive(Clone, Copy)]
enum Guess {
    /// Everything.
    Right,
    /// All but the last byte; the first class then is wrong in its first byte only.
    Last,
}

struct Compare {
    equal: fn(&[u8], &[u8]) -> bool,
    guess: Guess,
    secret: [u8; TOKEN_BYTES],
}

impl Compare {
    fn new(random: &mut Random, equal: fn(&[u8], &[u8]) -> bool, guess: Guess) -> Self {
        Self {
            equal,
            guess,
            secret: random.bytes(),
        }
    }
}

impl Call for Compare {
    fn input(&self, is_second: bool, random: &mut Random) -> Vec<u8> {
        match (self.guess, is_second) {
            (Guess::Right, true) => self.secret.to_vec(),
            (Guess::Right, false) => random.bytes::<TOKEN_BYTES>().to_vec(),
            (Guess::Last, true) => flipped(&self.secret, TOKEN_BYTES - 1),
            (Guess::Last, false) => flipped(&self.secret, 0),
        }
    }

    fn run(&self, input: &[u8]) -> bool {
        (0..REPEATS).fold(true, |all, _| {
            all & (self.equal)(black_box(&self.secret), black_box(input))
        })
    }
}

/// The bytes with one bit of one byte changed.
fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.iter_mut().skip(at).take(1).for_each(|it| *it ^= 1);
    bytes
}

/// `password::verify`, as the edit password of a record is checked.
struct EditPassword {
    pepper: Secret<[u8; 32]>,
    salt: [u8; 16],
    right: Vec<u8>,
    stored: [u8; 32],
}

impl EditPassword {
    fn new(random: &mut Random) -> Self {
        let pepper = Secret::new(random.bytes());
        let salt = random.bytes();
        let right = password::make(&random.bytes());
        Self {
            stored: password::hash(&pepper, &salt, right.expose()),
            right: right.expose().as_bytes().to_vec(),
            pepper,
            salt,
        }
    }
}

impl Call for EditPassword {
    fn input(&self, is_second: bool, random: &mut Random) -> Vec<u8> {
        if is_second {
            return self.right.clone();
        }
        let other = password::make(&random.bytes());
        other.expose().as_bytes().to_vec()
    }

    fn run(&self, input: &[u8]) -> bool {
        let given = std::str::from_utf8(input).unwrap_or_default();
        password::verify(&self.pepper, &self.salt, given, &self.stored)
    }
}

/// A sealed request with a wrong tag: in its first byte, or in its last.
struct SealedTag {
    server: BoxSecretKey,
    client: BoxPublicKey,
    nonce: [u8; NONCE_BYTES],
    sealed: Vec<u8>,
}

impl SealedTag {
    fn new(random: &mut Random) -> Self {
        let server = BoxSecretKey::from_bytes(random.bytes());
        let client = BoxSecretKey::from_bytes(random.bytes());
        let nonce = random.bytes();
        let sealed = seal(&client, &server.public(), &nonce, &random.bytes::<64>());
        Self {
            client: client.public(),
            server,
            nonce,
            sealed: sealed.expect("any key seals to any other that was drawn"),
        }
    }
}

impl Call for SealedTag {
    fn input(&self, is_second: bool, _: &mut Random) -> Vec<u8> {
        // The tag stands first.
        flipped(&self.sealed, if is_second { TAG_BYTES - 1 } else { 0 })
    }

    fn run(&self, input: &[u8]) -> bool {
        open(&self.server, &self.client, &self.nonce, input).is_ok()
    }
}
