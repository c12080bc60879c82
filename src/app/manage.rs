//! Managing endpoints: the menu over one, its forms, and what the service said of a change. Every
//! change is asked for once: while its answer is waited for, nothing else can be sent from there.

mod form;
mod headers;

use std::collections::BTreeMap;

use crossterm::event::KeyEvent;

use super::action::Action;
use super::list::Step;
use super::page::Page;
use super::prompt::Prompt;
use super::{Effect, Overlay, Screen, State, Tone};
use crate::domain::{
    Ability, EndpointDraft, EndpointEdit, EndpointId, Failure, FailureKind, FieldFault, Hidden,
    Offer, OwnHeaders, refused_field, visible,
};
pub use form::{Field, Form};
pub use headers::HeadersForm;

/// A change of an endpoint, or its secret, as asked of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointAction {
    Create(EndpointDraft),
    Edit(EndpointId, EndpointEdit),
    Delete(EndpointId),
    Rotate(EndpointId),
    Reveal(EndpointId),
    Example(EndpointId),
    /// Read its own headers.
    Headers(EndpointId),
    /// Replace them.
    SetHeaders(EndpointId, BTreeMap<String, Hidden>),
}

/// What the service gave for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointAnswer {
    Done,
    Created(EndpointId, Option<Hidden>),
    Secret(Hidden),
    Headers(OwnHeaders),
    /// A field that it would refuse: nothing was sent.
    Fault(FieldFault),
}

/// What can be done with an endpoint, in the order of the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Edit,
    Toggle,
    Headers,
    Example,
    Reveal,
    Rotate,
    Delete,
}

pub const CHOICES: [Choice; 7] = [
    Choice::Edit,
    Choice::Toggle,
    Choice::Headers,
    Choice::Example,
    Choice::Reveal,
    Choice::Rotate,
    Choice::Delete,
];

impl Choice {
    /// What the service must offer for it, beside its list of endpoints.
    fn offer(self) -> Option<Offer> {
        match self {
            Self::Headers => Some(Offer::Headers),
            Self::Example => Some(Offer::SendExample),
            Self::Reveal => Some(Offer::Secret),
            Self::Rotate => Some(Offer::Rotate),
            Self::Edit | Self::Toggle | Self::Delete => None,
        }
    }
}

/// The overlay.
#[derive(Debug, Clone, PartialEq)]
pub struct Manage {
    /// `None` while a new one is made.
    pub endpoint: Option<EndpointId>,
    pub stage: Stage,
}

/// What stands in the overlay.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// What can be done, and the line that is picked.
    Menu(usize),
    Form(Box<Form>),
    Headers(Box<HeadersForm>),
    /// A deletion, and what was typed to confirm it.
    Confirm(Prompt),
    Waiting,
    Secret {
        secret: Hidden,
        is_new: bool,
    },
}

/// What must be typed to delete an endpoint.
pub const CONFIRM_WORD: &str = "delete";

impl Stage {
    /// Whether keys are text here.
    pub fn takes_text(&self) -> bool {
        matches!(self, Self::Form(_) | Self::Headers(_) | Self::Confirm(_))
    }
}

impl State {
    /// Opens the menu over the endpoint that is selected.
    pub(super) fn manage(&mut self) {
        let endpoint = match self.pages.last() {
            Some(Page::Endpoint(page)) => Some(page.endpoint.clone()),
            Some(Page::Attempt(_) | Page::Message(_)) | None
                if self.screen == Screen::Endpoints =>
            {
                self.listed_endpoint()
            }
            _ => None,
        };
        match endpoint {
            Some(endpoint) => {
                self.overlay = Some(Overlay::Manage(Box::new(Manage {
                    endpoint: Some(endpoint),
                    stage: Stage::Menu(0),
                })));
            }
            None => self.say(Tone::Info, "choose an endpoint (4) to manage it"),
        }
    }

    /// Opens the form of a new endpoint.
    pub(super) fn create_endpoint(&mut self) {
        if self.refuses_changes() {
            return;
        }
        self.overlay = Some(Overlay::Manage(Box::new(Manage {
            endpoint: None,
            stage: Stage::Form(Box::default()),
        })));
    }

