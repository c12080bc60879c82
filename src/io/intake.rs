//! The intake: stream and pollers in one hose, which yields numbered changes in batches and takes
//! orders.

mod earlier;
mod looks;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::earlier::Earlier;
pub use self::looks::Look;
use super::client::svix::Svix;
use super::client::{Client, NO_ASPECT};
use super::clock::Clock;
use super::config::{Source, is_loopback};
use super::journal::{self, Recorder, Resume, Start};
use super::keeper;
use super::ledger::Ledger;
use super::link::{Link, Settings};
use super::names;
use super::outlet::Outlet;
use super::poller::{OpenReplays, Poller};
use super::post::Poster;
use super::receiver::Receiver;
use super::sender::{self, Parcel, Posts};
pub use super::sender::{ReplayOrder, SigningKeys};
use crate::domain::bulk::Sweep;
use crate::domain::time::SECOND;
use crate::domain::{
    Ability, AssetId, Change, ChangeKind, Failure, FailureKind, LinkState, NextAsked, Origin,
    ReplayStep, Route, Stage,
};

/// Looks under way at once.
const LOOKS: usize = 8;
/// How long a close waits for what is under way: a replay's request above all.
const GRACE: Duration = Duration::from_millis(800);
/// How long it waits until what was written down for a recovery, and is not asked for, is taken back.
const TAKEN_BACK: Duration = Duration::from_secs(20);
/// How long it waits for the journal, which a working disk takes milliseconds for.
const RECORDED: Duration = Duration::from_secs(3);
/// Counters are told this often, if they differ.
const COUNTED_EVERY: Duration = Duration::from_secs(1);
/// The service's clock is told anew where it moved by so much, in microseconds: each answer tells it
/// to about a second.
const LEAST_APART: i64 = 2 * SECOND;

/// The longest wait until a Svix server is asked again what it offers.
const MAX_OFFER_WAIT: Duration = Duration::from_mins(5);

/// The hose: takes orders; what they lead to arrives as changes.
#[derive(Clone)]
pub struct Hose {
    inner: Arc<Inner>,
}

