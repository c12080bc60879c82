//! The dashboard's mind: State, what may happen to it (Msg), what it asks for (Effect).
//!
//! [`update::update`] is the only way State moves. It knows time only from messages, and touches
//! nothing outside: what must be done comes back as values.

mod act;
pub mod action;
mod asking;
pub mod bulk;
pub mod deliveries;
pub mod diff;
pub mod document;
pub mod endpoints;
pub mod events;
pub mod filter;
mod fold;
mod giving_up;
pub mod keymap;
pub mod list;
pub mod listing;
pub mod manage;
pub mod marks;
pub mod page;
pub mod palette;
pub mod prompt;
mod pulse;
pub mod received;
pub mod replaying;
mod rescan;
pub mod subject;
mod target;
pub mod tasks;
pub mod toast;
pub mod told;
pub mod update;
pub mod waits;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crossterm::event::KeyEvent;

use crate::domain::bulk::Sweep;
use crate::domain::{
    AssetId, AttemptId, Bounds, Change, EndpointId, Failure, Grounds, Hidden, History, MessageId,
    Moment, NextAsked, Proof, Received, Route, TaskId, Time,
};
use bulk::asking::Asking;
use bulk::reading::Reading;
use bulk::run::Run;
use bulk::sending::RunView;
use bulk::{BulkOverlay, ShownBulk};
use deliveries::DeliveryList;
use endpoints::EndpointList;
use events::EventList;
use filter::Filter;
use keymap::{Keymap, Mode};
use manage::{Changes, EndpointAnswer, EndpointRequest, Manage};
use marks::Marks;
use page::{HealthPage, Page};
use palette::Palette;
use prompt::Prompt;
pub use pulse::{Pace, Polls};
use received::ReceivedList;
use replaying::{Leaving, ReplayOverlay};
use tasks::TaskList;
pub use toast::Toast;
pub use told::Sighted;
pub use update::update;
use waits::Waits;

/// What is known before the first message: who is asked, how, and what may be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Session {
    /// Host, profile or "embedded server".
    pub source_name: String,
    pub is_demo: bool,
    pub is_read_only: bool,
    /// How much is kept in memory.
    pub bounds: Bounds,
    /// Seconds east of UTC of the zone that times are shown in.
    pub utc_offset: i32,
    /// Where the key came from, in words.
    pub key_origin: String,
    pub base_url: String,
    /// Where deliveries are read, if that is a Svix server, in words.
    pub deliveries_from: Option<String>,
    /// Whether there is nothing but that Svix server: tasks are as seen in its messages.
    pub is_svix_alone: bool,
    /// Where a receiver listens beside the dashboard, if one does.
    pub listening: Option<String>,
    /// So long at most a service is left alone that asks for it (429), in microseconds.
    pub longest_pause: i64,
}

/// The screens, in the order of their digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub enum Screen {
    #[default]
    Tasks,
    Events,
    Deliveries,
    Endpoints,
    Health,
    Received,
}

/// Every screen, in the order of its digit.
pub const SCREENS: [Screen; 6] = [
    Screen::Tasks,
    Screen::Events,
    Screen::Deliveries,
    Screen::Endpoints,
    Screen::Health,
    Screen::Received,
];

impl Screen {
    /// Its digit.
    pub fn digit(self) -> usize {
        self as usize + 1
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Tasks => "Tasks",
            Self::Events => "Events",
            Self::Deliveries => "Deliveries",
            Self::Endpoints => "Endpoints",
            Self::Health => "Health",
            Self::Received => "Received",
        }
    }
}

