//! The edit password of a record.

use std::sync::atomic::Ordering;

use crypto::password;
use crypto::secret::Secret;

use crate::rate::{Guard, GuardError, guard_in};
use crate::tables::{NAMES, NameRow, TOX_RECORDS, ToxRecordRow};
use crate::tx::{Tx, in_tx};
use crate::types::{Handle, Name};

use super::row::malformed;
use super::{NameError, Names};

/// [`ToxRecordRow::password_scheme`] of a password hashed by [`password::hash`].
pub(super) const SCHEME_OWN: u32 = 0;
/// That of a password of the original server, as [`password::wrap_legacy`] keeps it.
pub(super) const SCHEME_LEGACY: u32 = 1;

/// A name and what somebody takes for its password, capitals lowered: those we make have none.
pub(super) struct Guess {
    pub(super) name: Name,
    password: Secret<String>,
}

impl Guess {
    pub(super) fn new(name: Name, password: &str) -> Self {
        let password = Secret::new(password.to_lowercase());
        Self { name, password }
    }
}

impl Names<'_> {
    /// Checks a name's edit password, in capitals or not. Every guess is counted in the store before
    /// it is looked at, 10 an hour for a name, whether the name exists or not, on all processes
    /// together. Never stale: a password that another process has just replaced is wrong here too.
    /// Two reads and one fsync a guess.
    ///
    /// # Errors
    /// `Limited`, `WrongPassword` (also for an unknown name) or `Internal`.
    pub async fn check_password(&self, name: &Name, password: &str) -> Result<(), NameError> {
        let guess = Guess::new(name.clone(), password);
        self.charge_guess(name).await?;
        in_tx!(self.0, "check_password", |tx| self
            .unlock_in(tx, &guess)
            .await)?;
        Ok(())
    }

    /// Counts a guess of a name's password, in a unit of work of its own. One fsync.
    ///
    /// # Errors
    /// `Limited` or `Internal`.
    pub(super) async fn charge_guess(&self, name: &Name) -> Result<(), NameError> {
        if !self.0.settings().limits_enabled {
            return Ok(());
        }
        let (guard, now) = (Guard::EditPassword, self.0.now());
        let label = Handle::Name(name.clone()).label(&self.0.ports().label_key);
        let guarded = in_tx!(self.0, "guard_password", |tx| guard_in(
            tx, guard, label.0.0, now
        )
        .await);
        if let Err(GuardError::Limited(_)) = &guarded {
            let refused = &self.0.flood().refused().edit_passwords;
            refused.fetch_add(1, Ordering::Relaxed);
        }
        Ok(guarded?)
    }

    /// Checks a guess; answers the rows of the name, as this unit of work read them. The commit
    /// depends on the name's row: whoever changes the record or its password rewrites that row too,
    /// so a password that is replaced meanwhile does not pass.
    ///
    /// The first right guess of a password that came from an original server hashes it anew, as
    /// those we make: two writes more, once.
    ///
    /// # Errors
    /// `WrongPassword` (also for an unknown name) or `Internal`.
    pub(super) async fn unlock_in(
        &self,
        tx: &mut Tx<'_>,
        guess: &Guess,
    ) -> Result<(NameRow, ToxRecordRow), NameError> {
        let held = tx
            .get(&NAMES, &guess.name)
            .await?
            .ok_or(NameError::WrongPassword)?;
        let identity = held.identity()?;
        let mut record = tx
            .peek(&TOX_RECORDS, &identity)
            .await?
            .ok_or_else(|| malformed("name"))?;
        let salt = self
            .salt_of(&record, &guess.password)
            .ok_or(NameError::WrongPassword)?;
        if record.password_scheme == SCHEME_LEGACY {
            let pepper = &self.0.ports().pepper;
            let hash = password::hash(pepper, &salt, guess.password.expose());
            record.password_hash = hash.to_vec();
            record.password_scheme = SCHEME_OWN;
            tx.put(&NAMES, &guess.name, &held);
            tx.put(&TOX_RECORDS, &identity, &record);
        }
        Ok((held, record))
    }

    /// The salt of the record's password, if this is it.
    fn salt_of(&self, record: &ToxRecordRow, guess: &Secret<String>) -> Option<[u8; 16]> {
        let salt: [u8; 16] = record.password_salt.as_slice().try_into().ok()?;
        let hash: [u8; 32] = record.password_hash.as_slice().try_into().ok()?;
        let verify = match record.password_scheme {
            SCHEME_OWN => password::verify,
            SCHEME_LEGACY => password::verify_legacy,
            _ => return None,
        };
        let pepper = &self.0.ports().pepper;
        verify(pepper, &salt, guess.expose(), &hash).then_some(salt)
    }
}
