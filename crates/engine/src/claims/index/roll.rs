//! All claims in a row, with their names in one text.
//!
//! A claim has a number, its *slot*, as long as its names stay what they are. The names of all slots
//! stand in one text in the order of the slots, each name between two bytes that no text has, so that a
//! search for a part of a name is one run over it; a whole name is found in a table. What is revoked or
//! renamed leaves a dead slot; when as many are dead as live, all is written anew.

use std::collections::{HashMap, HashSet};

use memchr::memmem::Finder;

use crate::claims::{Order, Sort};
use crate::tables::{AvatarRow, ClaimEntry};
use crate::types::{Label, fold};

use super::names::{Names, of_side};
use super::rank::Ranks;
use super::slot::{Slot, Times};

/// Stands before and after each name. No UTF-8 has it.
const BOUND: u8 = 0xff;
/// Dead slots that are never worth writing all anew.
const DEAD_MIN: usize = 1024;

/// The claims of many avatars, or of few.
#[derive(Default)]
pub(crate) struct Roll {
    members: Vec<Member>,
    by_label: HashMap<Label, u32>,
    slots: Vec<Slot>,
    text: Vec<u8>,
    names: Names,
    services: Vec<Box<str>>,
    dead: usize,
}

/// An avatar.
struct Member {
    label: Label,
    revision: u64,
    /// In the order of the claims in its row.
    slots: Vec<u32>,
}

/// What to find.
pub(crate) enum Match<'q> {
    /// Claims of accounts.
    Accounts {
        /// Of this service; `None` for any.
        service: Option<&'q str>,
        /// In lower case; any of them.
        names: &'q [String],
        /// The whole name, or a part of it.
        exact: bool,
    },
    /// All claims of all avatars.
    All,
}

/// Which part of what matches, in which order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) skip: u64,
    pub(crate) limit: usize,
    pub(crate) sort: Sort,
    pub(crate) order: Order,
}

/// One page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Hits {
    /// Claims that match; avatars, where they are sorted by [`Sort::ActivatedAt`].
    pub(crate) total: u64,
    /// The avatars of those on the page, each once.
    pub(crate) labels: Vec<Label>,
}