    fn refuses_changes(&mut self) -> bool {
        if self.session.is_read_only {
            self.say(
                Tone::Warn,
                "read-only mode: nothing is changed; start without --read-only to change endpoints",
            );
        }
        self.session.is_read_only
    }

    /// Enter in the overlay: does what is picked, or sends the form.
    pub(super) fn send_managed(&mut self) -> Vec<Effect> {
        let Some(Overlay::Manage(mut manage)) = self.overlay.take() else {
            return Vec::new();
        };
        let effects = match (&mut manage.stage, manage.endpoint.clone()) {
            (Stage::Menu(at), Some(endpoint)) => {
                let choice = CHOICES[(*at).min(CHOICES.len() - 1)];
                if let Some(why) = self.why_absent(choice) {
                    let words = format!("nothing was sent: {}", visible(why));
                    self.say(Tone::Warn, words);
                    self.overlay = Some(Overlay::Manage(manage));
                    return Vec::new();
                }
                let is_reading = matches!(choice, Choice::Reveal | Choice::Headers);
                if !is_reading && self.refuses_changes() {
                    self.overlay = Some(Overlay::Manage(manage));
                    return Vec::new();
                }
                let (stage, action) = self.chosen(choice, endpoint);
                manage.stage = stage;
                action
            }
            (Stage::Form(form), endpoint) => form.edit().map(|edit| match endpoint {
                Some(endpoint) => EndpointAction::Edit(endpoint, edit),
                None => EndpointAction::Create(EndpointDraft::default().with(&edit)),
            }),
            (Stage::Headers(form), Some(endpoint)) if !self.refuses_changes() => form
                .headers()
                .map(|headers| EndpointAction::SetHeaders(endpoint, headers)),
            (Stage::Confirm(prompt), Some(endpoint)) if prompt.text().trim() == CONFIRM_WORD => {
                Some(EndpointAction::Delete(endpoint))
            }
            (Stage::Secret { .. }, _) => return Vec::new(),
            _ => None,
        };
        if effects.is_some() {
            manage.stage = Stage::Waiting;
        }
        self.overlay = Some(Overlay::Manage(manage));
        effects.map(Effect::Manage).into_iter().collect()
    }

    /// Why a choice of the menu cannot be had here, where the service does not offer it.
    pub fn why_absent(&self, choice: Choice) -> Option<&str> {
        match self.history.abilities.offers.get(&choice.offer()?) {
            Some(Ability::Absent(why)) => Some(why),
            _ => None,
        }
    }

    /// What a choice of the menu leads to.
    fn chosen(&self, choice: Choice, endpoint: EndpointId) -> (Stage, Option<EndpointAction>) {
        let known = self.history.endpoints.get(&endpoint);
        let action = match choice {
            Choice::Edit => {
                let form = known.map_or_else(Form::default, Form::of);
                return (Stage::Form(Box::new(form)), None);
            }
            Choice::Delete => return (Stage::Confirm(Prompt::default()), None),
            Choice::Toggle => {
                let is_disabled = known.is_some_and(|known| known.disabled);
                let edit = EndpointEdit {
                    disabled: Some(!is_disabled),
                    ..EndpointEdit::default()
                };
                EndpointAction::Edit(endpoint, edit)
            }
            Choice::Headers => EndpointAction::Headers(endpoint),
            Choice::Example => EndpointAction::Example(endpoint),
            Choice::Reveal => EndpointAction::Reveal(endpoint),
            Choice::Rotate => EndpointAction::Rotate(endpoint),
        };
        (Stage::Waiting, Some(action))
    }

