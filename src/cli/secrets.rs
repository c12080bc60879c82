//! Where webhook secrets come from: files, environment variables, the profile. They are never
//! printed, and never needed on the command line.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::args::{SecretArgs, SourceArgs};
use super::output::{Stop, note, usage};
use crate::io::config::{self, Source, WebhookSecret, from_home, open_to_others};
use crate::wire::signature::doctor::{Held, Holder};
use crate::wire::signature::key::Key;

/// A secret is a line; more than this is some other file, in bytes.
const MAX_BYTES: u64 = 16 << 10;

/// The receiver's secrets: those that are named, else the profile's. Exit code 2 if there is none.
pub fn receivers(args: &SecretArgs, source: &SourceArgs) -> Result<Vec<Held>, Stop> {
    let given = given(args, source)?;
    if given.is_empty() {
        return Err(Stop::Usage(
            "a webhook secret is needed: --secret-file FILE, --secret-env VARIABLE, webhook_secret_file in the profile, or one that was saved with the profile or for the server (reeltop endpoints secret ID --save)".to_owned(),
        ));
    }
    Ok(given.into_iter().map(|(_, held)| held).collect())
}

/// The same where none is needed. One that checks no signature is refused: every delivery would
/// seem forged.
pub fn usable(args: &SecretArgs, source: &SourceArgs) -> Result<Vec<Held>, Stop> {
    let given = given(args, source)?;
    for (option, held) in &given {
        if let (_, Some(fault)) = Key::examine(&held.text) {
            return Err(usage(
                option,
                format!("the secret in {} {fault}", held.name),
            ));
        }
    }
    Ok(given.into_iter().map(|(_, held)| held).collect())
}

/// The secrets that are named, else the profile's, else those that were saved with it or for the
/// server, each by its option.
fn given(args: &SecretArgs, source: &SourceArgs) -> Result<Vec<(String, Held)>, Stop> {
    let mut given = Vec::new();
    for path in &args.secret_file {
        let option = "--secret-file";
        let held = from_file(option, path, Holder::Receiver)?;
        given.push((option.to_owned(), held));
    }
    for name in &args.secret_env {
        let option = "--secret-env";
        given.push((option.to_owned(), from_variable(option, name)?));
    }
    if given.is_empty() {
        given.extend(from_profile(source)?);
    }
    if given.is_empty() {
        given.extend(saved_with(source)?);
    }
    Ok(given)
}

/// The secrets of endpoints that were saved with the profile in use, or without one for the server
/// in use, which is said: whoever saved them there has deliveries signed with one of them.
fn saved_with(source: &SourceArgs) -> Result<Vec<(String, Held)>, Stop> {
    let flags = super::source::flags(source);
    let config = source.config.as_deref();
    let profile = config::profile_in_use(&flags);
    let (whose, saved) = match profile.map_err(|error| Stop::Usage(error.to_string()))? {
        Some(profile) => {
            let saved = config::secrets::of_profile(&profile, config);
            (format!("profile {profile}"), saved)
        }
        None => match Source::configured(&flags) {
            Ok(Some((source, _))) => {
                let folder = config::secrets::folder(&source, config);
                let saved = folder.map(|folder| config::secrets::saved(&folder));
                (source.name, saved.unwrap_or_default())
            }
            // A secret needs no server.
            Ok(None) | Err(_) => return Ok(Vec::new()),
        },
    };
    let n = saved.len();
    if let Some((first, _)) = saved.first() {
        let more = match n {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        note(&format!(
            "no secret is named: what was saved with {whose} is used, of {first}{more}"
        ));
    }
    let all = saved.into_iter();
    Ok(all
        .map(|(id, secret)| (whose.clone(), of_endpoint(&id, &secret, Holder::Receiver)))
        .collect())
}

fn of_endpoint(id: &str, secret: &SecretString, holder: Holder) -> Held {
    Held {
        name: format!("the saved secret of {id}"),
        text: secret.expose_secret().to_owned(),
        holder,
    }
}

/// The secrets of endpoints that were saved beside the configuration, but those that are held
/// already: they only explain.
pub fn saved(source: &SourceArgs, held: &[Held]) -> Vec<Held> {
    config::secrets::of_all_servers(source.config.as_deref())
        .into_iter()
        .map(|(id, secret)| of_endpoint(&id, &secret, Holder::Other))
        .filter(|saved| held.iter().all(|own| own.text != saved.text))
        .collect()
}

/// The one key that signs: of the first secret that is named, else of the profile's.
pub fn signer(args: &SecretArgs, source: &SourceArgs) -> Result<Key, Stop> {
    the_signer(&receivers(args, source)?)
}

/// The key that signs, where just one secret was named.
pub fn the_signer(held: &[Held]) -> Result<Key, Stop> {
    match held {
        [one] => signing(one),
        _ => Err(Stop::Usage(
            "one secret signs: name one --secret-file or --secret-env".to_owned(),
        )),
    }
}

/// The key of a secret that is to sign.
pub fn signing(held: &Held) -> Result<Key, Stop> {
    let key = Key::parse(&held.text).map_err(|fault| {
        let fault = Key::examine(&held.text).1.unwrap_or(fault);
        Stop::Usage(format!("the secret in {} {fault}", held.name))
    })?;
    if matches!(key, Key::Public(_)) {
        return Err(Stop::Usage(format!(
            "the key in {} is a public one, which only checks: signing takes whsec_… or whsk_…",
            held.name
        )));
    }
    Ok(key)
}

/// Reads a file that holds a secret. The line end at its end is the file's, all else is the
/// secret's, so that the doctor sees what the receiver sees.
pub fn from_file(option: &str, path: &Path, holder: Holder) -> Result<Held, Stop> {
    let path = from_home(path);
    let name = path.display().to_string();
    let failed = |error: std::io::Error| usage(option, format!("{name}: {error}"));
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(failed)?;
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let text = String::from_utf8(bytes)
        .ok()
        .filter(|text| text.len() as u64 <= MAX_BYTES)
        .ok_or_else(|| {
            usage(
                option,
                format!("{name} holds no secret: it is not one line of text"),
            )
        })?;
    if let Some(text) = open_to_others(&path) {
        note(&text);
    }
    Ok(Held {
        text: without_line_end(&text).to_owned(),
        name,
        holder,
    })
}

fn from_variable(option: &str, name: &str) -> Result<Held, Stop> {
    let text = std::env::var(name)
        .map_err(|_| usage(option, format!("{name:?} is not set to any text")))?;
    Ok(Held {
        name: name.to_owned(),
        text,
        holder: Holder::Receiver,
    })
}

fn from_profile(source: &SourceArgs) -> Result<Option<(String, Held)>, Stop> {
    let found = config::webhook_secret(&super::source::flags(source));
    let found = found.map_err(|error| Stop::Usage(error.to_string()))?;
    let Some((profile, place)) = found else {
        return Ok(None);
    };
    let (option, held) = match place {
        WebhookSecret::File(path) => {
            let option = format!("webhook_secret_file of profile {profile}");
            let held = from_file(&option, &path, Holder::Receiver)?;
            (option, held)
        }
        WebhookSecret::Variable(name) => {
            let option = format!("webhook_secret_env of profile {profile}");
            let held = from_variable(&option, &name)?;
            (option, held)
        }
    };
    Ok(Some((option, held)))
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}
