//! Links libsodium when asked to measure it.
fn main() {
    if std::env::var_os("CARGO_FEATURE_LIBSODIUM").is_some() {
        println!("cargo:rustc-link-lib=dylib=sodium");
    }
}
