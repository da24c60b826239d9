//! The oEmbed document of a tweet: a quotation in HTML.

use engine::nextid::text_of_html;
use engine::ports::checker::Refusal;
use engine::ports::fetch::{Request, Upstream};
use serde::Deserialize;
use url::Url;

use super::Tweet;
use crate::ask::{Ask, escaped};
use crate::names::TWITTER_OEMBED;
use crate::post::between;

#[derive(Deserialize)]
struct Answer {
    url: String,
    author_url: String,
    html: String,
}

/// A tweet that only some may see, as its document is refused.
const NOT_PUBLIC: &str = "not authorized to see this status";

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// Reads a tweet. Its text is the paragraph of the quotation; the author's number is not in it.
pub(super) async fn tweet(ask: &Ask<'_>, id: i64, identity: &str) -> Result<Tweet, Refusal> {
    let url = format!("https://twitter.com/{identity}/status/{id}");
    let path = format!("/oembed?url={}&omit_script=1&dnt=1", escaped(&url));
    let request = Request::get(Upstream::Named(TWITTER_OEMBED), path);
    let fetched = ask
        .send(request.with_header("accept", "application/json"))
        .await?;
    let refused = serde_json::from_slice::<Refused>(&fetched.body).ok();
    if fetched.status == 403 && refused.is_some_and(|it| it.error.contains(NOT_PUBLIC)) {
        return Err(ask.not_found());
    }
    let fetched = ask.judge(fetched)?;
    let answer: Answer = ask.json(&fetched.body)?;
    if last_segment(&answer.url).as_deref() != Some(&id.to_string()) {
        return Err(ask.nonsense());
    }
    let author = last_segment(&answer.author_url).ok_or_else(|| ask.nonsense())?;
    let quoted = between(&answer.html, "<p", "</p>").and_then(|from| from.split_once('>'));
    let (_, paragraph) = quoted.ok_or_else(|| ask.nonsense())?;
    Ok(Tweet {
        author,
        author_id: String::new(),
        text: text_of_html(paragraph),
    })
}

/// What a URL of Twitter ends with.
fn last_segment(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let last = url.path_segments()?.next_back()?;
    let is_twitter = matches!(
        url.host_str()?.trim_start_matches("www."),
        "twitter.com" | "x.com" | "mobile.twitter.com"
    );
    (is_twitter && !last.is_empty()).then(|| last.to_owned())
}
