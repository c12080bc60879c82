//! `reeltop endpoints create`, `update`, `enable`, `disable`, `delete`, `rotate`, `secret`,
//! `headers`, `example`, `stats`. The list itself is in `list`.

mod headers;
pub mod list;
mod stats;
mod under_way;

use std::io::{self, Read};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use self::under_way::{UNCHANGED, UnderWay};
use super::args::{
    CreateArgs, DeleteArgs, EndpointCommand, ExampleArgs, KeepArgs, RateLimit, RotateArgs,
    SourceArgs, TellArgs, UpdateArgs,
};
use super::output::{Outcome, Output, Stop, note, usage};
use super::prompt::{Reply, confirmed};
use super::signals::Signals;
use super::source;
use crate::domain::time::duration_words;
use crate::domain::{
    Ability, Differs, Endpoint, EndpointDraft, EndpointEdit, EndpointId, EndpointVerb, Failure,
    FailureKind, FieldFault, Offer, refused_field, types_named,
};
use crate::io::client::Client;
use crate::io::client::endpoints::{Changed, Edited};
use crate::io::client::http::NotDone;
use crate::io::config::{Source, secrets};
use crate::wire::normal;
use crate::wire::openapi::EndpointRoutes;
use crate::wire::signature::key::Key;

/// The longest text read from a file or from standard input, in bytes.
const MOST_INPUT: u64 = 64 << 10;

/// 0 done, 1 refused, declined or not known to be done, 2 nobody could be asked, 128 + N ended by signal
/// N.
pub async fn run(command: EndpointCommand, from: SourceArgs) -> Outcome {
    if matches!(command, EndpointCommand::Update(_)) {
        refuse_another_server(&from)?;
    }
    let (source, client) = source::reader(&from, source::PATIENCE)?;
    let mut signals = Signals::install().map_err(|error| {
        let what = format!("cannot listen for signals: {error}");
        Failure::new(FailureKind::Local, what, "")
    })?;
    let desk = Desk {
        source,
        client,
        from,
        under_way: UnderWay::default(),
    };
    let is_change = is_change(&command);
    let outcome = tokio::select! {
        biased;
        outcome = Box::pin(desk.run(command)) => outcome,
        code = signals.wait() => {
            if is_change && desk.under_way.is_unbegun() {
                note(UNCHANGED);
            }
            Ok(code)
        }
    };
    desk.say_untold();
    outcome
}

/// Whether it changes something at the service.
fn is_change(command: &EndpointCommand) -> bool {
    match command {
        EndpointCommand::Secret(_) | EndpointCommand::Stats(_) => false,
        EndpointCommand::Headers(args) => args.from.is_some(),
        _ => true,
    }
}

/// `--url` is the server's, and is easily meant as the endpoint's address: the key would then go
/// there. So `update` takes no server by it that is not the configured one already.
fn refuse_another_server(from: &SourceArgs) -> Result<(), Stop> {
    let Some(named) = &from.url else {
        return Ok(());
    };
    let mut flags = source::flags(from);
    flags.url = None;
    let configured = Source::configured(&flags).ok().flatten();
    if configured.is_some_and(|(source, _)| source.url == named.trim_end_matches('/')) {
        return Ok(());
    }
    Err(usage(
        "--url",
        "names the server, which would get the API key, and not the endpoint's address. Nothing \
         was sent. Write --to URL for the endpoint's address; name another server by \
         ASPECT_BASE_URL or --profile",
    ))
}

struct Desk {
    source: Source,
    client: Client,
    from: SourceArgs,
    under_way: UnderWay,
}

impl Desk {
    async fn run(&self, command: EndpointCommand) -> Outcome {
        match command {
            EndpointCommand::Create(args) => self.create(args).await,
            EndpointCommand::Update(args) => self.update(args).await,
            EndpointCommand::Enable(args) => self.set_disabled(&args.id, false).await,
            EndpointCommand::Disable(args) => self.set_disabled(&args.id, true).await,
            EndpointCommand::Delete(args) => self.delete(&args).await,
            EndpointCommand::Rotate(args) => self.rotate(&args).await,
            EndpointCommand::Secret(args) => self.secret(&args).await,
            EndpointCommand::Headers(args) => self.headers(&args).await,
            EndpointCommand::Example(args) => self.example(&args).await,
            EndpointCommand::Stats(args) => stats::run(&args, &self.client).await,
        }
    }

