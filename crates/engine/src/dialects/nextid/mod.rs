//! What avatars sign and what is read in posts (ProofService spec, sections 3 and 5).
//!
//! Payloads are signed byte for byte, so there is one way to write each. What is read from posts is
//! bounded in length and taken apart by hand: other people write it.

mod base1024;
mod created_at;
mod dns_txt;
mod escape;
mod html;
mod lines;
mod payload;
mod post;
mod restore;
mod signature_text;
mod steam_id;
mod subkey;

pub use base1024::{Base1024Fault, decode as decode_base1024, encode as encode_base1024};
pub use created_at::parse_created_at;
pub use dns_txt::{DnsPost, parse_dns_txt};
pub use escape::push_json_text;
pub use html::text_of_html;
pub use lines::{line_signature, steam_signatures, title_signature};
pub use payload::{Payload, PayloadFault, PayloadFields, sign_payload};
pub use post::{TwitterPost, twitter_post};
pub use restore::{RestoreFault, Restoring, restore_avatar};
pub use signature_text::{decode_base64, decode_signature, encode_signature};
pub use steam_id::{SteamId, SteamIdFault};
pub use subkey::{SubkeyAlgorithm, SubkeyKey, subkey_payload};
