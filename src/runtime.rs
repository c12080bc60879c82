//! The loop: wait, take all that waits, move the state, run effects, draw if a cell would differ.
//!
//! The only place where the mind (`app`) and the hands (`io`) meet.

mod manage;
mod screen;
mod told;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use crossterm::event::{Event, KeyEventKind};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tracing::info;

use crate::app::keymap::Keymap;
use crate::app::manage::EndpointRequest;
use crate::app::{Effect, Msg, PostRequest, ReplayRequest, Session, Sight, State, update};
use crate::domain::time::SECOND;
use crate::domain::{Bounds, Change, Failure, Received};
use crate::io::clock::Clock;
use crate::io::intake::{Hose, Look, ReplayOrder, SigningKeys};
use crate::io::post::Poster;
use crate::io::terminal::{self, Asked, Keys, Signals, Terminal};
use crate::view::theme::{Theme, ThemeName};
use screen::Screen;

/// Between two frames at least, so that a flood of changes does not become a flood of frames.
const FRAME: Duration = Duration::from_millis(16);
/// The same after a key, which must be answered at once.
const FRAME_AFTER_KEY: Duration = Duration::from_millis(4);
/// Time given to what waits before a frame is due.
const DRAIN: Duration = Duration::from_millis(10);
/// Answers that may wait.
const ANSWERS: usize = 16;
/// How long a receiver on this machine has to answer what is posted from here: as long as Svix gives it.
const ANSWERED: Duration = Duration::from_secs(30);
/// Keys taken at once.
const MAX_KEYS: usize = 64;

/// What the dashboard must be told, as it reads no environment.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub source_name: String,
    pub is_demo: bool,
    pub is_read_only: bool,
    /// How much is kept in memory.
    pub bounds: Bounds,
    /// Seconds east of UTC of the zone that times are shown in.
    pub utc_offset_seconds: i32,
    /// Where the key came from, in words.
    pub key_origin: String,
    pub base_url: String,
    /// Where deliveries are read, if that is a Svix server, in words.
    pub deliveries_from: Option<String>,
    /// Whether there is nothing but that Svix server.
    pub is_svix_alone: bool,
    /// So long at most a service is left alone that asks for it (429), in microseconds.
    pub longest_pause: i64,
    /// `NO_COLOR`: the mono theme.
    pub no_color: bool,
    /// The locale is not UTF-8: ASCII only.
    pub is_ascii: bool,
    pub theme: ThemeName,
    /// Where signing secrets are saved, if anywhere.
    pub secrets: Option<PathBuf>,
    /// The receiver beside the dashboard, if there is one.
    pub listening: Option<Listening>,
}

/// A receiver beside the dashboard.
#[derive(Debug, Clone)]
pub struct Listening {
    pub url: String,
    /// Who looks at signatures again.
    pub rechecks: Sender<Recheck>,
}

/// A received request whose signature is to be looked at again.
#[derive(Debug)]
pub struct Recheck {
    pub row: u64,
    /// How many requests of the row had come with it.
    pub nth: u64,
    pub request: Box<Received>,
}