struct Inner {
    client: Option<Client>,
    outlet: Outlet,
    reconnect: Arc<Notify>,
    refresh_link: Arc<Notify>,
    refresh_poller: Arc<Notify>,
    looks: Arc<Semaphore>,
    open_replays: OpenReplays,
    stop: CancellationToken,
    tracker: TaskTracker,
    /// Recoveries of which many rows are written down before their request.
    unbegun: TaskTracker,
    recorder: Option<Recorder>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Opens the hose on a server that nobody else knows: its replays are in a ledger of its own, and
/// nothing is recorded. Must be called inside a tokio runtime.
pub fn open(source: Source, clock: Clock) -> (Hose, mpsc::Receiver<Vec<Change>>) {
    open_recording(source, clock, None, Ledger::in_memory())
}

/// Opens the hose: stream, pollers and the reading of names begin. With a journal, what it holds is
/// told first, then the rest begins where it ended. The ledger takes the replays. Must be called
/// inside a tokio runtime.
pub fn open_recording(
    source: Source,
    clock: Clock,
    journal: Option<journal::Settings>,
    ledger: Ledger,
) -> (Hose, mpsc::Receiver<Vec<Change>>) {
    let opening = journal.map(|settings| journal::open(settings, clock));
    let recorder = opening.as_ref().map(|opening| opening.recorder.clone());
    let (outlet, ends) = Outlet::new(clock, recorder.clone(), ledger);
    let client = Client::new(&source);
    let inner = Inner {
        client: client.as_ref().ok().cloned(),
        outlet: outlet.clone(),
        reconnect: Arc::default(),
        refresh_link: Arc::default(),
        refresh_poller: Arc::default(),
        looks: Arc::new(Semaphore::new(LOOKS)),
        open_replays: Arc::default(),
        stop: CancellationToken::new(),
        tracker: TaskTracker::new(),
        unbegun: TaskTracker::new(),
        recorder,
    };
    let settings = Settings {
        events_path: source.events_path,
        resend_path: source.resend_path,
    };
    let is_svix_alone = source.is_svix_alone;
    let link = client.clone().and_then(|client| {
        let (reconnect, refresh) = (inner.reconnect.clone(), inner.refresh_link.clone());
        Link::new(client, outlet.clone(), settings, reconnect, refresh)
    });
    let is_restored = CancellationToken::new();
    let told = outlet.clone();
    let open_replays = inner.open_replays.clone();
    inner.spawn(keeper::run(outlet.clone(), move |replay| {
        earlier::watch_for(&open_replays, replay);
    }));
    // However this ends, the others begin.
    let begin = is_restored.clone().drop_guard();
    let earlier = opening.map(|opening| {
        inner.spawn(earlier::tell_state(outlet.clone(), opening.state));
        Earlier::new(opening.start, opening.restored, opening.resume)
    });
    let (to_link, resume) = oneshot::channel();
    let tracker = inner.tracker.clone();
    let stop = inner.stop.clone();
    inner.spawn(async move {
        let mut start = Start::default();
        if let Some(mut earlier) = earlier {
            start = earlier.start().await;
            let is_all = earlier.tell_soon(&told).await;
            let outlet = told.clone();
            let rest = async move {
                if !is_all {
                    earlier.tell_late(&outlet).await;
                }
                let resume = earlier.resume().await;
                let _ = to_link.send(resume);
            };
            if is_all {
                rest.await;
            } else {
                tracker.spawn(async move { stop.run_until_cancelled(rest).await });
            }
        } else {
            let _ = to_link.send(Resume::default());
        }
        drop(begin);
        match link {
            // The poller says how it stands.
            Ok(_) if is_svix_alone => {
                let none = Ability::Absent(NO_ASPECT.to_owned());
                told.learn(|abilities| abilities.stream = none).await;
            }
            Ok(mut link) => {
                link.resume(start, resume);
                link.run().await;
            }
            Err(why) => {
                let stopped = ChangeKind::Link(Box::new(LinkState::Stopped { why }));
                told.tell(Origin::Inference, stopped).await;
            }
        }
    });
    if let Ok(client) = client {
        inner.begin(&client, ends.assets, is_restored);
    }
    (
        Hose {
            inner: Arc::new(inner),
        },
        ends.changes,
    )
}

/// Finds out once what a Svix server offers; as long as it does not answer, it is asked again.
async fn learn_offers(svix: Svix, client: Client, outlet: Outlet) {
    let resend = client.resend_ability(None, None);
    outlet.learn(|abilities| abilities.resend = resend).await;
    let mut wait = client.http.waits.pace();
    loop {
        if let Ok(offers) = svix.offers().await {
            return outlet.learn(|abilities| abilities.offers = offers).await;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(MAX_OFFER_WAIT);
    }
}

async fn tell_counters(outlet: Outlet, client: Client) {
    let mut ticks = interval(COUNTED_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = None;
    let (mut told_ahead, mut told_of_tasks) = (0_i64, 0_i64);
    let has_moved =
        |told: i64, ahead: i64| ahead.saturating_sub(told).saturating_abs() >= LEAST_APART;
    loop {
        ticks.tick().await;
        let counters = outlet.counters();
        if told != Some(counters) {
            told = Some(counters);
            outlet
                .tell(Origin::Inference, ChangeKind::Counters(Box::new(counters)))
                .await;
        }
        let ahead = client.deliveries_ahead().unwrap_or(0);
        if has_moved(told_ahead, ahead) {
            told_ahead = ahead;
            outlet
                .tell(Origin::Inference, ChangeKind::ServiceAhead(ahead))
                .await;
        }
        let of_tasks = client.tasks_ahead().unwrap_or(0);
        if has_moved(told_of_tasks, of_tasks) {
            told_of_tasks = of_tasks;
            outlet
                .tell(Origin::Inference, ChangeKind::TasksAhead(of_tasks))
                .await;
        }
    }
}

impl Inner {
    /// Begins all that reads beside the link: logs, names, what else is offered, counters.
    fn begin(
        &self,
        client: &Client,
        assets: mpsc::Receiver<Vec<AssetId>>,
        is_restored: CancellationToken,
    ) {
        let (outlet, refresh) = (self.outlet.clone(), self.refresh_poller.clone());
        let watched = self.open_replays.clone();
        let poller = Poller::new(client.clone(), outlet.clone(), refresh, watched);
        self.spawn(async move {
            is_restored.cancelled().await;
            poller.run().await;
        });
        if let Some(svix) = client.svix.clone() {
            self.spawn(learn_offers(svix, client.clone(), outlet.clone()));
        }
        if !client.is_svix_alone {
            self.spawn(names::run(client.clone(), outlet.clone(), assets));
        }
        self.spawn(tell_counters(outlet, client.clone()));
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            stop.run_until_cancelled(task).await;
        });
    }
}

/// The way in for changes that are found elsewhere than at the server.
pub struct Teller(Outlet);

impl Teller {
    pub async fn tell(&self, origin: Origin, kind: ChangeKind) {
        self.0.tell(origin, kind).await;
    }
}

impl Hose {
    /// Tries the stream again now.
    pub fn reconnect(&self) {
        self.inner.reconnect.notify_one();
        if self
            .inner
            .client
            .as_ref()
            .is_some_and(|client| client.is_svix_alone)
        {
            self.inner.refresh_poller.notify_one();
        }
    }

