//! What was seen on the way to a post.

use engine::ports::checker::Refusal;

/// The steps of a check, as far as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// The URL that answered.
    pub url: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The author found in it; `None` also when the URL itself says whose it is.
    pub author: Option<String>,
    /// The text found in it.
    pub text: Option<String>,
    /// The signatures found in the text, not decoded.
    pub signatures: Vec<String>,
    /// Why there is no next step; `None` when there is a signature.
    pub refusal: Option<Refusal>,
}
