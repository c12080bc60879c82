//! What the service said of a change, told and shown.

use super::{
    Choice, EndpointAction, EndpointAnswer, EndpointRequest, Form, HeadersForm, Manage, Stage,
};
use crate::app::{Effect, State, Tone};
use crate::domain::{
    Differs, Endpoint, EndpointEdit, EndpointId, Failure, FieldFault, Hidden, OwnHeaders,
    refused_field, visible,
};

/// An endpoint that has neither a name nor an id yet.
const NAMELESS: &str = "the new endpoint";

impl State {
    /// The service's answer to a change. It is told even where its waiting was closed meanwhile, and
    /// a secret is shown then too, as it may never be told again.
    pub(in crate::app) fn take_managed(
        &mut self,
        request: &EndpointRequest,
        answer: Result<EndpointAnswer, Failure>,
    ) -> Vec<Effect> {
        let action = &request.action;
        self.changes.close(request.number);
        let name = self.managed_name(action);
        let left = match answer {
            Err(failure) => {
                let left = self.refused(request, &failure);
                self.settle_change(request.number, left);
                return vec![Effect::Refresh];
            }
            Ok(EndpointAnswer::Fault(fault)) => {
                let left = self.faulty(request, &fault);
                self.settle_change(request.number, left);
                return Vec::new();
            }
            Ok(EndpointAnswer::Overtaken(now)) => {
                let left = self.overtaken(request, &now);
                self.settle_change(request.number, left);
                return vec![Effect::Refresh];
            }
            Ok(EndpointAnswer::HeadersOvertaken(now)) => {
                let left = self.headers_overtaken(request, &now);
                self.settle_change(request.number, left);
                return Vec::new();
            }
            Ok(EndpointAnswer::Headers(own)) => {
                // Nobody waits for them any more where the overlay was closed.
                if self.is_asked(request.number) {
                    let form = headers_form(action, HeadersForm::of(&own));
                    self.settle_change(request.number, Some(form));
                }
                return Vec::new();
            }
            Ok(EndpointAnswer::Unknown(why)) => {
                let asked = self.asked_words(action);
                self.say(
                    Tone::Warn,
                    format!("{asked}: not known whether it was done"),
                );
                let no_secret = self.why_absent(Choice::Reveal);
                let left = unknown(action, name, &asked, &visible(&why), no_secret);
                self.settle_change(request.number, Some(left));
                return vec![Effect::Refresh];
            }
            Ok(EndpointAnswer::Otherwise(differs)) => {
                self.say(Tone::Warn, otherwise(&name, &differs));
                self.settle_change(request.number, None);
                return vec![Effect::Refresh];
            }
            Ok(EndpointAnswer::Done) => None,
            Ok(EndpointAnswer::Created(id, secret)) => {
                let named = match &name[..] {
                    NAMELESS => self.history.endpoint_label(&id),
                    _ => name.clone(),
                };
                Some(new_secret(action, id, named, secret))
            }
            Ok(EndpointAnswer::Rotated(secret)) => {
                let id = action.endpoint().cloned();
                id.map(|id| new_secret(action, id, name.clone(), secret))
            }
            Ok(EndpointAnswer::Secret(secret)) => {
                let id = action.endpoint().cloned();
                id.map(|id| shown(id, &name, secret, false))
            }
        };
        let mut words = done_words(action, &name);
        if left.is_some() && !self.is_asked(request.number) {
            words.push_str("; its secret is shown as soon as nothing else is open");
        }
        self.say(Tone::Ok, words);
        self.settle_change(request.number, left);
        if matches!(action, EndpointAction::Reveal(_)) {
            return Vec::new();
        }
        vec![Effect::Refresh]
    }

    /// Tells that a change failed: in its form, which stands there again so that nothing typed is
    /// lost, or in a notice.
    fn refused(&mut self, request: &EndpointRequest, failure: &Failure) -> Option<Manage> {
        let action = &request.action;
        let words = visible(&own_advice(failure).brief()).into_owned();
        let form = match action {
            EndpointAction::SetHeaders(_, _, form) => {
                let mut form = HeadersForm::clone(form);
                form.refusal = Some(words.clone());
                Some(headers_form(action, form))
            }
            _ => retyped(request).map(|mut form| {
                // Its words may name the field as it is called on the wire.
                if let Some(field) = refused_field(failure) {
                    let why = "the service refuses it".to_owned();
                    form.note_fault(&FieldFault { field, why });
                }
                form.refusal = Some(words.clone());
                typed_form(action, form)
            }),
        };
        if form.is_some() && self.is_asked(request.number) {
            return form;
        }
        let name = self.managed_name(action);
        self.say(Tone::Bad, format!("{name}: {words}"));
        // What was only read can be asked for again.
        if form.is_some() || (action.is_reading() && !self.is_asked(request.number)) {
            return form;
        }
        let told = vec![format!("✗ {}: not done", self.asked_words(action)), words];
        let stage = Stage::Told { name, told };
        Some(Manage::new(action.endpoint().cloned(), stage))
    }

