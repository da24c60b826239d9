//! A value that must not leak: not into logs, not into answers, not into freed memory.

use std::fmt;

use zeroize::Zeroize;

/// Holds a secret: prints as `Secret(..)`, cannot be cloned or serialised, and overwrites itself
/// when dropped.
///
/// It is deliberately not comparable: use [`crate::token::equal`] on what [`expose`](Self::expose)
/// gives.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes charge of a secret. Copies the caller made before are the caller's to wipe.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The secret itself, to be used at once and not kept.
    #[must_use]
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    struct Witness(Rc<Cell<u32>>);

    impl Zeroize for Witness {
        fn zeroize(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn is_wiped_once_when_dropped() {
        let wiped = Rc::new(Cell::new(0));
        drop(Secret::new(Witness(Rc::clone(&wiped))));
        assert_eq!(wiped.get(), 1);
    }

    #[test]
    fn prints_nothing_of_its_content() {
        let secret = Secret::new("bab-bab".to_owned());
        assert_eq!(format!("{secret:?} {secret:#?}"), "Secret(..) Secret(..)");
        assert_eq!(secret.expose(), "bab-bab");
    }
}
