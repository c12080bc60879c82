//! What a client says about an endpoint before it is sent: always the whole object, checked as the
//! service checks it.

use core::net::Ipv6Addr;

use super::Endpoint;
use crate::domain::failure::{Failure, FailureKind};

/// Stands for every task event; the service expands it.
pub const EVERY_TASK_EVENT: &str = "task.*";
/// Stands alone for every event there is or will be: no list of types is sent.
pub const EVERY_EVENT: &str = "*";
/// What [`EVERY_TASK_EVENT`] stands for.
const TASK_EVENTS: [&str; 3] = ["task.completed", "task.failed", "task.progress"];
/// Messages a second, at most (svix.md: 16 bits).
const MOST_A_SECOND: u64 = 65_535;
/// Event types of the service that are named in a fault, at most.
const MOST_NAMED: usize = 12;
/// In characters.
const LONGEST_TEXT: usize = 2048;

/// All that a client may say about an endpoint (Aspect `POST` and `PUT /webhooks/endpoints`).
/// `PUT` replaces everything: what is left out falls back to its default, so it is sent whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointDraft {
    pub url: String,
    pub description: String,
    /// `None` means all, which only Svix knows.
    pub event_types: Option<Vec<String>>,
    /// Messages a second; `None` is no limit.
    pub rate_limit: Option<u64>,
    pub version: u64,
    pub disabled: bool,
}

impl Default for EndpointDraft {
    fn default() -> Self {
        Self {
            url: String::new(),
            description: String::new(),
            event_types: Some(vec![EVERY_TASK_EVENT.to_owned()]),
            rate_limit: None,
            version: 1,
            disabled: false,
        }
    }
}

/// What is to be changed of an endpoint; the rest stays as the service has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointEdit {
    pub url: Option<String>,
    pub description: Option<String>,
    /// `Some(None)` makes it all.
    pub event_types: Option<Option<Vec<String>>>,
    /// `Some(None)` takes the limit away.
    pub rate_limit: Option<Option<u64>>,
    pub disabled: Option<bool>,
}

/// A field that the service would refuse, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    pub field: &'static str,
    pub why: String,
}

impl EndpointDraft {
    /// The endpoint as it is known here.
    pub fn of(endpoint: &Endpoint) -> Self {
        let types = endpoint.event_types.as_ref();
        Self {
            url: endpoint.url.to_string(),
            description: endpoint.description.to_string(),
            event_types: types.map(|types| {
                types
                    .iter()
                    .map(|event_type| event_type.name().to_owned())
                    .collect()
            }),
            rate_limit: endpoint.rate_limit,
            disabled: endpoint.disabled,
            ..Self::default()
        }
    }

    #[must_use]
    pub fn with(mut self, edit: &EndpointEdit) -> Self {
        if let Some(url) = &edit.url {
            self.url.clone_from(url);
        }
        if let Some(description) = &edit.description {
            self.description.clone_from(description);
        }
        if let Some(types) = &edit.event_types {
            self.event_types.clone_from(types);
        }
        if let Some(limit) = edit.rate_limit {
            self.rate_limit = limit;
        }
        if let Some(disabled) = edit.disabled {
            self.disabled = disabled;
        }
        self
    }

    /// Everything the service would refuse, field by field.
    pub fn faults(&self) -> Vec<FieldFault> {
        faults(
            Some(&self.url),
            Some(&self.description),
            self.event_types.as_deref(),
            self.rate_limit,
        )
    }
}

impl EndpointEdit {
    /// The event types that it names.
    pub fn types(&self) -> Option<&[String]> {
        self.event_types.as_ref()?.as_deref()
    }

    /// The same of what is changed: what is not comes from the service and is right there.
    pub fn faults(&self) -> Vec<FieldFault> {
        faults(
            self.url.as_deref(),
            self.description.as_deref(),
            self.types(),
            self.rate_limit.flatten(),
        )
    }
}

/// Event types as they are named by words, of which one alone may stand for all.
pub fn types_named(words: Vec<String>) -> Option<Vec<String>> {
    (words != [EVERY_EVENT]).then_some(words)
}