/// Runs the dashboard until it is quit. Errors are sentences for people.
pub async fn run(
    hose: Hose,
    changes: Receiver<Vec<Change>>,
    clock: Clock,
    settings: Settings,
) -> anyhow::Result<()> {
    let keymap = Keymap::embedded().map_err(|why| anyhow!("the keymap is broken: {why}"))?;
    let theme = if settings.no_color {
        ThemeName::Mono
    } else {
        settings.theme
    };
    let theme = Theme::embedded(theme, settings.is_ascii)
        .map_err(|why| anyhow!("the theme is broken: {why}"))?;
    let session = Session {
        source_name: settings.source_name,
        is_demo: settings.is_demo,
        is_read_only: settings.is_read_only,
        bounds: settings.bounds,
        utc_offset: settings.utc_offset_seconds,
        key_origin: settings.key_origin,
        base_url: settings.base_url,
        deliveries_from: settings.deliveries_from,
        is_svix_alone: settings.is_svix_alone,
        longest_pause: settings.longest_pause,
        listening: settings.listening.as_ref().map(|it| it.url.clone()),
    };
    let signals = Signals::open().context("cannot listen to signals")?;
    let terminal = Terminal::enter().map_err(|error| anyhow!("{error}"))?;
    let mut running = Loop {
        state: State::new(session, keymap),
        hose: hose.clone(),
        changes: Some(changes),
        answers: channel(ANSWERS),
        secrets: settings.secrets,
        signing: None,
        poster: Arc::new(Poster::new(settings.is_read_only, ANSWERED)),
        rechecks: settings.listening.map(|it| it.rechecks),
        clock,
        screen: Screen::new(terminal, theme)?,
        keys: Keys::open().context("cannot read the keys")?,
        signals,
        is_dirty: true,
        had_key: false,
        was_suspended: false,
        last_frame: None,
        is_over: false,
        ended_by: None,
    };
    let result = running.run().await;
    let (open, ended_by) = (running.state.open_replays(), running.ended_by);
    drop(running);
    terminal::restore();
    terminal::tell_after(&open);
    hose.close().await;
    if let Some(number) = ended_by {
        terminal::die_by(number)?;
    }
    if terminal::has_panicked() {
        bail!("a part of reeltop panicked; what it said stands above");
    }
    match result {
        // Nobody is there to be told.
        Err(error) if is_gone(&error) => Ok(()),
        other => other,
    }
}

/// Whether the error says that the terminal itself is gone.
fn is_gone(error: &anyhow::Error) -> bool {
    const EIO: i32 = 5;
    error.downcast_ref::<std::io::Error>().is_some_and(|error| {
        error.kind() == std::io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(EIO)
    })
}

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Loop {
    state: State,
    hose: Hose,
    /// `None` once the intake has ended.
    changes: Option<Receiver<Vec<Change>>>,
    /// What the service says of changes that the user asked for.
    answers: (Sender<Msg>, Receiver<Msg>),
    secrets: Option<PathBuf>,
    /// The keys of the bulk under way, if it signs.
    signing: Option<SigningKeys>,
    poster: Arc<Poster>,
    rechecks: Option<Sender<Recheck>>,
    clock: Clock,
    screen: Screen,
    keys: Keys,
    signals: Signals,
    is_dirty: bool,
    had_key: bool,
    was_suspended: bool,
    last_frame: Option<Instant>,
    is_over: bool,
    /// The signal that asked for the end.
    ended_by: Option<i32>,
}

/// What the loop woke up for.
enum Woken {
    Panicked,
    Asked(Asked),
    Key(Option<Event>),
    Changed(Option<Vec<Change>>),
    Answered(Box<Msg>),
    Frame,
    Second,
    Scan,
}

impl Loop {
    async fn run(&mut self) -> anyhow::Result<()> {
        self.tell(Msg::Tick(self.clock.now()))?;
        while !self.is_over {
            if self.is_frame_due() {
                self.draw()?;
            }
            match self.wait().await {
                Woken::Asked(asked) => self.obey(asked)?,
                Woken::Panicked | Woken::Key(None) => return Ok(()),
                Woken::Key(Some(event)) => {
                    self.tell(Msg::Tick(self.clock.now()))?;
                    self.take_event(event)?;
                }
                Woken::Changed(Some(changes)) => self.tell(Msg::Changed(changes))?,
                Woken::Changed(None) => {
                    self.changes = None;
                    self.tell(Msg::IntakeEnded)?;
                }
                Woken::Answered(msg) => self.tell(*msg)?,
                Woken::Frame => {}
                // A terminal that vanishes need not say so by a signal.
                Woken::Second if terminal::is_gone() => return Ok(()),
                Woken::Second => self.tell(Msg::Tick(self.clock.now()))?,
                Woken::Scan => self.tell(Msg::Scan)?,
            }
            self.drain()?;
        }
        Ok(())
    }

