//! Secrets taken out of rows that are shown, printed and recorded: the door through which endpoints
//! and attempts come in.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::domain::{MASK, masked_url, masked_urls};

/// Ends of the names of fields that hold secrets, in small letters without `_` and `-`.
const SECRETS: [&str; 10] = [
    "secret",
    "secrets",
    "password",
    "passwd",
    "token",
    "apikey",
    "authorization",
    "credential",
    "credentials",
    "cookie",
];

/// Masks the URLs of a row, and fields whose name says that they are secret, at any depth. What
/// stands under the names in `urls` is taken for a URL whatever it is; what stands under those in
/// `spared` is left as it came.
pub(super) fn hide(row: &mut Map<String, Value>, urls: &[&str], spared: &[&str]) {
    for (name, value) in row.iter_mut() {
        if spared.contains(&name.as_str()) || value.is_null() {
            continue;
        }
        if is_secret(name) {
            *value = Value::String(MASK.to_owned());
        } else if let (true, Value::String(url)) = (urls.contains(&name.as_str()), &mut *value) {
            *url = masked_url(url).into_owned();
        } else {
            hide_value(value, urls);
        }
    }
}

fn hide_value(value: &mut Value, urls: &[&str]) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(masked) = masked_urls(text) {
                *text = masked;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide_value(item, urls)),
        Value::Object(inner) => hide(inner, urls, &[]),
        _ => {}
    }
}

/// Whether what stands under this name is a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(|letter| !matches!(letter, '_' | '-'))
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    SECRETS.iter().any(|end| plain.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn urls_and_secret_fields_are_masked_at_any_depth() {
        let mut row = json!({
            "id": "ep_1",
            "url": "https://u:p@x.example/?k=v",
            "endpoint": {"urls": ["https://x.example/?k=v"], "Signing-Secret": "whsec_1"},
            "headers": {"X-Api-Key": "k", "authorization": ["Bearer k"], "x-tenant": "9"},
            "token": null,
            "response": "https://x.example/?k=v",
            "endpoint_url": "u:p@x.example",
            "n": 7
        });
        if let Value::Object(row) = &mut row {
            hide(row, &["endpoint_url"], &["response"]);
        }
        assert_eq!(
            row,
            json!({
                "id": "ep_1",
                "url": "https://***@x.example/?k=***",
                "endpoint": {"urls": ["https://x.example/?k=***"], "Signing-Secret": "***"},
                "headers": {"X-Api-Key": "***", "authorization": "***", "x-tenant": "9"},
                "token": null,
                "response": "https://x.example/?k=v",
                "endpoint_url": "***@x.example",
                "n": 7
            })
        );
    }
}
