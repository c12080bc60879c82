//! Which Svix server delivers, with which token. Server and token are a pair here too: the server
//! of a profile takes only the token of that profile.

use std::fmt;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::file::{File, Profile};
use super::key::KeyFrom;
use super::resolve::{KEY_VARIABLE, Sources, URL_VARIABLE, asked_profile, checked, find, shown};
use super::{ConfigError, Flags};

/// Where the token comes from if nothing else is said.
pub const TOKEN_VARIABLE: &str = "SVIX_TOKEN";
/// The server of tokens whose ending names no region.
const NO_REGION: &str = "https://api.svix.com";
const REGIONS: [&str; 5] = ["eu", "us", "ca", "au", "in"];

/// A Svix server, and one application there.
#[derive(Clone)]
pub struct SvixSource {
    /// Base URL, without a slash at the end and without `/api/v1`.
    pub url: String,
    /// Id or uid of the application.
    pub app: String,
    pub token: SecretString,
    /// Where the token came from, for people.
    pub token_origin: String,
}

impl fmt::Debug for SvixSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SvixSource")
            .field("url", &shown(&self.url))
            .field("app", &self.app)
            .field("token_origin", &self.token_origin)
            .finish_non_exhaustive()
    }
}

impl SvixSource {
    /// A server known by its URL, application and token alone.
    pub fn new(url: &str, app: &str, token: impl Into<SecretString>) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            app: app.to_owned(),
            token: token.into(),
            token_origin: "given".to_owned(),
        }
    }
}

/// What was chosen, before the token was read.
#[derive(Debug, Clone)]
pub struct ChosenSvix {
    /// Checked; `None` if the token tells.
    url: Option<String>,
    app: String,
    token: KeyFrom,
    /// The profile that gave server and token.
    pub profile: Option<String>,
}

impl ChosenSvix {
    /// Reads the token; a note says what is unsafe about it.
    pub fn read(self) -> Result<(SvixSource, Option<String>), ConfigError> {
        let (token, note) = self.token.read()?;
        let place = self.token.place();
        let source = SvixSource {
            url: self.url.unwrap_or_else(|| server_of(&token).to_owned()),
            app: self.app,
            token_origin: match &self.profile {
                Some(profile) => format!("profile {profile}: {place}"),
                None => place,
            },
            token,
        };
        Ok((source, note))
    }

    /// The same for what is published there: its server is named, or the token names it. No guess will
    /// do.
    pub fn read_named(self) -> Result<(SvixSource, Option<String>), ConfigError> {
        let is_named = self.url.is_some();
        let (source, note) = self.read()?;
        if is_named || region_of(&source.token).is_some() {
            return Ok((source, note));
        }
        Err(ConfigError(format!(
            "which Svix server is not known: the token from {} ends in no region (such as .{}); name the server with --svix-url URL",
            source.token_origin,
            REGIONS.join(", .")
        )))
    }
}

/// The server of a token, by its last part, as Svix's own clients guess it.
pub fn server_of(token: &SecretString) -> &'static str {
    region_of(token).unwrap_or(NO_REGION)
}

/// The server of the region that a token's ending names, if it names one.
fn region_of(token: &SecretString) -> Option<&'static str> {
    const SERVERS: [&str; 5] = [
        "https://api.eu.svix.com",
        "https://api.us.svix.com",
        "https://api.ca.svix.com",
        "https://api.au.svix.com",
        "https://api.in.svix.com",
    ];
    let ending = token.expose_secret().rsplit('.').next();
    let region = REGIONS.iter().position(|region| ending == Some(*region));
    region.map(|at| SERVERS[at])
}

/// The profile that counts: the one that is named, else the file's where the environment names no
/// server.
pub(super) fn profile(
    flags: &Flags,
    env: &dyn Fn(&str) -> Option<String>,
    file: &File,
) -> Result<Option<(String, Profile)>, ConfigError> {
    let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    let named = asked_profile(flags, env);
    let is_elsewhere =
        flags.url.is_some() || set(URL_VARIABLE).is_some() || set(KEY_VARIABLE).is_some();
    let name = named.or_else(|| file.profile.clone().filter(|_| !is_elsewhere));
    name.map(|name| Ok((name.clone(), find(file, &name)?)))
        .transpose()
}

