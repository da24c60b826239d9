//! What the web forms do: add a name without a key's proof, change or remove one by its password.

use crate::chain::append::{ChainHead, Stamp};
use crate::ports::rng::draw;
use crate::tables::{CHAIN_HEADS, NAMES, TOMBSTONES, TOX_KEYS, ToxRecordRow};
use crate::tx::{Tx, in_tx};
use crate::types::link::Evidence;
use crate::types::{Bio, Handle, IdentityId, Label, Name, NameFault, ToxId, Visibility};

use super::password::Guess;
use super::release::{Parting, Released};
use super::set::{Change, NewPassword, Owner, Said, set_in};
use super::{Caller, NameError, Names, Pushed, reserved};

/// A record as a form asks for it.
#[derive(Clone, Copy, Debug)]
pub struct AddForm<'f> {
    /// As typed.
    pub name: &'f str,
    /// As typed, 76 hex digits; white space around them does not count.
    pub tox_id: &'f str,
    /// As typed.
    pub bio: &'f str,
    /// Who may find it.
    pub visibility: Visibility,
}

/// What a form changes. What is absent or blank keeps its value.
#[derive(Clone, Copy, Debug)]
pub struct Edit<'f> {
    /// As typed, 76 hex digits; white space around them does not count.
    pub tox_id: Option<&'f str>,
    /// As typed.
    pub bio: Option<&'f str>,
    /// Who may find it.
    pub visibility: Visibility,
}

struct Add {
    name: Name,
    said: Said,
    label: Label,
    tombstone: [u8; 32],
    identity: IdentityId,
    password: NewPassword,
    stamp: Stamp,
    released: Released,
}

struct Changing {
    guess: Guess,
    label: Label,
    tox_id: Option<ToxId>,
    bio: Option<Bio>,
    visibility: Visibility,
    stamp: Stamp,
}

