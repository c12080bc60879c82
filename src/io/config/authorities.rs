//! Certificate authorities of a server that no public one vouches for.

use std::path::Path;

use reqwest::Certificate;

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
            "holds no certificate; PEM is wanted, which begins with -----BEGIN CERTIFICATE-----",
        )),
        Ok(found) => Ok(found),
        Err(error) => Err(refuse(&format!("cannot be read: {error}"))),
    }
}
