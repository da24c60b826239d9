//! Misskey and its descendants.

use engine::ports::checker::Refusal;
use engine::ports::fetch::Request;
use serde::Deserialize;
use serde_json::json;

use super::{Post, Server};
use crate::answer::Id;

/// What is said of a note that is not there, or that its author shows to people of the server only.
const NOT_PUBLIC: [&str; 2] = ["NO_SUCH_NOTE", "CONTENT_RESTRICTED_BY_USER"];

#[derive(Deserialize)]
struct Note {
    id: Id,
    user: User,
    /// None for a note that only repeats another.
    text: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: Id,
    username: String,
    /// None for one of the server's own.
    host: Option<String>,
}

#[derive(Deserialize)]
struct Failed {
    error: Fault,
}

#[derive(Deserialize)]
struct Fault {
    code: String,
}

/// Reads a note.
pub(super) async fn post(server: &Server<'_>, id: &str) -> Result<Post, Refusal> {
    let ask = &server.ask;
    let body = json!({ "noteId": id }).to_string();
    let request = Request::post_json(server.upstream(), "/api/notes/show", body);
    let fetched = ask.send(request).await?;
    let failed = serde_json::from_slice::<Failed>(&fetched.body).ok();
    if failed.is_some_and(|failed| NOT_PUBLIC.contains(&failed.error.code.as_str())) {
        return Err(ask.not_found());
    }
    let fetched = ask.judge(fetched)?;
    let note: Note = ask.json(&fetched.body)?;
    if note.id.as_str() != id {
        return Err(ask.nonsense());
    }
    let author = match note.user.host {
        None => note.user.username,
        Some(host) => format!("{}@{host}", note.user.username),
    };
    Ok(Post {
        author,
        author_id: note.user.id.as_str().to_owned(),
        text: note.text.unwrap_or_default(),
    })
}
