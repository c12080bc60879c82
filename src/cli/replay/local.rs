//! `reeltop replay MESSAGE… --to URL`: messages posted to a receiver of one's own, signed anew, each
//! a replay of the ledger.
//!
//! The service knows nothing of it. The body is the one that was delivered where `listen` saved it,
//! else what the API gives for it, which may be other bytes and is labelled so.

mod planned;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::Url;
use serde_json::{Value, json};

use self::planned::{Planned, warned};
use super::arrived::{self, Warnings};
use super::sending::FOLDED;
use super::{end, overlap};
use crate::cli::args::{ReplayArgs, SourceArgs};
use crate::cli::output::{Outcome, Output, Stop, UNCLEAR, note, usage};
use crate::cli::reading::find_messages;
use crate::cli::verify::diagnosis;
use crate::cli::{INTERRUPTED, hosts, journal, secrets, source};
use crate::domain::time::SECOND;
use crate::domain::{
    ChangeKind, EndpointId, Failure, FailureKind, Grounds, MessageId, Payload, Replay, ReplayState,
    Replays, Route, Stage, Time, masked_url,
};
use crate::io::Clock;
use crate::io::config::is_read_only;
use crate::io::outlet::{Ends, Outlet};
use crate::io::post::Poster;
use crate::io::receiver::Receiver;
use crate::io::sender::{Parcel, Posts, ReplayOrder, post_here};
use crate::wire::normal;
use crate::wire::saved::Saved;
use crate::wire::signature::doctor::{Held as Secret, Holder};
use crate::wire::signature::key::Key;

/// A saved request beyond this is not read, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// Files looked at in a folder of saved requests.
const MAX_FILES: usize = 20_000;

/// A message to be posted.
struct Held {
    id: String,
    /// When it was delivered or accepted; the oldest goes first.
    at: Time,
    body: Bytes,
    /// Where its body was captured; `None` if it was made of the API's payload.
    captured: Option<Captured>,
}

/// A delivery that was saved.
struct Captured {
    file: String,
    /// Why its signature does not verify with the secrets at hand, its age aside. Anybody may have
    /// sent it then.
    doubt: Option<String>,
}

impl Held {
    fn label(&self) -> &'static str {
        match self.captured {
            Some(_) => "captured",
            None => "rebuilt",
        }
    }

    fn words(&self) -> String {
        match &self.captured {
            Some(Captured { file, doubt: None }) => format!("the body as captured in {file}"),
            Some(Captured {
                file,
                doubt: Some(why),
            }) => format!(
                "the body as captured in {file}, which does not verify with the secrets at hand: {why}"
            ),
            None => {
                "the body rebuilt from the API's payload, perhaps other bytes than those delivered"
                    .to_owned()
            }
        }
    }
}

/// The secrets that are named and all that were saved: whichever of one's own signed a request, it came
/// from the service.
fn known_secrets(from: &SourceArgs, named: Vec<Secret>) -> Vec<Secret> {
    let saved = secrets::saved(from, &named).into_iter();
    let saved = saved.map(|secret| Secret {
        holder: Holder::Receiver,
        ..secret
    });
    let saved: Vec<Secret> = saved.collect();
    named.into_iter().chain(saved).collect()
}