/// Event types by their names, without words for several.
pub fn types_expanded(types: &[String]) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    for name in types {
        if name == EVERY_TASK_EVENT {
            all.extend(TASK_EVENTS);
        } else {
            all.push(name);
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

fn faults(
    url: Option<&str>,
    description: Option<&str>,
    types: Option<&[String]>,
    limit: Option<u64>,
) -> Vec<FieldFault> {
    let found = [
        ("url", url.and_then(url_fault)),
        ("description", description.and_then(length_fault)),
        ("event_types", types.and_then(types_fault)),
        ("rate_limit", limit.and_then(limit_fault)),
    ];
    let fault = |(field, why): (_, Option<String>)| why.map(|why| FieldFault { field, why });
    found.into_iter().filter_map(fault).collect()
}

/// The field that a service's refusal is about, by a name that it has on a wire. Only its own words
/// count: the address that they came from may hold such a name too.
pub fn refused_field(failure: &Failure) -> Option<&'static str> {
    if failure.kind != FailureKind::Invalid {
        return None;
    }
    let words = failure.said().map_or(&*failure.what, |(_, words)| words);
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    words.split(|c| !is_part(c)).find_map(|name| match name {
        "event_types" | "eventTypes" | "filterTypes" => Some("event_types"),
        "rate_limit" | "rateLimit" | "throttleRate" => Some("rate_limit"),
        "description" => Some("description"),
        "url" => Some("url"),
        _ => None,
    })
}

/// What speaks against event types where the service lists all that it knows.
pub fn unknown_type(types: &[String], known: &[String]) -> Option<FieldFault> {
    let is_known = |name: &String| *name == EVERY_TASK_EVENT || known.contains(name);
    let stranger = types.iter().find(|name| !is_known(name))?;
    let mut known = known.to_vec();
    known.sort();
    let n_more = known.len().saturating_sub(MOST_NAMED);
    known.truncate(MOST_NAMED);
    let more = match n_more {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let known = known.join(", ");
    let why = format!("this service has no event type {stranger:?}; it has {known}{more}");
    Some(FieldFault {
        field: "event_types",
        why,
    })
}

fn url_fault(url: &str) -> Option<String> {
    let needed = "an http or https URL is needed, such as https://example.com/hooks";
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let host = host.map(|host| host.rsplit('@').next().unwrap_or_default());
    let is_address = |host: &str| host.parse::<Ipv6Addr>().is_ok();
    let is_bare = |host: &str| host.is_empty() || (host.starts_with(':') && !is_address(host));
    if host.is_none_or(is_bare) || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some(needed.to_owned());
    }
    if let Some(why) = host.and_then(bracket_fault) {
        return Some(why.to_owned());
    }
    let port = host.and_then(port);
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Some("the port behind the host is a number from 1 to 65535".to_owned());
    }
    length_fault(url)
}

/// What is wrong with a host that is an address of IPv6, or looks like one.
fn bracket_fault(host: &str) -> Option<&'static str> {
    if host.parse::<Ipv6Addr>().is_ok() {
        return Some("an IPv6 address stands in brackets, as in http://[::1]:8080/");
    }
    let Some((before, rest)) = host.split_once('[') else {
        return host
            .contains(']')
            .then_some("the host has a ] without its [; they stand around an IPv6 address");
    };
    let Some((address, after)) = rest.split_once(']') else {
        return Some("the IPv6 address of the host has no ] at its end, as in http://[::1]:8080/");
    };
    if address.parse::<Ipv6Addr>().is_err() {
        return Some("in the brackets of the host is no IPv6 address, such as http://[::1]:8080/");
    }
    let is_alone = before.is_empty() && (after.is_empty() || after.starts_with(':'));
    (!is_alone).then_some("around the brackets of an IPv6 address stands nothing but a port")
}

/// What stands behind the colon after a host's name or address.
fn port(host: &str) -> Option<&str> {
    // An IPv6 address has colons of its own, in brackets.
    let name = host.rfind(']').map_or(0, |end| end + 1);
    let (_, port) = host.get(name..)?.split_once(':')?;
    (!port.is_empty()).then_some(port)
}

fn length_fault(text: &str) -> Option<String> {
    (text.chars().count() > LONGEST_TEXT)
        .then(|| format!("it is longer than {LONGEST_TEXT} characters"))
}

fn types_fault(types: &[String]) -> Option<String> {
    if types.is_empty() {
        return Some(format!(
            "at least one event type is needed; {EVERY_TASK_EVENT} is every one of a task, \
             {EVERY_EVENT} every one there is"
        ));
    }
    let is_word = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    types
        .iter()
        .find(|name| *name != EVERY_TASK_EVENT && !is_word(name))
        .map(|name| {
            format!(
                "{name:?} is no event type; they look like task.failed, {EVERY_TASK_EVENT} is every \
                 one of a task, {EVERY_EVENT} alone every one there is"
            )
        })
}