    /// Polls everything now.
    pub fn refresh(&self) {
        self.inner.refresh_link.notify_one();
        self.inner.refresh_poller.notify_one();
    }

    /// Reads one thing now.
    pub fn look(&self, what: Look) {
        let Some(client) = self.inner.client.clone() else {
            return;
        };
        let (outlet, looks) = (self.inner.outlet.clone(), self.inner.looks.clone());
        self.inner.spawn(async move {
            let Ok(_slot) = looks.acquire().await else {
                return;
            };
            if let Err(failure) = looks::look(&client, &outlet, what).await {
                outlet.tell_polled(Some(failure)).await;
            }
        });
    }

    /// The same of one among many that a plan rests on: as long as the service asks to be left alone
    /// (429) it waits, as the poller does.
    pub fn look_in_turn(&self, what: Look) {
        let Some(client) = self.inner.client.clone() else {
            return;
        };
        let (outlet, looks) = (self.inner.outlet.clone(), self.inner.looks.clone());
        self.inner.spawn(async move {
            let mut most = client.http.waits.max_retry_after;
            loop {
                let Ok(slot) = looks.acquire().await else {
                    return;
                };
                let left = client.pause().min(most);
                if left.is_zero() {
                    if let Err(failure) = looks::look(&client, &outlet, what).await {
                        outlet.tell_polled(Some(failure)).await;
                    }
                    return;
                }
                // Others are looked at meanwhile, as somebody opened them.
                drop(slot);
                tokio::time::sleep(left).await;
                most = most.saturating_sub(left);
            }
        });
    }

    /// Asks when a message is tried again; what is said of that comes as changes before this ends.
    pub async fn ask_next(&self, client: &Client, asked: &NextAsked) -> Result<(), Failure> {
        looks::ask_next(client, &self.inner.outlet, asked).await
    }

    /// The client, if there is a server.
    pub fn client(&self) -> Option<Client> {
        self.inner.client.clone()
    }

    /// Runs something that tells changes of its own, until the hose closes.
    pub fn beside<F>(&self, work: impl FnOnce(Teller) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let teller = Teller(self.inner.outlet.clone());
        self.inner.spawn(work(teller));
    }

    /// Runs something to its end, which closing waits for.
    pub fn finish(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.inner.tracker.spawn(work);
    }

    /// Does something that need not be waited for at the end.
    pub fn read(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.inner.spawn(work);
    }

    /// Sends a replay, at most once; its stages arrive as changes.
    pub fn replay(&self, order: ReplayOrder) {
        let Some(client) = self.inner.client.clone() else {
            let what = "there is no server to send it to";
            let hint = "set the URL to that of an Aspect API";
            return self.refuse(order, Failure::new(FailureKind::Local, what, hint));
        };
        // Any other route than the service's resend is refused by the sender.
        let route = match order.route {
            Route::Server | Route::Svix => client.route(),
            other @ (Route::Local | Route::Recover | Route::Missing | Route::Bulk) => other,
        };
        let order = ReplayOrder { route, ..order };
        let outlet = self.inner.outlet.clone();
        let posts = self.posts();
        self.inner.spawn(async move {
            sender::replay(&client, &outlet, &order, sender::FOLLOW, &posts).await;
        });
    }