    async fn create(&self, args: CreateArgs) -> Outcome {
        let RateLimit(rate_limit) = args.rate_limit;
        let draft = EndpointDraft {
            url: url(args.to).await?,
            description: args.description,
            event_types: types_named(args.event_types),
            rate_limit,
            ..EndpointDraft::default()
        };
        check(&draft.faults(), ARGUMENT)?;
        // Event types that the service lists not are not sent to it. Read-only mode asks nothing, as
        // it refuses what would be sent.
        let types = draft.event_types.as_deref();
        if !self.source.read_only
            && let Some(fault) = self.client.type_fault(types).await
        {
            return Err(refused(&[fault], ARGUMENT));
        }
        let created = self.client.create_endpoint(&draft);
        let created = self.change(EndpointVerb::Create, "", created).await;
        let created = created.map_err(|stop| by_option(stop, ARGUMENT))?;
        let row = created.endpoint;
        self.under_way.made(&row.value.id, true);
        let id = row.value.id.to_string();
        let secret = match created.secret {
            Some(secret) => Ok(SecretString::from(secret)),
            None => self.client.secret_of(&row.value.id).await,
        };
        let shown = match secret {
            Ok(secret) if self.keep(&args.keep, &id, &secret) => None,
            Ok(secret) => Some(secret),
            Err(failure) => {
                note(&format!(
                    "its signing secret could not be read: {failure}; reeltop endpoints secret {id} \
                     reads it where the server offers that"
                ));
                None
            }
        };
        self.under_way.made(&row.value.id, shown.is_some());
        let mut out = Output::new();
        if args.json {
            let mut line = normal::endpoint(&row.value, Some(&row.raw));
            if let (Some(secret), Some(line)) = (&shown, line.as_object_mut()) {
                line.insert("secret".to_owned(), secret.expose_secret().into());
            }
            out.line(&line.to_string())?;
        } else {
            out.line(&id)?;
            if let Some(secret) = &shown {
                out.line(secret.expose_secret())?;
            }
        }
        out.flush()?;
        self.under_way.told();
        if shown.is_some() && !args.json {
            note(
                "this is its signing secret, shown this once: keep it where the receiver finds it",
            );
        }
        Ok(0)
    }

    async fn update(&self, args: UpdateArgs) -> Outcome {
        // It may take somebody a while to type it.
        let (awaited, to) = match args.to {
            Some(to) if to == STDIN => (Some(to), None),
            to => (None, to),
        };
        let mut edit = EndpointEdit {
            url: to,
            description: args.description,
            event_types: args.event_types.map(types_named),
            rate_limit: args.rate_limit.map(|RateLimit(limit)| limit),
            disabled: None,
        };
        if edit == EndpointEdit::default() && awaited.is_none() {
            let why =
                "nothing to change is named: --to, --description, --event-types, --rate-limit";
            return Err(Stop::Usage(why.to_owned()));
        }
        check(&edit.faults(), OPTION)?;
        let id = EndpointId::new(&args.id);
        let began = self.began(&id).await;
        if let Some(to) = awaited {
            edit.url = Some(url(to).await?);
            check(&edit.faults(), OPTION)?;
        }
        if !self.source.read_only
            && let Some(fault) = self.client.edit_fault(&id, &edit).await?
        {
            return Err(refused(&[fault], OPTION));
        }
        // Svix is sent the change alone, so that it need not tell what stands.
        let began = match began {
            Err(failure) if self.client.svix.is_some() => unseen(&failure),
            began => began?,
        };
        let changed = self.client.edit_endpoint(&id, &edit, began.as_ref());
        let changed = self.change(EndpointVerb::Edit, &args.id, changed).await;
        match changed.map_err(|stop| by_option(stop, OPTION))? {
            Edited::Done(otherwise) => {
                note(&format!("{} is changed", args.id));
                say_otherwise(&otherwise);
            }
            Edited::Overtaken(now) => {
                let began = began.iter();
                let changed = began.flat_map(|began| edit.overtaken(began, &now));
                return Err(overtaken(&id, changed).into());
            }
        }
        if args.json {
            let Some(row) = self.client.endpoint_row(&id).await? else {
                let what = format!("the service no longer tells of {id}");
                return Err(Failure::new(FailureKind::NotFound, what, "").into());
            };
            let mut out = Output::new();
            out.line(&normal::endpoint(&row.value, Some(&row.raw)).to_string())?;
            out.flush()?;
        }
        Ok(0)
    }