/// Everything that can happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    Key(KeyEvent),
    Pasted(String),
    Changed(Vec<Change>),
    Tick(Moment),
    /// What the last frame showed.
    Drawn(Viewport),
    /// There is time for one slice of a filter's scan.
    Scan,
    /// A copy was written to the terminal, or could not be.
    Copied {
        what: String,
        error: Option<String>,
    },
    /// The service told something of one thing, or not.
    Told {
        sight: Sight,
        told: Result<Sighted, Failure>,
    },
    /// What the service said of a change of an endpoint.
    Managed {
        request: EndpointRequest,
        answer: Result<EndpointAnswer, Failure>,
    },
    /// A replay was given up, or could not be.
    GaveUp(Result<(), Failure>),
    /// A secret was saved in this file, or could not be.
    SecretSaved(Result<String, String>),
    /// A file holds the secret before a rotation, and why not the new one.
    SecretStale {
        file: String,
        why: String,
    },
    /// The program is about to be stopped by its user, and may go on much later.
    Suspending,
    /// The intake ended: no change will come any more.
    IntakeEnded,
}

/// Everything that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send a message to an endpoint once.
    Replay(ReplayRequest),
    /// Post a replay from here, signed with its endpoint's secret.
    PostHere(PostRequest),
    /// Have Svix send again what failed at an endpoint, by one request.
    Sweep(SweepRequest),
    /// Close an open replay, by its number, though its outcome is not known; what came of it is
    /// [`Msg::GaveUp`].
    GiveUp(u64),
    /// Read one thing now; what is found comes as changes, or as [`Msg::Told`].
    Look(Sight),
    /// Read all attempts of a message that a plan rests on, once the service is not left alone.
    LookInTurn(MessageId),
    /// The same of a message itself of which attempts alone are known.
    ReadInTurn(MessageId),
    /// Change an endpoint once, or read its secret; what came of it is [`Msg::Managed`].
    Manage(EndpointRequest),
    /// Save a secret beside the configuration.
    SaveSecret {
        endpoint: EndpointId,
        secret: Hidden,
    },
    /// Look at the signature of a received request again; by its row's number.
    Verify {
        row: u64,
        /// How many requests of the row had come with it.
        nth: u64,
        request: Box<Received>,
    },
    Reconnect,
    Refresh,
    /// Put a text into the clipboard.
    Copy {
        what: String,
        text: String,
    },
    Redraw,
    Suspend,
    Quit,
}

/// A replay to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayRequest {
    pub number: u64,
    pub message: MessageId,
    pub endpoint: EndpointId,
    pub route: Route,
    /// What the decision to send it rests on.
    pub grounds: Grounds,
}

/// What failed at an endpoint since a time, to be sent again by the service alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepRequest {
    pub asked: Sweep,
    /// What is known of it, a replay each.
    pub replays: Vec<ReplayRequest>,
}

/// A replay to be posted from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostRequest {
    pub replay: ReplayRequest,
    pub url: Arc<str>,
    pub body: Arc<[u8]>,
}

/// One thing to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    Task(TaskId),
    /// All attempts of a message.
    Attempts(MessageId),
    /// A message itself, where a server tells it by its id.
    Message(MessageId),
    Asset(AssetId),
    /// When the service tries a message again.
    Next(NextAsked),
    /// Attempts at an endpoint, as the service counts them.
    Stats(EndpointId),
    /// What an attempt carried beside its body.
    Headers(MessageId, AttemptId),
}

/// What the last frame showed, as far as `update` needs it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Viewport {
    pub screen: Screen,
    /// Rows of the list, or of the detail's focused pane.
    pub rows: usize,
    /// Rows of the list that match its filter.
    pub matching: usize,
    /// The row shown as selected in the list.
    pub selected: Option<RowKey>,
    /// Whether the list was shown without any row.
    pub is_bare: bool,
    /// Lines that Health, or the help over any screen, can be scrolled by at most.
    pub max_scroll: usize,
    /// Assets on screen whose names are not known.
    pub unnamed: Vec<AssetId>,
    /// What `Enter` was said to send, if the plan of a replay was in sight.
    pub plan: Option<ShownPlan>,
    /// The same of the plan of many, or of their stop.
    pub bulk: Option<ShownBulk>,
}

