//! Configuration: which server, with which key, within which bounds.

mod authorities;
mod file;
mod handing_over;
mod keeping;
mod key;
mod limits;
mod resolve;
pub mod secrets;
mod svix;
mod webhook;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Certificate;
use secrecy::SecretString;
use serde::Deserialize;

pub use file::{File, Profile, default_path, write_starter};
pub use handing_over::handing_over;
pub use keeping::{Keeping, LedgerKeeping};
pub use key::{KeyFrom, from_home, open_to_others};
pub use limits::Limits;
pub use resolve::{Chosen, is_loopback, resolve, shown};
pub use svix::{SvixSource, TOKEN_VARIABLE, server_of};
pub use webhook::{WebhookSecret, is_read_only, profile_in_use, webhook_secret};

use crate::domain::Backoff;
use crate::domain::time::micros;

/// Where the service is if nothing else is said.
pub const DEFAULT_URL: &str = "https://api.aspect.inc";

/// What was asked for on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub url: Option<String>,
    pub events_path: Option<String>,
    pub profile: Option<String>,
    pub config: Option<PathBuf>,
    pub max_event_bytes: Option<usize>,
    pub read_only: bool,
    /// Send the key unencrypted to a host that is not this machine.
    pub allow_http: bool,
    /// Certificates to trust beside those of this machine.
    pub ca_file: Option<PathBuf>,
    pub svix_url: Option<String>,
    pub svix_app: Option<String>,
    /// The environment variable that holds the token, instead of `SVIX_TOKEN`.
    pub svix_token_env: Option<String>,
}

/// What is wrong with the configuration, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// A server to talk to, and how.
#[derive(Clone)]
pub struct Source {
    /// Host or profile name, for the header.
    pub name: String,
    /// Base URL, without a slash at the end.
    pub url: String,
    pub key: Option<SecretString>,
    /// Where the key came from, for people: `ASPECT_API_KEY`, `profile prod: PROD_KEY`.
    pub key_origin: String,
    /// Path or full URL of the stream, if it is configured.
    pub events_path: Option<String>,
    /// Path of the resend route with its parameters in braces, if it is configured.
    pub resend_path: Option<String>,
    pub is_demo: bool,
    pub read_only: bool,
    /// Certificate authorities trusted beside those of this machine.
    pub authorities: Vec<Certificate>,
    pub limits: Limits,
    pub waits: Waits,
    /// What the journal keeps of it.
    pub keeping: Keeping,
    /// How long the ledger keeps what has ended.
    pub ledger: LedgerKeeping,
    /// Where deliveries are read and messages are resent, if that is a Svix server.
    pub svix: Option<SvixSource>,
    /// Whether there is nothing but that Svix server, so that `url` and `key` are its own.
    pub is_svix_alone: bool,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("url", &shown(&self.url))
            .field("key_origin", &self.key_origin)
            .field("svix", &self.svix)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// A server known by its URL and key alone, with every setting at its default.
    pub fn new(url: &str, key: impl Into<SecretString>) -> Self {
        Self {
            name: svix::host(url),
            url: url.trim_end_matches('/').to_owned(),
            key: Some(key.into()),
            key_origin: "given".to_owned(),
            events_path: None,
            resend_path: None,
            is_demo: false,
            read_only: false,
            authorities: Vec::new(),
            limits: Limits::default(),
            waits: Waits::default(),
            keeping: Keeping::default(),
            ledger: LedgerKeeping::default(),
            svix: None,
            is_svix_alone: false,
        }
    }

    /// The Svix server beside the Aspect API, in words; where it is alone, its application.
    pub fn deliveries_from(&self) -> Option<String> {
        let svix = self.svix.as_ref()?;
        let (url, app, origin) = (shown(&svix.url), &svix.app, &svix.token_origin);
        Some(if self.is_svix_alone {
            format!("application {app}")
        } else {
            format!("{url}, application {app}, token from {origin}")
        })
    }

    /// Everything that must not be shown or kept.
    pub fn secrets(&self) -> Vec<SecretString> {
        let token = self.svix.iter().map(|svix| svix.token.clone());
        self.key.iter().cloned().chain(token).collect()
    }

    /// A Svix server alone: there is no Aspect API.
    pub fn svix_alone(svix: SvixSource) -> Self {
        Self {
            key_origin: svix.token_origin.clone(),
            is_svix_alone: true,
            svix: Some(svix.clone()),
            ..Self::new(&svix.url, svix.token)
        }
    }

    /// The embedded server of the demo.
    pub fn demo(url: &str, key: impl Into<SecretString>) -> Self {
        Self {
            name: "embedded server".to_owned(),
            key_origin: "the demo".to_owned(),
            is_demo: true,
            ..Self::new(url, key)
        }
    }