    /// The endpoint as a change of it begins, which what stands right before it is sent is compared
    /// with. Read-only mode asks nothing, as it refuses what would be sent.
    async fn began(&self, id: &EndpointId) -> Result<Option<Endpoint>, Failure> {
        if self.source.read_only {
            return Ok(None);
        }
        self.client.endpoint_now(id).await
    }

    /// Nothing is waited for between its looks, and the state that is wanted is named: what somebody
    /// else makes of it meanwhile is no reason to leave it.
    async fn set_disabled(&self, id: &str, disabled: bool) -> Outcome {
        let edit = EndpointEdit {
            disabled: Some(disabled),
            ..EndpointEdit::default()
        };
        let endpoint = EndpointId::new(id);
        let changed = self.client.edit_endpoint(&endpoint, &edit, None);
        let otherwise = match self.change(EndpointVerb::Edit, id, changed).await? {
            Edited::Done(otherwise) => otherwise,
            Edited::Overtaken(_) => Vec::new(),
        };
        if let Some(state) = otherwise.iter().find(|it| it.field == "disabled") {
            let what = format!(
                "the service took it, but {id} is {} now: it does not take this, or somebody else \
                 changed it since",
                state.now
            );
            let hint = "reeltop endpoints shows what it has now";
            return Err(Failure::new(FailureKind::Local, what, hint).into());
        }
        note(&if disabled {
            format!(
                "{id} is disabled: nothing is sent there, and what happens meanwhile is not sent later"
            )
        } else {
            format!("{id} is enabled; what happened while it was not has to be replayed")
        });
        say_otherwise(&otherwise);
        Ok(0)
    }

    async fn delete(&self, args: &DeleteArgs) -> Outcome {
        let id = EndpointId::new(&args.id);
        if !args.yes {
            let reply = self.confirmed(&id, |what| {
                format!("Delete the endpoint {what}, with its secret?")
            });
            reply.await?.or_stop("nothing was deleted")?;
        }
        let deleted = self.client.delete_endpoint(&id);
        self.change(EndpointVerb::Delete, &args.id, deleted).await?;
        note(&format!("{} is deleted", args.id));
        Ok(0)
    }

    /// Asks before what cannot be undone, naming the endpoint as the service knows it. What
    /// read-only mode refuses anyway is not asked about.
    async fn confirmed(
        &self,
        id: &EndpointId,
        question: impl FnOnce(&str) -> String,
    ) -> Result<Reply, Stop> {
        if self.source.read_only {
            return Ok(Reply::Yes);
        }
        let page = self.client.endpoints().await;
        let found = page.ok().and_then(|page| {
            let mut rows = page.rows.into_iter();
            rows.find(|row| row.value.id == *id)
        });
        let what = found.map_or_else(
            || id.to_string(),
            |row| format!("{} ({}, {id})", row.value.label(), row.value.url),
        );
        confirmed(&question(&what)).await
    }

    async fn rotate(&self, args: &RotateArgs) -> Outcome {
        let secret = match &args.secret_file {
            Some(file) => {
                let text = SecretString::from(input("--secret-file", file).await?.trim());
                if let Err(fault) = Key::parse(text.expose_secret()) {
                    let why = format!("the secret in {} {fault}", file.display());
                    return Err(usage("--secret-file", why));
                }
                Some(text)
            }
            None => None,
        };
        let routes = self.routes(Offer::Secret, true).await?;
        let route = offered(routes.rotate.clone(), "rotating a secret")?;
        let id = EndpointId::new(&args.id);
        let grace = args.grace;
        let valid = duration_words(i64::try_from(grace.as_micros()).unwrap_or(i64::MAX));
        if !args.yes {
            let reply = self.confirmed(&id, |what| {
                format!(
                    "The signing secret of {what} is replaced: both sign for {valid}, then only \
                     the new one. Rotate it?"
                )
            });
            reply.await?.or_stop("the secret was not rotated")?;
        }
        let secret = secret.as_ref();
        let rotated = self.client.rotate_secret(&route, &id, secret, grace);
        self.change(EndpointVerb::Rotate, &args.id, rotated).await?;
        note(&format!(
            "{} has another secret; the one before stays valid for {}; reeltop endpoints secret {} shows it",
            args.id, valid, args.id
        ));
        self.renew(&routes, &id).await;
        Ok(0)
    }

