//! What is measured: each has two classes of inputs that an attacker would like to tell apart.

use std::hint::black_box;

use crypto::boxed::{BoxPublicKey, BoxSecretKey, NONCE_BYTES, open, seal};
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

/// A comparison with its secrets. Both classes use the same memory and the same lengths.
pub(crate) trait Call {
    /// Puts the next input in place, which is not measured.
    fn prepare(&mut self, is_second: bool, random: &mut Random);
    /// What is measured.
    fn run(&self) -> bool;
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
    given: [u8; TOKEN_BYTES],
}

impl Compare {
    fn new(random: &mut Random, equal: fn(&[u8], &[u8]) -> bool, guess: Guess) -> Self {
        Self {
            equal,
            guess,
            secret: random.bytes(),
            given: [0; TOKEN_BYTES],
        }
    }
}

impl Call for Compare {
    fn prepare(&mut self, is_second: bool, random: &mut Random) {
        // Drawn for both classes, so that both do the same before they are measured.
        let drawn = random.bytes::<TOKEN_BYTES>();
        let mut near = self.secret;
        let at = if is_second { TOKEN_BYTES - 1 } else { 0 };
        near.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
        self.given = match (self.guess, is_second) {
            (Guess::Right, true) => self.secret,
            (Guess::Right, false) => drawn,
            (Guess::Last, _) => near,
        };
    }

    fn run(&self) -> bool {
        (0..REPEATS).fold(true, |all, _| {
            all & (self.equal)(black_box(&self.secret), black_box(&self.given))
        })
    }
}

/// `password::verify`, as the edit password of a record is checked.
struct EditPassword {
    pepper: Secret<[u8; 32]>,
    salt: [u8; 16],
    right: String,
    stored: [u8; 32],
    given: String,
}

impl EditPassword {
    fn new(random: &mut Random) -> Self {
        let pepper = Secret::new(random.bytes());
        let salt = random.bytes();
        let right = password::make(&random.bytes()).expose().clone();
        let stored = password::hash(&pepper, &salt, &right);
        Self {
            pepper,
            salt,
            given: right.clone(),
            right,
            stored,
        }
    }
}

impl Call for EditPassword {
    fn prepare(&mut self, is_second: bool, random: &mut Random) {
        let other = password::make(&random.bytes());
        let chosen = if is_second {
            &self.right
        } else {
            other.expose()
        };
        self.given.clear();
        self.given.push_str(chosen);
    }

    fn run(&self) -> bool {
        password::verify(
            &self.pepper,
            &self.salt,
            black_box(&self.given),
            &self.stored,
        )
    }
}

/// A sealed request with a wrong tag: in its first byte, or in its last.
struct SealedTag {
    server: BoxSecretKey,
    client: BoxPublicKey,
    nonce: [u8; NONCE_BYTES],
    sealed: Vec<u8>,
    given: Vec<u8>,
}

/// Bytes of a tag, which stands first.
const TAG_BYTES: usize = crypto::boxed::TAG_BYTES;

impl SealedTag {
    fn new(random: &mut Random) -> Self {
        let server = BoxSecretKey::from_bytes(random.bytes());
        let client = BoxSecretKey::from_bytes(random.bytes());
        let nonce = random.bytes();
        let sealed = seal(&client, &server.public(), &nonce, &random.bytes::<64>())
            .expect("any key seals to any other that was drawn");
        Self {
            client: client.public(),
            server,
            nonce,
            given: sealed.clone(),
            sealed,
        }
    }
}

impl Call for SealedTag {
    fn prepare(&mut self, is_second: bool, _: &mut Random) {
        self.given.copy_from_slice(&self.sealed);
        let at = if is_second { TAG_BYTES - 1 } else { 0 };
        let byte = self.given.iter_mut().skip(at).take(1);
        byte.for_each(|byte| *byte ^= 1);
    }

    fn run(&self) -> bool {
        open(
            &self.server,
            &self.client,
            &self.nonce,
            black_box(&self.given),
        )
        .is_ok()
    }
}
