//! Refusals in `FastAPI`'s form: `{"detail":"…"}`, and for 422 a list of faults with their places.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::port::Refusal;
use crate::wire::bodies::DetailBody;

/// A request that is answered with a refusal; boxed, because answers are large.
#[derive(Debug)]
pub struct Rejected(Box<Response>);

impl From<Response> for Rejected {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// Any refusal that is not about a field.
pub fn detail(status: StatusCode, text: &str) -> Response {
    (
        status,
        Json(DetailBody {
            detail: text.to_owned(),
        }),
    )
        .into_response()
}

pub fn not_found(what: &str) -> Response {
    detail(StatusCode::NOT_FOUND, &format!("{what} not found"))
}

/// 401, with the challenge that the standard asks for.
pub fn unauthorized(text: &str) -> Response {
    let challenge = [(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
    (challenge, detail(StatusCode::UNAUTHORIZED, text)).into_response()
}

/// What delivery refuses, as an HTTP answer.
impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::Limit(_) => StatusCode::BAD_REQUEST,
            Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Busy(..) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Undone(_) => StatusCode::FAILED_DEPENDENCY,
        };
        let mut response = detail(status, &refusal.to_string());
        if let Refusal::Busy(_, Some(wait_s)) = refusal {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(wait_s));
        }
        response.into()
    }
}

/// Faults of one request that are told; an answer must not grow far beyond its request.
const MOST_FAULTS: usize = 100;
/// A body beyond this many bytes is not repeated in the faults it has.
const MOST_ECHO: usize = 16 * 1024;

/// Faults found in one request; an answer of 422 if there are any.
#[derive(Debug, Default)]
pub struct Faults {
    faults: Vec<Value>,
    /// Faults have `null` where they would repeat what was sent.
    silent: bool,
}

impl Faults {
    /// One fault: `loc` is the path to it, from `body`, `query`, `header` or `path` on.
    pub fn add(&mut self, kind: &str, loc: &[Value], message: &str, input: &Value) {
        if self.is_full() {
            return;
        }
        let input = if self.silent { &Value::Null } else { input };
        self.faults
            .push(json!({"type": kind, "loc": loc, "msg": message, "input": input}));
    }

    /// There are so many that no more are told.
    fn is_full(&self) -> bool {
        self.faults.len() >= MOST_FAULTS
    }

    /// A fault about a value whose form is right; pydantic calls it `value_error`.
    pub fn value(&mut self, loc: &[Value], reason: &str, input: &Value) {
        self.add("value_error", loc, &format!("Value error, {reason}"), input);
    }

    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    pub fn reject(self) -> Rejected {
        (
            StatusCode::UNPROCESSABLE_ENTITY,
            Json(json!({"detail": self.faults})),
        )
            .into_response()
            .into()
    }
}

/// Reads the fields of a JSON body, noting every fault instead of stopping at the first.
#[derive(Debug)]
pub struct Fields {
    object: Map<String, Value>,
    pub faults: Faults,
}

impl Fields {
    /// The body as an object, or the answer that refuses it.
    pub fn of(body: &[u8]) -> Result<Self, Rejected> {
        let mut faults = Faults {
            silent: body.len() > MOST_ECHO,
            ..Faults::default()
        };
        if body.iter().all(u8::is_ascii_whitespace) {
            faults.add("missing", &["body".into()], "Field required", &Value::Null);
            return Err(faults.reject());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => Ok(Self { object, faults }),
            Ok(other) => {
                let message = "Input should be a valid dictionary or object to extract fields from";
                faults.add("model_attributes_type", &["body".into()], message, &other);
                Err(faults.reject())
            }
            Err(error) => {
                let loc = ["body".into(), offset(body, &error).into()];
                let empty = Value::Object(Map::new());
                faults.add("json_invalid", &loc, "JSON decode error", &empty);
                if let Some(fault) = faults.faults.first_mut().and_then(Value::as_object_mut) {
                    fault.insert("ctx".to_owned(), json!({"error": error.to_string()}));
                }
                Err(faults.reject())
            }
        }
    }

    /// The field if it is there; `null` counts as absent only for optional fields.
    fn present(&mut self, name: &str, required: bool) -> Option<Value> {
        match self.object.get(name) {
            Some(Value::Null) if !required => None,
            Some(value) => Some(value.clone()),
            None => {
                if required {
                    let input = if self.faults.silent {
                        Value::Null
                    } else {
                        Value::Object(self.object.clone())
                    };
                    self.faults
                        .add("missing", &place(name), "Field required", &input);
                }
                None
            }
        }
    }

    pub fn string(&mut self, name: &str, required: bool) -> Option<String> {
        match self.present(name, required)? {
            Value::String(text) => Some(text),
            other => {
                let message = "Input should be a valid string";
                self.faults
                    .add("string_type", &place(name), message, &other);
                None
            }
        }
    }

    pub fn flag(&mut self, name: &str) -> Option<bool> {
        match self.present(name, false)? {
            Value::Bool(flag) => Some(flag),
            other => {
                let message = "Input should be a valid boolean";
                self.faults.add("bool_type", &place(name), message, &other);
                None
            }
        }
    }