    /// Keeps the new secret instead of the one before, where that was saved.
    async fn renew(&self, routes: &EndpointRoutes, id: &EndpointId) {
        let folder = secrets::folder(&self.source, self.from.config.as_deref());
        let kept = folder.and_then(|folder| {
            let file = secrets::file_of(&folder, &id.to_string())?;
            Some((folder, file.display().to_string()))
        });
        let Some((folder, file)) = kept else { return };
        let why = match &routes.secret {
            Some(route) => match self.client.endpoint_secret(route, id).await {
                Ok(secret) => match secrets::save(&folder, &id.to_string(), &secret) {
                    Ok(_) => return note(&format!("the new secret is in {file}")),
                    Err(error) => error.to_string(),
                },
                Err(failure) => failure.to_string(),
            },
            None => "this server does not tell it".to_owned(),
        };
        note(&format!(
            "{file} holds the secret before, as the new one could not be saved there: {why}"
        ));
    }

    async fn secret(&self, args: &TellArgs) -> Outcome {
        let routes = self.routes(Offer::Secret, false).await?;
        let route = offered(routes.secret, "reading a secret")?;
        let id = EndpointId::new(&args.id);
        let secret = self.client.endpoint_secret(&route, &id).await?;
        if !self.keep(&args.keep, &args.id, &secret) {
            let mut out = Output::new();
            out.line(secret.expose_secret())?;
            out.flush()?;
        }
        Ok(0)
    }

    async fn example(&self, args: &ExampleArgs) -> Outcome {
        let routes = self.routes(Offer::SendExample, true).await?;
        let route = offered(routes.example, "sending an example")?;
        let id = EndpointId::new(&args.id);
        let kind = &args.event_type;
        let sent = self.client.send_example(&route, &id, kind);
        self.change(EndpointVerb::Example, &args.id, sent).await?;
        note(&format!(
            "the server took it; reeltop attempts --endpoint {} shows what became of it",
            args.id
        ));
        Ok(0)
    }

    /// The routes around one endpoint. A Svix server is asked first whether it has this part, as a
    /// GET tells, so that nothing is sent where it has not. Read-only mode asks nothing before a
    /// change, as it refuses that anyway.
    async fn routes(&self, part: Offer, is_change: bool) -> Result<EndpointRoutes, Failure> {
        if let Some(svix) = &self.client.svix
            && !(is_change && self.source.read_only)
            && let Ability::Absent(why) = svix.offer(part).await?
        {
            return Err(Failure::new(
                FailureKind::NotOffered,
                why,
                "its own portal may",
            ));
        }
        self.client.endpoint_routes().await
    }

    /// Saves the secret if that was asked for; whether it is kept. One that cannot be saved is
    /// shown, as it may never be told again.
    fn keep(&self, args: &KeepArgs, endpoint: &str, secret: &SecretString) -> bool {
        if !args.save {
            return false;
        }
        let folder = secrets::folder(&self.source, self.from.config.as_deref());
        let saved = folder
            .ok_or_else(|| io::Error::other("this system has no place for configuration"))
            .and_then(|folder| secrets::save(&folder, endpoint, secret));
        match saved {
            Ok(path) => {
                note(&format!("the secret is in {}", path.display()));
                true
            }
            Err(error) => {
                note(&format!("the secret cannot be saved: {error}; here it is"));
                false
            }
        }
    }
}

/// Says where the service has it otherwise than it was sent.
fn say_otherwise(otherwise: &[Differs]) {
    for it in otherwise {
        note(&format!(
            "its {} is {} now, and {} was sent: the service made that of it, or somebody else \
             changed it since",
            it.field, it.now, it.before
        ));
    }
}