/// Chooses; `Ok(None)` means that deliveries are read from no Svix server.
pub(super) fn choose(
    flags: &Flags,
    env: &dyn Fn(&str) -> Option<String>,
    file: &File,
) -> Result<Option<ChosenSvix>, ConfigError> {
    let own = profile(flags, env, file)?;
    let allow_http = flags.allow_http;
    let asked = (flags.svix_url.as_deref())
        .map(|url| checked(url, "--svix-url", allow_http))
        .transpose();
    if let Some((name, profile)) = own.filter(|(_, profile)| belongs(profile, flags)) {
        let its_own = by_profile(&name, &profile, flags, env)?;
        if flags.svix_url.is_none() || asked.as_ref().is_ok_and(|url| *url == its_own.url) {
            return Ok(Some(its_own));
        }
    }
    let (url, app) = match (asked?, &flags.svix_app) {
        (None, None) => return Ok(None),
        (Some(url), None) => {
            return Err(ConfigError(format!(
                "--svix-url {url} needs the application there: name it with --svix-app APP (its id or uid)"
            )));
        }
        (url, Some(app)) => (url, app_name(app, "--svix-app")?),
    };
    let variable = flags.svix_token_env.as_deref().unwrap_or(TOKEN_VARIABLE);
    let Some(value) = env(variable).filter(|value| !value.trim().is_empty()) else {
        return Err(ConfigError(format!(
            "there is no token for Svix: set {variable} (a profile's token goes only to that profile's server)"
        )));
    };
    Ok(Some(ChosenSvix {
        url,
        app,
        token: KeyFrom::Variable {
            name: variable.to_owned(),
            value: value.into(),
        },
        profile: None,
    }))
}

/// Whether a profile's Svix server belongs to what was asked for: not to another Aspect API.
fn belongs(profile: &Profile, flags: &Flags) -> bool {
    let same = |url: &str| {
        let own = profile.url.as_deref();
        own.is_some_and(|own| own.trim_end_matches('/') == url.trim_end_matches('/'))
    };
    profile.has_svix() && flags.url.as_deref().is_none_or(same)
}

