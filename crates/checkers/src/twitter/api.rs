//! API v2.

use crypto::secret::Secret;
use engine::nextid::text_of_html;
use engine::ports::checker::Refusal;
use engine::ports::fetch::{Request, Upstream};
use serde::Deserialize;

use super::Tweet;
use crate::answer::Id;
use crate::ask::Ask;
use crate::names::TWITTER_API;

#[derive(Deserialize)]
struct Tweets {
    #[serde(default)]
    data: Vec<Post>,
    includes: Option<Includes>,
}

#[derive(Deserialize)]
struct Post {
    id: Id,
    author_id: Id,
    text: String,
}

#[derive(Deserialize)]
struct Includes {
    #[serde(default)]
    users: Vec<User>,
}

#[derive(Deserialize)]
struct Users {
    #[serde(default)]
    data: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    id: Id,
    username: String,
}

/// Reads a tweet, and its author where the first answer does not name him.
pub(super) async fn tweet(
    ask: &Ask<'_>,
    token: &Secret<String>,
    id: i64,
) -> Result<Tweet, Refusal> {
    let authorization = format!("Bearer {}", token.expose());
    let path = format!(
        "/2/tweets?ids={id}&expansions=entities.mentions.username,author_id\
         &tweet.fields=text,created_at,entities"
    );
    let fetched = ask.get(request(path, &authorization)).await?;
    let tweets: Tweets = ask.json(&fetched.body)?;
    let asked = id.to_string();
    let post = tweets
        .data
        .into_iter()
        .find(|post| post.id.as_str() == asked);
    let post = post.ok_or_else(|| ask.not_found())?;
    // Those who are mentioned are among the users too.
    let users = tweets.includes.map(|it| it.users).unwrap_or_default();
    let author = match named(users, &post.author_id) {
        Some(author) => author,
        None => author(ask, &authorization, &post.author_id).await?,
    };
    Ok(Tweet {
        author,
        author_id: post.author_id.as_str().to_owned(),
        text: text_of_html(&post.text),
    })
}

async fn author(ask: &Ask<'_>, authorization: &str, id: &Id) -> Result<String, Refusal> {
    if !id.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ask.nonsense());
    }
    let path = format!("/2/users?ids={}&user.fields=username", id.as_str());
    let fetched = ask.get(request(path, authorization)).await?;
    let users: Users = ask.json(&fetched.body)?;
    named(users.data, id).ok_or_else(|| ask.nonsense())
}

fn request(path: String, authorization: &str) -> Request {
    Request::get(Upstream::Named(TWITTER_API), path).with_header("authorization", authorization)
}

fn named(users: Vec<User>, id: &Id) -> Option<String> {
    let user = users.into_iter().find(|user| user.id == *id);
    user.map(|user| user.username)
}