/// Says that nobody sees what somebody else changes meanwhile, as what stands could not be read.
fn unseen<T>(why: &Failure) -> Option<T> {
    note(&format!(
        "whether somebody else changes the same meanwhile is not seen: {why}"
    ));
    None
}

/// What kept a change from being sent.
fn overtaken(id: &EndpointId, changed: impl Iterator<Item = Differs>) -> Failure {
    let words = changed.map(|it| {
        let (field, before, now) = (option(it.field, OPTION), it.before, it.now);
        format!("{field} was {before} when this began and is {now} now")
    });
    let words = words.collect::<Vec<_>>().join("; ");
    let what =
        format!("nothing was sent: somebody else changed the same of {id} meanwhile: {words}");
    let hint = "the same command again replaces that";
    Failure::new(FailureKind::Local, what, hint)
}

/// A change that was made of the endpoint of this id, or why the command ends.
pub fn done<T>(changed: Changed<T>, verb: EndpointVerb, id: &str) -> Result<T, Stop> {
    changed.map_err(|not_done| {
        Stop::Failed(match not_done {
            NotDone::Refused(failure) => failure,
            NotDone::Unknown(why) => unclear(verb, id, &why),
        })
    })
}

/// That nobody knows whether a change was made, and how to find out.
fn unclear(verb: EndpointVerb, id: &str, why: &str) -> Failure {
    let what = format!("it is not known whether it was done: {why}");
    let hint = format!("nothing is tried again by itself; {}", verb.look(id));
    Failure::new(FailureKind::Broken, what, hint)
}

/// Where the service refuses a field, the option that it came by.
fn by_option(stop: Stop, address: &str) -> Stop {
    match stop {
        Stop::Failed(failure) => {
            let hint = match refused_field(&failure) {
                Some(field) => {
                    let option = option(field, address);
                    format!("it is {option} that the service refuses")
                }
                None => failure.hint,
            };
            Stop::Failed(Failure { hint, ..failure })
        }
        stop => stop,
    }
}

/// What an endpoint's address is called where one is made, …
const ARGUMENT: &str = "URL";
/// … and where one is changed.
const OPTION: &str = "--to";

/// What a field is called on the command line.
fn option(field: &str, address: &str) -> String {
    match field {
        "url" => address.to_owned(),
        field => format!("--{}", field.replace('_', "-")),
    }
}

fn offered(route: Option<String>, what: &str) -> Result<String, Failure> {
    route.ok_or_else(|| Failure::absent(what))
}

/// Every field that the service would refuse, by its option.
fn check(faults: &[FieldFault], address: &str) -> Result<(), Stop> {
    if faults.is_empty() {
        return Ok(());
    }
    Err(refused(faults, address))
}

fn refused(faults: &[FieldFault], address: &str) -> Stop {
    let words: Vec<String> = faults
        .iter()
        .map(|fault| format!("{}: {}", option(fault.field, address), fault.why))
        .collect();
    Stop::Usage(words.join("\n"))
}

/// Stands for standard input.
const STDIN: &str = "-";

async fn url(given: String) -> Result<String, Stop> {
    if given == STDIN {
        Ok(input("URL", Path::new(STDIN)).await?.trim().to_owned())
    } else {
        Ok(given)
    }
}

/// Reads a small text from a file, or from standard input for `-`; on a thread of its own, so that a
/// signal is heard while that is typed.
async fn input(option: &str, path: &Path) -> Result<String, Stop> {
    let named = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read_input(&named));
    let text = read.await.unwrap_or_else(|error| Err(error.into()));
    text.map_err(|error| usage(option, format!("{}: {error}", path.display())))
}

fn read_input(path: &Path) -> io::Result<String> {
    let read = |from: &mut dyn Read| {
        let mut text = String::new();
        from.take(MOST_INPUT + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MOST_INPUT {
            return Err(io::Error::other(format!("longer than {MOST_INPUT} bytes")));
        }
        Ok(text)
    };
    if path == Path::new(STDIN) {
        read(&mut io::stdin().lock())
    } else {
        std::fs::File::open(path).and_then(|mut file| read(&mut file))
    }
}
