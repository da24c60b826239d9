//! The edit password: made by the server, shown once, kept as a keyed hash.

use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::token;

/// Random bytes [`make`] consumes.
pub const RANDOM_BYTES: usize = 16;

const CONSONANTS: &[u8; 21] = b"bcdfghjklmnpqrstvwxyz";
const VOWELS: &[u8; 5] = b"aeiou";
const SYLLABLES: usize = 6;
/// Domain separation of [`hash`].
const HASH_DOMAIN: &[u8] = b"sealbook/password/v1";
/// Domain separation of [`wrap_legacy`].
const LEGACY_DOMAIN: &[u8] = b"sealbook/password-legacy/v1";

/// Makes a password of six syllables such as `bab-cec-dif-fog-huj-kal`: 23 characters, each
/// syllable a consonant of `bcdfghjklmnpqrstvwxyz`, a vowel of `aeiou` and a consonant.
///
/// There are 2205^6 of them, about 2^66.6. The 128 random bits are read as one number and taken
/// apart by division, so no password is more likely than another by more than one part in 2^61.
#[must_use]
pub fn make(random: &[u8; RANDOM_BYTES]) -> Secret<String> {
    let mut rest = u128::from_le_bytes(*random);
    // The capacity is final: growing would leave a copy behind in freed memory.
    let mut text = String::with_capacity(SYLLABLES * 4 - 1);
    for position in 0..SYLLABLES {
        if position > 0 {
            text.push('-');
        }
        text.push(take(&mut rest, CONSONANTS));
        text.push(take(&mut rest, VOWELS));
        text.push(take(&mut rest, CONSONANTS));
    }
    Secret::new(text)
}

/// What is stored of a password:
/// `HMAC-SHA-256(pepper, frame("sealbook/password/v1", salt, password))`, framed as
/// [`token::hmac_sha256`] does.
///
/// A slow hash would gain nothing (66 random bits are beyond guessing) and would let strangers
/// burn our time. The password is hashed as given: whoever accepts capitals lowers them first.
#[must_use]
pub fn hash(pepper: &Secret<[u8; 32]>, salt: &[u8; 16], password: &str) -> [u8; 32] {
    token::hmac_sha256(pepper, &[HASH_DOMAIN, salt, password.as_bytes()])
}

/// Whether `password` has the stored hash; takes the same time whichever byte differs.
#[must_use]
pub fn verify(
    pepper: &Secret<[u8; 32]>,
    salt: &[u8; 16],
    password: &str,
    stored: &[u8; 32],
) -> bool {
    let computed = Zeroizing::new(hash(pepper, salt, password));
    token::equal(computed.as_slice(), stored)
}

/// What is stored of a password that the original toxme server keeps as
/// `salt || SHA-512(salt || password)`:
/// `HMAC-SHA-256(pepper, frame("sealbook/password-legacy/v1", salt, SHA-512(salt || password)))`.
///
/// Those passwords have 4 to 6 syllables, so some have only 44 bits: within reach of whoever gets
/// hold of plain SHA-512 hashes. Wrapped, they are worth nothing without the pepper.
#[must_use]
pub fn wrap_legacy(pepper: &Secret<[u8; 32]>, salt: &[u8; 16], digest: &[u8; 64]) -> [u8; 32] {
    token::hmac_sha256(pepper, &[LEGACY_DOMAIN, salt, digest])
}

/// Whether `password` has the stored hash of [`wrap_legacy`]; takes the same time whichever byte
/// differs.
#[must_use]
pub fn verify_legacy(
    pepper: &Secret<[u8; 32]>,
    salt: &[u8; 16],
    password: &str,
    stored: &[u8; 32],
) -> bool {
    let hasher = Sha512::new().chain_update(salt).chain_update(password);
    let digest = Zeroizing::new(<[u8; 64]>::from(hasher.finalize()));
    let computed = Zeroizing::new(wrap_legacy(pepper, salt, &digest));
    token::equal(computed.as_slice(), stored)
}

