//! The plan of a replay that is posted from here, straight to an endpoint's URL and signed anew.

use core::net::IpAddr;
use std::sync::Arc;

use super::verdict::{MAY_END, in_the_way, posted_there, weigh};
use super::{Plan, PlanItem, Verdict, candidates, tried};
use crate::domain::history::History;
use crate::domain::id::{EndpointId, MessageId};
use crate::domain::mask::MASK;
use crate::domain::message::Payload;
use crate::domain::time::Time;

/// What would be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostBody {
    pub bytes: Arc<[u8]>,
    /// Whether these are the bytes that were delivered; else they are made of the payload.
    pub is_captured: bool,
}

impl PostBody {
    /// The body of a message, if it is here: as a receiver beside the dashboard got it first with a
    /// signature that verified, else as the service tells its payload. What anybody may have sent
    /// there is never signed.
    pub fn of(history: &History, message: &MessageId) -> Option<Self> {
        let received = history.received.of(message);
        let mut requests = received.into_iter().flat_map(|receipt| &receipt.requests);
        if let Some((_, first)) = requests.find(|(_, it)| it.is_verified()) {
            return Some(Self {
                bytes: first.body.clone(),
                is_captured: true,
            });
        }
        let known = history.deliveries.get(message)?.message.as_ref()?;
        match &known.payload {
            Payload::Json(text) => Some(Self {
                bytes: Arc::clone(text).into(),
                is_captured: false,
            }),
            Payload::Expired | Payload::Absent => None,
        }
    }

    /// How its bytes came to be.
    pub fn label(&self) -> &'static str {
        if self.is_captured {
            "as captured"
        } else {
            "rebuilt from the payload"
        }
    }
}

/// Plans to post a message from here to one endpoint, or to every endpoint whose last attempt failed.
pub fn plan_local(
    history: &History,
    message: &MessageId,
    only: Option<&EndpointId>,
    is_read_only: bool,
    now: Time,
) -> Plan {
    let endpoints = match only {
        Some(endpoint) => vec![endpoint.clone()],
        None => candidates(history, history.deliveries.get(message)),
    };
    plan_at(
        history,
        message,
        endpoints,
        only.is_some(),
        is_read_only,
        now,
    )
}

/// The plan at those endpoints alone that were tried, or at one of these.
pub(in crate::domain) fn plan_local_tried(
    history: &History,
    message: &MessageId,
    only: Option<&EndpointId>,
    is_read_only: bool,
    now: Time,
) -> Plan {
    let endpoints = tried(history.deliveries.get(message), only);
    plan_at(history, message, endpoints, false, is_read_only, now)
}

fn plan_at(
    history: &History,
    message: &MessageId,
    mut endpoints: Vec<EndpointId>,
    is_named: bool,
    is_read_only: bool,
    now: Time,
) -> Plan {
    let body = PostBody::of(history, message);
    let general = match &body {
        _ if is_read_only => Some("read-only mode"),
        None => Some("neither its payload nor a captured body is here"),
        Some(_) => None,
    };
    endpoints.sort_by_key(|id| (history.endpoint_label(id), id.clone()));
    let items = endpoints.iter().map(|id| {
        let refusal = general
            .map(str::to_owned)
            .or_else(|| refusal_there(history, id))
            .or_else(|| in_the_way(history, message, id).map(|open| open.rival_words(id)));
        item(history, message, id, is_named, refusal, now)
    });
    Plan {
        message: message.clone(),
        route: match &body {
            Some(body) => format!("a POST from here, signed anew, {}", body.label()),
            None => "a POST from here, signed anew".to_owned(),
        },
        items: items.collect(),
    }
}

fn item(
    history: &History,
    message: &MessageId,
    id: &EndpointId,
    is_named: bool,
    refusal: Option<String>,
    now: Time,
) -> PlanItem {
    let delivery = history.deliveries.get(message);
    let endpoint = history.endpoints.get(id);
    let (verdict, mut warnings) = match refusal {
        Some(why) => (Verdict::Refuse(why), Vec::new()),
        None => weigh(history, delivery, id, is_named, now),
    };
    for warning in &mut warnings {
        if let Some(retry) = warning.strip_suffix(MAY_END) {
            *warning = format!("{retry}it comes all the same");
        }
    }
    warnings.extend(posted_there(history, message, id, now));
    if endpoint.is_some_and(|endpoint| endpoint.disabled) {
        let what = "the endpoint is disabled at the service; this is posted all the same";
        warnings.push(what.to_owned());
    }
    PlanItem::of(history, message, id, verdict, warnings)
}

fn refusal_there(history: &History, id: &EndpointId) -> Option<String> {
    let url = match history.endpoints.get(id) {
        None if history.is_unlisted(id) => return Some("the endpoint was deleted".to_owned()),
        Some(endpoint) if !endpoint.url.is_empty() => &endpoint.url,
        _ => return Some("its URL is not known".to_owned()),
    };
    let hint = "reeltop replay MESSAGE --to URL posts it";
    if url.contains(MASK) {
        return Some(format!("its URL holds a secret that is not kept; {hint}"));
    }
    (!is_here(url)).then(|| format!("its host is not this machine; {hint}, its name confirmed"))
}

/// Whether a URL leads to this machine.
fn is_here(url: &str) -> bool {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    let authority = rest.and_then(|rest| rest.split(['/', '\\', '?', '#']).next());
    let Some(authority) = authority.filter(|authority| !authority.contains('@')) else {
        return false;
    };
    let host = match authority.strip_prefix('[') {
        Some(inner) => inner.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default().to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_told_from_others() {
        for (url, here) in [
            ("http://127.0.0.1:3000/hooks", true),
            ("https://LOCALHOST/", true),
            ("http://[::1]:1/", true),
            ("http://app.localhost", true),
            ("http://127.0.0.1@evil.example/", false),
            ("http://127.0.0.1.evil.example/", false),
            ("http://evil.example/127.0.0.1", false),
            ("http://evil.example\\@127.0.0.1/", false),
            ("ftp://127.0.0.1/", false),
            ("", false),
        ] {
            assert_eq!(is_here(url), here, "{url}");
        }
    }
}