fn by_profile(
    name: &str,
    profile: &Profile,
    flags: &Flags,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<ChosenSvix, ConfigError> {
    let Some(app) = flags.svix_app.as_ref().or(profile.svix_app.as_ref()) else {
        return Err(ConfigError(format!(
            "profile {name} names a Svix server but no application: add svix_app = \"app_…\" to it"
        )));
    };
    let sources = Sources {
        word: "svix_token",
        variable: profile.svix_token_env.as_deref(),
        file: profile.svix_token_file.as_deref(),
        command: profile.svix_token_command.as_deref(),
    };
    let place = format!("profile {name}: svix_url");
    let allow_http = profile.allow_http || flags.allow_http;
    let url = profile.svix_url.as_deref();
    Ok(ChosenSvix {
        url: url
            .map(|url| checked(url, &place, allow_http))
            .transpose()?,
        app: app_name(app, &format!("profile {name}: svix_app"))?,
        token: sources.one(name, env)?,
        profile: Some(name.to_owned()),
    })
}

/// An application's id or uid, which Svix limits to what can stand in a path.
fn app_name(app: &str, place: &str) -> Result<String, ConfigError> {
    let app = app.trim();
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let is_path = matches!(app, "" | "." | "..");
    if is_path || app.len() > 256 || !app.chars().all(fits) {
        return Err(ConfigError(format!(
            "{place}: {app:?} is no application; an id is like app_2Xy…, a uid holds letters, digits, - _ and ."
        )));
    }
    Ok(app.to_owned())
}

/// What to call a source that is a Svix server alone: its host.
pub(super) fn host(url: &str) -> String {
    let host = Url::parse(url).ok().and_then(|url| {
        let host = url.host_str()?.to_owned();
        Some(match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host,
        })
    });
    host.unwrap_or_else(|| shown(url))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::path::Path;

    use super::*;

    const FILE: &str = r#"
        [profiles.both]
        url = "https://aspect.example"
        key_env = "KEY"
        svix_url = "https://svix.example/"
        svix_app = "user-1"
        svix_token_env = "OWN_TOKEN"
        [profiles.alone]
        svix_app = "user-2"
        svix_token_env = "OWN_TOKEN"
        [profiles.tokenless]
        svix_app = "user-3"
        [profiles.appless]
        svix_token_env = "OWN_TOKEN"
    "#;

    fn chosen(flags: &Flags, env: &[(&str, &str)]) -> Result<Option<[String; 3]>, String> {
        let file = File::parse(FILE, Path::new("config.toml")).unwrap();
        let env: Vec<(String, String)> = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let look = |name: &str| {
            let found = env.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        let chosen = choose(flags, &look, &file).map_err(|error| error.to_string())?;
        Ok(chosen.map(|chosen| {
            let (source, _) = chosen.read().unwrap();
            let token = source.token.expose_secret().to_owned();
            [source.url, source.app, token]
        }))
    }

    fn flags(profile: &str, url: &str, app: &str) -> Flags {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Flags {
            profile: given(profile),
            svix_url: given(url),
            svix_app: given(app),
            ..Flags::default()
        }
    }

    fn is(found: Result<Option<[String; 3]>, String>, url: &str, app: &str, token: &str) {
        assert_eq!(found.unwrap().unwrap(), [url, app, token]);
    }

    const ENV: [(&str, &str); 2] = [("SVIX_TOKEN", "sk_1.eu"), ("OWN_TOKEN", "own.ca")];

    #[test]
    fn the_region_is_the_last_part_of_the_token() {
        for (token, server) in [
            ("sk_x.eu", "https://api.eu.svix.com"),
            ("testsk_a.b.us", "https://api.us.svix.com"),
            ("sk_x.in", "https://api.in.svix.com"),
            ("sk_x.au", "https://api.au.svix.com"),
            ("sk_x.ca", "https://api.ca.svix.com"),
            ("sk_x.zz", "https://api.svix.com"),
            ("eyJ.a.b", "https://api.svix.com"),
        ] {
            assert_eq!(server_of(&token.into()), server);
        }
    }

    #[test]
    fn a_profiles_server_takes_only_its_own_token() {
        let own = "https://svix.example";
        is(
            chosen(&flags("both", "", ""), &ENV),
            own,
            "user-1",
            "own.ca",
        );
        is(chosen(&flags("both", own, "b"), &ENV), own, "b", "own.ca");
        let other = "https://other.example";
        is(
            chosen(&flags("both", other, "b"), &ENV),
            other,
            "b",
            "sk_1.eu",
        );
        let error = chosen(&flags("both", other, "b"), &ENV[1..]).unwrap_err();
        assert!(error.contains("SVIX_TOKEN"), "{error}");
        let error = chosen(&flags("both", other, ""), &ENV).unwrap_err();
        assert!(error.contains("--svix-app"), "{error}");
        is(
            chosen(&flags("alone", "", ""), &ENV),
            "https://api.ca.svix.com",
            "user-2",
            "own.ca",
        );
        let elsewhere = Flags {
            url: Some("https://third.example".to_owned()),
            ..flags("both", "", "")
        };
        assert!(chosen(&elsewhere, &ENV).unwrap().is_none());
    }

    #[test]
    fn half_of_it_is_an_error_that_names_the_rest() {
        for (flags, word) in [
            (flags("tokenless", "", ""), "svix_token_env"),
            (flags("appless", "", ""), "svix_app"),
            (flags("", "https://x.example", ""), "--svix-app"),
            (flags("", "http://x.example", "a"), "unencrypted"),
            (flags("", "https://x.example", "a/b"), "no application"),
            (flags("", "", ".."), "no application"),
        ] {
            let error = chosen(&flags, &ENV).unwrap_err();
            assert!(error.contains(word), "{error}");
            assert!(!error.contains("sk_1") && !error.contains("own"), "{error}");
        }
        assert!(chosen(&Flags::default(), &ENV).unwrap().is_none());
        is(
            chosen(&flags("", "", "a"), &ENV),
            "https://api.eu.svix.com",
            "a",
            "sk_1.eu",
        );
    }
}
