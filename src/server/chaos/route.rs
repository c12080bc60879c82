//! `/_chaos`: which faults are on, and switching them while the server runs.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Chaos;
use super::fault::{ALL, Choice, FAULTS, FaultSet};
use crate::server::api::whole;
use crate::server::reject::{Fields, Rejected};

/// `GET /_chaos`
pub async fn show(State(chaos): State<Chaos>) -> Response {
    Json(state(&chaos)).into_response()
}

/// `PUT /_chaos`
pub async fn switch(
    State(chaos): State<Chaos>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Rejected> {
    let body = whole(body)?;
    let mut fields = Fields::of(&body)?;
    let known = |name: &str| Choice::named(&[name]).is_ok().then(|| name.to_owned());
    let Some(names) = fields.words("faults", 0, known, "the name of a fault, see GET /_chaos")
    else {
        return Err(fields.faults.reject());
    };
    chaos.switch(Choice::named(&names).unwrap_or_default());
    Ok(Json(state(&chaos)).into_response())
}

/// `DELETE /_chaos`
pub async fn calm(State(chaos): State<Chaos>) -> Response {
    chaos.switch(Choice::These(FaultSet::CALM));
    Json(state(&chaos)).into_response()
}

fn state(chaos: &Chaos) -> Value {
    let known: Vec<Value> = FAULTS
        .iter()
        .map(|(_, name, does)| json!({"name": name, "does": does}))
        .chain([json!({"name": ALL, "does": "a changing mix of what a client can survive"})])
        .collect();
    let figures = chaos.figures().read();
    json!({
        "chosen": chaos.choice().names(),
        "on": chaos.faults().names(),
        "seed": chaos.seed(),
        "requests": figures.requests,
        "stream_requests": figures.stream_requests,
        "refused": figures.refused,
        "followed_to_another_origin": figures.followed_away,
        "keys_sent_to_another_origin": figures.keys_away,
        "known": known,
    })
}
