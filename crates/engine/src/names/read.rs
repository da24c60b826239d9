//! Look up, reverse look-up, search, status.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use crate::limits::NAME_CHARS_MAX;
use crate::ports::rng::draw;
use crate::ports::store::{Freshness, Key};
use crate::table::{Row, Table, TableKey};
use crate::tables::{NAMES, TOX_KEYS, TOX_RECORDS};
use crate::types::{Domain, Name, ToxKey, ToxRecord, Visibility, fold};

use super::index::Search;
use super::row::malformed;
use super::{Caller, Countersigned, Elsewhere, Found, NameError, Names, Resolved};

/// How stale an answer may be; a process always sees its own writes.
pub(super) const STALENESS: Freshness = Freshness::Within(Duration::from_secs(1));

/// Where the name of an address is.
enum Place<'a> {
    Home(&'a str),
    Other { name: &'a str, domain: Domain },
}

/// What anybody may know of the server's use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whole seconds since the process started.
    pub uptime_s: u64,
    /// Look-ups answered, blurred: up to 100 more or less, then rounded up to hundreds.
    pub lookups: u64,
    /// Names in the directory, blurred likewise.
    pub names: u64,
}

impl Names<'_> {
    /// Looks up `name` or `name@domain`, of the home domain only; private records are found too.
    ///
    /// The home domain, and `host` (what the client called this server, with and without its port),
    /// count as home. Two reads, from the record cache when they are there.
    ///
    /// Sees every change this process acknowledged before, and those of other processes at most 1 s
    /// late.
    ///
    /// # Errors
    /// `Malformed` for half an address, `Elsewhere`, `Unknown` or `Internal`.
    pub async fn lookup(&self, address: &str, host: Option<&str>) -> Result<ToxRecord, NameError> {
        match self.place(address, host)? {
            Place::Home(name) => self.at_home(name).await,
            Place::Other { .. } => Err(Elsewhere::Off.into()),
        }
    }

    /// Looks up `name` or `name@domain`. As [`Names::lookup`] at home; of another domain its server
    /// is asked, if this one asks others at all. Never on behalf of another server: what servers ask
    /// each other names no domain.
    ///
    /// An answer of another domain is up to 5 minutes old, its absence 1 minute, its failure 15 s. At
    /// most one request leaves, and none while an equal one is under way. Takes 5 s at most; 10 s when
    /// an equal request was waited for and given up.
    ///
    /// # Errors
    /// As [`Names::lookup`]; `Elsewhere`, `Busy`, or `Limited` when the caller has another server asked
    /// too often.
    pub async fn resolve(
        &self,
        caller: &Caller,
        address: &str,
        host: Option<&str>,
    ) -> Result<Resolved, NameError> {
        match self.place(address, host)? {
            Place::Home(name) => self.at_home(name).await.map(Resolved::Home),
            Place::Other { name, domain } => {
                let name = Name::parse(name).map_err(|_| NameError::Unknown)?;
                self.0.count_lookup();
                let found = self.at_domain(caller, name, domain).await;
                found.map(Resolved::Remote)
            }
        }
    }

    async fn at_home(&self, name: &str) -> Result<ToxRecord, NameError> {
        let name = Name::parse(name).map_err(|_| NameError::Unknown)?;
        self.0.count_lookup();
        self.record(&name).await?.ok_or(NameError::Unknown)
    }

    /// Takes an address apart.
    fn place<'a>(&self, address: &'a str, host: Option<&str>) -> Result<Place<'a>, NameError> {
        if address.is_empty() || address.starts_with('@') || address.ends_with('@') {
            return Err(NameError::Malformed("name is empty or half an address"));
        }
        let Some((name, domain)) = address.rsplit_once('@') else {
            return Ok(Place::Home(address));
        };
        if self.is_home(domain, host) {
            return Ok(Place::Home(name));
        }
        if self.0.ports().remote_names.is_none() {
            return Err(Elsewhere::Off.into());
        }
        let domain = Domain::parse(domain).ok_or(Elsewhere::NotADomain)?;
        // Another spelling of the home domain is home too.
        if domain.as_str() == self.home() {
            return Ok(Place::Home(name));
        }
        Ok(Place::Other { name, domain })
    }

    /// The home domain: what stands after the `@` of every name here.
    #[must_use]
    pub fn home(&self) -> &str {
        &self.0.settings().domain
    }

    fn is_home(&self, domain: &str, host: Option<&str>) -> bool {
        domain.eq_ignore_ascii_case(self.home())
            || host.is_some_and(|host| {
                let bare = host.rsplit_once(':').map_or(host, |(bare, _)| bare);
                domain.eq_ignore_ascii_case(host) || domain.eq_ignore_ascii_case(bare)
            })
    }

    async fn record(&self, name: &Name) -> Result<Option<ToxRecord>, NameError> {
        let Some(held) = self.read(&NAMES, name, STALENESS).await? else {
            return Ok(None);
        };
        // A release between the two reads leaves no record: then the name is unknown.
        let row = self
            .read(&TOX_RECORDS, &held.identity()?, STALENESS)
            .await?;
        Ok(row.map(|row| row.record()).transpose()?)
    }

    /// The name bound to a Tox key, given as 64 hex digits. Private names are not told, nor those that
    /// the key has not proved to hold. As stale as [`Names::lookup`]. One read.
    ///
    /// # Errors
    /// `Malformed` for an empty text, `InvalidId`, `UnknownKey` or `Internal`.
    pub async fn reverse(&self, key: &str) -> Result<Name, NameError> {
        if key.is_empty() {
            return Err(NameError::Malformed("id is empty"));
        }
        let key = ToxKey::parse(key).ok_or(NameError::InvalidId)?;
        let bound = self
            .read(&TOX_KEYS, &key, STALENESS)
            .await?
            .ok_or(NameError::UnknownKey)?;
        if bound.unproven {
            return Err(NameError::UnknownKey);
        }
        match Visibility::from_privacy(bound.visibility.into()) {
            Visibility::Private => Err(NameError::UnknownKey),
            Visibility::Searchable | Visibility::Listed => {
                Ok(Name::parse(&bound.name).map_err(|_| malformed("Tox key"))?)
            }
        }
    }

    /// One page of the searchable names that contain `fragment`, in order, 30 a page, of the first
    /// [`SEARCH_PAGES_MAX`](crate::limits::SEARCH_PAGES_MAX) pages. Two reads a page; the search itself
    /// is in memory, in steps between which others have their turn.
    ///
    /// Sees every change this process acknowledged before. Those of other processes come with the
    /// log: about half a second late, at most 1 s, as long as the log is sequenced and this process
    /// reaches the store. What an answer shows of a name is as stale as [`Names::lookup`], so a name
    /// that has become private or gone is never shown for longer.
    ///
    /// # Errors
    /// `Page` when `page` is `None` (no number from 0 on), `Invalid` when the fragment is absent,
    /// empty or longer than a name, `Loading`, or `Internal`.
    pub async fn search(
        &self,
        fragment: Option<&str>,
        page: Option<u64>,
    ) -> Result<Vec<Found>, NameError> {
        let page = page.ok_or(NameError::Page)?;
        let fragment = fold(fragment.ok_or(NameError::Invalid)?);
        if fragment.is_empty() || fragment.chars().count() > NAME_CHARS_MAX {
            return Err(NameError::Invalid);
        }
        let index = self.0.name_index();
        if !index.is_loaded() {
            return Err(NameError::Loading);
        }
        let mut search = Search::page(&fragment, page);
        index.search_on(&mut search);
        while !search.is_done() {
            give_way().await;
            index.search_on(&mut search);
        }
        self.found(&search.found()).await
    }

    /// Reads what a page of results shows; names that have gone or become private since are left out.
    async fn found(&self, names: &[Name]) -> Result<Vec<Found>, NameError> {
        let keys: Vec<Key> = names.iter().map(|name| NAMES.key(name)).collect();
        let mut records = Vec::with_capacity(keys.len());
        for held in self
            .read_many(&NAMES, &keys, STALENESS)
            .await?
            .into_iter()
            .flatten()
        {
            records.push(TOX_RECORDS.key(&held.identity()?));
        }
        let mut found = Vec::with_capacity(records.len());
        for row in self
            .read_many(&TOX_RECORDS, &records, STALENESS)
            .await?
            .into_iter()
            .flatten()
        {
            let record = row.record()?;
            if record.visibility > Visibility::Private {
                found.push(Found {
                    name: record.name,
                    bio: record.bio,
                    is_proven: record.is_proven,
                });
            }
        }
        Ok(found)
    }

    /// Uptime, look-ups and names, the latter two blurred anew at each call. Look-ups are those of
    /// this process; the count of names is as stale as [`Names::search`]. No reads.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            uptime_s: self.0.uptime().as_secs(),
            lookups: self.blur(self.0.lookups()),
            names: self.blur(self.0.name_index().total()),
        }
    }

    fn blur(&self, count: u64) -> u64 {
        let [byte, other] = draw(self.0.ports().rng.as_ref());
        let noise = u64::from(u16::from_be_bytes([byte, other])) % 201;
        count
            .saturating_add(noise)
            .saturating_sub(100)
            .div_ceil(100)
            .saturating_mul(100)
    }

    /// Signs 64 bytes a stranger chose, with a key that signs nothing else: signature, then bytes.
    ///
    /// # Errors
    /// `Internal` when the key cannot be reached.
    pub fn countersign(&self, memorabilia: &[u8; 64]) -> Result<Countersigned, NameError> {
        let signature = self.0.ports().record_signer.sign(memorabilia)?;
        let mut signed = [0; 128];
        let (front, back) = signed.split_at_mut(64);
        front.copy_from_slice(&signature);
        back.copy_from_slice(memorabilia);
        Ok(signed)
    }

    /// The X25519 key requests are sealed to.
    #[must_use]
    pub fn box_key(&self) -> [u8; 32] {
        self.0.ports().box_key.public_key()
    }

    /// The Ed25519 key memorabilia are signed with.
    #[must_use]
    pub fn sign_key(&self) -> [u8; 32] {
        self.0.ports().record_signer.public_key()
    }

    async fn read<K: TableKey, V: Row>(
        &self,
        table: &Table<K, V>,
        key: &K,
        fresh: Freshness,
    ) -> Result<Option<V>, NameError> {
        let mut rows = self.read_many(table, &[table.key(key)], fresh).await?;
        Ok(rows.pop().flatten())
    }

    pub(super) async fn read_many<K: TableKey, V: Row>(
        &self,
        table: &Table<K, V>,
        keys: &[Key],
        fresh: Freshness,
    ) -> Result<Vec<Option<V>>, NameError> {
        let rows = self.0.ports().store.get_many(keys, fresh).await?;
        let read = |row: Option<(_, bytes::Bytes)>| row.map(|(_, value)| table.read(&value));
        Ok(rows
            .into_iter()
            .map(|row| read(row).transpose())
            .collect::<Result<_, _>>()?)
    }
}

/// Lets whatever else waits for this thread have its turn.
async fn give_way() {
    let mut is_later = false;
    poll_fn(|context| {
        if is_later {
            return Poll::Ready(());
        }
        is_later = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