    async fn wait(&mut self) -> Woken {
        let now = self.clock.now();
        // Ages change with the second of the clock that is shown, all at once.
        let to_second = SECOND - now.wall.0.rem_euclid(SECOND);
        // What was said to leave at a time leaves then.
        let due = self.state.due().map(|due| due.saturating_sub(now.mono));
        let to_second = due.map_or(to_second, |due| due.clamp(0, to_second));
        let to_second = Duration::from_micros(to_second.unsigned_abs());
        let to_frame = self.time_to_frame();
        let is_scanning = self.state.is_scanning() && !self.is_frame_due();
        tokio::select! {
            biased;
            () = terminal::panicked() => Woken::Panicked,
            asked = self.signals.next() => Woken::Asked(asked),
            event = self.keys.next() => Woken::Key(event),
            Some(msg) = self.answers.1.recv() => Woken::Answered(Box::new(msg)),
            changes = next(&mut self.changes) => Woken::Changed(changes),
            () = tokio::time::sleep(to_frame), if self.is_dirty => Woken::Frame,
            () = std::future::ready(()), if is_scanning => Woken::Scan,
            () = tokio::time::sleep(to_second) => Woken::Second,
        }
    }

    /// Takes everything else that waits already, for a short time.
    fn drain(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        for _ in 0..MAX_KEYS {
            let Some(event) = self.keys.waiting() else {
                break;
            };
            self.take_event(event)?;
            if self.is_over {
                return Ok(());
            }
        }
        while began.elapsed() < DRAIN {
            let Some(Ok(batch)) = self.changes.as_mut().map(Receiver::try_recv) else {
                break;
            };
            self.tell(Msg::Changed(batch))?;
        }
        // However much comes in, filters get on and the second passes.
        if self.state.is_scanning() {
            self.tell(Msg::Scan)?;
        }
        let now = self.clock.now();
        let is_due = self.state.due().is_some_and(|due| due <= now.mono);
        if is_due || now.wall.0 / SECOND != self.state.now.wall.0 / SECOND {
            self.tell(Msg::Tick(now))?;
        }
        Ok(())
    }