fn limit_fault(limit: u64) -> Option<String> {
    (limit == 0 || limit > MOST_A_SECOND)
        .then(|| format!("messages a second go from 1 to {MOST_A_SECOND}, or none for no limit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(url: &str) -> EndpointDraft {
        EndpointDraft {
            url: url.to_owned(),
            ..EndpointDraft::default()
        }
    }

    fn fields(draft: &EndpointDraft) -> Vec<&'static str> {
        draft.faults().iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn urls_need_http_and_a_host() {
        for url in [
            "http://127.0.0.1:1/x",
            "https://user:99999@a:65535?b=c:99999",
            "http://[::1]:8080/x",
            "http://[::1]/",
            "http://a:/",
            "https://user:key@example.com/hooks?a=b",
        ] {
            assert_eq!(fields(&draft(url)), [""; 0], "{url}");
        }
        for url in [
            "",
            "example.com",
            "ftp://example.com/",
            "http://",
            "http:///x",
            "http://:80/",
            "http://a:99999/x",
            "https://u:p@a:0",
            "http://a:8o/",
            "http://[::1]:65536/",
            "http://user@/x",
            "http://a b/",
            "http://a/\u{7}",
        ] {
            assert_eq!(fields(&draft(url)), ["url"], "{url}");
        }
    }

    #[test]
    fn a_bad_address_of_ipv6_is_not_blamed_on_the_port() {
        let missing = "the IPv6 address of the host has no ] at its end";
        let no_address = "in the brackets of the host is no IPv6 address";
        let bare = "an IPv6 address stands in brackets";
        let beside = "around the brackets of an IPv6 address stands nothing but a port";
        for (url, why) in [
            ("http://[::1", missing),
            ("http://[::1:8080/x", missing),
            ("https://me@[2001:db8::1/]", missing),
            ("http://[zz]/", no_address),
            ("http://[]/", no_address),
            ("http://[127.0.0.1]:80/", no_address),
            ("http://[fe80::1%25eth0]/", no_address),
            ("http://::1/", bare),
            ("http://2001:db8::1/x", bare),
            ("http://[::1]x/", beside),
            ("http://a[::1]:80/", beside),
            ("http://a]/", "the host has a ] without its ["),
            ("http://[::1]:x/", "the port behind the host"),
        ] {
            let faults = draft(url).faults();
            assert_eq!(faults.len(), 1, "{url}");
            assert!(faults[0].why.starts_with(why), "{url}: {}", faults[0].why);
        }
        for url in [
            "http://[::]",
            "https://[2001:DB8::1]?x=]",
            "http://[::ffff:10.0.0.1]:80",
            "http://a[b:c]@x/",
        ] {
            assert_eq!(draft(url).faults(), [], "{url}");
        }
    }

    #[test]
    fn every_fault_names_its_field() {
        let draft = EndpointDraft {
            event_types: Some(vec!["task failed".into()]),
            rate_limit: Some(0),
            description: "x".repeat(LONGEST_TEXT + 1),
            ..draft("nowhere")
        };
        assert_eq!(
            fields(&draft),
            ["url", "description", "event_types", "rate_limit"]
        );
    }

    #[test]
    fn a_star_alone_is_every_event() {
        let named = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned());
            types_named(words.collect())
        };
        assert_eq!(named(&["*"]), None);
        for (words, is_sound) in [
            (&["task.failed"][..], true),
            (&["*", "task.failed"], false),
            (&[], false),
        ] {
            let edit = EndpointEdit {
                event_types: Some(named(words)),
                ..EndpointEdit::default()
            };
            assert_eq!(edit.faults().is_empty(), is_sound, "{words:?}");
        }
    }

    #[test]
    fn event_types_are_those_that_the_service_has() {
        let known = ["task.failed".to_owned(), "task.completed".to_owned()];
        let types = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        assert_eq!(
            unknown_type(&types(&["task.*", "task.failed"]), &known),
            None
        );
        let fault = unknown_type(&types(&["task.failed", "bogus"]), &known);
        let why = "this service has no event type \"bogus\"; it has task.completed, task.failed";
        let expected = FieldFault {
            field: "event_types",
            why: why.to_owned(),
        };
        assert_eq!(fault, Some(expected));
    }

    #[test]
    fn a_refusal_names_its_field_by_every_wire_name() {
        let refusal = |words: &str| {
            let what = format!("422 from https://url.example for /description/x: {words}");
            refused_field(&Failure::new(FailureKind::Invalid, what, ""))
        };
        for (words, field) in [
            ("body.url: must be https", Some("url")),
            ("body.event_types.0: is unknown", Some("event_types")),
            ("body.eventTypes: is unknown", Some("event_types")),
            ("body.filterTypes.1: is unknown", Some("event_types")),
            ("body.rate_limit: is too high", Some("rate_limit")),
            ("body.rateLimit: is too high", Some("rate_limit")),
            ("body.throttleRate: is too high", Some("rate_limit")),
            ("body.description: is too long", Some("description")),
            ("body.version: is too high", None),
        ] {
            assert_eq!(refusal(words), field, "{words}");
        }
    }

    #[test]
    fn an_edit_leaves_the_rest_as_it_is() {
        let before = draft("http://127.0.0.1/");
        let edit = EndpointEdit {
            rate_limit: Some(Some(5)),
            disabled: Some(true),
            ..EndpointEdit::default()
        };
        let after = before.clone().with(&edit);
        let expected = EndpointDraft {
            rate_limit: Some(5),
            disabled: true,
            ..before
        };
        assert_eq!(after, expected);
    }
}
