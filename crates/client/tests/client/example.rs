//! The worked example of docs/LOG-FORMAT.md.
