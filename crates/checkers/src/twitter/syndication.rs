//! What embedded tweets are made of.

use std::f64::consts::PI;

use engine::nextid::text_of_html;
use engine::ports::checker::Refusal;
use engine::ports::fetch::{Request, Upstream};
use serde::Deserialize;

use super::Tweet;
use crate::answer::Id;
use crate::ask::Ask;
use crate::names::TWITTER_SYNDICATION;

/// Base of the token's digits.
const RADIX: f64 = 36.0;
/// Digits of a fraction of a double in base 36: 52 bits and some leading zeros take far fewer.
const DIGITS_MAX: usize = 64;

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "__typename")]
    kind: Option<String>,
    id_str: Option<Id>,
    text: Option<String>,
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    id_str: Id,
    screen_name: String,
}

/// Reads a tweet.
pub(super) async fn tweet(ask: &Ask<'_>, id: i64) -> Result<Tweet, Refusal> {
    let path = format!("/tweet-result?id={id}&token={}&lang=en", token(id));
    let request = Request::get(Upstream::Named(TWITTER_SYNDICATION), path);
    let fetched = ask
        .get(request.with_header("accept", "application/json"))
        .await?;
    // A tweet that is gone, or that its author shows to few, is an empty object or a tombstone.
    let answer: Answer = ask.json(&fetched.body)?;
    let is_tombstone = answer.kind.as_deref() == Some("TweetTombstone");
    if is_tombstone || (answer.user.is_none() && answer.text.is_none()) {
        return Err(ask.not_found());
    }
    let parts = answer.user.zip(answer.text).zip(answer.id_str);
    let ((user, text), id_str) = parts.ok_or_else(|| ask.nonsense())?;
    if id_str.as_str() != id.to_string() {
        return Err(ask.nonsense());
    }
    Ok(Tweet {
        author: user.screen_name,
        author_id: user.id_str.as_str().to_owned(),
        text: text_of_html(&text),
    })
}

/// The token that goes with a tweet's id: `(id / 1e15 * π).toString(36)` without zeros and point, as
/// the page that embeds tweets computes it.
fn token(id: i64) -> String {
    // The page has no other numbers than these either.
    let value = id as f64 / 1e15 * PI;
    let (whole, fraction) = (value.floor(), value.fract());
    let mut digits = whole_digits(whole);
    digits.extend(fraction_digits(value, fraction));
    let shown = digits.into_iter().filter(|digit| *digit != 0);
    shown
        .filter_map(|digit| char::from_digit(digit, 36))
        .collect()
}

fn whole_digits(mut whole: f64) -> Vec<u32> {
    let mut digits = Vec::new();
    while whole >= 1.0 {
        digits.push(digit(whole % RADIX));
        whole = (whole / RADIX).floor();
    }
    digits.reverse();
    digits
}

/// The shortest digits that no other double has, rounded as JavaScript does (ECMA-262, Number to
/// string: the algorithm of its implementations). A carry into the whole part is lost: it needs a
/// fraction of nothing but the highest digit.
fn fraction_digits(value: f64, mut fraction: f64) -> Vec<u32> {
    let mut delta = (0.5 * (value.next_up() - value)).max(f64::MIN_POSITIVE);
    let mut digits: Vec<u32> = Vec::new();
    while fraction >= delta && digits.len() < DIGITS_MAX {
        fraction *= RADIX;
        delta *= RADIX;
        let next = digit(fraction);
        fraction = fraction.fract();
        digits.push(next);
        let rounds_up = fraction > 0.5 || (fraction == 0.5 && next % 2 == 1);
        if rounds_up && fraction + delta > 1.0 {
            carry(&mut digits);
            break;
        }
    }
    digits
}

/// Adds one to the last digit.
fn carry(digits: &mut Vec<u32>) {
    while let Some(last) = digits.pop() {
        if last < 35 {
            digits.push(last.saturating_add(1));
            return;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is from 0 to below 36; what is behind its point is to be cut off"
)]
fn digit(value: f64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::token;

    #[test]
    fn tokens_are_those_of_a_browser() {
        for (id, expected) in [
            (1, "bhi2ay3f28n"),
            (20, "6dq1a2xwd93"),
            (507185938620219395, "189ddm8u5i"),
            (1504363098328924163, "3na3ghomggp"),
            (1469221200140574720, "3k7p3xsab3"),
            (1790555395041472948, "4c971lepf15"),
            (999999999999999, "353i5ab8p54"),
            (1000000000000000, "353i5ab8p5f"),
            (9223372036854775807, "mcw2svce2ao"),
            (318309886183790, "zzzzzzzzzs"),
        ] {
            assert_eq!(token(id), expected, "{id}");
        }
    }
}