/// Posts each message once: to this machine at once, as nobody else gets it; to another host after its
/// name was typed below the plan, or with `--yes`. 0 if all were taken, 1 if not, or if another host was not confirmed, 3 if it
/// is not known of one.
pub async fn run(args: ReplayArgs, from: SourceArgs) -> Outcome {
    let to = args.to.as_deref();
    let to = to.ok_or_else(|| usage("--to", "name the URL to post to: the secret is for that"))?;
    let url = hosts::receiver("--to", to)?;
    let named = secrets::receivers(&args.secrets, &from)?;
    let key = secrets::the_signer(&named)?;
    let is_read_only = is_read_only(&source::flags(&from));
    let is_read_only = is_read_only.map_err(|error| Stop::Usage(error.to_string()))?;
    let known = known_secrets(&from, named);
    let held = gather(&args, &from, known).await?;
    let ledger = journal::local_ledger(&from);
    let ids: Vec<MessageId> = held.iter().map(|it| MessageId::new(&it.id)).collect();
    let now = Clock::new().now();
    let known = ledger.wait(move |ledger| ledger.latest(now)).await?;
    let receiver = overlap::receiver(&ledger, &ids, &url, &args, &from).await?;
    let warnings = arrived::warnings(&ledger, &ids, &url, &from).await?;
    let poster = Arc::new(Poster::new(is_read_only, args.wait));
    let mut out = Output::new();
    let is_asked = hosts::is_asked(&url, args.yes);
    if args.dry_run || is_asked {
        let stages = overlap::stages(&ledger, &poster, &ids, &receiver, &place(&url)).await?;
        let planned = Planned::of(&held, &warnings, &place(&url), &stages);
        if args.dry_run {
            planned.print(&mut out, &args)?;
            if is_asked && planned.is_any_sent() {
                note(&hosts::would_ask(&url));
            }
            return Ok(planned.code());
        }
        planned.show();
        // What ends meanwhile would be sent then, and nobody was asked.
        if !planned.is_any_sent() {
            return Ok(planned.code());
        }
    } else {
        warn(&held, &ids, &warnings);
    }
    hosts::confirmed(&url, args.yes).await?;
    let (outlet, Ends { mut changes, .. }) = Outlet::new(Clock::new(), None, ledger.clone());
    let posts = Posts::default();
    let sending = async {
        let parcels = held
            .iter()
            .map(|message| parcel(&receiver, (&url, &key), message));
        let failure = post_all(&outlet, &poster, (&posts, known), parcels).await;
        drop(outlet);
        failure
    };
    let mut replays = Replays::default();
    let telling = async {
        let mut said = HashSet::new();
        let mut printed = Ok::<(), io::Error>(());
        while let Some(batch) = changes.recv().await {
            for change in batch {
                let ChangeKind::Replay(step) = change.kind else {
                    continue;
                };
                let number = step.replay;
                replays.step(*step, change.received);
                let told = replays.get(number).zip(nth(&held, number));
                if let Some((replay, message)) = told
                    && said.insert((number, replay.state.name()))
                {
                    printed = printed.and_then(|()| say(&mut out, &args, message, replay));
                }
            }
        }
        printed
    };
    let ended = {
        let mut work = pin!(async { tokio::join!(sending, telling) });
        tokio::select! {
            biased;
            ended = &mut work => Some(ended),
            _ = tokio::signal::ctrl_c() => {
                end(&posts, FOLDED, work).await;
                None
            }
        }
    };
    let Some((failure, printed)) = ended else {
        note_open(&replays);
        return Ok(INTERRUPTED);
    };
    if let Some(failure) = &failure {
        note_left(failure, held.len().saturating_sub(replays.len()));
    }
    if printed.is_err() {
        note_open(&replays);
    }
    printed?;
    let is_open = replays.all().any(|replay| replay.state.is_open());
    if is_open || overlap::is_held_back(&ledger, &replays, &receiver).await? {
        return Ok(UNCLEAR);
    }
    let is_taken = |replay: &Replay| replay.state.name() == "delivered";
    let is_done = failure.is_none() && replays.all().all(is_taken);
    Ok(u8::from(!is_done))
}

/// Says what is to be known, where nobody is shown the plan and asked.
fn warn(held: &[Held], ids: &[MessageId], warnings: &Warnings) {
    for (id, words) in warned(ids, warnings) {
        note(&format!("{id}: {words}"));
    }
    for message in held {
        if let Some(Captured { doubt: Some(_), .. }) = &message.captured {
            note(&format!("{}: {}", message.id, message.words()));
        }
    }
}

/// The pair of the ledger: a URL takes a message once at a time.
fn place(url: &Url) -> EndpointId {
    EndpointId::new(&masked_url(url.as_str()))
}

/// Says why nothing can be sent there, and how many are left for that.
fn note_left(failure: &Failure, n_left: usize) {
    if n_left > 0 {
        note(&format!(
            "left unposted: {n_left} more, as nothing can be sent there"
        ));
    }
    note(&failure.to_string());
}

/// Says what ctrl-c leaves behind that may have arrived.
fn note_open(replays: &Replays) {
    for replay in replays.open() {
        note(&format!(
            "replay of {} to {}: {}, and may have arrived: look there; reeltop replays --open lists it",
            replay.message,
            replay.endpoint,
            replay.state.name()
        ));
    }
}

fn nth(held: &[Held], number: u64) -> Option<&Held> {
    held.get(usize::try_from(number).ok()?.checked_sub(1)?)
}

fn parcel(receiver: &Receiver, (url, key): (&Url, &Key), message: &Held) -> (MessageId, Parcel) {
    let parcel = Parcel {
        receiver: receiver.clone(),
        url: url.clone(),
        key: key.clone(),
        body: message.body.clone(),
    };
    (MessageId::new(&message.id), parcel)
}

/// Posts one after another, where nobody else did since the revision of the ledger that is known. Gives why nothing more can be sent, where that is the same for the rest.
async fn post_all(
    outlet: &Outlet,
    poster: &Arc<Poster>,
    (posts, known): (&Posts, i64),
    parcels: impl Iterator<Item = (MessageId, Parcel)>,
) -> Option<Failure> {
    for ((message, parcel), number) in parcels.zip(1..) {
        let order = ReplayOrder {
            number,
            message,
            endpoint: place(&parcel.url),
            route: Route::Local,
            grounds: Grounds::of_ledger(known),
        };
        match post_here(outlet, &order, poster, parcel, posts).await {
            Stage::Refused(failure) if failure.kind == FailureKind::Unreachable => {
                return Some(failure);
            }
            _ if posts.stop.is_cancelled() => return None,
            _ => {}
        }
    }
    None
}

