//! The plan of a replay: what would be sent where, and every reason not to.

use super::attempt::AttemptStatus;
use super::endpoint::Endpoint;
use super::history::{Delivery, History, OutcomeState};
use super::id::{EndpointId, MessageId};
use super::link::Ability;
use super::message::Payload;
use super::schedule::Forecast;
use super::time::{Time, duration_words, rough_words};

/// What a replay of one message would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub message: MessageId,
    /// How it would be sent, in words.
    pub route: String,
    /// Endpoints in the order of their labels; those that were never tried and take no such
    /// events are left out.
    pub items: Vec<PlanItem>,
}

/// What would happen at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanItem {
    pub endpoint: EndpointId,
    pub label: String,
    pub url: String,
    pub verdict: Verdict,
    /// What to know before sending.
    pub warnings: Vec<String>,
    /// Whether it is to be sent; never true where the verdict refuses.
    pub is_chosen: bool,
}

/// Whether an endpoint is to get the message again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Send,
    /// Not chosen by default, for this reason; may be chosen.
    Skip(String),
    /// Cannot be sent, for this reason.
    Refuse(String),
}

impl Plan {
    /// Endpoints that are to get it.
    pub fn chosen(&self) -> impl Iterator<Item = &PlanItem> + '_ {
        self.items.iter().filter(|item| item.is_chosen)
    }

    /// Turns one endpoint's choice round; `false` if it is refused or not in the plan.
    pub fn toggle(&mut self, endpoint: &EndpointId) -> bool {
        let found = self
            .items
            .iter_mut()
            .find(|item| item.endpoint == *endpoint && !matches!(item.verdict, Verdict::Refuse(_)));
        if let Some(item) = found {
            item.is_chosen = !item.is_chosen;
            return true;
        }
        false
    }
}

/// Plans the replay of a message to one endpoint, or to every endpoint whose last attempt failed.
pub fn plan(
    history: &History,
    message: &MessageId,
    only: Option<&EndpointId>,
    is_read_only: bool,
    now: Time,
) -> Plan {
    let delivery = history.deliveries.get(message);
    let mut endpoints: Vec<EndpointId> = match only {
        Some(endpoint) => vec![endpoint.clone()],
        None => candidates(history, delivery),
    };
    endpoints.sort_by_key(|id| (history.endpoint_label(id), id.clone()));
    let general = general_refusal(history, delivery, is_read_only);
    let items = endpoints
        .iter()
        .map(|endpoint| {
            item(
                history,
                message,
                delivery,
                endpoint,
                only.is_some(),
                general.as_deref(),
                now,
            )
        })
        .collect();
    let route = match &history.abilities.resend {
        Ability::Offered(route) => format!("the server's resend ({route}), one try"),
        Ability::Absent(_) | Ability::Unknown => "no route".to_owned(),
    };
    Plan {
        message: message.clone(),
        route,
        items,
    }
}

fn candidates(history: &History, delivery: Option<&Delivery>) -> Vec<EndpointId> {
    let mut endpoints: Vec<EndpointId> = delivery
        .iter()
        .flat_map(|delivery| &delivery.outcomes)
        .map(|outcome| outcome.endpoint.clone())
        .collect();
    let kind = delivery
        .and_then(|delivery| delivery.message.as_ref())
        .map(|message| &message.kind);
    for endpoint in history
        .endpoints
        .values()
        .filter(|endpoint| !endpoint.is_inferred)
    {
        let wants = kind.is_none_or(|kind| {
            endpoint
                .event_types
                .as_ref()
                .is_none_or(|types| types.contains(kind))
        });
        if wants && !endpoints.contains(&endpoint.id) {
            endpoints.push(endpoint.id.clone());
        }
    }
    endpoints
}

fn general_refusal(
    history: &History,
    delivery: Option<&Delivery>,
    is_read_only: bool,
) -> Option<String> {
    if is_read_only {
        return Some("read-only mode".into());
    }
    match &history.abilities.resend {
        Ability::Offered(_) => {}
        Ability::Absent(why) => return Some(why.clone()),
        Ability::Unknown => {
            return Some("not known yet whether this server offers a resend".into());
        }
    }
    let payload = delivery
        .and_then(|delivery| delivery.message.as_ref())
        .map(|message| &message.payload);
    (payload == Some(&Payload::Expired)).then(|| "the service no longer has the payload".into())
}

