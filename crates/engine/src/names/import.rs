//! Records of another toxme server, taken over by the operator.

use crypto::password;
use crypto::secret::Secret;

use crate::chain::append::{ChainHead, Stamp, head_in};
use crate::error::Internal;
use crate::ports::rng::draw;
use crate::ports::store::Key;
use crate::tables::{CHAIN_HEADS, NAMES, NameRow, TOX_KEYS, TOX_RECORDS, ToxRecordRow};
use crate::tx::{Tx, in_tx};
use crate::types::link::Evidence;
use crate::types::{Bio, Handle, IdentityId, Label, Name, ToxId, UnixMillis, Visibility};

use super::password::SCHEME_LEGACY;
use super::row::malformed;
use super::set::{Change, Owner, Said, set_in};
use super::{NameError, Names, reserved};

/// A record as another server had it.
pub struct Imported {
    /// Its name.
    pub name: Name,
    /// Where it points.
    pub tox_id: ToxId,
    /// A few words.
    pub bio: Bio,
    /// Who may find it.
    pub visibility: Visibility,
    /// When it was last changed there; what lies ahead of our clock counts as now. `None` is now.
    pub changed_at: Option<UnixMillis>,
    /// Its edit password; without one the record is changed by its key alone.
    pub password: Option<LegacyPassword>,
}

/// An edit password as the original server keeps it.
pub struct LegacyPassword {
    /// Random, one for each record.
    pub salt: [u8; 16],
    /// SHA-512 of the salt and then the password.
    pub digest: Secret<[u8; 64]>,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is a record of this directory now, by this link of this subject's chain. Of a record that
    /// was only foreseen: it would be, and this would be its first link.
    New(Label, ChainHead),
    /// The name is here with the same Tox ID, bio and visibility. Nothing was written.
    Same,
    /// The name is here with the same key, but Tox ID, bio or visibility differ: it was changed here
    /// or there since. It stays as it is here.
    Changed,
    /// The name is here with another key.
    Taken,
    /// The key is bound to another name here.
    KeyBoundElsewhere,
    /// The name was given up here. No import brings it back.
    Released,
    /// Nobody may have the name.
    Reserved,
}

/// All one record needs inside the unit of work.
struct Command<'r> {
    record: &'r Imported,
    label: Label,
    identity: IdentityId,
    row: ToxRecordRow,
    stamp: Stamp,
}

impl Names<'_> {
    /// Takes records over, all that can be in one unit of work, and says what became of each, in
    /// their order. Each new record is one link, with the operator's word as its evidence. The link
    /// and its entry have the time of this call, as nobody here can vouch for an earlier one; the
    /// record keeps the time it was last changed.
    ///
    /// Nobody proved anything to this server, so the records are unproven until their keys seal a
    /// push. But they are vouched for: reverse look-up tells them, their keys stay bound, and a push
    /// keeps their passwords.
    ///
    /// May be repeated: what is here already is told apart and left alone. Two reads (three where
    /// names are here already) and one fsync a call, six writes a record. For up to
    /// [`IMPORT_RECORDS_MAX`](crate::limits::IMPORT_RECORDS_MAX) records at once.
    ///
    /// # Errors
    /// Our own failures only; then none is here, or all are, which a repetition tells.
    pub async fn import(&self, records: &[Imported]) -> Result<Vec<Fate>, Internal> {
        let commands = self.commands(records);
        in_tx!(self.0, "import_names", |tx| import_in(tx, &commands).await)
    }

    /// What [`Names::import`] would make of records now. Writes nothing.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn foresee(&self, records: &[Imported]) -> Result<Vec<Fate>, Internal> {
        let commands = self.commands(records);
        let unit = self.0.unit();
        import_in(&mut Tx::begin(&unit), &commands).await
    }

    fn commands<'r>(&self, records: &'r [Imported]) -> Vec<Command<'r>> {
        let (ports, now) = (self.0.ports(), self.0.now());
        let rng = ports.rng.as_ref();
        let command = |record: &'r Imported| Command {
            label: Handle::Name(record.name.clone()).label(&ports.label_key),
            identity: IdentityId(draw(rng)),
            row: row_of(record, &ports.pepper, now),
            stamp: Stamp {
                salt: draw(rng),
                at: now,
            },
            record,
        };
        records.iter().map(command).collect()
    }
}

