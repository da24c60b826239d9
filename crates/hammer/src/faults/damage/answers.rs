//! Every view that a damaged server has of a name, beside what must be shown.

use anyhow::Result;
use client::bundle::{NameBundle, Status};

use crate::faults::base::{Base, Expected};
use crate::http::{Answer, Connection};
use crate::tox::{self, API, NO_USER, Profile, Record, Reply, UNKNOWN_NAME};

/// What was answered, over many names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    right: u64,
    /// The server said that it cannot tell.
    refused: u64,
    /// A proof that no client accepts: it does not verify, or is older than what was published.
    unaccepted: u64,
    /// Answers that are not those of the newest state, by a server that says it is read-only.
    pub(crate) stale: u64,
    /// Wrong answers without a proof.
    pub(crate) wrong: Vec<String>,
    /// Proofs that verify to something that never was the newest state.
    pub(crate) proven_wrong: Vec<String>,
}

/// What one view shows, where it shows anything.
type Shown = Option<Option<u32>>;

impl Answers {
    /// Takes over the counts of another one.
    pub(crate) fn join(&mut self, other: &Self) {
        self.right += other.right;
        self.refused += other.refused;
        self.unaccepted += other.unaccepted;
        self.stale += other.stale;
    }

    /// The counts in words.
    pub(crate) fn text(&self) -> String {
        format!(
            "{} right, {} refused, {} proofs no client accepts, {} of an earlier state while \
             read-only",
            self.right, self.refused, self.unaccepted, self.stale
        )
    }

    /// Asks for everything there is about a name.
    ///
    /// # Errors
    /// When the server does not answer at all.
    pub(crate) async fn ask(
        &mut self,
        connection: &mut Connection,
        base: &Base,
        number: u64,
    ) -> Result<()> {
        let (profile, expected) = base.expected(number);
        let version = expected.record.map(|record| record.version);
        let lookup = connection.post(API, &tox::lookup(&profile.name)).await?;
        self.note(
            "look-up",
            &profile,
            version,
            lookup_shows(&lookup, &profile),
        );
        let reverse = connection
            .post(API, &tox::reverse(&profile.key_hex()))
            .await?;
        let holds = version.map(|_| 0);
        self.note(
            "reverse look-up",
            &profile,
            holds,
            reverse_shows(&reverse, &profile),
        );
        let search = connection.post(API, &tox::search(&profile.name, 0)).await?;
        self.note("search", &profile, version, search_shows(&search, &profile));
        let proof = connection
            .get(&format!("/log/names/{}", profile.name))
            .await?;
        self.note_proof(&proof, base, &profile, expected);
        Ok(())
    }

    fn note(&mut self, view: &str, profile: &Profile, expected: Option<u32>, shown: Shown) {
        match shown {
            None => self.refused += 1,
            Some(shown) if shown == expected => self.right += 1,
            Some(shown) => {
                let name = &profile.name;
                let what = format!("{name}: {view} shows {shown:?} for {expected:?}");
                self.wrong.push(what);
            }
        }
    }

    fn note_proof(&mut self, answer: &Answer, base: &Base, profile: &Profile, expected: Expected) {
        if answer.status != 200 {
            self.refused += 1;
            return;
        }
        let bundle = NameBundle::parse(&answer.body);
        let verified = bundle.map(|bundle| base.trust.verify(&bundle, &profile.name));
        let Ok(Ok(verified)) = verified else {
            self.unaccepted += 1;
            return;
        };
        if verified.checkpoint.size < base.newest.size {
            self.unaccepted += 1;
            return;
        }
        let (shown, links) = match verified.status {
            Status::Registered(it) => (profile.version_of(&it.tox_id.to_string()), it.seqno),
            Status::Released { seqno } => (None, seqno),
            Status::Absent => (None, 0),
            Status::Withheld { .. } => {
                self.refused += 1;
                return;
            }
        };
        let version = expected.record.map(|record| record.version);
        if (shown, links) == (version, expected.links) {
            self.right += 1;
        } else {
            let name = &profile.name;
            let what = format!("{name}: a proof verifies to {shown:?}, {expected:?} was written");
            self.proven_wrong.push(what);
        }
    }
}

/// A version that nobody wrote.
const NONSENSE: Option<u32> = Some(u32::MAX);

fn lookup_shows(answer: &Answer, profile: &Profile) -> Shown {
    let reply = Reply::read(answer).ok()?;
    match (reply.c, reply.tox_id) {
        (0, Some(id)) => Some(profile.version_of(&id).or(NONSENSE)),
        (NO_USER, _) => Some(None),
        _ => None,
    }
}

fn reverse_shows(answer: &Answer, profile: &Profile) -> Shown {
    let reply = Reply::read(answer).ok()?;
    match (reply.c, reply.name) {
        (0, Some(name)) if name == profile.name => Some(Some(0)),
        (0, _) => Some(NONSENSE),
        (UNKNOWN_NAME, _) => Some(None),
        _ => None,
    }
}

fn search_shows(answer: &Answer, profile: &Profile) -> Shown {
    let reply = Reply::read(answer).ok()?;
    if reply.c != 0 {
        return None;
    }
    let found = reply.users.iter().find(|user| user.name == profile.name);
    Some(found.map(|user| Record::version_in(&user.bio).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let profile = Profile::new("n1".to_owned(), 1, 1);
        let answer = |body: String| Answer {
            status: 200,
            body: body.into_bytes(),
        };
        let found = answer(format!(r#"{{"c": 0, "tox_id": "{}"}}"#, profile.tox_id(2)));
        assert_eq!(lookup_shows(&found, &profile), Some(Some(2)));
        let foreign = answer(r#"{"c": 0, "tox_id": "AB"}"#.to_owned());
        assert_eq!(lookup_shows(&foreign, &profile), Some(NONSENSE));
        assert_eq!(
            lookup_shows(&answer(r#"{"c": -42}"#.to_owned()), &profile),
            Some(None)
        );
        assert_eq!(
            lookup_shows(&answer(r#"{"c": -43}"#.to_owned()), &profile),
            None
        );
        assert_eq!(lookup_shows(&answer("broken".to_owned()), &profile), None);
        let held = answer(r#"{"c": 0, "name": "n1"}"#.to_owned());
        assert_eq!(reverse_shows(&held, &profile), Some(Some(0)));
        let other = answer(r#"{"c": 0, "name": "n2"}"#.to_owned());
        assert_eq!(reverse_shows(&other, &profile), Some(NONSENSE));
        let listed =
            answer(r#"{"c": 0, "users": [{"name": "n1", "bio": "version 3"}]}"#.to_owned());
        assert_eq!(search_shows(&listed, &profile), Some(Some(3)));
        assert_eq!(
            search_shows(&answer(r#"{"c": 0, "users": []}"#.to_owned()), &profile),
            Some(None)
        );
    }

    #[test]
    fn a_wrong_answer_is_counted() {
        let mut answers = Answers::default();
        let profile = Profile::new("n1".to_owned(), 1, 1);
        for shown in [Some(Some(1)), Some(Some(2)), Some(None), None] {
            answers.note("look-up", &profile, Some(2), shown);
        }
        assert_eq!(
            (answers.right, answers.refused, answers.wrong.len()),
            (1, 1, 2)
        );
    }
}
