//! Where and how files are damaged.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::random::Random;
use crate::tools::files_below;

const PAGE_BYTES: usize = 4096;
/// Draws until a damage changes something.
const TRIES: usize = 1000;

/// Damages one place (or swaps two files) below a folder; says what was done. Only bytes up to a
/// file's last one that is not zero are taken: what is behind is room made beforehand.
pub(super) fn damage(folder: &Path, random: &mut Random) -> Result<String> {
    let files = files(folder)?;
    for _ in 0..TRIES {
        let path = pick(&files, random)?;
        if random.below(4) == 0 {
            let other = pick(&files, random)?;
            if let Some(said) = swap(&path, &other)? {
                return Ok(said);
            }
            continue;
        }
        let before = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        if let Some((after, said)) = alter(before, random) {
            fs::write(&path, after).with_context(|| format!("write {}", path.display()))?;
            return Ok(format!("{}: {said}", path.display()));
        }
    }
    anyhow::bail!("no damage was possible")
}

/// Files that are not empty with their sizes, in the order of their names.
fn files(folder: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let found = files_below(folder)?.into_iter();
    let found = found.map(|(path, state)| (path, state.len()));
    let mut found: Vec<_> = found.filter(|(_, bytes)| *bytes > 0).collect();
    found.sort();
    ensure!(!found.is_empty(), "no file in {}", folder.display());
    Ok(found)
}

/// A file: half the time each is as likely, half the time each byte.
fn pick(files: &[(PathBuf, u64)], random: &mut Random) -> Result<PathBuf> {
    let by_size = random.below(2) == 0;
    let weight = |bytes: u64| if by_size { bytes } else { 1 };
    let total = files.iter().map(|(_, bytes)| weight(*bytes)).sum();
    let mut at = random.below(total);
    for (path, bytes) in files {
        match at.checked_sub(weight(*bytes)) {
            Some(rest) => at = rest,
            None => return Ok(path.clone()),
        }
    }
    anyhow::bail!("no file to pick")
}

/// The content after a flipped bit, a cut, or a page of zeros; `None` if that changes nothing.
fn alter(mut content: Vec<u8>, random: &mut Random) -> Option<(Vec<u8>, String)> {
    let used = content.iter().rposition(|byte| *byte != 0)? + 1;
    let at = usize::try_from(random.below(u64::try_from(used).ok()?)).ok()?;
    let said = match random.below(3) {
        0 => {
            let bit = random.below(8);
            *content.get_mut(at)? ^= 1 << bit;
            format!("bit {bit} of byte {at} of {used} flipped")
        }
        1 => {
            content.truncate(at);
            format!("cut from {used} bytes to {at}")
        }
        _ => {
            let begin = at - at % PAGE_BYTES;
            let end = content.len().min(begin + PAGE_BYTES);
            let page = content.get_mut(begin..end)?;
            if page.iter().all(|byte| *byte == 0) {
                return None;
            }
            page.fill(0);
            format!("the page at {begin} of {used} filled with zeros")
        }
    };
    Some((content, said))
}

fn swap(one: &Path, other: &Path) -> Result<Option<String>> {
    let (first, second) = (fs::read(one)?, fs::read(other)?);
    if first == second {
        return Ok(None);
    }
    fs::write(one, second)?;
    fs::write(other, first)?;
    Ok(Some(format!(
        "{} and {} swapped",
        one.display(),
        other.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_damage_changes_something_and_repeats_with_its_seed() {
        let made = |seed: u64| {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("deep")).unwrap();
            fs::write(
                folder.path().join("a"),
                [vec![7; 9000], vec![0; 100_000]].concat(),
            )
            .unwrap();
            fs::write(folder.path().join("deep/b"), "words").unwrap();
            fs::write(folder.path().join("empty"), "").unwrap();
            damage(folder.path(), &mut Random::new(seed)).unwrap();
            let a = fs::read(folder.path().join("a")).unwrap();
            let b = fs::read(folder.path().join("deep/b")).unwrap();
            let whole = a == [vec![7; 9000], vec![0; 100_000]].concat() && b == b"words";
            assert!(!whole, "seed {seed}");
            (a, b)
        };
        for seed in 0..60 {
            assert_eq!(made(seed), made(seed));
        }
    }
}
