//! sealbook
fn main() {}
