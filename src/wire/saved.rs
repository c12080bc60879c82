//! Requests that were saved: as raw HTTP text, or as JSON with headers and body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::hide::is_secret;
use super::signature::SignatureHeaders;
use crate::domain::{MASK, masked_url};

/// Headers of one request that are read. Few servers take more than a hundred; this bounds the
/// memory that a file of lines costs, at about 40 bytes each.
const MAX_HEADERS: usize = 4096;

/// A request as it came: nothing of its body was changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Saved {
    pub method: String,
    pub path: String,
    /// In the order in which they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why a text is no saved request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSaved {
    #[error("it is empty")]
    Empty,
    #[error(
        "it is neither an HTTP request (POST … HTTP/1.1, headers, an empty line, the body) nor JSON with headers and body"
    )]
    Neither,
    #[error("the head of the HTTP request has no end: an empty line is missing before the body")]
    NoEnd,
    #[error("the HTTP request cannot be read: {0}")]
    Http(httparse::Error),
    #[error("its body_base64 is not base64")]
    NotBase64,
}

impl Saved {
    /// Reads one raw HTTP request, or as many JSON objects as there are; those that `listen` wrote
    /// of what it turned away hold no request.
    pub fn read_all(text: &[u8]) -> Result<Vec<Self>, NotSaved> {
        let trimmed = text.trim_ascii_start();
        let saved = match trimmed.first() {
            None => Vec::new(),
            Some(b'{') => serde_json::Deserializer::from_slice(trimmed)
                .into_iter::<Value>()
                .filter(|value| !is_turned_away(value.as_ref().ok()))
                .map(|value| match value {
                    Ok(Value::Object(fields)) if fields.contains_key("headers") => of_json(&fields),
                    _ => Err(NotSaved::Neither),
                })
                .collect::<Result<_, _>>()?,
            Some(_) => vec![of_http(trimmed)?],
        };
        if saved.is_empty() {
            return Err(NotSaved::Empty);
        }
        Ok(saved)
    }

    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(held, _)| held.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn signature(&self) -> SignatureHeaders<'_> {
        SignatureHeaders::find(|name| self.header(name))
    }

    /// What its Content-Length says, in bytes.
    pub fn declared(&self) -> Option<usize> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// As raw HTTP text, which [`Saved::read_all`] reads back.
    pub fn http(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        let length = self.body.len().to_string();
        // The body stands here whole and as it is, whatever pieces it came in.
        let own = self
            .headers
            .iter()
            .filter(|(name, _)| {
                !["transfer-encoding", "content-length"]
                    .iter()
                    .any(|framing| name.eq_ignore_ascii_case(framing))
            })
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain([("content-length", length.as_str())]) {
            text.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(&self.body);
        text
    }

    /// The headers, but for the values of those whose name says that they are secret.
    pub fn shown_headers(&self) -> Vec<(String, String)> {
        let headers = self.headers.iter().map(|(name, value)| {
            let value = if is_secret(name) { MASK } else { value };
            (name.clone(), value.to_owned())
        });
        headers.collect()
    }

    /// As fields of a JSON object, which [`Saved::read_all`] reads back. Headers whose name says
    /// that they are secret, as an endpoint may add them, are masked.
    pub fn json(&self) -> Map<String, Value> {
        let headers = self.shown_headers().into_iter();
        let headers = headers.map(|(name, value)| Value::from(vec![name, value]));
        let (name, body) = match std::str::from_utf8(&self.body) {
            Ok(text) => ("body", text.to_owned()),
            Err(_) => ("body_base64", STANDARD.encode(&self.body)),
        };
        let mut fields = Map::new();
        fields.insert("method".into(), self.method.as_str().into());
        fields.insert("path".into(), masked_url(&self.path).into());
        fields.insert("headers".into(), headers.collect());
        fields.insert(name.into(), body.into());
        fields
    }
}

fn of_http(text: &[u8]) -> Result<Saved, NotSaved> {
    // As many as there are lines: a request that was written with a length added is read again.
    let n_lines = text.iter().filter(|byte| **byte == b'\n').take(MAX_HEADERS);
    let mut headers = vec![httparse::EMPTY_HEADER; n_lines.count()];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(text);
    // With a version in its first line it means to be HTTP.
    let head = match (parsed, request.version) {
        (Ok(httparse::Status::Complete(head)), _) => head,
        (_, None) => return Err(NotSaved::Neither),
        (Ok(httparse::Status::Partial), _) => return Err(NotSaved::NoEnd),
        (Err(error), _) => return Err(NotSaved::Http(error)),
    };
    let value = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut saved = Saved {
        method: request.method.unwrap_or_default().to_owned(),
        path: request.path.unwrap_or_default().to_owned(),
        headers: request
            .headers
            .iter()
            .map(|header| (header.name.to_owned(), value(header.value)))
            .collect(),
        body: text.get(head..).unwrap_or_default().to_vec(),
    };
    // What an editor put behind the body is not the body.
    if let Some(declared) = saved.declared()
        && let Some(rest) = saved.body.get(declared..)
        && rest.trim_ascii().is_empty()
    {
        saved.body.truncate(declared);
    }
    Ok(saved)
}

fn is_turned_away(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value["turned_away"].is_string())
}

