//! The link: keeps the stream open, compares after each connection, holds frames while it does, and
//! polls the active tasks while there is no stream.

mod catch_up;
mod expected;
mod finding;
mod incoming;
mod mended;
mod resuming;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use reqwest::Url;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use self::expected::Expected;
use self::finding::Finding;
use self::mended::Mended;
use super::client::Client;
use super::compare::Compared;
use super::discover::{Found, How, discover};
use super::journal::Resume;
use super::known::Known;
use super::outlet::{Draft, Outlet};
use super::stream::{Step, Stream};
use crate::domain::{
    Ability, ChangeKind, EndpointId, Failure, Heard, LinkState, Moment, Origin, Time, visible,
};
use crate::wire::sse::Counters;

/// Changes held while a comparison runs; beyond that the socket waits.
const MAX_HELD: usize = 100_000;
/// … and bytes of them.
const MAX_HELD_BYTES: usize = 64 << 20;
/// Changes gathered before they are sent on…
const BATCH: usize = 512;
/// … and bytes that they were read from.
const BATCH_BYTES: u64 = 4 << 20;
/// The longest wait until a comparison that failed is tried again.
const MAX_COMPARE_WAIT: Duration = Duration::from_mins(1);

/// What the link needs of its source's configuration.
pub struct Settings {
    pub events_path: Option<String>,
    pub resend_path: Option<String>,
}

type Gap = Option<(Time, Time)>;
/// What was found, for which gap, and how long that took.
type Comparison = Pin<Box<dyn Future<Output = (Result<Compared, Failure>, Gap, Duration)> + Send>>;

/// The link's task.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Link {
    client: Client,
    outlet: Outlet,
    settings: Settings,
    reconnect: Arc<Notify>,
    refresh: Arc<Notify>,
    stream: Stream,
    finding: Finding,
    is_open: bool,
    /// Whether what this connection missed was compared, or never can be.
    is_caught_up: bool,
    /// Whether it was compared.
    is_compared: bool,
    /// The gap that this connection's proof was about.
    proved_gap: Gap,
    /// What could not be known of it.
    proved_caveats: Vec<String>,
    /// What told of it while it lasted.
    proved_heard: Heard,
    /// When the comparison began that runs, or ran last.
    looking_at: Option<Time>,
    /// Up to when comparisons found all as it should be, or proved what was not.
    looked_at: Option<Time>,
    /// What the open stream is still to tell of what checks found.
    expected: Expected,
    /// Whether the gap is one that this open stream left.
    has_left_out: bool,
    /// Polls since the gap began that were answered.
    n_polls: usize,
    /// Whether this server refused a stream and has not opened one since, so that events are made
    /// from what polls differ in.
    is_streamless: bool,
    /// Whether a poll without a stream has told of the time before it.
    is_polled: bool,
    /// What polls repaired since the gap began.
    mended: Mended,
    /// Whether the last comparison left tasks open that must be looked at again.
    is_unsettled: bool,
    known: Known,
    /// Since when this link tries.
    began: Time,
    /// Since when bytes may have been missed; `None` until a connection was lost or not made.
    gap_from: Option<Time>,
    /// There was an earlier run, and why it is not known when it ended; until that is proved.
    unknown: Option<String>,
    /// The endpoints that an earlier run knew, until the time away is compared.
    away: Option<Vec<EndpointId>>,
    /// What earlier runs knew, where it is still being read.
    earlier: Option<oneshot::Receiver<Resume>>,
    last_byte: Option<Moment>,
    /// The event id that was noted last as a place to resume.
    noted_id: String,
    comparison: Option<Comparison>,
    compare_at: Option<Instant>,
    compare_wait: Duration,
    held: Vec<Draft>,
    held_bytes: usize,
    seen: Counters,
    has_forgotten: bool,
    /// The server said that it no longer has all events of the gap.
    has_overflowed: bool,
    /// Since when the open stream is silent beyond its heartbeat.
    quiet_since: Option<Time>,
    /// Since when it was, until a check has seen what it left out.
    was_quiet_since: Option<Time>,
    state: Option<LinkState>,
}

enum Turn {
    Step(Step),
    Compared(Result<Compared, Failure>, Gap, Duration),
    Compare,
    Searched(Result<Url, Failure>),
    Discovered(Result<Found, Failure>),
    Discover,
    Reconnect,
    Refresh,
    Earlier(Resume),
}

