//! Mastodon and those with its client API.

use engine::nextid::text_of_html;
use engine::ports::checker::{Failure, Refusal};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Account, Post, Server};
use crate::answer::Id;
use crate::ask::refuse;
use crate::post::same;

/// Software that keeps posts at other addresses than Mastodon: that there is none where Mastodon has it
/// says nothing.
const ELSEWHERE: [&str; 2] = ["akkoma", "pleroma"];

#[derive(Deserialize)]
struct Status {
    id: Id,
    account: Author,
    content: String,
    reblog: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Author {
    id: Id,
    /// `user` for one of the server's own, `user@host` for others.
    acct: String,
}

/// Reads a post.
pub(super) async fn post(
    server: &Server<'_>,
    id: &str,
    account: &Account<'_>,
    software: &str,
) -> Result<Post, Refusal> {
    let path = format!("/api/v1/statuses/{id}");
    let fetched = match server.ask.get(server.get(&path)).await {
        Ok(fetched) => fetched,
        // Some servers show their API to their own people only, and the posts to everybody.
        Err(refusal) if refusal.failure == Failure::Unreachable => {
            let shown = object(server, id, account).await;
            let has_none = !ELSEWHERE.contains(&software);
            return shown.map_err(|other| {
                let is_gone = has_none && other.failure == Failure::NotFound;
                if is_gone { other } else { refusal }
            });
        }
        Err(refusal) => return Err(refusal),
    };
    let status: Status = server.ask.json(&fetched.body)?;
    if status.id.as_str() != id {
        return Err(server.ask.nonsense());
    }
    if status.reblog.is_some() {
        return refuse(Failure::WrongAuthor, "the post repeats somebody else's");
    }
    Ok(Post {
        author: status.account.acct,
        author_id: status.account.id.as_str().to_owned(),
        text: text_of_html(&status.content),
    })
}

/// A post as servers send it to each other.
#[derive(Deserialize)]
struct Note {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "attributedTo")]
    author: String,
    content: String,
}

/// Reads a post without the API: it is where Mastodon keeps it.
async fn object(server: &Server<'_>, id: &str, account: &Account<'_>) -> Result<Post, Refusal> {
    let Account { user, host } = account;
    let path = format!("/users/{user}/statuses/{id}");
    let request = server
        .get(&path)
        .with_header("accept", "application/activity+json");
    let fetched = server.ask.get(request).await?;
    let note: Note = server.ask.json(&fetched.body)?;
    let actor = format!("https://{host}/users/{user}");
    let is_asked = same(&note.id, &format!("https://{host}{path}")) && note.kind == "Note";
    if !is_asked || !same(&note.author, &actor) {
        return Err(server.ask.nonsense());
    }
    Ok(Post {
        author: (*user).to_owned(),
        author_id: String::new(),
        text: text_of_html(&note.content),
    })
}
