//! How the database's certificate is verified.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::OpenError;
use crate::files::read_small;

/// Largest file of authorities: some thousands.
const CA_FILE_BYTES_MAX: u64 = 8 << 20;

/// What encrypts connections: trusts the authorities in `ca_file`, or the system's. Where nothing
/// is encrypted it is asked for nothing, and trusts nobody.
///
/// # Errors
/// When the authorities cannot be read, or there are none.
pub(crate) fn connector(tls: bool, ca_file: Option<&Path>) -> Result<MakeRustlsConnect, OpenError> {
    let roots = match (tls, ca_file) {
        (false, _) => RootCertStore::empty(),
        (true, Some(path)) => roots_of(path)?,
        (true, None) => system_roots()?,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::Authorities(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn roots_of(path: &Path) -> Result<RootCertStore, OpenError> {
    let unreadable = |said: String| OpenError::Authorities(format!("{}: {said}", path.display()));
    let bytes =
        read_small(path, CA_FILE_BYTES_MAX).map_err(|error| unreadable(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| unreadable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unreadable("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, OpenError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _unusable) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let said = found.errors.first().map_or_else(
            || {
                "the system has none; name a file by store.ca_file, or sslrootcert in the URL"
                    .to_owned()
            },
            ToString::to_string,
        );
        return Err(OpenError::Authorities(said));
    }
    Ok(roots)
}