impl Link {
    /// Fails only where the configured path of the stream is none.
    pub fn new(
        client: Client,
        outlet: Outlet,
        settings: Settings,
        reconnect: Arc<Notify>,
        refresh: Arc<Notify>,
    ) -> Result<Self, Failure> {
        let path = settings.events_path.as_deref();
        let url = client.http.path(path.unwrap_or("/events"))?;
        let how = path.map_or(How::Guessed, |_| How::Configured);
        let finding = Finding::new(url.clone(), how);
        let stream = Stream::new(client.clone(), url, outlet.clock(), "");
        let began = outlet.clock().now().wall;
        Ok(Self {
            client,
            outlet,
            settings,
            reconnect,
            refresh,
            stream,
            finding,
            is_open: false,
            is_caught_up: false,
            is_compared: false,
            proved_gap: None,
            proved_caveats: Vec::new(),
            proved_heard: Heard::Nothing,
            looking_at: None,
            looked_at: None,
            expected: Expected::default(),
            has_left_out: false,
            n_polls: 0,
            is_streamless: false,
            is_polled: false,
            mended: Mended::default(),
            is_unsettled: false,
            known: Known::default(),
            began,
            gap_from: None,
            unknown: None,
            away: None,
            earlier: None,
            last_byte: None,
            noted_id: String::new(),
            comparison: None,
            compare_at: None,
            compare_wait: Duration::ZERO,
            held: Vec::new(),
            held_bytes: 0,
            seen: Counters::default(),
            has_forgotten: false,
            has_overflowed: false,
            quiet_since: None,
            was_quiet_since: None,
            state: None,
        })
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        self.enter(LinkState::Connecting).await;
        let found = discover(&self.client, self.settings.events_path.as_deref()).await;
        self.discovered(found).await;
        loop {
            match self.turn().await {
                Turn::Discovered(found) => self.discovered(found).await,
                Turn::Discover => self.begin_discovery(),
                Turn::Step(step) => self.take(step).await,
                Turn::Searched(outcome) => self.searched(outcome).await,
                Turn::Compared(outcome, gap, took) => self.compared(outcome, gap, took).await,
                Turn::Compare => self.begin_comparison(),
                Turn::Reconnect => self.stream.hurry(),
                Turn::Earlier(found) => self.resume_late(&found),
                Turn::Refresh => self.compare_at = Some(Instant::now()),
            }
        }
    }

    async fn turn(&mut self) -> Turn {
        let is_full = self.held.len() >= MAX_HELD || self.held_bytes >= MAX_HELD_BYTES;
        let may_compare = self.comparison.is_none() && self.compare_at.is_some();
        let compare_at = self.compare_at.unwrap_or_else(Instant::now);
        let may_resume = self.earlier.is_some() && self.comparison.is_none();
        let comparison = self.comparison.as_mut();
        let may_discover = self.finding.discovery.is_none() && self.finding.discover_at.is_some();
        let discover_at = self.finding.discover_at.unwrap_or_else(Instant::now);
        let discovery = self.finding.discovery.as_mut();
        let search = self.finding.search.as_mut();
        let earlier = self.earlier.as_mut();
        tokio::select! {
            biased;
            (outcome, gap, took) = async { match comparison {
                Some(comparison) => comparison.await,
                None => std::future::pending().await,
            }} => Turn::Compared(outcome, gap, took),
            outcome = async { match search {
                Some(search) => search.await,
                None => std::future::pending().await,
            }} => Turn::Searched(outcome),
            found = async { match discovery {
                Some(discovery) => discovery.await,
                None => std::future::pending().await,
            }} => Turn::Discovered(found),
            found = async { match earlier {
                Some(earlier) => earlier.await.unwrap_or_default(),
                None => std::future::pending().await,
            }}, if may_resume => Turn::Earlier(found),
            () = self.reconnect.notified() => Turn::Reconnect,
            () = self.refresh.notified() => Turn::Refresh,
            step = self.stream.next(), if !is_full => Turn::Step(step),
            () = tokio::time::sleep_until(compare_at), if may_compare => Turn::Compare,
            () = tokio::time::sleep_until(discover_at), if may_discover => Turn::Discover,
        }
    }