fn row_of(record: &Imported, pepper: &Secret<[u8; 32]>, now: UnixMillis) -> ToxRecordRow {
    let row = ToxRecordRow {
        vouched: true,
        changed_at_ms: record.changed_at.map_or(now, |at| at.min(now)).0,
        ..ToxRecordRow::default()
    };
    let Some(LegacyPassword { salt, digest }) = &record.password else {
        return row;
    };
    let hash = password::wrap_legacy(pepper, salt, digest.expose());
    ToxRecordRow {
        password_salt: salt.to_vec(),
        password_hash: hash.to_vec(),
        password_scheme: SCHEME_LEGACY,
        ..row
    }
}

async fn import_in(tx: &mut Tx<'_>, commands: &[Command<'_>]) -> Result<Vec<Fate>, Internal> {
    prefetch_in(tx, commands).await?;
    let mut fates = Vec::with_capacity(commands.len());
    for command in commands {
        fates.push(import_one_in(tx, command).await?);
    }
    Ok(fates)
}

/// Reads all that the records may meet: names, keys and chain heads in one round trip, then the
/// records of names that are here.
async fn prefetch_in(tx: &mut Tx<'_>, commands: &[Command<'_>]) -> Result<(), Internal> {
    let mut keys = Vec::with_capacity(commands.len().saturating_mul(3));
    for command in commands {
        keys.push(NAMES.key(&command.record.name));
        keys.push(TOX_KEYS.key(&command.record.tox_id.key()));
        keys.push(CHAIN_HEADS.key(&command.label));
    }
    tx.prefetch(&keys).await?;
    let mut keys: Vec<Key> = Vec::new();
    for command in commands {
        if let Some(held) = tx.peek(&NAMES, &command.record.name).await? {
            keys.push(TOX_RECORDS.key(&held.identity()?));
        }
    }
    if !keys.is_empty() {
        tx.prefetch(&keys).await?;
    }
    Ok(())
}

async fn import_one_in(tx: &mut Tx<'_>, command: &Command<'_>) -> Result<Fate, Internal> {
    let record = command.record;
    let key = record.tox_id.key();
    if reserved::is_reserved(&record.name) {
        return Ok(Fate::Reserved);
    }
    if let Some(held) = tx.get(&NAMES, &record.name).await? {
        return compare_in(tx, record, &held).await;
    }
    if tx.get(&TOX_KEYS, &key).await?.is_some() {
        return Ok(Fate::KeyBoundElsewhere);
    }
    if head_in(tx, command.label).await?.is_some() {
        return Ok(Fate::Released);
    }
    let said = Said {
        tox_id: record.tox_id,
        bio: record.bio.clone(),
        visibility: record.visibility,
        is_proven: false,
    };
    let change = Change {
        name: &record.name,
        label: command.label,
        said: &said,
        owner: Owner::New(command.identity, command.row.clone()),
        evidence: Evidence::Operator,
        stamp: command.stamp,
    };
    let head = set_in(tx, change).await.map_err(not_set)?;
    Ok(Fate::New(command.label, head))
}

fn not_set(error: NameError) -> Internal {
    if let NameError::Internal(internal) = error {
        return internal;
    }
    Internal::new("setting an imported record", error)
}

/// Compares a record with the one that its name has here.
async fn compare_in(tx: &mut Tx<'_>, record: &Imported, held: &NameRow) -> Result<Fate, Internal> {
    // The name's row, which this unit of work checks, guards the record.
    let row = tx.peek(&TOX_RECORDS, &held.identity()?).await?;
    let row = row.ok_or_else(|| malformed("Tox record"))?;
    let here = row.record()?;
    // Whoever gave it without its key has the password, whatever the record says.
    let is_by_another = row.unproven && !row.vouched;
    let is_same = here.tox_id == record.tox_id
        && here.bio == record.bio
        && here.visibility == record.visibility;
    Ok(if is_by_another {
        Fate::Taken
    } else if is_same {
        Fate::Same
    } else if here.tox_id.key() == record.tox_id.key() {
        Fate::Changed
    } else {
        Fate::Taken
    })
}