    /// A whole number from `least` to 65,535.
    pub fn number(&mut self, name: &str, least: u16) -> Option<u16> {
        let value = self.present(name, false)?;
        let Some(number) = value.as_i64() else {
            let message = "Input should be a valid integer";
            self.faults.add("int_type", &place(name), message, &value);
            return None;
        };
        if number < i64::from(least) {
            let message = format!("Input should be greater than or equal to {least}");
            self.faults
                .add("greater_than_equal", &place(name), &message, &value);
            return None;
        }
        let fits = u16::try_from(number).ok();
        if fits.is_none() {
            let message = format!("Input should be less than or equal to {}", u16::MAX);
            self.faults
                .add("less_than_equal", &place(name), &message, &value);
        }
        fits
    }

    /// A whole number of seconds, up to `most`.
    pub fn seconds(&mut self, name: &str, most: u64) -> Option<u64> {
        let value = self.present(name, false)?;
        let seconds = value.as_u64().filter(|seconds| *seconds <= most);
        if seconds.is_none() {
            let message = format!("Input should be a whole number from 0 to {most}");
            self.faults.add("int_type", &place(name), &message, &value);
        }
        seconds
    }

    /// An object of texts by name; what it holds is not repeated in a fault, as it may be secret.
    pub fn texts(&mut self, name: &str, most: usize) -> Option<BTreeMap<String, String>> {
        let Value::Object(object) = self.present(name, true)? else {
            let message = "Input should be a valid dictionary";
            self.faults
                .add("dict_type", &place(name), message, &Value::Null);
            return None;
        };
        if object.len() > most {
            let reason = format!("at most {most} are allowed");
            self.faults.value(&place(name), &reason, &Value::Null);
            return None;
        }
        let mut texts = BTreeMap::new();
        for (key, value) in object {
            if let Value::String(text) = value {
                texts.insert(key, text);
            } else {
                let reason = format!("{key}: a text is needed");
                self.faults.value(&place(name), &reason, &Value::Null);
            }
        }
        Some(texts)
    }

    /// Whether a field is there and null.
    pub fn is_null(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(Value::is_null)
    }

    /// A list of at least so many words, each turned into one of ours by `known`; `expected` tells
    /// the others.
    pub fn words<T>(
        &mut self,
        name: &str,
        least: usize,
        known: impl Fn(&str) -> Option<T>,
        expected: &str,
    ) -> Option<Vec<T>> {
        let value = self.present(name, true)?;
        let Value::Array(items) = &value else {
            let message = "Input should be a valid list";
            self.faults.add("list_type", &place(name), message, &value);
            return None;
        };
        if items.len() < least {
            let found = items.len();
            let message =
                format!("List should have at least {least} item after validation, not {found}");
            self.faults.add("too_short", &place(name), &message, &value);
            return None;
        }
        let mut words = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if self.faults.is_full() {
                return None;
            }
            match item.as_str().map(&known) {
                Some(Some(word)) => words.push(word),
                Some(None) => {
                    let message = format!("Input should be {expected}");
                    self.faults
                        .add("enum", &item_place(name, index), &message, item);
                }
                None => {
                    let message = "Input should be a valid string";
                    self.faults
                        .add("string_type", &item_place(name, index), message, item);
                }
            }
        }
        (words.len() == items.len()).then_some(words)
    }
}

/// The place of a field of the body.
pub fn place(name: &str) -> [Value; 2] {
    ["body".into(), name.into()]
}

fn item_place(name: &str, index: usize) -> [Value; 3] {
    ["body".into(), name.into(), index.into()]
}

/// Where in the body the parser stopped, as a count of bytes.
fn offset(body: &[u8], error: &serde_json::Error) -> usize {
    let lines = body
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1));
    lines.map(<[u8]>::len).sum::<usize>() + error.column().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn faults(fields: &Fields) -> &[Value] {
        &fields.faults.faults
    }

    #[test]
    fn faults_repeat_what_was_sent_unless_it_is_large() {
        let mut fields = Fields::of(br#"{"a": 1}"#).unwrap();
        assert_eq!(fields.string("b", true), None);
        assert_eq!(faults(&fields)[0]["input"], json!({"a": 1}));

        let large = json!({"a": "x".repeat(MOST_ECHO)}).to_string();
        let mut fields = Fields::of(large.as_bytes()).unwrap();
        assert_eq!(fields.string("b", true), None);
        assert_eq!(fields.flag("a"), None);
        let kinds: Vec<&Value> = faults(&fields).iter().map(|fault| &fault["type"]).collect();
        assert_eq!(kinds, ["missing", "bool_type"]);
        assert!(faults(&fields).iter().all(|fault| fault["input"].is_null()));
    }

    #[test]
    fn a_hundred_faults_are_enough() {
        let body = json!({"words": vec![Value::Null; 100_000]}).to_string();
        let mut fields = Fields::of(body.as_bytes()).unwrap();
        let words = fields.words("words", 1, |word| Some(word.to_owned()), "a word");
        assert_eq!((words, faults(&fields).len()), (None, MOST_FAULTS));
        assert_eq!(fields.string("more", true), None);
        assert_eq!(faults(&fields).len(), MOST_FAULTS);
    }
}
