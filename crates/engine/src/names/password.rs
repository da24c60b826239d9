//! The edit password of a record.

use std::sync::atomic::Ordering;

use crypto::password;

use crate::ports::store::Freshness;
use crate::rate::{Guard, GuardError, guard_in};
use crate::tables::{NAMES, TOX_RECORDS};
use crate::tx::in_tx;
use crate::types::{Handle, Name};

use super::{NameError, Names};

impl Names<'_> {
    /// Checks a name's edit password. Every guess is counted in the store before it is looked at,
    /// 10 an hour for a name, whether the name exists or not, on all processes together. Never
    /// stale: a password that another process has just replaced is wrong here too. Two reads and one
    /// fsync a guess.
    ///
    /// # Errors
    /// `Limited`, `WrongPassword` (also for an unknown name) or `Internal`.
    pub async fn check_password(&self, name: &Name, password: &str) -> Result<(), NameError> {
        let ports = self.0.ports();
        let now = self.0.now();
        let label = Handle::Name(name.clone()).label(&ports.label_key);
        let guard = Guard::EditPassword;
        if self.0.settings().limits_enabled {
            let guarded = in_tx!(self.0, "guard_password", |tx| guard_in(
                tx, guard, label.0.0, now
            )
            .await);
            if let Err(GuardError::Limited(_)) = &guarded {
                let refused = &self.0.flood().refused().edit_passwords;
                refused.fetch_add(1, Ordering::Relaxed);
            }
            guarded?;
        }
        let held = self
            .read(&NAMES, name, Freshness::Now)
            .await?
            .ok_or(NameError::WrongPassword)?;
        let row = self
            .read(&TOX_RECORDS, &held.identity()?, Freshness::Now)
            .await?;
        let row = row.ok_or(NameError::WrongPassword)?;
        let salt: Option<[u8; 16]> = row.password_salt.as_slice().try_into().ok();
        let hash: Option<[u8; 32]> = row.password_hash.as_slice().try_into().ok();
        let (Some(salt), Some(hash)) = (salt, hash) else {
            return Err(NameError::WrongPassword);
        };
        if password::verify(&ports.pepper, &salt, password, &hash) {
            Ok(())
        } else {
            Err(NameError::WrongPassword)
        }
    }
}
