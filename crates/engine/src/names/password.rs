//! The edit password of a record.

use std::sync::atomic::Ordering;

use crypto::password;
use crypto::secret::Secret;

use crate::rate::{Guard, GuardError, guard_in, network};
use crate::tables::{NAMES, NameRow, TOX_RECORDS, ToxRecordRow};
use crate::tx::{Tx, in_tx};
use crate::types::{Handle, Name};

use super::row::malformed;
use super::{Caller, NameError, Names};

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
    /// it is looked at, on all processes together, whether the name exists or not: of one name 10 an
    /// hour from a network, an IPv4 /24 or an IPv6 /48, and 1,000 from everywhere. Never stale: a
    /// password that another process has just replaced is wrong here too. Three round trips and one
    /// fsync a guess.
    ///
    /// # Errors
    /// `Limited`, `WrongPassword` (also for an unknown name) or `Internal`.
    pub async fn check_password(
        &self,
        caller: &Caller,
        name: &Name,
        password: &str,
    ) -> Result<(), NameError> {
        let guess = Guess::new(name.clone(), password);
        self.charge_guess(caller, name).await?;
        in_tx!(self.0, "check_password", |tx| self
            .unlock_in(tx, &guess)
            .await)?;
        Ok(())
    }

    /// Counts a guess of a name's password, in a unit of work of its own. Two reads at once, two
    /// writes, one fsync.
    ///
    /// # Errors
    /// `Limited` or `Internal`.
    pub(super) async fn charge_guess(&self, caller: &Caller, name: &Name) -> Result<(), NameError> {
        if !self.0.settings().limits_enabled {
            return Ok(());
        }
        let (ports, now) = (self.0.ports(), self.0.now());
        let label = Handle::Name(name.clone()).label(&ports.label_key).0.0;
        let parts: [&[u8]; 3] = [
            b"sealbook/password-guess/v1",
            &label,
            &network(caller.address),
        ];
        let from = crypto::token::hmac_sha256(&ports.pepper, &parts);
        let guards = [
            (Guard::EditPassword, label),
            (Guard::EditPasswordFrom, from),
        ];
        let guarded = in_tx!(self.0, "guard_password", |tx| guard_in(tx, &guards, now)
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