/// One letter, and the number left after dividing by the alphabet's size.
fn take(rest: &mut u128, alphabet: &[u8]) -> char {
    let size = alphabet.len() as u128;
    let index = usize::try_from(*rest % size).expect("below the alphabet's size");
    *rest /= size;
    char::from(*alphabet.get(index).expect("below the alphabet's size"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_number_is_taken_apart_from_its_low_end() {
        assert_eq!(make(&[0; 16]).expose(), "bab-bab-bab-bab-bab-bab");
        let one_of_each = 1 + 21 * (1 + 5);
        let made = make(&u128::to_le_bytes(one_of_each));
        assert_eq!(made.expose(), "cec-bab-bab-bab-bab-bab");
        let last = make(&u128::to_le_bytes(2205u128.pow(6) - 1));
        assert_eq!(last.expose(), "zuz-zuz-zuz-zuz-zuz-zuz");
        let wrapped = make(&u128::to_le_bytes(2205u128.pow(6)));
        assert_eq!(wrapped.expose(), "bab-bab-bab-bab-bab-bab");
    }

    #[test]
    fn the_bias_is_below_two_to_the_minus_sixty_one() {
        let passwords = 2205u128.pow(6);
        let (often, seldom) = (u128::MAX / passwords + 1, u128::MAX / passwords);
        assert!(seldom >> 61 > 0);
        assert_eq!(often - seldom, 1);
    }

    #[test]
    fn every_letter_can_come() {
        let mut seen = BTreeSet::new();
        for number in 0..2205u128 {
            seen.extend(make(&number.to_le_bytes()).expose()[..3].chars());
        }
        let expected: BTreeSet<char> = CONSONANTS
            .iter()
            .chain(VOWELS)
            .map(|c| char::from(*c))
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_hash_depends_on_pepper_salt_and_password() {
        let (pepper, other) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let stored = hash(&pepper, &[3; 16], "bab-bab");
        assert!(verify(&pepper, &[3; 16], "bab-bab", &stored));
        assert!(!verify(&other, &[3; 16], "bab-bab", &stored));
        assert!(!verify(&pepper, &[4; 16], "bab-bab", &stored));
        assert!(!verify(&pepper, &[3; 16], "bab-bac", &stored));
        assert!(!verify(&pepper, &[3; 16], "", &stored));
    }

    #[test]
    fn an_old_password_is_told_by_its_wrapped_digest() {
        // python3: hashlib.sha512(bytes(range(16)) + b"bab-cec-dif-fog").hexdigest()
        let digest: [u8; 64] = data_encoding::HEXLOWER
            .decode(OLD_DIGEST.as_bytes())
            .unwrap()
            .try_into()
            .unwrap();
        let salt: [u8; 16] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let (pepper, other) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let stored = wrap_legacy(&pepper, &salt, &digest);
        assert!(verify_legacy(&pepper, &salt, "bab-cec-dif-fog", &stored));
        assert!(!verify_legacy(&other, &salt, "bab-cec-dif-fog", &stored));
        assert!(!verify_legacy(
            &pepper,
            &[0; 16],
            "bab-cec-dif-fog",
            &stored
        ));
        assert!(!verify_legacy(&pepper, &salt, "bab-cec-dif-foh", &stored));
        // Neither scheme takes what the other has stored.
        assert!(!verify(&pepper, &salt, "bab-cec-dif-fog", &stored));
        let new = hash(&pepper, &salt, "bab-cec-dif-fog");
        assert!(!verify_legacy(&pepper, &salt, "bab-cec-dif-fog", &new));
    }

    const OLD_DIGEST: &str = "9cfc8a68ed25d36c720579a7c21a32127e814d8dc1a33f5d9932d991cb3355a6\
        a95fd44b7653a0f9a157071f43dad7113abbcd4845b3e138df6ec682ead5d987";

    proptest! {
        #[test]
        fn has_the_promised_shape(random: [u8; 16]) {
            let made = make(&random);
            let syllables: Vec<&str> = made.expose().split('-').collect();
            prop_assert_eq!(syllables.len(), 6);
            for syllable in syllables {
                let letters = syllable.as_bytes();
                prop_assert_eq!(letters.len(), 3);
                prop_assert!(CONSONANTS.contains(&letters[0]));
                prop_assert!(VOWELS.contains(&letters[1]));
                prop_assert!(CONSONANTS.contains(&letters[2]));
            }
        }
    }
}
