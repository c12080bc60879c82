//! Certificate authorities of a server that no public one vouches for.

use std::path::Path;

use reqwest::{Certificate, Client, ClientBuilder};

use super::ConfigError;
use super::key::from_home;

/// Largest file of certificates that is read, in bytes; a whole system's store is smaller.
const MAX_FILE: u64 = 4 << 20;

/// Reads a file of certificates (PEM), which must hold at least one.
pub(super) fn read(path: &Path) -> Result<Vec<Certificate>, ConfigError> {
    let path = from_home(path);
    let refuse = |why: &str| ConfigError(format!("certificate file {}: {why}", path.display()));
    let size = std::fs::metadata(&path)
        .map_err(|error| refuse(&error.to_string()))?
        .len();
    if size > MAX_FILE {
        return Err(refuse("is larger than any certificate store"));
    }
    let bytes = std::fs::read(&path).map_err(|error| refuse(&error.to_string()))?;
    match Certificate::from_pem_bundle(&bytes) {
        Ok(found) if found.is_empty() => Err(refuse(
            "holds no certificate; PEM is wanted, which begins with BEGIN CERTIFICATE",
        )),
        // What stands in a certificate is only looked at when a client is made of it.
        Ok(found) => match client(&found) {
            Ok(_) => Ok(found),
            Err(error) => Err(refuse(&format!(
                "holds no sound certificate: {}",
                cause(&error)
            ))),
        },
        Err(error) => Err(refuse(&format!("cannot be read: {}", cause(&error)))),
    }
}

fn client(authorities: &[Certificate]) -> reqwest::Result<Client> {
    let bare = Client::builder().tls_built_in_root_certs(false).no_proxy();
    let builder = authorities
        .iter()
        .cloned()
        .fold(bare, ClientBuilder::add_root_certificate);
    builder.build()
}

/// The innermost reason, as the outer ones only say that there is one.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