impl Roll {
    /// The claims of some avatars.
    pub(crate) fn of<'r>(rows: impl IntoIterator<Item = (Label, &'r AvatarRow)>) -> Self {
        let mut roll = Self::default();
        for (label, row) in rows {
            roll.apply(label, row);
        }
        roll
    }

    /// How many claims there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.dead)
    }

    /// Slots there are, dead ones too.
    #[cfg(test)]
    pub(super) fn written(&self) -> usize {
        self.slots.len()
    }

    /// Puts an avatar's claims where those of an older row were; nothing when the row is no newer.
    pub(super) fn apply(&mut self, label: Label, row: &AvatarRow) {
        let at = self.member_of(label);
        let Some(member) = self.members.get_mut(at as usize) else {
            return;
        };
        if row.revision < member.revision {
            return;
        }
        member.revision = row.revision;
        let old = std::mem::take(&mut member.slots);
        let mut new: Vec<u32> = Vec::with_capacity(row.claims.len());
        for claim in &row.claims {
            let times = Times::of(claim, row.activated_at);
            let mut old = old.iter().filter(|slot| !new.contains(slot));
            let same = old.find(|slot| self.is_of(**slot, claim));
            new.push(match same {
                Some(slot) => self.renew(*slot, times),
                None => self.add(at, claim, times),
            });
        }
        for slot in old.iter().filter(|slot| !new.contains(slot)) {
            self.kill(*slot);
        }
        if let Some(member) = self.members.get_mut(at as usize) {
            member.slots = new;
        }
        if self.dead > DEAD_MIN && self.dead * 2 > self.slots.len() {
            self.write_anew();
        }
    }

    /// One page of what matches. A run over the text for each part of a name, a probe for each whole
    /// name, and time in proportion to the matches.
    pub(crate) fn find(&self, sought: &Match<'_>, window: &Window) -> Hits {
        let slots = match sought {
            Match::All => {
                let slots = (0_u32..).zip(&self.slots);
                let live = slots.filter(|(_, slot)| slot.is_live);
                live.map(|(at, _)| at).collect()
            }
            Match::Accounts {
                service,
                names,
                exact,
            } => self.accounts(*service, names, *exact),
        };
        self.page(slots, window)
    }

    fn page(&self, slots: Vec<u32>, window: &Window) -> Hits {
        let by_avatar = window.sort == Sort::ActivatedAt;
        let slots = if by_avatar {
            self.one_of_each(slots)
        } else {
            slots
        };
        let ranks = Ranks::new(self, &slots, window.sort, window.order);
        let skip = usize::try_from(window.skip).unwrap_or(usize::MAX);
        let (mut labels, mut seen) = (Vec::new(), HashSet::new());
        for slot in ranks.page(skip, window.limit) {
            let member = self.slot(slot).map(|slot| slot.member);
            if let Some(member) = member.filter(|member| seen.insert(*member)) {
                labels.extend(self.members.get(member as usize).map(|it| it.label));
            }
        }
        Hits {
            total: slots.len() as u64,
            labels,
        }
    }

    /// The first of each avatar's slots.
    fn one_of_each(&self, mut slots: Vec<u32>) -> Vec<u32> {
        let mut seen = vec![false; self.members.len()];
        slots.retain(|slot| {
            let member = self.slot(*slot).map(|slot| slot.member as usize);
            let seen = member.and_then(|member| seen.get_mut(member));
            seen.is_some_and(|seen| !std::mem::replace(seen, true))
        });
        slots
    }

    /// Slots of accounts, in rising order.
    fn accounts(&self, service: Option<&str>, names: &[String], exact: bool) -> Vec<u32> {
        let service = match service {
            None => None,
            Some(name) => match self.services.iter().position(|known| **known == *name) {
                Some(at) => Some(u16::try_from(at).unwrap_or(u16::MAX)),
                None => return Vec::new(),
            },
        };
        let mut slots = Vec::new();
        for name in names {
            if exact {
                let text_of = |side| text_of(&self.slots, &self.text, side);
                slots.extend(self.names.slots(name.as_bytes(), text_of));
            } else {
                self.search(name.as_bytes(), |slot| slots.push(slot));
            }
        }
        slots.retain(|at| {
            let slot = self.slot(*at).filter(|slot| slot.is_live);
            slot.is_some_and(|slot| service.is_none_or(|service| service == slot.service))
        });
        if exact || names.len() > 1 {
            slots.sort_unstable();
            slots.dedup();
        }
        slots
    }

    /// Tells each slot once that has the needle in its names, in rising order.
    fn search(&self, needle: &[u8], mut tell: impl FnMut(u32)) {
        let finder = Finder::new(needle);
        let (mut from, mut at) = (0_usize, 0_usize);
        while let Some(rest) = self.text.get(from..) {
            let Some(found) = finder.find(rest) else {
                return;
            };
            let found = from.saturating_add(found);
            at = self.slot_at(at, found);
            let Some(slot) = self.slots.get(at) else {
                return;
            };
            if let Ok(at) = u32::try_from(at) {
                tell(at);
            }
            from = slot.end();
            at = at.saturating_add(1);
        }
    }

    /// The slot whose line has this place in the text, looked for from `first` on: in steps that
    /// double, as matches often stand close to each other.
    fn slot_at(&self, first: usize, place: usize) -> usize {
        let is_before = |slot: &Slot| slot.end() <= place;
        let (mut low, mut step) = (first, 1_usize);
        while self
            .slots
            .get(low.saturating_add(step))
            .is_some_and(is_before)
        {
            low = low.saturating_add(step);
            step = step.saturating_mul(2);
        }
        let high = low.saturating_add(step).saturating_add(1);
        let part = self.slots.get(low..high.min(self.slots.len()));
        low.saturating_add(part.unwrap_or_default().partition_point(is_before))
    }

    pub(super) fn slot(&self, at: u32) -> Option<&Slot> {
        self.slots.get(at as usize)
    }

    pub(super) fn label(&self, slot: &Slot) -> Option<Label> {
        let member = self.members.get(slot.member as usize);
        member.map(|member| member.label)
    }

    pub(super) fn service(&self, slot: &Slot) -> &[u8] {
        let name = self.services.get(usize::from(slot.service));
        name.map(|name| name.as_bytes()).unwrap_or_default()
    }

    pub(super) fn identity(&self, slot: &Slot) -> &[u8] {
        slot.identity(&self.text)
    }

    pub(super) fn alt_id(&self, slot: &Slot) -> &[u8] {
        slot.alt_id(&self.text)
    }

    fn member_of(&mut self, label: Label) -> u32 {
        let next = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let at = *self.by_label.entry(label).or_insert(next);
        if at == next {
            self.members.push(Member {
                label,
                revision: 0,
                slots: Vec::new(),
            });
        }
        at
    }

    fn service_of(&mut self, name: &str) -> u16 {
        let known = self.services.iter().position(|known| **known == *name);
        let at = known.unwrap_or_else(|| {
            self.services.push(name.into());
            self.services.len().saturating_sub(1)
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// Whether a slot has this claim's names.
    fn is_of(&self, at: u32, claim: &ClaimEntry) -> bool {
        self.slot(at).is_some_and(|slot| {
            self.service(slot) == claim.service.as_bytes()
                && self.identity(slot) == fold(&claim.identity).as_bytes()
                && self.alt_id(slot) == fold(&claim.alt_id).as_bytes()
        })
    }

    fn renew(&mut self, at: u32, times: Times) -> u32 {
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.times = times;
        }
        at
    }

    fn add(&mut self, member: u32, claim: &ClaimEntry, times: Times) -> u32 {
        let service = self.service_of(&claim.service);
        let names = [fold(&claim.identity), fold(&claim.alt_id)];
        self.push(
            member,
            service,
            names.each_ref().map(|it| it.as_bytes()),
            times,
        )
    }

    fn push(&mut self, member: u32, service: u16, names: [&[u8]; 2], times: Times) -> u32 {
        let at = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let start = self.text.len();
        let bytes = names.map(|name| u16::try_from(name.len()).unwrap_or(u16::MAX));
        for name in names {
            self.text.push(BOUND);
            self.text
                .extend_from_slice(name.get(..usize::from(u16::MAX)).unwrap_or(name));
        }
        self.text.push(BOUND);
        let [identity_bytes, alt_bytes] = bytes;
        self.slots.push(Slot {
            member,
            service,
            identity_bytes,
            alt_bytes,
            is_live: true,
            start,
            times,
        });
        let (slots, text) = (&self.slots, &self.text);
        self.names.add(at, |side| text_of(slots, text, side));
        at
    }

    fn kill(&mut self, at: u32) {
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.is_live = false;
            self.dead = self.dead.saturating_add(1);
        }
    }

    /// Writes slots and text anew without what is dead.
    fn write_anew(&mut self) {
        let slots = std::mem::take(&mut self.slots);
        let text = std::mem::take(&mut self.text);
        self.names = Names::default();
        let mut moved = vec![u32::MAX; slots.len()];
        for (slot, to) in slots.iter().zip(&mut moved) {
            if slot.is_live {
                let names = [slot.identity(&text), slot.alt_id(&text)];
                *to = self.push(slot.member, slot.service, names, slot.times);
            }
        }
        for member in &mut self.members {
            for slot in &mut member.slots {
                *slot = moved.get(*slot as usize).copied().unwrap_or(u32::MAX);
            }
        }
        self.dead = 0;
    }
}

fn text_of<'t>(slots: &[Slot], text: &'t [u8], side: u32) -> &'t [u8] {
    let (slot, is_other) = of_side(side);
    let slot = slots.get(slot as usize);
    let name = slot.map(|slot| match is_other {
        false => slot.identity(text),
        true => slot.alt_id(text),
    });
    name.unwrap_or_default()
}
