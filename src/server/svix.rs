//! The embedded engine behind routes in the shape of a Svix server, thin: what a client of Svix
//! needs to be tested against, on the same ledger and with the same deliveries.
//!
//! The quirks of the open-source server are kept on purpose: event types in random order, `done`
//! on every page of destinations, a 404 with nothing in it where there is no route, statuses as
//! numbers, a resend to a disabled endpoint that is taken and comes to nothing.

mod changing;
mod reading;
mod shape;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use self::shape::Refused;
use super::clock::now_us;
use super::delivery::OwnDelivery;

type Answer = Result<Response, Refused>;

/// What every handler may use.
#[derive(Clone)]
pub struct Mount {
    own: Arc<OwnDelivery>,
    key: Arc<SecretString>,
    /// The application's uid, beside its id.
    uid: Arc<str>,
    /// Whether the routes are there that Svix Cloud has and the open-source server has not.
    is_cloud: bool,
    /// When the application was made.
    since_us: i64,
}

impl Mount {
    pub fn new(own: Arc<OwnDelivery>, key: Arc<SecretString>, uid: &str, is_cloud: bool) -> Self {
        let since_us = now_us();
        own.ledger().provision(since_us);
        Self {
            own,
            key,
            uid: uid.into(),
            is_cloud,
            since_us,
        }
    }

    fn app_id(&self) -> String {
        self.own.ledger().provision(now_us())
    }

    /// Lets the one application through.
    fn check(&self, app: &str) -> Result<(), Refused> {
        if app == &*self.uid || app == self.app_id() {
            Ok(())
        } else {
            Err(Refused::not_found())
        }
    }
}

/// The routes below `/api/v1`.
pub fn router(mount: Mount) -> Router {
    const ENDPOINT: &str = "/app/{app}/endpoint/{endpoint}";
    const MESSAGE: &str = "/app/{app}/msg/{message}";
    let guarded = if mount.is_cloud {
        Router::new()
            .route(
                &format!("{ENDPOINT}/replay-missing"),
                post(changing::replay_missing),
            )
            .route(
                &format!("{ENDPOINT}/bulk-replay"),
                post(changing::bulk_replay),
            )
    } else {
        Router::new()
    };
    let guarded = guarded
        .route("/app", post(changing::create_app))
        .route("/app/{app}", get(reading::app))
        .route(
            "/event-type",
            get(reading::event_types).post(changing::create_event_type),
        )
        .route(
            "/app/{app}/endpoint",
            get(reading::endpoints).post(changing::create_endpoint),
        )
        .route(
            ENDPOINT,
            get(reading::one_endpoint)
                .put(changing::replace_endpoint)
                .patch(changing::edit_endpoint)
                .delete(changing::delete_endpoint),
        )
        .route(&format!("{ENDPOINT}/stats"), get(reading::stats))
        .route(
            &format!("{ENDPOINT}/headers"),
            get(reading::headers).put(changing::set_headers),
        )
        .route(&format!("{ENDPOINT}/secret"), get(reading::secret))
        .route(&format!("{ENDPOINT}/secret/rotate"), post(changing::rotate))
        .route(&format!("{ENDPOINT}/recover"), post(changing::recover))
        .route(
            &format!("{ENDPOINT}/send-example"),
            post(changing::send_example),
        )
        .route(
            "/app/{app}/msg",
            get(reading::messages).post(changing::create_message),
        )
        .route(MESSAGE, get(reading::one_message))
        .route(&format!("{MESSAGE}/content"), delete(changing::expunge))
        .route(&format!("{MESSAGE}/endpoint"), get(reading::destinations))
        .route(
            &format!("{MESSAGE}/endpoint/{{endpoint}}/resend"),
            post(changing::resend),
        )
        .route(
            &format!("{MESSAGE}/attempt/{{attempt}}"),
            get(reading::one_attempt),
        )
        .route(
            "/app/{app}/attempt/msg/{message}",
            get(reading::attempts_of),
        )
        .route(
            "/app/{app}/attempt/endpoint/{endpoint}",
            get(reading::attempts_at),
        )
        .route_layer(middleware::from_fn_with_state(mount.clone(), guard));
    Router::new()
        .route("/health", get(reading::health))
        .merge(guarded)
        .fallback(changing::unknown)
        .with_state(mount)
}

/// Lets requests with the right token through.
async fn guard(State(mount): State<Mount>, request: Request, next: Next) -> Response {
    let header = request.headers().get(AUTHORIZATION);
    let given = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let key = mount.key.expose_secret().as_bytes();
    if given.is_some_and(|given| bool::from(key.ct_eq(given.as_bytes()))) {
        return next.run(request).await;
    }
    let (status, code) = (StatusCode::UNAUTHORIZED, "authentication_failed");
    Refused::coded(status, code, "Invalid token").into_response()
}
