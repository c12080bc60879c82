//! Bodies around one endpoint, as a client writes and reads them: creating, replacing, the secret,
//! the headers (aspect-api.md part 2; the undocumented ones in Svix's shapes).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::lenient::{place_of_rows, unwrap_one};
use super::rest::{self, Row, text};
use crate::domain::{Endpoint, EndpointDraft, EndpointEdit, Headers, OwnValue, Unreadable};

/// Answer to `POST /webhooks/endpoints`: the only place where a service tells the secret unasked.
pub struct Created {
    pub endpoint: Row<Endpoint>,
    pub secret: Option<String>,
}

/// The body of `POST /webhooks/endpoints`, with nothing left out.
pub fn body(draft: &EndpointDraft) -> String {
    let body = json!({
        "url": draft.url,
        "description": draft.description,
        "event_types": draft.event_types,
        "rate_limit": draft.rate_limit,
        "version": draft.version,
    });
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

/// An endpoint as the service has it, to the letter and with nothing masked: for what goes back to
/// that service. It has no Debug, as it may hold secrets.
pub struct Held {
    pub endpoint: Endpoint,
    /// All that is told of it, as JSON.
    fields: BTreeMap<String, String>,
}

/// Descriptions by their names.
const DESCRIPTIONS: [&str; 2] = ["description", "name"];
/// What the API documents of an endpoint: the names that each field has, the documented one first,
/// and what stands for one that is not told at all.
const DOCUMENTED: [(&[&str], &str); 6] = [
    (&rest::URLS, "\"\""),
    (&DESCRIPTIONS, "\"\""),
    (&rest::WANTED, "null"),
    (&rest::RATES, "null"),
    (&["version"], "1"),
    (&["disabled"], "false"),
];
/// What the service sets, by its names.
const OF_THE_SERVICE: [&[&str]; 3] = [&rest::ENDPOINT_IDS, &rest::CREATED, &rest::UPDATED];

impl Held {
    /// Takes the endpoint of this id out of a list of them.
    pub fn in_list(body: &[u8], id: &str) -> Result<Option<Self>, Unreadable> {
        let list = rest::parse("endpoints", body)?;
        let read = |row: &Value| rest::endpoint(row.as_object()?);
        let is_it = |row: &Value| read(row).is_some_and(|row| row.id.to_string() == id);
        // One that stands there alone may have lists of its own.
        let envelope = list.as_object().filter(|_| !is_it(&list));
        let place = envelope.and_then(place_of_rows).unwrap_or_default();
        let rows = place.iter().try_fold(&list, |at, name| at.get(name));
        let (row, index) = match rows {
            Some(Value::Array(rows)) => match rows.iter().position(is_it) {
                Some(index) => (&rows[index], Some(index)),
                None => return Ok(None),
            },
            Some(row) if is_it(row) => (row, None),
            _ => return Ok(None),
        };
        let is_wrapped = row.get("endpoint").is_some_and(Value::is_object);
        let endpoint = read(row);
        let fields = raw_at(body, &place, index, is_wrapped);
        let unread = || Unreadable::new("endpoints", "an endpoint that cannot be read", "");
        let (endpoint, fields) = endpoint.zip(fields).ok_or_else(unread)?;
        Ok(Some(Self { endpoint, fields }))
    }

    /// The body of `PUT /webhooks/endpoints/{id}`: all of it, also what reeltop does not know of,
    /// as it is but for what is changed.
    pub fn with(&self, edit: &EndpointEdit) -> String {
        let mut fields = self.fields.clone();
        for name in OF_THE_SERVICE.into_iter().flatten() {
            fields.remove(*name);
        }
        for (names, default) in DOCUMENTED {
            let told = names.iter().filter_map(|name| self.fields.get(*name));
            let told = told.into_iter().find(|told| *told != "null");
            let told = told.map_or(default, String::as_str);
            fields
                .entry(names[0].to_owned())
                .or_insert_with(|| told.to_owned());
        }
        // By each name that the service has for it; one that is null beside another is none.
        let mut set = |names: &[&str], value: Option<Value>| {
            let Some(value) = value else { return };
            let is_null = |field: Option<&String>| field.is_none_or(|field| field == "null");
            let is_none = is_null(fields.get(names[0]));
            for name in names {
                if let Some(field) = fields.get_mut(*name)
                    && is_null(Some(field)) == is_none
                {
                    *field = value.to_string();
                }
            }
        };
        set(&rest::URLS, edit.url.as_ref().map(|url| json!(url)));
        // Beside a description the name is something else.
        let has_both = self.fields.contains_key(DESCRIPTIONS[0]);
        let descriptions = &DESCRIPTIONS[..if has_both { 1 } else { 2 }];
        let description = edit.description.as_ref();
        set(descriptions, description.map(|text| json!(text)));
        let types = edit.event_types.as_ref();
        set(&rest::WANTED, types.map(|types| json!(types)));
        set(&rest::RATES, edit.rate_limit.map(|limit| json!(limit)));
        set(&["disabled"], edit.disabled.map(Value::Bool));
        let fields = fields
            .iter()
            .map(|(name, value)| format!("{}:{value}", json!(name)));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}

/// The fields of a row within a text, as they are written there: of the row of this number in the
/// list at a place, and where it wraps the endpoint, of that.
fn raw_at(
    body: &[u8],
    place: &[String],
    index: Option<usize>,
    is_wrapped: bool,
) -> Option<BTreeMap<String, String>> {
    let fields = |raw: &RawValue| -> Option<BTreeMap<String, Box<RawValue>>> {
        serde_json::from_str(raw.get()).ok()
    };
    let mut raw: Box<RawValue> = serde_json::from_slice(body).ok()?;
    for name in place {
        raw = fields(&raw)?.remove(name)?;
    }
    if let Some(index) = index {
        let rows: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
        raw = (*rows.get(index)?).to_owned();
    }
    if is_wrapped {
        raw = fields(&raw)?.remove("endpoint")?;
    }
    let text = |(name, value): (String, Box<RawValue>)| (name, value.get().to_owned());
    Some(fields(&raw)?.into_iter().map(text).collect())
}

/// Reads an answer that is an endpoint, with nothing masked.
pub fn one_unmasked(body: &[u8]) -> Result<Endpoint, Unreadable> {
    let none = || Unreadable::new("endpoint", "no endpoint in it", "");
    let value: Value = serde_json::from_slice(body).map_err(|_| none())?;
    let row = unwrap_one(&value, "endpoint").as_object();
    row.and_then(rest::endpoint).ok_or_else(none)
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
    #[derive(Deserialize)]
    struct Answer {
        headers: BTreeMap<String, Box<RawValue>>,
        #[serde(default)]
        sensitive: Value,
    }
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| Unreadable::new("headers", "no headers in it", ""))?;
    let names = answer.sensitive.as_array().into_iter().flatten();
    let mut read = Headers {
        sensitive: names
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
        ..Headers::default()
    };
    // None is left out: what is not sent back is removed.
    for (name, raw) in answer.headers {
        match serde_json::from_str(raw.get()) {
            Ok(Value::String(text)) => {
                read.headers.insert(name, text);
            }
            Ok(Value::Null) => read.sensitive.push(name),
            _ => {
                read.odd.insert(name, raw.get().to_owned());
            }
        }
    }
    Ok(read)
}

/// JSON on one line. No line ends within a text of it, so that its meaning stays.
pub fn on_one_line(json: &str) -> String {
    json.replace(['\n', '\r', '\t'], " ")
}

/// The body of `PUT …/headers`.
pub fn headers_body(headers: &BTreeMap<String, OwnValue>) -> String {
    let fields = headers.iter().map(|(name, value)| match value {
        OwnValue::Text(text) => format!("{}:{}", json!(name), json!(text.reveal())),
        OwnValue::Json(raw) => format!("{}:{}", json!(name), raw.reveal()),
    });
    let fields = fields.collect::<Vec<_>>().join(",");
    format!("{{\"headers\":{{{fields}}}}}")
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
    use crate::domain::Hidden;

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

    fn held(list: &str) -> Option<Held> {
        Held::in_list(list.as_bytes(), "ep_1").unwrap()
    }

    #[test]
    fn what_is_sent_back_whole_is_not_masked() {
        let list = format!(r#"{{"data":[{{"id":"ep_0"}},{ENDPOINT}]}}"#);
        let sent = held(&list).unwrap().with(&EndpointEdit::default());
        let sent: Value = serde_json::from_str(&sent).unwrap();
        let mut expected: Value = serde_json::from_str(ENDPOINT).unwrap();
        expected.as_object_mut().unwrap().remove("id");
        assert_eq!(sent, expected);
        assert!(held(r#"{"data":[{"id":"ep_2"}]}"#).is_none());
        assert!(held(r#"{"data":null}"#).is_none());
    }

    #[test]
    fn what_is_not_changed_goes_back_to_the_letter() {
        let told = r#""url":"http://a/x y","rate_limit":2.50,"version":"v2","event_types":[],
            "metadata":{"big":123456789012345678901234567890,"a":1e2},"uid":null,"name":"n","#;
        let rest = r#""description":"","disabled":true"#;
        let edit = EndpointEdit {
            description: Some("new".to_owned()),
            disabled: Some(false),
            ..EndpointEdit::default()
        };
        let row = format!(r#"{{"id":"ep_1","created_at":"x",{told}{rest}}}"#);
        for list in [
            format!("[{row}]"),
            format!(r#"{{"data":{{"endpoints":[{row}]}}}}"#),
            format!(r#"[{{"endpoint":{row},"app":{{}}}}]"#),
            row,
        ] {
            let sent = held(&list).unwrap().with(&edit);
            for kept in [
                r#""url":"http://a/x y""#,
                r#""rate_limit":2.50"#,
                r#""version":"v2""#,
                r#""event_types":[]"#,
                r#"{"big":123456789012345678901234567890,"a":1e2}"#,
                r#""uid":null"#,
                r#""name":"n""#,
                r#""description":"new""#,
                r#""disabled":false"#,
            ] {
                assert!(sent.contains(kept), "{kept}: {sent}");
            }
            assert!(!sent.contains("ep_1") && !sent.contains("created_at"));
        }
    }

    #[test]
    fn a_field_is_sent_by_its_documented_name_and_by_those_that_the_service_has() {
        let list = r#"[{"id":"ep_1","url":"http://a/","name":"n","filterTypes":["a"],"rateLimit":5,"filter_types":null}]"#;
        let edit = EndpointEdit {
            event_types: Some(Some(vec!["b".to_owned()])),
            description: Some("m".to_owned()),
            ..EndpointEdit::default()
        };
        let sent = held(list).unwrap().with(&edit);
        let sent: Value = serde_json::from_str(&sent).unwrap();
        let expected = json!({
            "url": "http://a/", "name": "m", "description": "m", "filterTypes": ["b"],
            "filter_types": null, "event_types": ["b"], "rateLimit": 5, "rate_limit": 5, "version": 1, "disabled": false,
        });
        assert_eq!(sent, expected);
    }

    #[test]
    fn secrets_and_headers_in_svix_shapes() {
        assert_eq!(secret(br#"{"key":"whsec_a"}"#).unwrap(), "whsec_a");
        assert_eq!(secret(b"[whsec_a]").unwrap_err().excerpt, "");
        let told = headers(br#"{"headers":{"x":"y"},"sensitive":["authorization"]}"#).unwrap();
        assert_eq!(told.headers["x"], "y");
        assert_eq!(told.sensitive, ["authorization"]);
    }

    #[test]
    fn no_header_is_left_out_and_what_is_no_text_goes_back_to_the_letter() {
        let odd = [
            ("x-b", "true"),
            ("x-l", "[\"a\",\n  2.50]"),
            ("x-n", "1e2"),
            ("x-o", r#"{"a":12345678901234567890123}"#),
        ];
        let odd: BTreeMap<String, String> =
            BTreeMap::from(odd.map(|(name, raw)| (name.to_owned(), raw.to_owned())));
        let fields = odd
            .iter()
            .map(|(name, raw)| format!("{}: {raw},", json!(name)));
        let fields: String = fields.collect();
        let body = format!(r#"{{"headers":{{{fields}"x-u":null,"x-t":"a\"b"}}}}"#);
        let told = headers(body.as_bytes()).unwrap();
        assert_eq!(
            told.headers,
            BTreeMap::from([("x-t".to_owned(), "a\"b".to_owned())])
        );
        assert_eq!(told.sensitive, ["x-u"]);
        assert_eq!(told.odd, odd);
        assert_eq!(on_one_line(&told.odd["x-l"]), "[\"a\",   2.50]");
        let json = |(name, raw): (String, String)| (name, OwnValue::Json(Hidden::new(&raw)));
        let mut sent: BTreeMap<String, OwnValue> = told.odd.into_iter().map(json).collect();
        sent.insert("x-t".to_owned(), OwnValue::text("a\"b"));
        let sent = headers(headers_body(&sent).as_bytes()).unwrap();
        assert_eq!((sent.odd, sent.headers), (odd, told.headers));
        assert_eq!(headers_body(&BTreeMap::new()), r#"{"headers":{}}"#);
        assert!(headers(b"{}").is_err() && headers(b"[]").is_err());
    }
}
