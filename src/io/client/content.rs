//! What a request carries, and what of it is a secret: the service may repeat that as it refuses it.

use secrecy::{ExposeSecret, SecretString};

use super::masking::Masking;
use crate::domain::MASK;

/// The body of a request.
pub struct Content {
    pub text: String,
    pub secrets: Secrets,
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self {
            text,
            secrets: Secrets::default(),
        }
    }
}

impl Content {
    /// One that carries these secrets.
    pub fn with<'a>(text: String, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let secrets = secrets.into_iter().map(SecretString::from).collect();
        Self {
            text,
            secrets: Secrets(secrets),
        }
    }
}

/// Secrets that went with a request, on top of the API key.
#[derive(Default)]
pub struct Secrets(Vec<SecretString>);

impl Secrets {
    /// An answer without them, or a mark alone where one of them cannot be looked for. Before it is
    /// cut: what is left of a secret then would not be found.
    pub fn masked(&self, answer: Vec<u8>) -> Vec<u8> {
        let mut clean = answer;
        for secret in &self.0 {
            let whole = secret.expose_secret();
            // A service may repeat a part alone: the key behind its mark, the token behind its scheme.
            let bare = whole.strip_prefix("whsec_");
            let parts = whole.split_ascii_whitespace();
            for text in [whole].into_iter().chain(bare).chain(parts) {
                let Ok(masking) = Masking::new(Some(&SecretString::from(text))) else {
                    return MASK.into();
                };
                clean = masking.owned(clean);
            }
        }
        clean
    }
}