/// What a plan on the screen said would be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownPlan {
    pub message: MessageId,
    pub route: Route,
    /// The chosen endpoints, in the order of the plan.
    pub chosen: Vec<EndpointId>,
}

/// A row of a list, by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowKey {
    Task(TaskId),
    Event(u64),
    Message(MessageId),
    Endpoint(EndpointId),
    /// What was received of a message, by the row's number.
    Received(u64),
}

/// What a piece of text means; the theme makes a style of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, PartialOrd, Ord)]
pub enum Tone {
    #[default]
    Text,
    Dim,
    Accent,
    Ok,
    Warn,
    Bad,
    Info,
}

/// What stands over the screen.
#[derive(Debug, Clone, PartialEq)]
pub enum Overlay {
    /// The keys, so many lines of them scrolled away, and what stands below them.
    Help {
        top: usize,
        below: Option<Box<Overlay>>,
    },
    Replay(Box<ReplayOverlay>),
    /// The plan of many replays.
    Bulk(Box<BulkOverlay>),
    /// Many replays being sent, and what became of them: [`State::run`].
    Run(RunView),
    Manage(Box<Manage>),
    Palette(Box<Palette>),
}

/// The screen holds still; what came meanwhile waits here, in a bounded list.
#[derive(Debug, Clone, PartialEq)]
pub struct Frozen {
    pub since: Moment,
    pub waiting: Vec<Change>,
    /// Bytes of the frames, payloads and answers that wait.
    pub n_bytes: usize,
}

/// Everything the dashboard knows.
pub struct State {
    pub session: Session,
    pub keymap: Keymap,
    pub history: History,
    /// The latest time that any message told.
    pub now: Moment,
    pub screen: Screen,
    pub tasks: TaskList,
    pub events: EventList,
    pub deliveries: DeliveryList,
    pub endpoints: EndpointList,
    pub marks: Marks,
    pub received: ReceivedList,
    pub health: HealthPage,
    /// Details over the list, the innermost last.
    pub pages: Vec<Page>,
    pub overlay: Option<Overlay>,
    pub prompt: Option<Prompt>,
    pub toasts: VecDeque<Toast>,
    pub frozen: Option<Frozen>,
    pub viewport: Viewport,
    pub pace: Pace,
    /// When the stream last gave a sign of life, comments included.
    pub last_sign: Option<Moment>,
    /// When a read by REST was last answered well, and when and why one last was not.
    pub polls: Polls,
    /// The replay of one message that is about to be sent.
    pub leaving: Option<Leaving>,
    /// The many that are being sent, or were sent last.
    pub run: Option<Run>,
    /// What the service is asked about the plan of many.
    pub asking: Asking,
    /// What is read for the plan of many.
    pub reading: Reading,
    /// What is left to the service's own retry.
    pub waits: Waits,
    /// The changes of endpoints that wait for an answer, and what waits to be seen of them.
    pub changes: Changes,
    /// When a key was pressed last; monotonic microseconds.
    keyed: i64,
    next_replay: u64,
    asked: HashSet<AssetId>,
    /// Until when a second `q` quits though a replay is under way; monotonic microseconds.
    quits_until: i64,
    /// The replay that a second `X` gives up, and until when; monotonic microseconds.
    gives_up: Option<(u64, i64)>,
}

impl State {
    pub fn new(session: Session, keymap: Keymap) -> Self {
        Self {
            history: History::new(session.bounds),
            session,
            keymap,
            now: Moment::default(),
            screen: Screen::default(),
            tasks: TaskList::default(),
            events: EventList::default(),
            deliveries: DeliveryList::default(),
            endpoints: EndpointList::default(),
            marks: Marks::default(),
            received: ReceivedList::default(),
            health: HealthPage::default(),
            pages: Vec::new(),
            overlay: None,
            prompt: None,
            toasts: VecDeque::new(),
            frozen: None,
            viewport: Viewport::default(),
            pace: Pace::default(),
            last_sign: None,
            polls: Polls::default(),
            leaving: None,
            run: None,
            asking: Asking::default(),
            reading: Reading::default(),
            waits: Waits::default(),
            changes: Changes::default(),
            keyed: i64::MIN,
            next_replay: 1,
            asked: HashSet::new(),
            quits_until: i64::MIN,
            gives_up: None,
        }
    }

