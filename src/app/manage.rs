//! Managing endpoints: the menu over one, its forms, and what the service said of a change. Every
//! change is asked for once: while its answer is waited for, nothing else can be sent from there.

mod answered;
mod form;
mod headers;
mod held;

use std::collections::BTreeMap;

use crossterm::event::KeyEvent;

use super::action::Action;
use super::list::Step;
use super::page::Page;
use super::prompt::Prompt;
use super::{Effect, Overlay, Screen, State, Tone};
use crate::domain::{
    Ability, Differs, Endpoint, EndpointDraft, EndpointEdit, EndpointId, EndpointVerb, FieldFault,
    Hidden, Offer, OwnHeaders, OwnValue, visible,
};
pub use form::{Field, Form};
pub use headers::HeadersForm;
pub use held::Changes;

/// A change as it is asked for, by its own number: its answer closes no other's waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointRequest {
    pub number: u64,
    pub action: EndpointAction,
    /// The form that a change was typed in, which knows what was there as it was opened.
    pub form: Option<Box<Form>>,
}

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
    /// Replace them; with the form that they were typed in.
    SetHeaders(EndpointId, BTreeMap<String, OwnValue>, Box<HeadersForm>),
}

/// What the service gave for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointAnswer {
    Done,
    /// It is done, but the service has it otherwise than it was sent.
    Otherwise(Vec<Differs>),
    /// With its signing secret, or why that could not be read.
    Created(EndpointId, Result<Hidden, String>),
    /// The secret is another one: it, or why it could not be read.
    Rotated(Result<Hidden, String>),
    Secret(Hidden),
    Headers(OwnHeaders),
    /// A field that it would refuse: nothing was sent.
    Fault(FieldFault),
    /// Somebody else changed the same meanwhile: nothing was sent. The endpoint as it is now.
    Overtaken(Box<Endpoint>),
    /// The same of headers, as they are now.
    HeadersOvertaken(OwnHeaders),
    /// It is not known whether it was done, and why not.
    Unknown(String),
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
    /// The line that stands at the top where the user scrolled; else the one that keys act on is
    /// kept in sight.
    pub scroll: Option<usize>,
    /// When it came by itself; monotonic microseconds, [`i64::MIN`] where the user opened it.
    since: i64,
}

impl Manage {
    fn new(endpoint: Option<EndpointId>, stage: Stage) -> Self {
        Self {
            endpoint,
            stage,
            scroll: None,
            since: i64::MIN,
        }
    }
}

/// What stands in the overlay.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// What can be done, and the line that is picked.
    Menu {
        at: usize,
        /// Whether it was disabled as the menu was opened: a line does what stood there then.
        is_disabled: bool,
    },
    Form(Box<Form>),
    Headers(Box<HeadersForm>),
    /// What is not done without its word, and what was typed.
    Confirm(Grave, Prompt),
    /// For the answer to the change of this number.
    Waiting(u64),
    /// What came of a change that did not succeed, until it is closed.
    Told {
        /// Of its endpoint.
        name: String,
        told: Vec<String>,
    },
    Secret {
        secret: Hidden,
        is_new: bool,
        /// Of its endpoint, which may not be listed yet.
        name: String,
    },
}

/// What cannot be taken back, and is done only where its word is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grave {
    Delete,
    Rotate,
}

impl Grave {
    /// What must be typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Rotate => "rotate",
        }
    }

    fn action(self, endpoint: EndpointId) -> EndpointAction {
        match self {
            Self::Delete => EndpointAction::Delete(endpoint),
            Self::Rotate => EndpointAction::Rotate(endpoint),
        }
    }
}

impl Stage {
    /// Whether keys are text here.
    pub fn takes_text(&self) -> bool {
        matches!(self, Self::Form(_) | Self::Headers(_) | Self::Confirm(..))
    }
}

fn confirming(grave: Grave) -> Chosen {
    Chosen::Stage(Stage::Confirm(grave, Prompt::default()))
}

