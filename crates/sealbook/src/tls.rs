//! TLS from certificate files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::failure::Failure;

/// The certificate in force, and where it came from.
pub(crate) struct Certificates {
    cert: PathBuf,
    key: PathBuf,
    newest: watch::Sender<TlsAcceptor>,
}

impl Certificates {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// Names the file that is at fault.
    pub(crate) fn read(cert: &Path, key: &Path) -> Result<Self, Failure> {
        Ok(Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            newest: watch::Sender::new(acceptor(cert, key)?),
        })
    }

    /// What new connections take.
    pub(crate) fn newest(&self) -> watch::Receiver<TlsAcceptor> {
        self.newest.subscribe()
    }

    /// Reads the files anew, for connections from now on.
    ///
    /// # Errors
    /// Names the file that is at fault; then nothing changes.
    pub(crate) fn reload(&self) -> Result<(), Failure> {
        self.newest.send_replace(acceptor(&self.cert, &self.key)?);
        Ok(())
    }
}

/// Reads certificate and key; HTTP/2 is offered before HTTP/1.1.
fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor, Failure> {
    let chain = chain(cert)?;
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| wrong("tls_key", key, format!("no private key in PEM: {error}")))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::failed(format!("TLS: {error}")))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| {
            let reason = format!("it does not belong to the certificate: {error}");
            wrong("tls_key", key, reason)
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(wrong("tls_cert", path, "no certificate in PEM")),
        Err(error) => Err(wrong("tls_cert", path, error.to_string())),
    }
}

fn wrong(key: &str, path: &Path, reason: impl Into<String>) -> Failure {
    let (path, reason) = (path.display(), reason.into());
    Failure::failed(format!("server.{key}: {path}: {reason}"))
}
