//! hammer
fn main() {}