    fn take_event(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                self.had_key = true;
                self.tell(Msg::Key(key))
            }
            Event::Paste(text) => {
                self.had_key = true;
                self.tell(Msg::Pasted(text))
            }
            Event::Resize(..) => {
                self.had_key = true;
                self.is_dirty = true;
                self.screen.resize()
            }
            _ => Ok(()),
        }
    }

    fn tell(&mut self, msg: Msg) -> anyhow::Result<()> {
        self.is_dirty = true;
        for effect in update(&mut self.state, msg) {
            self.run_effect(effect)?;
        }
        if self.state.run.as_ref().is_none_or(|run| !run.is_active()) {
            self.signing = None;
        }
        Ok(())
    }

    /// The keys that a replay is signed with: of a bulk each is asked for once.
    fn keys_for(&mut self, number: u64) -> SigningKeys {
        let keys = || SigningKeys::new(self.secrets.clone());
        let mut run = self.state.run.iter();
        if run.any(|run| run.has_sent(number)) {
            self.signing.get_or_insert_with(keys).clone()
        } else {
            keys()
        }
    }

    fn run_effect(&mut self, effect: Effect) -> anyhow::Result<()> {
        match effect {
            Effect::Replay(request) => self.hose.replay(order(request)),
            Effect::Sweep(request) => {
                let orders = request.replays.into_iter().map(order).collect();
                self.hose.sweep(request.asked, orders);
            }
            Effect::PostHere(PostRequest { replay, url, body }) => {
                let keys = self.keys_for(replay.number);
                self.hose
                    .post_here(order(replay), (url, body), &self.poster, keys);
            }
            Effect::GiveUp(number) => self.give_up(number),
            Effect::Look(Sight::Task(task)) => self.hose.look(Look::Task(task)),
            Effect::Look(Sight::Attempts(message)) => self.hose.look(Look::Attempts(message)),
            Effect::Look(Sight::Message(message)) => self.hose.look(Look::Message(message)),
            Effect::Look(Sight::Asset(asset)) => self.hose.look(Look::Asset(asset)),
            Effect::Look(sight) => self.look_up(sight),
            Effect::ReadInTurn(message) => self.hose.look_in_turn(Look::Message(message)),
            Effect::LookInTurn(message) => self.hose.look_in_turn(Look::Attempts(message)),
            Effect::Manage(request) => {
                // It may give an endpoint another secret.
                self.signing = None;
                self.manage(request);
            }
            Effect::SaveSecret { endpoint, secret } => {
                let saved = match &self.secrets {
                    Some(folder) => manage::save(folder, &endpoint, &secret),
                    None => Err("the demo keeps none".to_owned()),
                };
                self.tell(Msg::SecretSaved(saved))?;
            }
            Effect::Verify { row, nth, request } => {
                // Where too many wait, the key can be pressed again.
                if let Some(rechecks) = &self.rechecks {
                    let _ = rechecks.try_send(Recheck { row, nth, request });
                }
            }
            Effect::Reconnect => self.hose.reconnect(),
            Effect::Refresh => self.hose.refresh(),
            Effect::Copy { what, text } => {
                let error = self.screen.copy(&text).err().map(|error| error.to_string());
                self.tell(Msg::Copied { what, error })?;
            }
            Effect::Redraw => self.screen.resize()?,
            Effect::Suspend => self.suspend()?,
            Effect::Quit => self.is_over = true,
        }
        Ok(())
    }

    fn give_up(&self, number: u64) {
        let (giving_up, answers) = (self.hose.give_up(number), self.answers.0.clone());
        self.hose.finish(async move {
            let _ = answers.send(Msg::GaveUp(giving_up.await)).await;
        });
    }

    fn look_up(&self, sight: Sight) {
        let (hose, answers) = (self.hose.clone(), self.answers.0.clone());
        self.hose.read(async move {
            let Some(client) = hose.client() else { return };
            if let Some(told) = told::told(&hose, &client, &sight).await {
                let _ = answers.send(Msg::Told { sight, told }).await;
            }
        });
    }

    fn manage(&self, request: EndpointRequest) {
        let (client, answers) = (self.hose.client(), self.answers.0.clone());
        let folder = self.secrets.clone();
        self.hose.finish(async move {
            let answer = match &client {
                Some(client) => manage::run(client, &request).await,
                None => Err(Failure::absent("anything: its URL is none")),
            };
            let renewed = folder.and_then(|folder| manage::renewed(&folder, &request, &answer));
            // Nobody hears it only where the dashboard has ended.
            let _ = answers.send(Msg::Managed { request, answer }).await;
            if let Some(renewed) = renewed {
                let _ = answers.send(renewed).await;
            }
        });
    }

    fn obey(&mut self, asked: Asked) -> anyhow::Result<()> {
        match asked {
            Asked::End(number) => {
                info!("ended by signal {number}");
                self.ended_by = Some(number);
                self.is_over = true;
            }
            Asked::Stop => self.suspend()?,
            Asked::Continue if self.was_suspended => self.was_suspended = false,
            Asked::Continue => self.screen.reenter()?,
        }
        self.is_dirty = true;
        Ok(())
    }

    fn suspend(&mut self) -> anyhow::Result<()> {
        self.was_suspended = true;
        self.tell(Msg::Suspending)?;
        self.screen.suspend()?;
        self.tell(Msg::Tick(self.clock.now()))
    }

    fn time_to_frame(&self) -> Duration {
        let floor = if self.had_key { FRAME_AFTER_KEY } else { FRAME };
        self.last_frame
            .map_or(Duration::ZERO, |last| floor.saturating_sub(last.elapsed()))
    }

    fn is_frame_due(&self) -> bool {
        self.is_dirty && self.time_to_frame().is_zero()
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let viewport = self.screen.draw(&self.state)?;
        self.last_frame = Some(Instant::now());
        self.had_key = false;
        if viewport != self.state.viewport {
            self.tell(Msg::Drawn(viewport))?;
        }
        self.is_dirty = false;
        Ok(())
    }
}

fn order(request: ReplayRequest) -> ReplayOrder {
    ReplayOrder {
        number: request.number,
        message: request.message,
        endpoint: request.endpoint,
        route: request.route,
        grounds: request.grounds,
    }
}

/// The next batch; never, once there will be none.
async fn next(changes: &mut Option<Receiver<Vec<Change>>>) -> Option<Vec<Change>> {
    match changes {
        Some(changes) => changes.recv().await,
        None => std::future::pending().await,
    }
}