    /// Has Svix send an endpoint what is asked for, by one request, and follows each of the orders,
    /// which are all that is known of it.
    pub fn sweep(&self, asked: Sweep, orders: Vec<ReplayOrder>) {
        let svix = |client: &Client| client.svix.is_some();
        let Some(client) = self.inner.client.clone().filter(svix) else {
            for order in orders {
                self.refuse(order, sender::not_offered(&asked.takes));
            }
            return;
        };
        let (outlet, posts) = (self.inner.outlet.clone(), self.posts());
        self.inner.spawn(async move {
            sender::sweep(&client, &outlet, &asked, orders, sender::FOLLOW, &posts).await;
        });
    }

    /// Posts a replay from here, at most once, to this machine alone, signed with the endpoint's key
    /// among these.
    pub fn post_here(
        &self,
        order: ReplayOrder,
        to: (Arc<str>, Arc<[u8]>),
        poster: &Arc<Poster>,
        keys: SigningKeys,
    ) {
        let (url, body) = to;
        let Some(url) = Url::parse(&url).ok().filter(is_loopback) else {
            let what = "its URL does not lead to this machine";
            let hint = "reeltop replay MESSAGE --to URL posts it, its host confirmed by name";
            return self.refuse(order, Failure::new(FailureKind::Local, what, hint));
        };
        let (hose, poster) = (self.clone(), poster.clone());
        let posts = self.posts();
        self.inner.spawn(async move {
            let client = hose.inner.client.as_ref();
            let key = keys.of(client, &order.endpoint).await;
            if let Some(client) = client
                && let Some(why) = sender::delivered_meanwhile(client, &order).await
            {
                return hose.tell_stage(order, Stage::Cancelled(why)).await;
            }
            match key {
                Ok(key) => {
                    let body = Bytes::from_owner(body);
                    let receiver = Receiver::weighed(url.clone());
                    let parcel = Parcel {
                        url,
                        receiver,
                        key,
                        body,
                    };
                    sender::post_here(&hose.inner.outlet, &order, &poster, parcel, &posts).await;
                }
                Err(failure) => hose.refuse(order, failure),
            }
        });
    }

    fn posts(&self) -> Posts {
        Posts {
            tracker: self.inner.tracker.clone(),
            stop: self.inner.stop.clone(),
            unbegun: self.inner.unbegun.clone(),
        }
    }

    /// Closes an open replay, by its number, though its outcome is not known; that it is arrives as
    /// a change.
    pub fn give_up(&self, number: u64) -> impl Future<Output = Result<(), Failure>> + use<> {
        let outlet = self.inner.outlet.clone();
        async move {
            let now = outlet.clock().now();
            let ledger = outlet.ledger();
            let given_up = ledger.wait(move |ledger| ledger.give_up(number, now)).await;
            given_up.map(|_| ())
        }
    }

    fn refuse(&self, order: ReplayOrder, failure: Failure) {
        let hose = self.clone();
        self.inner.spawn(async move {
            hose.tell_stage(order, Stage::Refused(failure)).await;
        });
    }

    /// Tells what became of an order that was never written down.
    async fn tell_stage(&self, order: ReplayOrder, stage: Stage) {
        let step = ReplayStep {
            replay: order.number,
            message: order.message,
            endpoint: order.endpoint,
            route: order.route,
            stage,
        };
        let told = ChangeKind::Replay(Box::new(step));
        self.inner.outlet.tell(Origin::User, told).await;
    }

    /// Ends everything, within a second, and writes the rest of the journal. A replay's request
    /// under way has that second to end, and tells how it did if the changes are still received.
    pub async fn close(self) {
        self.inner.stop.cancel();
        self.inner.tracker.close();
        // What is written down as being sent, and is not, is taken back first: nobody could tell it
        // later from what was sent.
        self.inner.unbegun.close();
        let _ = timeout(TAKEN_BACK, self.inner.unbegun.wait()).await;
        // What has not ended by then ends with the runtime.
        let _ = timeout(GRACE, self.inner.tracker.wait()).await;
        if let Some(recorder) = &self.inner.recorder {
            recorder.end(RECORDED).await;
        }
    }
}