    async fn take(&mut self, step: Step) {
        let mut next = Some(step);
        let mut drafts = Vec::new();
        let before = self.stream.bytes();
        while let Some(step) = next.take() {
            match step {
                Step::Chunk(chunk) => {
                    self.was_quiet_since = self.quiet_since.take().or(self.was_quiet_since);
                    self.decode(&chunk, &mut drafts);
                    if matches!(self.state, Some(LinkState::Stale { .. })) {
                        let is_done = self.is_caught_up;
                        if self.is_compared && self.comparison.is_none() {
                            // Whether it left something out meanwhile is seen at once.
                            self.compare_at = Some(Instant::now());
                        }
                        self.enter(if is_done {
                            LinkState::Live
                        } else {
                            LinkState::CatchingUp
                        })
                        .await;
                    }
                    if drafts.len() < BATCH && self.stream.bytes() - before < BATCH_BYTES {
                        next = self.stream.next().now_or_never();
                    }
                }
                other => {
                    self.pass_on(std::mem::take(&mut drafts)).await;
                    self.change_state(other).await;
                }
            }
        }
        self.pass_on(drafts).await;
    }

    async fn change_state(&mut self, step: Step) {
        match step {
            Step::Opened => {
                self.is_open = true;
                self.is_streamless = false;
                self.is_polled = false;
                self.is_caught_up = false;
                self.is_compared = false;
                self.is_unsettled = false;
                self.quiet_since = None;
                self.was_quiet_since = None;
                self.last_byte = Some(self.outlet.clock().now());
                self.finding.search = None;
                self.has_forgotten |= self.stream.take_forgotten();
                self.note_stream_path();
                let path = visible(self.stream.url().path()).into_owned();
                let place = format!("{}: {path}", self.finding.how.words());
                self.outlet
                    .learn(|abilities| abilities.stream = Ability::Offered(place))
                    .await;
                self.enter(LinkState::CatchingUp).await;
                self.compare_wait = Duration::ZERO;
                self.comparison = None;
                self.begin_comparison();
            }
            Step::Quiet => {
                let since = self
                    .last_byte
                    .map_or_else(|| self.outlet.clock().now().wall, |at| at.wall);
                self.quiet_since = Some(since);
                if self.comparison.is_none() {
                    self.enter(LinkState::Stale { since }).await;
                }
            }
            Step::Broken {
                why, wait, tries, ..
            } => {
                self.close().await;
                let wait = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
                let at = self.outlet.clock().now().wall.plus(wait);
                self.enter(LinkState::Retrying { at, tries, why }).await;
                if !self.finding.is_discovered {
                    self.begin_discovery();
                }
            }
            Step::Stopped(why) => {
                self.close().await;
                self.is_streamless = true;
                let reason = why.what.clone();
                self.outlet
                    .learn(|abilities| abilities.stream = Ability::Absent(reason))
                    .await;
                // What is published may change: asked again before the next try.
                let wait = self.client.http.waits.stopped / 2;
                self.finding
                    .discover_at
                    .get_or_insert(Instant::now() + wait);
                self.begin_search(&why);
                if matches!(self.state, Some(LinkState::Polling { .. })) {
                    return self.enter(LinkState::Polling { why }).await;
                }
                self.enter(LinkState::Stopped { why }).await;
                // Whether reads answer without a stream is seen at once.
                self.compare_at = Some(Instant::now());
            }
            Step::Chunk(_) => {}
        }
    }

    /// The connection is over: what was held is true all the same, and the gap begins.
    async fn close(&mut self) {
        if self.is_open {
            self.is_open = false;
            self.comparison = None;
            let held = std::mem::take(&mut self.held);
            self.held_bytes = 0;
            self.send(held).await;
            let now = self.outlet.clock().now();
            let last = self.last_byte.unwrap_or(now);
            // Where the wall clock was set back meanwhile, what it said then is of no use.
            let by_mono = now.wall.plus(-now.mono.saturating_sub(last.mono));
            let mut from = last.wall.min(by_mono);
            if !self.expected.is_empty() {
                // What it had not told yet, it was to tell since then.
                from = self.looked_at.map_or(from, |at| at.min(from));
                self.expected.clear();
            }
            self.gap_from.get_or_insert(from);
        } else {
            // Whoever looks at the screen since then was told nothing by the stream.
            self.gap_from.get_or_insert(self.began);
        }
        self.has_forgotten |= self.stream.take_forgotten();
        // Without a stream, the active tasks are polled.
        self.compare_at
            .get_or_insert(Instant::now() + self.client.http.waits.pace());
    }

    async fn enter(&mut self, state: LinkState) {
        if self.state.as_ref() != Some(&state) {
            self.state = Some(state.clone());
            self.outlet
                .tell(Origin::Inference, ChangeKind::Link(Box::new(state)))
                .await;
        }
    }
}