/// The messages asked for, each once, oldest first.
async fn gather(
    args: &ReplayArgs,
    from: &SourceArgs,
    secrets: Vec<Secret>,
) -> Result<Vec<Held>, Stop> {
    let mut wanted: Vec<String> = Vec::new();
    for id in &args.messages {
        if !wanted.contains(id) {
            wanted.push(id.clone());
        }
    }
    let mut held = match &args.captured {
        Some(path) => captured(path, &wanted, &secrets)
            .map_err(|error| usage("--captured", format!("{}: {error}", path.display())))?,
        None => Vec::new(),
    };
    wanted.retain(|id| held.iter().all(|message| message.id != *id));
    if !wanted.is_empty() {
        let (_, client) = source::reader(from, args.wait)?;
        for row in find_messages(&client, &wanted).await? {
            let message = row.value.message;
            let id = message.id.to_string();
            let Payload::Json(text) = &message.payload else {
                let what = format!("the service no longer has the payload of {id}");
                return Err(Failure::new(
                    FailureKind::NotFound,
                    what,
                    "a request that listen saved still has it: --captured",
                )
                .into());
            };
            wanted.retain(|asked| *asked != id);
            held.push(Held {
                id,
                at: message.accepted,
                body: Bytes::copy_from_slice(text.as_bytes()),
                captured: None,
            });
        }
    }
    if let Some(id) = wanted.first() {
        let what = format!("there is no message {id}");
        return Err(
            Failure::new(FailureKind::NotFound, what, "reeltop messages lists them").into(),
        );
    }
    held.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    Ok(held)
}

/// The messages that were captured in a file or folder: of each the first delivery that verifies,
/// its age aside, else the first of all.
fn captured(path: &Path, wanted: &[String], secrets: &[Secret]) -> io::Result<Vec<Held>> {
    let mut files: Vec<PathBuf> = if path.is_dir() {
        let entries = fs::read_dir(path)?.flatten().map(|entry| entry.path());
        let is_saved = |path: &PathBuf| path.extension().is_some_and(|end| end == "http");
        entries.filter(is_saved).take(MAX_FILES).collect()
    } else {
        vec![path.to_owned()]
    };
    files.sort();
    let mut held: Vec<Held> = Vec::new();
    for file in files {
        if fs::metadata(&file)?.len() > MAX_BYTES {
            continue;
        }
        let Ok(all) = Saved::read_all(&fs::read(&file)?) else {
            note(&format!("{} is no saved request", file.display()));
            continue;
        };
        for saved in all {
            let signature = saved.signature();
            let Some(id) = signature.id.map(str::to_owned) else {
                continue;
            };
            let before = held.iter().position(|message| message.id == id);
            let is_sure = |message: &Held| {
                (message.captured.as_ref()).is_some_and(|captured| captured.doubt.is_none())
            };
            if !wanted.contains(&id) || before.is_some_and(|at| is_sure(&held[at])) {
                continue;
            }
            let found = diagnosis(&saved, secrets, None);
            let doubt = (!found.is_verified()).then(|| found.words());
            if doubt.is_some() && before.is_some() {
                continue;
            }
            let seconds = signature.timestamp.and_then(|text| text.parse().ok());
            let message = Held {
                id,
                at: Time(seconds.unwrap_or(0_i64).saturating_mul(SECOND)),
                body: Bytes::from(saved.body),
                captured: Some(Captured {
                    file: file.display().to_string(),
                    doubt,
                }),
            };
            match before {
                Some(at) => held[at] = message,
                None => held.push(message),
            }
        }
    }
    Ok(held)
}

/// A replay's state as a line of JSON, with where its body is from.
fn line(message: &Held, replay: &Replay) -> Value {
    let mut line = normal::replay(replay);
    let captured = message.captured.as_ref();
    line["body"] = json!(message.label());
    line["captured_in"] = json!(captured.map(|captured| &captured.file));
    line["captured_verifies"] = json!(captured.map(|captured| captured.doubt.is_none()));
    line
}

/// How a replay stands, in words.
fn standing_words(message: &Held, replay: &Replay) -> String {
    let (id, to, how) = (&message.id, &replay.endpoint, replay.words());
    format!("{id} → {to}: {how}; {}", message.words())
}

/// Prints a state that a replay came into: each as a line of JSON, else how it ended.
fn say(out: &mut Output, args: &ReplayArgs, message: &Held, replay: &Replay) -> io::Result<()> {
    if args.json {
        out.line(&line(message, replay).to_string())?;
        return out.flush();
    }
    let is_told = match &replay.state {
        ReplayState::Planned => args.dry_run,
        ReplayState::Sending => false,
        _ => true,
    };
    if is_told {
        out.line(&standing_words(message, replay))?;
    }
    out.flush()
}