    /// A key where text is typed.
    pub(super) fn press_in_form(&mut self, key: KeyEvent, action: Option<Action>) -> Vec<Effect> {
        if let Some(Overlay::Bulk(_)) = self.overlay {
            return self.press_in_count(key, action);
        }
        match action {
            Some(Action::Interrupt) => return self.interrupt(),
            Some(Action::Send) => return self.send_managed(),
            Some(Action::NextPane | Action::Down) => self.turn_field(1),
            Some(Action::PreviousPane | Action::Up) => self.turn_field(-1),
            Some(_) => self.overlay = None,
            None => match self.text_stage() {
                Some(Stage::Form(form)) => {
                    form.press(key);
                }
                Some(Stage::Headers(form)) => form.press(key),
                Some(Stage::Confirm(prompt)) => {
                    prompt.press(key);
                }
                _ => {}
            },
        }
        Vec::new()
    }

    fn turn_field(&mut self, by: isize) {
        match self.text_stage() {
            Some(Stage::Form(form)) => form.turn(by),
            Some(Stage::Headers(form)) => form.turn(by),
            _ => {}
        }
    }

    /// Pasted text, if a form takes it.
    pub(super) fn paste_in_form(&mut self, text: &str) -> bool {
        match self.text_stage() {
            Some(Stage::Form(form)) => form.paste(text),
            Some(Stage::Headers(form)) => form.paste(text),
            Some(Stage::Confirm(prompt)) => prompt.paste(text),
            _ => return false,
        }
        true
    }

    fn text_stage(&mut self) -> Option<&mut Stage> {
        match &mut self.overlay {
            Some(Overlay::Manage(manage)) if manage.stage.takes_text() => Some(&mut manage.stage),
            _ => None,
        }
    }

    /// The service's answer to a change. It is told even where the overlay was closed meanwhile, and
    /// a secret is shown then too, as it may never be told again.
    pub(super) fn take_managed(
        &mut self,
        action: &EndpointAction,
        answer: Result<EndpointAnswer, Failure>,
    ) -> Vec<Effect> {
        let is_waiting = matches!(&self.overlay,
            Some(Overlay::Manage(manage)) if manage.stage == Stage::Waiting);
        if is_waiting {
            self.overlay = None;
        }
        let name = self.managed_name(action);
        let failure = match answer {
            Err(failure) => failure,
            Ok(EndpointAnswer::Headers(own)) => {
                // Nobody waits for them any more where the overlay was closed.
                if is_waiting {
                    self.open_headers(action, HeadersForm::of(&own));
                }
                return Vec::new();
            }
            Ok(EndpointAnswer::Fault(fault)) => {
                self.say_fault(action, &fault, is_waiting);
                return Vec::new();
            }
            Ok(answer) => {
                self.say(Tone::Ok, done_words(action, &name));
                let secret = match answer {
                    EndpointAnswer::Done
                    | EndpointAnswer::Headers(_)
                    | EndpointAnswer::Fault(_) => None,
                    EndpointAnswer::Created(id, secret) => Some((id, secret, true)),
                    EndpointAnswer::Secret(secret) => {
                        let id = action.endpoint().cloned();
                        let is_new = matches!(action, EndpointAction::Rotate(_));
                        id.map(|id| (id, Some(secret), is_new))
                    }
                };
                if let Some((endpoint, Some(secret), is_new)) = secret {
                    self.overlay = Some(Overlay::Manage(Box::new(Manage {
                        endpoint: Some(endpoint),
                        stage: Stage::Secret { secret, is_new },
                    })));
                }
                let is_reading = matches!(action, EndpointAction::Reveal(_));
                return if is_reading {
                    Vec::new()
                } else {
                    vec![Effect::Refresh]
                };
            }
        };
        self.take_refused(action, &failure, is_waiting);
        vec![Effect::Refresh]
    }