    /// The configured server, and notes for people. `Ok(None)` means that nothing is configured.
    pub fn configured(flags: &Flags) -> Result<Option<(Self, Vec<String>)>, ConfigError> {
        let file = File::load(flags.config.as_deref())?;
        let env = |name: &str| std::env::var(name).ok();
        let aspect = resolve(flags, &env, &file)?;
        let svix = svix::choose(flags, &env, &file)?;
        let name = match (&aspect, &svix) {
            (Some(aspect), _) => aspect.profile.clone(),
            (None, Some(svix)) => svix.profile.clone(),
            (None, None) => return Ok(None),
        };
        let svix = svix.map(svix::ChosenSvix::read).transpose()?;
        let (svix, svix_note) = svix.unzip();
        let mut notes: Vec<String> = svix_note.flatten().into_iter().collect();
        let (base, settings) = match (aspect, svix) {
            (Some(chosen), svix) => {
                let (key, note) = chosen.key.read()?;
                notes.extend(chosen.notes.into_iter().chain(note));
                let place = chosen.key.place();
                let base = Self {
                    key_origin: match &name {
                        Some(profile) => format!("profile {profile}: {place}"),
                        None => place,
                    },
                    svix,
                    ..Self::new(&chosen.url, key)
                };
                (base, chosen.settings)
            }
            (None, Some(svix)) => {
                let own = svix::profile(flags, &env, &file)?;
                let settings = own.map(|(_, profile)| profile).unwrap_or_default();
                (Self::svix_alone(svix), settings)
            }
            (None, None) => return Ok(None),
        };
        let base = Self {
            name: name.unwrap_or(base.name.clone()),
            ..base
        };
        Ok(Some((base.settled(flags, settings, &file)?, notes)))
    }

    /// With all that flags, profile and file say beside server and key.
    fn settled(self, flags: &Flags, settings: Profile, file: &File) -> Result<Self, ConfigError> {
        let ca_file = flags.ca_file.as_ref().or(settings.ca_file.as_ref());
        let authorities = ca_file.map(|path| authorities::read(path)).transpose()?;
        let mut source = Self {
            events_path: flags.events_path.clone().or(settings.events_path),
            resend_path: settings.resend_path,
            read_only: flags.read_only || settings.read_only,
            authorities: authorities.unwrap_or_default(),
            limits: file.limits,
            waits: file.waits,
            keeping: file.journal,
            ledger: file.ledger,
            ..self
        };
        if let Some(bytes) = flags.max_event_bytes {
            source.limits.event_bytes = bytes;
        }
        Ok(source)
    }
}

/// All waits; `assets/config.toml` says what each is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Waits {
    #[serde(deserialize_with = "file::wait")]
    pub connect: Duration,
    #[serde(deserialize_with = "file::wait")]
    pub answer: Duration,
    #[serde(deserialize_with = "file::duration")]
    pub floor: Duration,
    #[serde(deserialize_with = "file::duration")]
    pub ceiling: Duration,
    #[serde(deserialize_with = "file::duration")]
    pub max_retry: Duration,
    #[serde(deserialize_with = "file::duration")]
    pub max_retry_after: Duration,
    #[serde(deserialize_with = "file::duration")]
    pub health: Duration,
    #[serde(deserialize_with = "file::wait")]
    pub stale: Duration,
    #[serde(deserialize_with = "file::wait")]
    pub idle: Duration,
    #[serde(deserialize_with = "file::wait")]
    pub stopped: Duration,
    #[serde(deserialize_with = "file::wait")]
    pub poll: Duration,
    #[serde(deserialize_with = "file::wait")]
    pub poll_quick: Duration,
    #[serde(deserialize_with = "file::wait")]
    pub delivery_timeout: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connect: seconds(10),
            answer: seconds(30),
            floor: Duration::from_millis(250),
            ceiling: seconds(30),
            max_retry: seconds(30),
            max_retry_after: seconds(300),
            health: seconds(10),
            stale: seconds(20),
            idle: seconds(45),
            stopped: seconds(60),
            poll: seconds(5),
            poll_quick: seconds(1),
            delivery_timeout: seconds(15),
        }
    }
}

impl Waits {
    /// The time between two polls: no hot loop, whatever is configured.
    pub fn pace(&self) -> Duration {
        self.poll.max(Duration::from_millis(50))
    }

    /// The bounds of waiting between connections.
    pub fn backoff(&self) -> Backoff {
        Backoff {
            // No hot loop, whatever is configured.
            floor: micros(self.floor).max(10_000),
            ceiling: micros(self.ceiling),
            max_retry: micros(self.max_retry),
            max_retry_after: micros(self.max_retry_after),
            health: micros(self.health),
        }
    }
}
