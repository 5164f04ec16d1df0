//! TLS, with certificates from files. New ones are read on SIGHUP and shown to whoever connects from then on;
//! connections that are there go on with what they have.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use millrace_runtime::lifecycle::hangups;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, ResolvesServerCert, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use tokio_util::sync::CancellationToken;

/// Where the certificates are, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Ours, and those of the authorities between it and a root.
    pub certificate: PathBuf,
    /// The private key of ours.
    pub key: PathBuf,
    /// The authorities whose certificates clients must have, if they must have any. Read at the start only.
    pub client_authorities: Option<PathBuf>,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there, or is not PEM with what is looked for in it.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The key is of another certificate, or of a kind that is not spoken.
    #[error("the certificate and the key: {0}")]
    Pair(#[from] rustls::Error),
    /// The authorities of clients are none.
    #[error("the authorities of clients: {0}")]
    Authorities(#[from] VerifierBuilderError),
}

/// The certificate that is shown, and where the next one will be.
#[derive(Debug)]
pub struct Certificates {
    files: TlsFiles,
    shown: Arc<Shown>,
}

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

/// Reads the files, and prepares to show what is in them.
///
/// # Errors
/// When they cannot be used.
pub fn load(files: TlsFiles) -> Result<(ServerConfig, Certificates), TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let shown = Arc::new(Shown(RwLock::new(Arc::new(read(&files, &provider)?))));
    // Named, because two providers may be compiled in, and rustls would not choose.
    let config =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let config = match &files.client_authorities {
        None => config.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots.add(authority)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            config.with_client_cert_verifier(verifier)
        }
    };
    let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&shown) as _;
    Ok((config.with_cert_resolver(resolver), Certificates { files, shown }))
}

impl Certificates {
    /// Reads the files anew on SIGHUP, until `shutdown`. Files that cannot be used change nothing.
    ///
    /// # Errors
    /// When the process may not install signal handlers.
    pub async fn reload_on_hangup(self, shutdown: CancellationToken) -> io::Result<()> {
        let mut hangups = hangups()?;
        while let Some(Some(())) = shutdown.run_until_cancelled(hangups.recv()).await {
            let result = match read(&self.files, &aws_lc_rs::default_provider()) {
                Ok(new) => {
                    *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
                    tracing::info!("new connections get the certificate that was read");
                    "success"
                }
                Err(error) => {
                    tracing::error!(%error, "the certificate stays the one it was");
                    "failure"
                }
            };
            metrics::counter!("tls_reloads_total", "result" => result).increment(1);
        }
        Ok(())
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The pair, if it is one.
fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|source| unreadable(&files.key, source))?;
    Ok(CertifiedKey::from_der(certificates(&files.certificate)?, key, provider)?)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(none) if none.is_empty() => Err(unreadable(path, pem::Error::NoItemsFound)),
        read => read.map_err(|source| unreadable(path, source)),
    }
}

fn unreadable(path: &Path, source: pem::Error) -> TlsError {
    TlsError::File { path: path.to_owned(), source }
}
