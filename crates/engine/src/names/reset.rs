//! A new edit password for whoever holds the key.

use crypto::secret::Secret;

use crate::chain::append::Stamp;
use crate::dialects::toxme;
use crate::tables::{NAMES, TOX_RECORDS};
use crate::tx::{Tx, in_tx};
use crate::types::link::Evidence;
use crate::types::{Handle, Kid};

use super::release::{OpenedOrder, bound_in};
use super::row::malformed;
use super::set::{Change, NewPassword, Owner, Said, set_in};
use super::{Caller, NameError, Names, Sealed};

struct Reset {
    order: OpenedOrder,
    password: NewPassword,
    stamp: Stamp,
}

impl Names<'_> {
    /// Gives the record of the key that sealed the request a new edit password; the old one is wrong
    /// from then on.
    ///
    /// A password is no part of the identity, so no link says that it changed: what the record says
    /// did not. But an unproven record is proven by the request, and one link says that.
    ///
    /// Charged to the address as a push, an unreadable envelope (`None`) included. Four reads in four
    /// round trips, three writes, one fsync; seven writes for a record that was unproven.
    ///
    /// # Errors
    /// `Limited`, `Malformed`, `UnknownKey` or `Internal`.
    pub async fn reset_password(
        &self,
        caller: &Caller,
        sealed: Option<Sealed>,
    ) -> Result<Secret<String>, NameError> {
        self.0.flood().charge_push(caller.address)?;
        let order = self.open_order(sealed, toxme::Order::Reset)?;
        let reset = Reset {
            stamp: self.stamp(order.at),
            password: NewPassword::make(self.0),
            order,
        };
        in_tx!(self.0, "reset_password", |tx| self
            .reset_in(tx, &reset)
            .await)?;
        Ok(reset.password.password)
    }

    async fn reset_in(&self, tx: &mut Tx<'_>, reset: &Reset) -> Result<(), NameError> {
        let name = bound_in(tx, &reset.order).await?;
        let held = tx
            .get(&NAMES, &name)
            .await?
            .ok_or_else(|| malformed("Tox key"))?;
        let identity = held.identity()?;
        let old = tx
            .peek(&TOX_RECORDS, &identity)
            .await?
            .ok_or_else(|| malformed("name"))?;
        let record = old.record()?;
        let row = reset.password.give(old);
        if record.is_proven {
            // The name's row guards the password too: written as it is, it gets a new version.
            tx.put(&NAMES, &name, &held);
            tx.put(&TOX_RECORDS, &identity, &row);
            return Ok(());
        }
        let said = Said {
            tox_id: record.tox_id,
            bio: record.bio,
            visibility: record.visibility,
            is_proven: true,
        };
        let change = Change {
            name: &name,
            label: Handle::Name(name.clone()).label(&self.0.ports().label_key),
            said: &said,
            owner: Owner::Held(held, row),
            evidence: Evidence::Boxed {
                kid: Some(Kid::curve25519(&reset.order.key.0)),
            },
            stamp: reset.stamp,
        };
        set_in(tx, change).await?;
        Ok(())
    }
}
