//! From the command line to a server: the configuration is read, its notes are said.

use std::time::Duration;

use tracing::info;

use super::args::SourceArgs;
use super::output::{Stop, note};
use crate::io::client::Client;
use crate::io::config::{File, Flags, Source, default_path, from_home};
use crate::io::log;

/// How long a command that only reads waits for a service that asks to be left alone (429).
pub const PATIENCE: Duration = Duration::from_mins(1);

/// What `reeltop` says when nothing at all is configured.
pub fn nothing_configured() -> String {
    let file = default_path().map_or_else(
        || "config.toml".to_owned(),
        |path| path.display().to_string(),
    );
    format!(
        "no server is configured.\n\n\
         Try it without an account:\n    reeltop demo\n\n\
         Watch your own tasks:\n    export ASPECT_API_KEY=sk_…\n    reeltop\n\n\
         Another server: --url URL or ASPECT_BASE_URL beside the key.\n\
         Several servers: profiles in {file}, which reeltop config init writes"
    )
}

/// Begins the log, if there is to be one: flag over environment over file. A configuration that
/// cannot be read is told by the command itself.
pub fn begin_log(args: &SourceArgs) -> Result<(), Stop> {
    let settings = File::load(args.config.as_deref()).unwrap_or_default().log;
    let named = args.log.clone().filter(|path| !path.as_os_str().is_empty());
    let Some(path) = named.or(settings.file) else {
        return Ok(());
    };
    let path = from_home(&path);
    log::open(&path, settings.level)
        .map_err(|error| Stop::Usage(format!("the log {}: {error}", path.display())))?;
    let (version, system) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    info!("reeltop {version}, {system} {}", std::env::consts::ARCH);
    Ok(())
}

/// What the command line says of the source.
pub fn flags(args: &SourceArgs) -> Flags {
    Flags {
        url: args.url.clone(),
        events_path: args.events_path.clone(),
        profile: args.profile.clone(),
        config: args.config.clone(),
        max_event_bytes: args.max_event_bytes,
        read_only: args.read_only,
        allow_http: args.allow_http,
        ca_file: args.ca_file.clone(),
        svix_url: args.svix_url.clone(),
        svix_app: args.svix_app.clone(),
        svix_token_env: args.svix_token_env.clone(),
    }
}

/// The configured server; exit code 2 if there is none, or half of one.
pub fn configured(args: &SourceArgs) -> Result<Source, Stop> {
    match Source::configured(&flags(args)) {
        Ok(Some((source, notes))) => {
            for text in &notes {
                note(text);
            }
            Ok(source)
        }
        Ok(None) => Err(Stop::Usage(nothing_configured())),
        Err(error) => Err(Stop::Usage(error.to_string())),
    }
}

/// The configured server and a client for it.
pub fn client(args: &SourceArgs) -> Result<(Source, Client), Stop> {
    let source = configured(args)?;
    let client = Client::new(&source).map_err(|failure| Stop::Usage(failure.to_string()))?;
    Ok((source, client))
}

/// The same, whose reads wait so long at most for a service that asks to be left alone (429), which
/// is said: a list of many rows takes many requests.
pub fn reader(args: &SourceArgs, patience: Duration) -> Result<(Source, Client), Stop> {
    let (source, client) = client(args)?;
    client.be_patient(patience, note);
    Ok((source, client))
}