    /// Tells that a change failed: in its form, which stands there again so that nothing typed is
    /// lost, or in a notice.
    fn take_refused(&mut self, action: &EndpointAction, failure: &Failure, is_waiting: bool) {
        let words = visible(&failure.brief()).into_owned();
        // Where it is not known whether it was done, sending it again is no small step.
        if is_waiting && failure.kind != FailureKind::Broken {
            if let EndpointAction::SetHeaders(_, headers) = action {
                let told = headers.clone();
                let own = OwnHeaders {
                    told,
                    sensitive: Vec::new(),
                };
                let mut form = HeadersForm::of(&own);
                form.refusal = Some(words);
                return self.open_headers(action, form);
            }
            if let Some(mut form) = self.retyped(action) {
                // Its words may name the field as it is called on the wire.
                if let Some(field) = refused_field(failure) {
                    let why = "the service refuses it".to_owned();
                    form.note_fault(&FieldFault { field, why });
                }
                form.refusal = Some(words);
                return self.open_form(action, form);
            }
        }
        let name = self.managed_name(action);
        self.say(Tone::Bad, format!("{name}: {words}"));
    }

    /// Something of the form would be refused: it stands there again and names the field.
    fn say_fault(&mut self, action: &EndpointAction, fault: &FieldFault, is_waiting: bool) {
        match self.retyped(action) {
            Some(mut form) if is_waiting => {
                form.note_fault(fault);
                self.open_form(action, form);
            }
            _ => {
                let name = self.managed_name(action);
                let why = visible(&fault.why);
                self.say(Tone::Bad, format!("{name}: nothing was sent: {why}"));
            }
        }
    }

    fn open_form(&mut self, action: &EndpointAction, form: Form) {
        self.overlay = Some(Overlay::Manage(Box::new(Manage {
            endpoint: action.endpoint().cloned(),
            stage: Stage::Form(Box::new(form)),
        })));
    }

    fn open_headers(&mut self, action: &EndpointAction, form: HeadersForm) {
        self.overlay = Some(Overlay::Manage(Box::new(Manage {
            endpoint: action.endpoint().cloned(),
            stage: Stage::Headers(Box::new(form)),
        })));
    }

    fn retyped(&self, action: &EndpointAction) -> Option<Form> {
        match action {
            EndpointAction::Create(draft) => {
                let edit = EndpointEdit {
                    url: Some(draft.url.clone()),
                    description: Some(draft.description.clone()),
                    event_types: draft.event_types.clone(),
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
            _ => "the new endpoint".to_owned(),
        }
    }

    /// One line up or down in the menu.
    pub(super) fn step_menu(&mut self, step: Step) {
        if let Some(Overlay::Manage(manage)) = &mut self.overlay
            && let Stage::Menu(at) = &mut manage.stage
        {
            let last = CHOICES.len() - 1;
            *at = match step {
                Step::Up(n) | Step::PageUp(n) => at.saturating_sub(n),
                Step::Down(n) | Step::PageDown(n) => (*at + n).min(last),
                Step::First => 0,
                Step::Last => last,
            };
        }
    }

    /// The secret that is shown and its endpoint.
    pub(super) fn shown_secret(&self) -> Option<(&EndpointId, &Hidden)> {
        match &self.overlay {
            Some(Overlay::Manage(manage)) => match (&manage.endpoint, &manage.stage) {
                (Some(endpoint), Stage::Secret { secret, .. }) => Some((endpoint, secret)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Has the secret that is shown saved.
    pub(super) fn save_secret(&mut self) -> Vec<Effect> {
        let Some((endpoint, secret)) = self.shown_secret() else {
            self.say(
                Tone::Info,
                "only a signing secret that is shown can be saved",
            );
            return Vec::new();
        };
        vec![Effect::SaveSecret {
            endpoint: endpoint.clone(),
            secret: secret.clone(),
        }]
    }
}

impl EndpointAction {
    fn endpoint(&self) -> Option<&EndpointId> {
        match self {
            Self::Create(_) => None,
            Self::Edit(id, _)
            | Self::Delete(id)
            | Self::Rotate(id)
            | Self::Reveal(id)
            | Self::Example(id)
            | Self::Headers(id)
            | Self::SetHeaders(id, _) => Some(id),
        }
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
        EndpointAction::SetHeaders(_, headers) => match headers.len() {
            0 => format!("{name} has no headers of its own any more"),
            1 => format!("{name} has 1 header of its own"),
            n => format!("{name} has {n} headers of its own"),
        },
        EndpointAction::Example(_) => format!("an example is on its way to {name}"),
    }
}
