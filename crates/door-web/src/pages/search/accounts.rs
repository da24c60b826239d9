//! Accounts elsewhere that a question may be about.

use engine::claims::{ClaimError, Order, Query, Sort};
use engine::types::Avatar;

use crate::State;
use crate::claims::AvatarLine;
use crate::error::Refusal;
use crate::services;
use crate::words::escaped;

/// The service whose accounts are avatars.
const NEXTID: &str = "nextid";
/// Avatars shown of those that claim an account of exactly this name.
const EXACT_ROWS: u32 = 10;
/// Matches on one page of accounts.
const PAGE_ROWS: u32 = 15;
/// Claims shown of one avatar: with the longest names there are, a page has some 100 KB.
const CLAIMS_OF_AVATAR: usize = 4;

/// What somebody asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sought {
    /// A key, in any of its forms.
    Avatar(Box<Avatar>),
    /// An account by its name.
    Account {
        service: Option<String>,
        name: String,
    },
}

/// What is found.
#[derive(Default)]
pub(super) struct Accounts {
    /// Those of exactly the name; the avatar itself, for a key.
    pub(super) exact: Vec<AvatarLine>,
    /// Those with the name in theirs.
    pub(super) parts: Vec<AvatarLine>,
    /// The name without its service.
    pub(super) name: String,
    /// What the service is called, where one was asked for.
    pub(super) service: Option<String>,
    pub(super) is_avatar: bool,
    /// Parts of names cannot be looked for yet.
    pub(super) is_loading: bool,
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
    /// From 1.
    pub(super) number: u64,
}

impl Sought {
    /// Reads `name`, `service/name`, `service:name`, or the key of an avatar. A service is a plain word,
    /// so that a host with a port is none; `https://example.org/` is the account `example.org` at `https`.
    pub(super) fn parse(q: &str) -> Self {
        let (service, name) = match with_service(q) {
            Some((service, name)) => (Some(service), name),
            None => (None, q),
        };
        let is_avatar = service.as_deref().is_none_or(|service| service == NEXTID);
        match Avatar::parse(&name.to_ascii_lowercase()).filter(|_| is_avatar) {
            Some(avatar) => Self::Avatar(Box::new(avatar)),
            None => Self::Account {
                service,
                name: name.trim_start_matches('@').to_owned(),
            },
        }
    }

    /// Whether a name of this directory may be meant, or a Tox ID.
    pub(super) fn may_be_name(&self) -> bool {
        matches!(self, Self::Account { service: None, .. })
    }
}

fn with_service(q: &str) -> Option<(String, &str)> {
    let (word, name) = q.split_once(['/', ':'])?;
    let name = name.trim().trim_matches('/');
    let is_service = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_one = !name.is_empty() && !word.is_empty() && word.bytes().all(is_service);
    is_one.then(|| (word.to_ascii_lowercase(), name))
}

impl Accounts {
    /// A page of accounts. While the index is loading, those of exactly the name.
    ///
    /// # Errors
    /// Our own failures only.
    pub(super) async fn find(
        state: &State,
        q: &str,
        sought: &Sought,
        number: u64,
    ) -> Result<Self, Refusal> {
        let own = Self {
            number,
            ..Self::default()
        };
        match sought {
            Sought::Avatar(avatar) => own.of_avatar(state, avatar).await,
            Sought::Account { service, name } => {
                let own = Self {
                    name: name.clone(),
                    service: service.as_deref().map(|it| services::label(it).to_owned()),
                    ..own
                };
                own.of_accounts(state, q, &query(service.as_deref(), name))
                    .await
            }
        }
    }

    pub(super) fn has_any(&self) -> bool {
        !self.exact.is_empty() || !self.parts.is_empty()
    }

    async fn of_avatar(self, state: &State, avatar: &Avatar) -> Result<Self, Refusal> {
        let found = state.engine.claims().describe(avatar).await?;
        let line = |view| AvatarLine::of(state, view, |_| true, CLAIMS_OF_AVATAR);
        Ok(Self {
            exact: found.iter().map(|found| line(&found.view)).collect(),
            is_avatar: true,
            ..self
        })
    }

