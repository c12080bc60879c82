//! One endpoint as the ledger keeps it: what a client said of it, its secrets, its headers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::clock::rfc3339;
use super::super::port::{EndpointSpec, Refusal};
use crate::wire::bodies::{EndpointBody, HeadersBody};
use crate::wire::signature::Secret;

/// Old secrets that are still signed with, at most (Svix: 10).
const MOST_OLD_SECRETS: usize = 10;
/// Names whose values are never given back (svix.md part 2, seen on a real server).
const SENSITIVE: [&str; 5] = [
    "authorization",
    "x-api-key",
    "x-auth-token",
    "proxy-authorization",
    "cookie",
];

/// Where messages go.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub spec: EndpointSpec,
    secret: Secret,
    /// Secrets from before rotations, newest first, each with when it ends.
    old_secrets: Vec<(Secret, i64)>,
    headers: BTreeMap<String, String>,
    created_us: i64,
    updated_us: i64,
    /// Since when messages exhaust their schedule here, with no success between.
    pub failing_since_us: Option<i64>,
}

impl Endpoint {
    pub fn new(spec: EndpointSpec, secret: Secret, now_us: i64) -> Self {
        Self {
            spec,
            secret,
            old_secrets: Vec::new(),
            headers: BTreeMap::new(),
            created_us: now_us,
            updated_us: now_us,
            failing_since_us: None,
        }
    }

    /// Notes that something of it was changed; the time never stands still.
    pub fn touch(&mut self, now_us: i64) {
        self.updated_us = now_us.max(self.updated_us + 1);
    }

    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// What requests are signed with: the secret, then older ones that have not ended.
    pub fn signing_secrets(&self, now_us: i64) -> Vec<Secret> {
        let old = self.old_secrets.iter();
        let valid = old.filter(|(_, ends_us)| *ends_us > now_us);
        std::iter::once(&self.secret)
            .chain(valid.map(|(secret, _)| secret))
            .cloned()
            .collect()
    }

    /// Takes a new secret; the one before stays valid for the grace period.
    pub fn rotate(&mut self, secret: Secret, grace: Duration, now_us: i64) -> Result<(), Refusal> {
        self.old_secrets.retain(|(_, ends_us)| *ends_us > now_us);
        if self.old_secrets.len() >= MOST_OLD_SECRETS {
            let text = format!("at most {MOST_OLD_SECRETS} old secrets may still be valid");
            return Err(Refusal::Limit(text));
        }
        let old = std::mem::replace(&mut self.secret, secret);
        let grace_us = i64::try_from(grace.as_micros()).unwrap_or(i64::MAX);
        self.old_secrets
            .insert(0, (old, now_us.saturating_add(grace_us)));
        self.touch(now_us);
        Ok(())
    }

    pub fn headers(&self) -> &BTreeMap<String, String> {
        &self.headers
    }

    pub fn set_headers(&mut self, headers: BTreeMap<String, String>, now_us: i64) {
        self.headers = headers;
        self.touch(now_us);
    }

    /// The headers as they are told: of sensitive ones only that they are there.
    pub fn headers_body(&self) -> HeadersBody {
        let is_sensitive = |name: &str| {
            SENSITIVE
                .iter()
                .any(|sensitive| name.eq_ignore_ascii_case(sensitive))
        };
        let (sensitive, open): (Vec<_>, Vec<_>) = self
            .headers
            .iter()
            .partition(|(name, _)| is_sensitive(name));
        HeadersBody {
            headers: open
                .into_iter()
                .map(|(name, value)| (name.clone(), value.as_str().into()))
                .collect(),
            sensitive: sensitive
                .into_iter()
                .map(|(name, _)| name.clone())
                .collect(),
        }
    }

    pub fn body(&self, id: &str) -> EndpointBody {
        let spec = &self.spec;
        EndpointBody {
            id: id.to_owned(),
            url: spec.url.clone(),
            description: spec.description.clone(),
            event_types: spec
                .event_types
                .as_ref()
                .map(|types| types.iter().map(|name| (*name).to_owned()).collect()),
            rate_limit: spec.rate_limit,
            disabled: spec.disabled,
            version: spec.version,
            created_at: rfc3339(self.created_us),
            updated_at: rfc3339(self.updated_us),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn endpoint() -> Endpoint {
        let spec = EndpointSpec {
            url: "http://127.0.0.1:1/".to_owned(),
            description: String::new(),
            event_types: Some(vec!["task.failed"]),
            rate_limit: None,
            version: 1,
            disabled: false,
        };
        Endpoint::new(spec, secret(1), 0)
    }

    fn secret(byte: u8) -> Secret {
        Secret::from_key(&[byte; 24]).unwrap()
    }

    fn shown(secrets: &[Secret]) -> Vec<String> {
        secrets.iter().map(Secret::reveal).collect()
    }

    #[test]
    fn an_old_secret_signs_until_its_grace_period_ends() {
        let mut endpoint = endpoint();
        endpoint
            .rotate(secret(2), Duration::from_secs(10), 0)
            .unwrap();
        let both = shown(&[secret(2), secret(1)]);
        assert_eq!(shown(&endpoint.signing_secrets(9_999_999)), both);
        let new = shown(&[secret(2)]);
        assert_eq!(shown(&endpoint.signing_secrets(10_000_000)), new);
    }

    #[test]
    fn too_many_valid_old_secrets_are_refused() {
        let mut endpoint = endpoint();
        for byte in 2..12 {
            endpoint
                .rotate(secret(byte), Duration::from_secs(10), 0)
                .unwrap();
        }
        let more = endpoint.rotate(secret(12), Duration::ZERO, 1);
        assert!(matches!(more, Err(Refusal::Limit(_))));
        let later = endpoint.rotate(secret(12), Duration::ZERO, 20_000_000);
        assert_eq!(later, Ok(()));
    }

    #[test]
    fn values_of_sensitive_headers_are_not_told() {
        let mut endpoint = endpoint();
        let headers = [("Authorization", "Basic x"), ("x-team", "media")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        endpoint.set_headers(headers.into(), 1);
        let body = endpoint.headers_body();
        assert_eq!(body.sensitive, ["Authorization"]);
        assert_eq!(body.headers.len(), 1);
        assert_eq!(endpoint.headers().len(), 2);
    }
}