    /// Something of the form would be refused: it stands there again and names the field.
    fn faulty(&mut self, request: &EndpointRequest, fault: &FieldFault) -> Option<Manage> {
        let action = &request.action;
        let form = retyped(request).map(|mut form| {
            form.note_fault(fault);
            typed_form(action, form)
        });
        if form.is_none() || !self.is_asked(request.number) {
            let name = self.managed_name(action);
            let why = visible(&fault.why);
            self.say(Tone::Bad, format!("{name}: nothing was sent: {why}"));
        }
        form
    }

    /// Somebody else changed what is to be changed: the form stands there again and says what.
    fn overtaken(&mut self, request: &EndpointRequest, now: &Endpoint) -> Option<Manage> {
        let (EndpointAction::Edit(_, edit), Some(form)) = (&request.action, &request.form) else {
            return None;
        };
        self.say_overtaken(request);
        Some(typed_form(&request.action, form.over(edit, now)))
    }

    /// The same of headers.
    fn headers_overtaken(&mut self, request: &EndpointRequest, now: &OwnHeaders) -> Option<Manage> {
        let EndpointAction::SetHeaders(_, typed, form) = &request.action else {
            return None;
        };
        self.say_overtaken(request);
        let form = form.over(&form.overtaken(typed, now), now);
        Some(headers_form(&request.action, form))
    }

    /// Says that nothing was sent, where nobody waits for it.
    fn say_overtaken(&mut self, request: &EndpointRequest) {
        if !self.is_asked(request.number) {
            let name = self.managed_name(&request.action);
            let words = "nothing was sent: somebody else changed the same meanwhile";
            self.say(Tone::Bad, format!("{name}: {words}"));
        }
    }

    /// What was asked for.
    pub(super) fn asked_words(&self, action: &EndpointAction) -> String {
        let name = self.managed_name(action);
        match action {
            EndpointAction::Create(_) => format!("creating {name}"),
            EndpointAction::Edit(_, edit) => match edit.disabled {
                Some(true) => format!("disabling {name}"),
                Some(false) => format!("enabling {name}"),
                None => format!("changing {name}"),
            },
            EndpointAction::Delete(_) => format!("deleting {name}"),
            EndpointAction::Rotate(_) => format!("rotating the secret of {name}"),
            EndpointAction::Reveal(_) => format!("reading the secret of {name}"),
            EndpointAction::Headers(_) => format!("reading the headers of {name}"),
            EndpointAction::SetHeaders(..) => format!("replacing the headers of {name}"),
            EndpointAction::Example(_) => format!("sending an example to {name}"),
        }
    }

    fn managed_name(&self, action: &EndpointAction) -> String {
        match (action, action.endpoint()) {
            (EndpointAction::Create(draft), _) if !draft.description.is_empty() => {
                visible(&draft.description).into_owned()
            }
            (_, Some(id)) => self.history.endpoint_label(id),
            _ => NAMELESS.to_owned(),
        }
    }
}

/// What the service has otherwise than it was sent.
fn otherwise(name: &str, differs: &[Differs]) -> String {
    let words = differs.iter().map(|it| {
        let (now, sent) = (visible(&it.now), visible(&it.before));
        format!("its {} is {now} now, and {sent} was sent", it.field)
    });
    let words = words.collect::<Vec<_>>().join("; ");
    format!("{name}: the service took the change, but {words}")
}

/// The form as it was typed.
fn retyped(request: &EndpointRequest) -> Option<Form> {
    match &request.action {
        EndpointAction::Create(draft) => {
            let edit = EndpointEdit {
                url: Some(draft.url.clone()),
                description: Some(draft.description.clone()),
                event_types: Some(draft.event_types.clone()),
                rate_limit: Some(draft.rate_limit),
                disabled: None,
            };
            Some(Form::default().retyped(&edit))
        }
        EndpointAction::Edit(..) => request.form.as_deref().cloned(),
        _ => None,
    }
}

/// The secret that a change made, or that it could not be read though the change is done.
fn new_secret(
    action: &EndpointAction,
    id: EndpointId,
    name: String,
    secret: Result<Hidden, String>,
) -> Manage {
    match secret {
        Ok(secret) => shown(id, &name, secret, true),
        Err(why) => {
            let told = vec![
                format!("✓ {}", done_words(action, &name)),
                format!("its signing secret is not shown: {}", visible(&why)),
                "where the service tells it, m and show the secret read it".to_owned(),
            ];
            Manage::new(Some(id), Stage::Told { name, told })
        }
    }
}