    async fn of_accounts(self, state: &State, q: &str, query: &Query) -> Result<Self, Refusal> {
        let whole = Query {
            exact: true,
            per: EXACT_ROWS,
            ..query.clone()
        };
        let exact = match self.number {
            1 => self.lines(state, &whole).await?,
            _ => None,
        };
        let exact = exact.map(|(lines, _)| lines).unwrap_or_default();
        let part = Query {
            page: self.number,
            ..query.clone()
        };
        let Some((mut parts, next)) = self.lines(state, &part).await? else {
            return Ok(Self {
                exact,
                is_loading: true,
                ..self
            });
        };
        parts.retain(|line| exact.iter().all(|shown| shown.path != line.path));
        let link = |page: u64| format!("/search?q={}&accounts={page}", escaped(q));
        Ok(Self {
            exact,
            parts,
            previous: (self.number > 1).then(|| link(self.number - 1)),
            next: next.map(link),
            ..self
        })
    }

    /// The avatars of a page and the number of the next one; `None` while the index is loading.
    async fn lines(
        &self,
        state: &State,
        query: &Query,
    ) -> Result<Option<(Vec<AvatarLine>, Option<u64>)>, Refusal> {
        let page = match state.engine.claims().find(query).await {
            Ok(page) => page,
            Err(ClaimError::Loading) => return Ok(None),
            // Nothing is called that: there is nothing left of it to look for.
            Err(ClaimError::Malformed(_)) => return Ok(Some((Vec::new(), None))),
            Err(error) => return Err(error.into()),
        };
        let is_wanted = |claim: &_| query.is_met_by(claim);
        let lines = page.avatars.iter();
        let lines = lines.map(|view| AvatarLine::of(state, view, is_wanted, CLAIMS_OF_AVATAR));
        let next = Some(page.next).filter(|next| *next > 0);
        Ok(Some((lines.collect(), next)))
    }
}

/// Claims with a text in their names, the newest first.
fn query(service: Option<&str>, name: &str) -> Query {
    Query {
        service: service.map(str::to_owned),
        identities: vec![name.to_owned()],
        exact: false,
        page: 1,
        per: PAGE_ROWS,
        sort: Sort::Default,
        order: Order::Desc,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "02c92f9ca1f97251e1daa07dd8c1e4dd2e9dc10691f28a8b49e52fecb6b05f7d24";

    fn account(service: Option<&str>, name: &str) -> Sought {
        Sought::Account {
            service: service.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_question_names_a_service_by_a_plain_word() {
        for (q, service, name) in [
            ("alice", None, "alice"),
            ("@alice", None, "alice"),
            ("github/alice", Some("github"), "alice"),
            ("GitHub:Alice", Some("github"), "Alice"),
            ("twitter/@alice", Some("twitter"), "alice"),
            ("dns: example.org", Some("dns"), "example.org"),
            ("https://example.org/", Some("https"), "example.org"),
            ("example.org", None, "example.org"),
            ("example.org:8443", None, "example.org:8443"),
            ("example.org/a", None, "example.org/a"),
            ("github/", None, "github/"),
            ("/alice", None, "/alice"),
            ("a b/alice", None, "a b/alice"),
            ("alice@social.example", None, "alice@social.example"),
            ("my-forum/a/b", Some("my-forum"), "a/b"),
            ("nextid/alice", Some("nextid"), "alice"),
            ("@", None, ""),
            ("", None, ""),
        ] {
            assert_eq!(Sought::parse(q), account(service, name), "{q}");
        }
    }

    #[test]
    fn a_key_is_an_avatar_in_every_form() {
        let avatar = Avatar::parse(KEY).unwrap();
        let expected = Sought::Avatar(Box::new(avatar));
        let upper = KEY.to_uppercase();
        let named = format!("nextid:{KEY}");
        for q in [
            KEY,
            &format!("0x{KEY}"),
            &format!("0X{upper}"),
            &upper,
            &named,
        ] {
            assert_eq!(Sought::parse(q), expected, "{q}");
            assert!(!Sought::parse(q).may_be_name());
        }
        assert_eq!(Sought::parse(&KEY[2..]), account(None, &KEY[2..]));
    }
}