fn item(
    history: &History,
    message: &MessageId,
    delivery: Option<&Delivery>,
    id: &EndpointId,
    is_named: bool,
    general: Option<&str>,
    now: Time,
) -> PlanItem {
    let endpoint = history.endpoints.get(id);
    let refusal = general
        .map(str::to_owned)
        .or_else(|| endpoint_refusal(endpoint, history))
        .or_else(|| {
            history
                .replays
                .open_of(message, id)
                .map(|open| format!("a replay of it is open: {}", open.words()))
        });
    let (verdict, mut warnings) = match refusal {
        Some(why) => (Verdict::Refuse(why), Vec::new()),
        None => weigh(history, delivery, id, is_named, now),
    };
    let kind = delivery
        .and_then(|delivery| delivery.message.as_ref())
        .map(|message| &message.kind);
    if let (Some(types), Some(kind)) = (
        endpoint.and_then(|endpoint| endpoint.event_types.as_ref()),
        kind,
    ) && !types.contains(kind)
    {
        warnings.push(format!(
            "the endpoint does not subscribe to {kind}; a resend goes there all the same"
        ));
    }
    PlanItem {
        endpoint: id.clone(),
        label: history.endpoint_label(id),
        url: endpoint
            .map(|endpoint| endpoint.url.to_string())
            .unwrap_or_default(),
        is_chosen: verdict == Verdict::Send,
        verdict,
        warnings,
    }
}

fn endpoint_refusal(endpoint: Option<&Endpoint>, history: &History) -> Option<String> {
    match endpoint {
        Some(endpoint) if endpoint.disabled => Some(
            "the endpoint is disabled: the service would accept it and silently send nothing"
                .into(),
        ),
        None if history.abilities.endpoint_list.is_offered() => {
            Some("the endpoint was deleted".into())
        }
        _ => None,
    }
}

fn weigh(
    history: &History,
    delivery: Option<&Delivery>,
    id: &EndpointId,
    is_named: bool,
    now: Time,
) -> (Verdict, Vec<String>) {
    let Some((delivery, outcome)) =
        delivery.and_then(|delivery| delivery.outcome(id).map(|outcome| (delivery, outcome)))
    else {
        let verdict = if is_named {
            Verdict::Send
        } else {
            Verdict::Skip("never sent there".into())
        };
        return (verdict, vec!["it was never sent there before".into()]);
    };
    let attempts = delivery.attempts_at(id);
    let mut warnings = Vec::new();
    match history.schedule.forecast(&attempts) {
        Forecast::Next { at, .. } if at > now => warnings.push(format!(
            "an automatic retry is due in about {} (estimate); a resend may end that schedule",
            rough_words(at.since(now))
        )),
        Forecast::Next { at, .. } => warnings.push(format!(
            "an automatic retry is overdue by {} (estimate); a resend may end that schedule",
            rough_words(now.since(at))
        )),
        Forecast::Uncertain { .. } => {
            warnings.push("an earlier manual attempt may have ended the automatic retries".into());
        }
        Forecast::Exhausted { of } => warnings.push(format!(
            "all {of} automatic attempts failed; nothing more comes by itself"
        )),
        Forecast::Nothing => {}
    }
    let delivered = attempts
        .iter()
        .rev()
        .find(|attempt| attempt.status == AttemptStatus::Success);
    let verdict = match (outcome.state, delivered) {
        (OutcomeState::Delivered, Some(attempt)) => {
            let ago = format!(
                "delivered {} ago",
                duration_words(now.since(attempt.started))
            );
            if is_named {
                warnings.push(format!(
                    "already {ago}; the receiver will see it a second time"
                ));
                Verdict::Send
            } else {
                Verdict::Skip(ago)
            }
        }
        (OutcomeState::Sending, _) => {
            warnings.push("an attempt is under way".into());
            if is_named {
                Verdict::Send
            } else {
                Verdict::Skip("an attempt is under way".into())
            }
        }
        _ => Verdict::Send,
    };
    (verdict, warnings)
}