fn shown(endpoint: EndpointId, name: &str, secret: Hidden, is_new: bool) -> Manage {
    let name = name.to_owned();
    Manage::new(
        Some(endpoint),
        Stage::Secret {
            secret,
            is_new,
            name,
        },
    )
}

/// Its advice as it can be followed here, where it names a command.
fn own_advice(failure: &Failure) -> Failure {
    let mut failure = failure.clone();
    if failure.hint.starts_with("reeltop endpoints") {
        "the list (4) has those that are there".clone_into(&mut failure.hint);
    }
    failure
}

/// That nobody knows whether it was done stays there until it is closed, with how to find out, and
/// what doing it again would do. `no_secret`: why the service tells no secret, if it does not.
fn unknown(
    action: &EndpointAction,
    name: String,
    asked: &str,
    why: &str,
    no_secret: Option<&str>,
) -> Manage {
    let how = match (action, no_secret) {
        (EndpointAction::Create(_), None) => {
            "look for its URL in the list (4) before you create it again: a second one would get \
             every message too. If it is there, m shows its secret; if that is not told, delete it \
             and create it anew"
        }
        (EndpointAction::Create(_), Some(_)) => {
            "look for its URL in the list (4) before you create it again: a second one would get \
             every message too. If it is there, delete it (m) and create it anew: its secret was \
             in the answer that did not come, and this server tells it no more"
        }
        (EndpointAction::Edit(_, edit), _) if edit.disabled.is_some() => {
            "the list (4) shows whether it is disabled; doing it again does no harm"
        }
        (EndpointAction::Edit(..), _) => {
            "its page (4, Enter) shows what it has now; the same change again does no harm"
        }
        (EndpointAction::Delete(_), _) => {
            "if the list (4) still has it, it was not deleted, and can be deleted again"
        }
        (EndpointAction::Rotate(_), None) => {
            "do not rotate it again before you know, as that makes one secret more. Show its \
             secret (m) and compare it with the receiver's: another one is the new one, and the \
             one before stays valid for a day"
        }
        (EndpointAction::Rotate(_), Some(_)) => {
            "this server does not tell its secret: look in its own portal. If it was rotated, the \
             one before stays valid for a day; rotating again makes one secret more"
        }
        (EndpointAction::Headers(_), _) => "m, headers reads what it has now",
        (EndpointAction::SetHeaders(..), _) => {
            "m, headers reads what it has now; the same headers again do no harm"
        }
        (EndpointAction::Reveal(_), _) => "m reads it again",
        (EndpointAction::Example(_), _) => {
            "its page (4, Enter) shows whether an attempt came; sending it again sends another"
        }
    };
    let told = vec![
        format!("? {asked}: it is not known whether it was done"),
        how.to_owned(),
        format!("nothing is tried again by itself; {why}"),
    ];
    let stage = Stage::Told { name, told };
    Manage::new(action.endpoint().cloned(), stage)
}

/// The form again; why it was refused is in sight first.
fn typed_form(action: &EndpointAction, form: Form) -> Manage {
    let scroll = form.refusal.as_ref().map(|_| 0);
    let stage = Stage::Form(Box::new(form));
    Manage {
        scroll,
        ..Manage::new(action.endpoint().cloned(), stage)
    }
}

fn headers_form(action: &EndpointAction, form: HeadersForm) -> Manage {
    let scroll = form.refusal.as_ref().map(|_| 0);
    let stage = Stage::Headers(Box::new(form));
    Manage {
        scroll,
        ..Manage::new(action.endpoint().cloned(), stage)
    }
}

fn done_words(action: &EndpointAction, name: &str) -> String {
    match action {
        EndpointAction::Create(_) => format!("{name} is created"),
        EndpointAction::Edit(_, edit) => match edit.disabled {
            Some(true) => format!("{name} is disabled: nothing is sent there, nor later"),
            Some(false) => {
                format!("{name} is enabled; what happened meanwhile has to be replayed")
            }
            None => format!("{name} is changed"),
        },
        EndpointAction::Delete(_) => format!("{name} is deleted"),
        EndpointAction::Rotate(_) => {
            format!("{name} has another secret; the one before stays valid for a day")
        }
        EndpointAction::Reveal(_) => format!("the secret of {name}"),
        EndpointAction::Headers(_) => format!("the headers of {name}"),
        EndpointAction::SetHeaders(_, headers, _) => match headers.len() {
            0 => format!("{name} has no headers of its own any more"),
            1 => format!("{name} has 1 header of its own"),
            n => format!("{name} has {n} headers of its own"),
        },
        EndpointAction::Example(_) => format!("the service took an example for {name}"),
    }
}
