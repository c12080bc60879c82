//! What the service said of a change, told and shown.

use super::{EndpointAction, EndpointAnswer, EndpointRequest, Form, HeadersForm, Manage, Stage};
use crate::app::{Effect, State, Tone};
use crate::domain::{
    EndpointEdit, EndpointId, Failure, FailureKind, FieldFault, Hidden, refused_field, visible,
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
            Ok(EndpointAnswer::Headers(own)) => {
                // Nobody waits for them any more where the overlay was closed.
                if self.is_asked(request.number) {
                    let form = headers_form(action, HeadersForm::of(&own));
                    self.settle_change(request.number, Some(form));
                }
                return Vec::new();
            }
            Ok(EndpointAnswer::Done) => None,
            Ok(EndpointAnswer::Created(id, secret)) => {
                let named = match &name[..] {
                    NAMELESS => self.history.endpoint_label(&id),
                    _ => name.clone(),
                };
                secret.map(|secret| shown(id, &named, secret, true))
            }
            Ok(EndpointAnswer::Secret(secret)) => {
                let is_new = matches!(action, EndpointAction::Rotate(_));
                let id = action.endpoint().cloned();
                id.map(|id| shown(id, &name, secret, is_new))
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
        let words = visible(&failure.brief()).into_owned();
        // Where it is not known whether it was done, sending it again is no small step.
        let form = match action {
            _ if failure.kind == FailureKind::Broken => None,
            EndpointAction::SetHeaders(_, _, form) => {
                let mut form = HeadersForm::clone(form);
                form.refusal = Some(words.clone());
                Some(headers_form(action, form))
            }
            _ => self.retyped(action).map(|mut form| {
                // Its words may name the field as it is called on the wire.
                if let Some(field) = refused_field(failure) {
                    let why = "the service refuses it".to_owned();
                    form.note_fault(&FieldFault { field, why });
                }
                form.refusal = Some(words.clone());
                typed_form(action, form)
            }),
        };
        if form.is_none() || !self.is_asked(request.number) {
            let name = self.managed_name(action);
            self.say(Tone::Bad, format!("{name}: {words}"));
        }
        form
    }

    /// Something of the form would be refused: it stands there again and names the field.
    fn faulty(&mut self, request: &EndpointRequest, fault: &FieldFault) -> Option<Manage> {
        let action = &request.action;
        let form = self.retyped(action).map(|mut form| {
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

    fn retyped(&self, action: &EndpointAction) -> Option<Form> {
        match action {
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
            EndpointAction::Edit(id, edit) if edit.disabled.is_none() => {
                let known = self.history.endpoints.get(id)?;
                Some(Form::of(known).retyped(edit))
            }
            _ => None,
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
        EndpointAction::Example(_) => format!("an example is on its way to {name}"),
    }
}
