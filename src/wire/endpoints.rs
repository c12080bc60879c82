//! Bodies around one endpoint, as a client writes and reads them: creating, replacing, the secret,
//! the headers (aspect-api.md part 2; the undocumented ones in Svix's shapes).

use serde_json::{Map, Value, json};

use super::lenient::{first, unwrap_one, whole};
use super::rest::{self, Row, text};
use crate::domain::{Endpoint, EndpointDraft, Headers, Unreadable};

/// Answer to `POST /webhooks/endpoints`: the only place where a service tells the secret unasked.
pub struct Created {
    pub endpoint: Row<Endpoint>,
    pub secret: Option<String>,
}

/// The body of `POST` and `PUT /webhooks/endpoints`, with nothing left out.
pub fn body(draft: &EndpointDraft, is_new: bool) -> String {
    let mut body = json!({
        "url": draft.url,
        "description": draft.description,
        "event_types": draft.event_types,
        "rate_limit": draft.rate_limit,
        "version": draft.version,
    });
    if !is_new && let Some(body) = body.as_object_mut() {
        body.insert("disabled".to_owned(), json!(draft.disabled));
    }
    body.to_string()
}

/// Reads a created endpoint and its secret.
pub fn created(body: &[u8]) -> Result<Created, Unreadable> {
    let row = rest::one_endpoint(body)?;
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let secret = value
        .as_object()
        .and_then(|answer| text(answer, &["secret", "signing_secret", "key"]));
    Ok(Created {
        endpoint: row,
        secret,
    })
}

/// The endpoint for an edit, out of a list of them: as the service has it, nothing masked.
pub fn to_edit(body: &[u8], id: &str) -> Result<Option<EndpointDraft>, Unreadable> {
    let page = rest::endpoints_unmasked(body)?;
    let row = page
        .rows
        .into_iter()
        .find(|row| row.value.id.to_string() == id);
    Ok(row.map(|row| draft(&row)))
}

/// The same out of an answer that is the endpoint.
pub fn one_to_edit(body: &[u8]) -> Result<EndpointDraft, Unreadable> {
    let none = || Unreadable::new("endpoint", "no endpoint in it", "");
    let value: Value = serde_json::from_slice(body).map_err(|_| none())?;
    let raw = unwrap_one(&value, "endpoint").as_object();
    let raw = raw.ok_or_else(none)?.clone();
    let value = rest::endpoint(&raw).ok_or_else(none)?;
    Ok(draft(&Row { value, raw }))
}

fn draft(row: &Row<Endpoint>) -> EndpointDraft {
    let raw = row.raw.get("endpoint").and_then(Value::as_object);
    let version = first(raw.unwrap_or(&row.raw), &["version"]).and_then(whole);
    EndpointDraft::of(&row.value, row.value.url.to_string(), version)
}

/// Reads `{"key":"whsec_…"}`.
pub fn secret(body: &[u8]) -> Result<String, Unreadable> {
    object(body)
        .and_then(|answer| text(&answer, &["key", "secret", "signing_secret"]))
        // The body may hold a secret, so that nothing of it is kept.
        .ok_or_else(|| Unreadable::new("secret", "no secret in it", ""))
}

/// Reads `{"headers":{…},"sensitive":[…]}`.
pub fn headers(body: &[u8]) -> Result<Headers, Unreadable> {
    let unreadable = || Unreadable::new("headers", "no headers in it", "");
    let answer = object(body).ok_or_else(unreadable)?;
    let told = answer
        .get("headers")
        .and_then(Value::as_object)
        .ok_or_else(unreadable)?;
    let owned = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    let names = answer.get("sensitive").and_then(Value::as_array);
    Ok(Headers {
        headers: told.iter().filter_map(owned).collect(),
        sensitive: names
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
    })
}

fn object(body: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const ENDPOINT: &str = r#"{"id":"ep_1","url":"https://u:p@example.com/?token=t","description":"prod",
        "event_types":["task.failed"],"rate_limit":7,"version":3,"disabled":true}"#;

    #[test]
    fn created_endpoints_tell_their_secret() {
        let body = format!(r#"{{"endpoint":{ENDPOINT},"secret":"whsec_x","app":{{}}}}"#);
        let created = created(body.as_bytes()).unwrap();
        assert_eq!(created.secret.as_deref(), Some("whsec_x"));
        assert_eq!(created.endpoint.value.id.to_string(), "ep_1");
        // What is shown of it is masked as anywhere.
        assert!(!created.endpoint.value.url.contains("token=t"));
    }

    #[test]
    fn what_is_sent_back_whole_is_not_masked() {
        let list = format!(r#"{{"data":[{ENDPOINT}]}}"#);
        let draft = to_edit(list.as_bytes(), "ep_1").unwrap().unwrap();
        let sent: Value = serde_json::from_str(&body(&draft, false)).unwrap();
        let mut expected: Value = serde_json::from_str(ENDPOINT).unwrap();
        expected.as_object_mut().unwrap().remove("id");
        assert_eq!(sent, expected);
        assert_eq!(to_edit(list.as_bytes(), "ep_2").unwrap(), None);
    }

    #[test]
    fn secrets_and_headers_in_svix_shapes() {
        assert_eq!(secret(br#"{"key":"whsec_a"}"#).unwrap(), "whsec_a");
        assert_eq!(secret(b"[whsec_a]").unwrap_err().excerpt, "");
        let told = headers(br#"{"headers":{"x":"y"},"sensitive":["authorization"]}"#).unwrap();
        assert_eq!(told.headers["x"], "y");
        assert_eq!(told.sensitive, ["authorization"]);
    }
}