/// What a line of the menu leads to.
enum Chosen {
    Stage(Stage),
    Action(EndpointAction),
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
                let known = self.history.endpoints.get(&endpoint);
                let is_disabled = known.is_some_and(|known| known.disabled);
                let stage = Stage::Menu { at: 0, is_disabled };
                let menu = Manage::new(Some(endpoint), stage);
                self.overlay = Some(Overlay::Manage(Box::new(menu)));
            }
            None => self.say_here("choose an endpoint (4) to manage it"),
        }
    }

    /// Opens the form of a new endpoint.
    pub(super) fn create_endpoint(&mut self) {
        if self.refuses_changes() {
            return;
        }
        let form = Manage::new(None, Stage::Form(Box::default()));
        self.overlay = Some(Overlay::Manage(Box::new(form)));
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
        let action = match (&mut manage.stage, manage.endpoint.clone()) {
            (Stage::Menu { at, is_disabled }, Some(endpoint)) => {
                let is_disabled = *is_disabled;
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
                match self.chosen(choice, endpoint, is_disabled) {
                    Chosen::Stage(stage) => {
                        manage.stage = stage;
                        None
                    }
                    Chosen::Action(action) => Some(action),
                }
            }
            (Stage::Form(form), endpoint) => form.edit().map(|edit| match endpoint {
                Some(endpoint) => EndpointAction::Edit(endpoint, edit),
                None => EndpointAction::Create(EndpointDraft::default().with(&edit)),
            }),
            (Stage::Headers(form), Some(endpoint)) if !self.refuses_changes() => form
                .headers()
                .map(|headers| EndpointAction::SetHeaders(endpoint, headers, form.clone())),
            (Stage::Confirm(grave, prompt), Some(endpoint))
                if prompt.text().trim() == grave.word() =>
            {
                Some(grave.action(endpoint))
            }
            (Stage::Secret { .. } | Stage::Told { .. }, _) => return Vec::new(),
            _ => None,
        };
        let form = match &manage.stage {
            Stage::Form(form) if manage.endpoint.is_some() => Some(form.clone()),
            _ => None,
        };
        let request = action.map(|action| self.changes.ask(action, form));
        if let Some(request) = &request {
            manage.stage = Stage::Waiting(request.number);
        }
        self.overlay = Some(Overlay::Manage(manage));
        request.map(Effect::Manage).into_iter().collect()
    }

    /// Why a choice of the menu cannot be had here, where the service does not offer it.
    pub fn why_absent(&self, choice: Choice) -> Option<&str> {
        match self.history.abilities.offers.get(&choice.offer()?) {
            Some(Ability::Absent(why)) => Some(why),
            _ => None,
        }
    }

    /// What a choice of the menu leads to.
    fn chosen(&self, choice: Choice, endpoint: EndpointId, is_disabled: bool) -> Chosen {
        let known = self.history.endpoints.get(&endpoint);
        let action = match choice {
            Choice::Edit => {
                let form = known.map_or_else(Form::default, Form::of);
                return Chosen::Stage(Stage::Form(Box::new(form)));
            }
            Choice::Delete => return confirming(Grave::Delete),
            Choice::Rotate => return confirming(Grave::Rotate),
            Choice::Toggle => {
                let edit = EndpointEdit {
                    disabled: Some(!is_disabled),
                    ..EndpointEdit::default()
                };
                EndpointAction::Edit(endpoint, edit)
            }
            Choice::Headers => EndpointAction::Headers(endpoint),
            Choice::Example => EndpointAction::Example(endpoint),
            Choice::Reveal => EndpointAction::Reveal(endpoint),
        };
        Chosen::Action(action)
    }

    /// A key where text is typed.
    pub(super) fn press_in_form(&mut self, key: KeyEvent, action: Option<Action>) -> Vec<Effect> {
        if let Some(Overlay::Bulk(_)) = self.overlay {
            return self.press_in_count(key, action);
        }
        match action {
            Some(Action::Interrupt) => return self.interrupt(),
            Some(Action::Send) => return self.send_managed(),
            Some(Action::PageUp) => self.step_menu(Step::PageUp((self.viewport.rows / 2).max(1))),
            Some(Action::PageDown) => {
                self.step_menu(Step::PageDown((self.viewport.rows / 2).max(1)));
            }
            Some(Action::NextPane | Action::Down) => self.turn_field(1),
            Some(Action::PreviousPane | Action::Up) => self.turn_field(-1),
            Some(_) => self.overlay = None,
            None => match self.text_stage() {
                Some(Stage::Form(form)) => {
                    form.press(key);
                }
                Some(Stage::Headers(form)) => form.press(key),
                Some(Stage::Confirm(_, prompt)) => {
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
            Some(Stage::Confirm(_, prompt)) => prompt.paste(text),
            _ => return false,
        }
        true
    }

    /// Where text is typed; what it is typed in is in sight from now on.
    fn text_stage(&mut self) -> Option<&mut Stage> {
        match &mut self.overlay {
            Some(Overlay::Manage(manage)) if manage.stage.takes_text() => {
                manage.scroll = None;
                Some(&mut manage.stage)
            }
            _ => None,
        }
    }

    /// One line up or down in the menu; elsewhere, what has not all its lines in sight scrolls.
    pub(super) fn step_menu(&mut self, step: Step) {
        let max_scroll = self.viewport.max_scroll;
        let Some(Overlay::Manage(manage)) = &mut self.overlay else {
            return;
        };
        let Stage::Menu { at, .. } = &mut manage.stage else {
            let top = manage.scroll.unwrap_or(0);
            manage.scroll = Some(step.scrolled(top, max_scroll));
            return;
        };
        let last = CHOICES.len() - 1;
        *at = match step {
            Step::Up(n) | Step::PageUp(n) => at.saturating_sub(n),
            Step::Down(n) | Step::PageDown(n) => (*at + n).min(last),
            Step::First => 0,
            Step::Last => last,
        };
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
            self.say_here("only a signing secret that is shown can be saved");
            return Vec::new();
        };
        vec![Effect::SaveSecret {
            endpoint: endpoint.clone(),
            secret: secret.clone(),
        }]
    }
}

impl EndpointAction {
    /// Whether it changes nothing.
    fn is_reading(&self) -> bool {
        self.verb().is_none()
    }

    /// What it changes, if it does.
    fn verb(&self) -> Option<EndpointVerb> {
        match self {
            Self::Create(_) => Some(EndpointVerb::Create),
            Self::Edit(..) => Some(EndpointVerb::Edit),
            Self::Delete(_) => Some(EndpointVerb::Delete),
            Self::Rotate(_) => Some(EndpointVerb::Rotate),
            Self::SetHeaders(..) => Some(EndpointVerb::SetHeaders),
            Self::Example(_) => Some(EndpointVerb::Example),
            Self::Reveal(_) | Self::Headers(_) => None,
        }
    }

    fn endpoint(&self) -> Option<&EndpointId> {
        match self {
            Self::Create(_) => None,
            Self::Edit(id, _)
            | Self::Delete(id)
            | Self::Rotate(id)
            | Self::Reveal(id)
            | Self::Example(id)
            | Self::Headers(id)
            | Self::SetHeaders(id, ..) => Some(id),
        }
    }
}
