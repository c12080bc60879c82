//! What a client may do with the ledger's endpoints: make, change, read, let go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::ids::random_bytes;
use super::super::port::{EndpointSpec, Refusal};
use super::endpoint::Endpoint;
use super::{Ledger, MOST_ENDPOINTS};
use crate::wire::bodies::{AppBody, EndpointBody, EndpointCreatedBody, HeadersBody, SecretBody};
use crate::wire::signature::Secret;

impl Ledger {
    /// Adds an endpoint; the first one provisions the application.
    pub fn create_endpoint(
        &mut self,
        spec: EndpointSpec,
        now_us: i64,
    ) -> Result<EndpointCreatedBody, Refusal> {
        if self.endpoints.len() >= MOST_ENDPOINTS {
            return Err(Refusal::Limit(format!(
                "at most {MOST_ENDPOINTS} endpoints are allowed"
            )));
        }
        let secret = Secret::from_key(&random_bytes::<24>())
            .map_err(|error| Refusal::Unavailable(error.to_string()))?;
        let is_new = self.app_id.is_none();
        let mint = &self.mint;
        let app_id = self
            .app_id
            .get_or_insert_with(|| mint.mint("app_", now_us))
            .clone();
        let id = self.mint.mint("ep_", now_us);
        let revealed = secret.reveal();
        let endpoint = Endpoint::new(spec, secret, now_us);
        let body = endpoint.body(&id);
        self.by_endpoint.insert(id.clone(), BTreeSet::new());
        self.endpoints.insert(id, endpoint);
        let app = AppBody { id: app_id, is_new };
        Ok(EndpointCreatedBody {
            endpoint: body,
            secret: Some(revealed),
            app,
        })
    }

    /// Replaces everything a client may say about an endpoint; its secret stays.
    pub fn replace_endpoint(
        &mut self,
        id: &str,
        spec: EndpointSpec,
        now_us: i64,
    ) -> Result<EndpointBody, Refusal> {
        let endpoint = self.endpoint_mut(id)?;
        if endpoint.spec.disabled && !spec.disabled {
            endpoint.failing_since_us = None;
        }
        endpoint.spec = spec;
        endpoint.touch(now_us);
        Ok(endpoint.body(id))
    }

    pub(super) fn endpoint_at(&self, id: &str) -> Result<&Endpoint, Refusal> {
        self.endpoints.get(id).ok_or(Refusal::NotFound("Endpoint"))
    }

    pub(super) fn endpoint_mut(&mut self, id: &str) -> Result<&mut Endpoint, Refusal> {
        self.endpoints
            .get_mut(id)
            .ok_or(Refusal::NotFound("Endpoint"))
    }

    pub fn endpoint(&self, id: &str) -> Result<EndpointBody, Refusal> {
        Ok(self.endpoint_at(id)?.body(id))
    }

    /// The secret in its text form; whoever asks is about to show it.
    pub fn secret(&self, id: &str) -> Result<SecretBody, Refusal> {
        let key = self.endpoint_at(id)?.secret().reveal();
        Ok(SecretBody { key })
    }

    /// Gives an endpoint another secret, of its own making where none is named; the one before
    /// stays valid for the grace period.
    pub fn rotate(
        &mut self,
        id: &str,
        secret: Option<Secret>,
        grace: Duration,
        now_us: i64,
    ) -> Result<(), Refusal> {
        let made = || {
            Secret::from_key(&random_bytes::<24>())
                .map_err(|error| Refusal::Unavailable(error.to_string()))
        };
        let secret = secret.map_or_else(made, Ok)?;
        self.endpoint_mut(id)?.rotate(secret, grace, now_us)
    }

    pub fn headers(&self, id: &str) -> Result<HeadersBody, Refusal> {
        Ok(self.endpoint_at(id)?.headers_body())
    }

    pub fn set_headers(
        &mut self,
        id: &str,
        headers: BTreeMap<String, String>,
        now_us: i64,
    ) -> Result<(), Refusal> {
        self.endpoint_mut(id)?.set_headers(headers, now_us);
        Ok(())
    }

    /// Removes an endpoint; its attempts stay listed under their messages.
    pub fn delete_endpoint(&mut self, id: &str) -> Result<(), Refusal> {
        self.endpoints
            .remove(id)
            .ok_or(Refusal::NotFound("Endpoint"))?;
        self.by_endpoint.remove(id);
        Ok(())
    }

    /// All endpoints, oldest first.
    pub fn endpoints(&self) -> Vec<EndpointBody> {
        self.endpoints
            .iter()
            .map(|(id, endpoint)| endpoint.body(id))
            .collect()
    }
}