fn of_json(fields: &Map<String, Value>) -> Result<Saved, NotSaved> {
    let text = |names: &[&str]| {
        let found = names.iter().find_map(|name| fields.get(*name)?.as_str());
        found.unwrap_or_default().to_owned()
    };
    let is_base64 = fields.get("isBase64Encoded").and_then(Value::as_bool) == Some(true);
    let body = match (fields.get("body_base64"), fields.get("body")) {
        (Some(Value::String(body)), _) => decoded(body)?,
        (_, Some(Value::String(body))) if is_base64 => decoded(body)?,
        (_, Some(Value::String(body))) => body.clone().into_bytes(),
        // A body that the saving program parsed: the doctor will say so.
        (_, Some(value)) if !value.is_null() => value.to_string().into_bytes(),
        _ => Vec::new(),
    };
    Ok(Saved {
        method: text(&["method", "httpMethod"]),
        path: text(&["path", "url"]),
        headers: headers(fields.get("headers")),
        body,
    })
}

fn decoded(text: &str) -> Result<Vec<u8>, NotSaved> {
    STANDARD.decode(text).map_err(|_| NotSaved::NotBase64)
}

/// Headers as a list of pairs, or as an object whose values are texts or lists of them.
fn headers(value: Option<&Value>) -> Vec<(String, String)> {
    let first = |value: &Value| match value {
        Value::Array(values) => values.first().and_then(Value::as_str).map(str::to_owned),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match value {
        Some(Value::Array(pairs)) => pairs
            .iter()
            .filter_map(|pair| {
                let name = pair.get(0)?.as_str()?.to_owned();
                Some((name, pair.get(1).and_then(first)?))
            })
            .collect(),
        Some(Value::Object(fields)) => fields
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), first(value)?)))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    fn only(text: &[u8]) -> Saved {
        let mut all = Saved::read_all(text).unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    #[test]
    fn http_of_either_line_end_is_read() {
        for end in ["\r\n", "\n"] {
            let text = [
                "POST /hooks?a=1 HTTP/1.1",
                "Host: x",
                "Svix-Id: msg_1",
                "Content-Length: 8",
                "",
                "{\"a\": 1}\n",
            ]
            .join(end);
            let saved = only(text.as_bytes());
            assert_eq!(
                (saved.method.as_str(), saved.path.as_str()),
                ("POST", "/hooks?a=1")
            );
            assert_eq!(saved.signature().id, Some("msg_1"));
            assert_eq!(saved.body, b"{\"a\": 1}");
        }
    }

    #[test]
    fn a_request_of_many_headers_is_read_again_as_written() {
        for n in [127, 128, 129, 1000] {
            let headers = "x: 1\r\n".repeat(n);
            let saved = only(format!("POST / HTTP/1.1\r\n{headers}\r\n{{}}").as_bytes());
            assert_eq!(saved.headers.len(), n);
            let again = only(&saved.http());
            assert_eq!(again.body, saved.body);
            assert_eq!(again.declared(), Some(2));
        }
        let flood = "x: 1\r\n".repeat(MAX_HEADERS + 1);
        let text = format!("POST / HTTP/1.1\r\n{flood}\r\n");
        assert!(Saved::read_all(text.as_bytes()).is_err());
    }

    #[test]
    fn bodies_are_kept_as_they_are() {
        // Without a length, or with more than blanks behind it, all of it is the body.
        for head in ["", "Content-Length: 1\r\n", "Content-Length: 99\r\n"] {
            let text = format!("POST / HTTP/1.1\r\n{head}\r\n{{}}\n");
            assert_eq!(only(text.as_bytes()).body, b"{}\n", "{head}");
        }
    }

    #[test]
    fn json_of_other_programs_is_read() {
        let lambda =
            br#"{"headers":{"svix-id":"msg_1","n":3},"body":"e30=","isBase64Encoded":true}"#;
        assert_eq!(only(lambda).body, b"{}");
        assert_eq!(only(lambda).header("SVIX-ID"), Some("msg_1"));
        let node = br#"{"headers":{"svix-id":["msg_1"]},"body":{"a":1}}"#;
        assert_eq!(only(node).body, b"{\"a\":1}");
        let two = br#"{"headers":[["a","b"]],"body":"1"} {"headers":[],"body":"2"}"#;
        assert_eq!(Saved::read_all(two).unwrap().len(), 2);
        let turned = br#"{"turned_away":"is no webhook"}{"headers":[],"turned_away":null}"#;
        assert_eq!(Saved::read_all(turned).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_request_is_told() {
        for (text, expected) in [
            ("", NotSaved::Empty),
            ("{\"turned_away\":\"no POST\"}", NotSaved::Empty),
            ("{\"a\":1}", NotSaved::Neither),
            ("hello", NotSaved::Neither),
            ("{\"headers\":", NotSaved::Neither),
            ("POST / HTTP/1.1\r\nsvix-id: 1\r\n", NotSaved::NoEnd),
            (
                "{\"headers\":{},\"body_base64\":\"!\"}",
                NotSaved::NotBase64,
            ),
        ] {
            assert_eq!(Saved::read_all(text.as_bytes()), Err(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_saved_is_read_back(body: Vec<u8>, value in "[ -~]{0,20}") {
            let saved = Saved {
                method: "POST".into(),
                path: "/x".into(),
                headers: vec![("svix-id".into(), value.trim().into()), ("content-length".into(), body.len().to_string())],
                body,
            };
            prop_assert_eq!(&only(&saved.http()), &saved);
            let json = Value::from(saved.json()).to_string();
            prop_assert_eq!(&only(json.as_bytes()), &saved);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Saved::read_all(&bytes);
            let _ = Saved::read_all(&[b"POST / HTTP/1.1\r\n", bytes.as_slice()].concat());
        }
    }
}