    /// The time that rows are shown at: now, or when the screen was frozen. In whole seconds, so
    /// that all ages change at once and at most once a second.
    pub fn shown_at(&self) -> Moment {
        self.frozen.as_ref().map_or(self.now, |frozen| frozen.since)
    }

    /// Until when the service asks to be left alone (429), as the poller leaves it alone; `None` if it
    /// does not.
    pub fn left_alone(&self) -> Option<Time> {
        let left = self.polls.alone_for(self.now);
        (left > 0).then(|| self.now.wall.plus(left))
    }

    /// The same by the clock of the service that delivers: what its messages and attempts are
    /// measured by, …
    pub fn deliveries_at(&self) -> Time {
        self.history.service_time(self.shown_at().wall)
    }

    /// … and by that of the service that tells of tasks and events.
    pub fn tasks_at(&self) -> Time {
        self.history.task_time(self.shown_at().wall)
    }

    /// A time of day where it is today, else with its day.
    pub fn clock(&self, time: Time) -> String {
        time.day_clock(self.now.wall, self.session.utc_offset)
    }

    pub fn mode(&self) -> Mode {
        if self.prompt.is_some() {
            return Mode::Prompt;
        }
        self.mode_under(self.overlay.as_ref())
    }

    /// The mode with this overlay on top.
    pub fn mode_under(&self, overlay: Option<&Overlay>) -> Mode {
        match overlay {
            Some(Overlay::Help { .. }) => Mode::Help,
            Some(Overlay::Bulk(bulk)) if bulk.typed.is_some() => Mode::Form,
            Some(Overlay::Replay(_) | Overlay::Bulk(_) | Overlay::Run(_)) => Mode::Plan,
            Some(Overlay::Manage(manage)) if manage.stage.takes_text() => Mode::Form,
            Some(Overlay::Manage(_)) => Mode::Menu,
            Some(Overlay::Palette(_)) => Mode::Palette,
            None => self.mode_below(),
        }
    }

    /// The filter of the screen, where it has one.
    pub fn filter(&self) -> Option<&Filter> {
        match self.screen {
            Screen::Tasks => Some(&self.tasks.filter),
            Screen::Events => Some(&self.events.filter),
            Screen::Deliveries => Some(&self.deliveries.filter),
            Screen::Endpoints => Some(&self.endpoints.filter),
            Screen::Received => Some(&self.received.filter),
            Screen::Health => None,
        }
    }

    /// Whether a filter's scan waits for [`Msg::Scan`].
    pub fn is_scanning(&self) -> bool {
        self.tasks.is_scanning(&self.history)
            || self.events.is_scanning(&self.history)
            || self.deliveries.is_scanning(&self.history)
    }

    /// The latest comparison after a reconnect, for as long as it is news.
    pub fn fresh_proof(&self) -> Option<&Proof> {
        const NEWS: i64 = 10 * crate::domain::time::SECOND;
        self.history
            .proofs
            .back()
            .filter(|proof| self.now.wall.since(proof.at) < NEWS)
    }

    /// What could not be read or was passed over.
    pub fn dropped(&self) -> u64 {
        self.history.losses.total()
    }

    /// When something was last received, if anything was.
    pub fn last_true(&self) -> Option<Time> {
        let poll = self.polls.well.map(|at| at.wall);
        self.last_sign.map(|sign| sign.wall).max(poll)
    }
}