impl Names<'_> {
    /// Registers a name for a Tox ID that nobody proves to hold. The record says so, is not told by
    /// reverse look-up, and gives way to the key: see [`Names::push`]. A key's own wish to have a
    /// name again that it gave up is not proved here either, so everybody waits for it.
    ///
    /// Every attempt is charged to the address as a push. Five reads in one round trip, six writes,
    /// one fsync.
    ///
    /// # Errors
    /// `Limited`; of the form `Character`, `Invalid` or `Malformed`; then `Taken`, for whoever has
    /// the name, `KeyBoundElsewhere` or `Internal`.
    pub async fn add(&self, caller: &Caller, form: AddForm<'_>) -> Result<Pushed, NameError> {
        self.0.flood().charge_push(caller.address)?;
        let name = read_name(form.name)?;
        let said = Said {
            tox_id: read_tox_id(form.tox_id)?,
            bio: read_bio(form.bio)?,
            visibility: form.visibility,
            is_proven: false,
        };
        if reserved::is_reserved(&name) {
            return Err(NameError::Invalid);
        }
        let add = self.adding(name, said);
        let head = in_tx!(self.0, "add_name", |tx| add_in(tx, &add).await)?;
        Ok(Pushed {
            head,
            password: Some(add.password.password),
        })
    }

    fn adding(&self, name: Name, said: Said) -> Add {
        let (password, now) = (NewPassword::make(self.0), self.0.now());
        Add {
            label: self.label(&name),
            tombstone: self.name_hash(&name),
            identity: IdentityId(draw(self.0.ports().rng.as_ref())),
            password,
            stamp: self.stamp(now),
            released: Released {
                release_after: self.0.settings().release_after,
                now,
            },
            name,
            said,
        }
    }

    /// Changes a record by its edit password, which stays. Pointed to another key the record is
    /// unproven, until that key proves itself by a push or a reset of the password; else it stays
    /// what it was.
    ///
    /// Every attempt is charged to the address as a push, and as a guess to the name and the address's
    /// network. Five reads in three round trips, seven writes, two fsyncs.
    ///
    /// # Errors
    /// `Limited`, `Malformed` for a bad Tox ID or bio, `WrongPassword` (also for an unknown name),
    /// `KeyBoundElsewhere` or `Internal`.
    pub async fn edit(
        &self,
        caller: &Caller,
        name: &str,
        password: &str,
        edit: Edit<'_>,
    ) -> Result<ChainHead, NameError> {
        self.0.flood().charge_push(caller.address)?;
        let tox_id = edit.tox_id.filter(|text| !is_blank(text));
        let bio = edit.bio.filter(|text| !is_blank(text));
        // A slip in these costs no guess.
        let tox_id = tox_id.map(read_tox_id).transpose()?;
        let bio = bio.map(read_bio).transpose()?;
        let guess = self.guess(caller, name, password).await?;
        let changing = Changing {
            label: self.label(&guess.name),
            guess,
            tox_id,
            bio,
            visibility: edit.visibility,
            stamp: self.stamp(self.0.now()),
        };
        in_tx!(self.0, "edit_name", |tx| self.edit_in(tx, &changing).await)
    }

    /// Gives a name up by its edit password, as [`Names::release`] does by its key.
    ///
    /// Charged as [`Names::edit`]. Six reads in three round trips, ten writes (eleven on a shared
    /// store), two fsyncs.
    ///
    /// # Errors
    /// `Limited`, `WrongPassword` (also for an unknown name) or `Internal`.
    pub async fn remove(
        &self,
        caller: &Caller,
        name: &str,
        password: &str,
    ) -> Result<(), NameError> {
        self.0.flood().charge_push(caller.address)?;
        let guess = self.guess(caller, name, password).await?;
        let parting = self.parting(Evidence::Password, self.0.now());
        in_tx!(self.0, "remove_name", |tx| self
            .remove_in(tx, &guess, &parting)
            .await)
    }

    /// A guess, charged to its name and the caller's network. What cannot be a name is nobody's.
    async fn guess(&self, caller: &Caller, name: &str, password: &str) -> Result<Guess, NameError> {
        let name = Name::parse(name).map_err(|_| NameError::WrongPassword)?;
        self.charge_guess(caller, &name).await?;
        Ok(Guess::new(name, password))
    }

    fn label(&self, name: &Name) -> Label {
        Handle::Name(name.clone()).label(&self.0.ports().label_key)
    }

    async fn edit_in(&self, tx: &mut Tx<'_>, changing: &Changing) -> Result<ChainHead, NameError> {
        let (held, row) = self.unlock_in(tx, &changing.guess).await?;
        let old = row.record()?;
        let tox_id = changing.tox_id.unwrap_or(old.tox_id);
        let is_same_key = tox_id.key() == old.tox_id.key();
        if !is_same_key && tx.get(&TOX_KEYS, &tox_id.key()).await?.is_some() {
            return Err(NameError::KeyBoundElsewhere);
        }
        let said = Said {
            tox_id,
            bio: changing.bio.clone().unwrap_or(old.bio),
            visibility: changing.visibility,
            is_proven: old.is_proven && is_same_key,
        };
        let change = Change {
            name: &changing.guess.name,
            label: changing.label,
            said: &said,
            owner: Owner::Held(held, row),
            evidence: Evidence::Password,
            stamp: changing.stamp,
        };
        set_in(tx, change).await
    }

    async fn remove_in(
        &self,
        tx: &mut Tx<'_>,
        guess: &Guess,
        parting: &Parting,
    ) -> Result<(), NameError> {
        let (_, row) = self.unlock_in(tx, guess).await?;
        let key = row.record()?.tox_id.key();
        self.part_in(tx, parting, &guess.name, &key).await
    }
}

async fn add_in(tx: &mut Tx<'_>, add: &Add) -> Result<ChainHead, NameError> {
    let key = add.said.tox_id.key();
    tx.prefetch(&[
        NAMES.key(&add.name),
        TOX_KEYS.key(&key),
        TOMBSTONES.key(&add.tombstone),
        CHAIN_HEADS.key(&add.label),
    ])
    .await?;
    if tx.get(&NAMES, &add.name).await?.is_some() {
        return Err(NameError::Taken);
    }
    add.released.take_in(tx, &add.tombstone, None).await?;
    if tx.get(&TOX_KEYS, &key).await?.is_some() {
        return Err(NameError::KeyBoundElsewhere);
    }
    let row = add.password.give(ToxRecordRow::default());
    let change = Change {
        name: &add.name,
        label: add.label,
        said: &add.said,
        owner: Owner::New(add.identity, row),
        evidence: Evidence::Unproven,
        stamp: add.stamp,
    };
    set_in(tx, change).await
}

fn read_name(text: &str) -> Result<Name, NameError> {
    Name::parse(text).map_err(|fault| match fault {
        NameFault::Character => NameError::Character,
        NameFault::Empty | NameFault::TooLong => NameError::Invalid,
    })
}

fn read_tox_id(text: &str) -> Result<ToxId, NameError> {
    ToxId::parse(text.trim()).ok_or(NameError::Malformed(
        "the Tox ID is not 76 hexadecimal digits with a valid checksum",
    ))
}

fn read_bio(text: &str) -> Result<Bio, NameError> {
    Bio::parse(text).ok_or(NameError::Malformed(
        "the bio is longer than 1372 characters",
    ))
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}
