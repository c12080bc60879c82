//! Which server, with which key: flag over environment over file over default, value by value, but
//! URL and key are a pair (contracts.md, "Configuration"). Pure, so that it is tested as such.

use std::path::Path;

use reqwest::Url;

use super::file::{File, Profile};
use super::key::KeyFrom;
use super::{ConfigError, DEFAULT_URL, Flags};

/// What was chosen, before any key was read.
#[derive(Debug, Clone)]
pub struct Chosen {
    pub url: String,
    pub key: KeyFrom,
    /// The profile that gave the pair.
    pub profile: Option<String>,
    pub settings: Profile,
    pub notes: Vec<String>,
}

pub(super) const URL_VARIABLE: &str = "ASPECT_BASE_URL";
pub(super) const KEY_VARIABLE: &str = "ASPECT_API_KEY";
pub(super) const PROFILE_VARIABLE: &str = "REELTOP_PROFILE";

/// Chooses; `Ok(None)` means that nothing at all is configured.
pub fn resolve(
    flags: &Flags,
    env: &dyn Fn(&str) -> Option<String>,
    file: &File,
) -> Result<Option<Chosen>, ConfigError> {
    let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    let named = asked_profile(flags, env);
    let profile = match &named {
        Some(name) => Some((name.clone(), find(file, name)?)),
        None => None,
    };
    let key = || {
        let value = set(KEY_VARIABLE)?;
        Some(KeyFrom::Variable {
            name: KEY_VARIABLE.to_owned(),
            value: value.into(),
        })
    };
    if let Some(url) = &flags.url {
        return by_flag(url, flags, profile, key(), env).map(Some);
    }
    if let Some((name, settings)) = profile {
        // A profile may name a Svix server alone.
        let Some(mut chosen) = by_profile(&name, &settings, flags, env)? else {
            return Ok(None);
        };
        for variable in [URL_VARIABLE, KEY_VARIABLE] {
            if set(variable).is_some() && chosen.key.place() != variable {
                chosen.notes.push(format!(
                    "{variable} is set, but profile {name} was named and counts"
                ));
            }
        }
        return Ok(Some(chosen));
    }
    match (set(URL_VARIABLE), key()) {
        (Some(url), Some(key)) => Ok(Some(plain(&url, key, flags)?)),
        (Some(url), None) => Err(ConfigError(format!(
            "{URL_VARIABLE} is set to {}, but there is no key for it: set {KEY_VARIABLE}",
            shown(&url)
        ))),
        (None, Some(key)) => {
            let mut chosen = plain(DEFAULT_URL, key, flags)?;
            if let Some(name) = &file.profile {
                chosen.notes.push(format!(
                    "{KEY_VARIABLE} is set, so that {DEFAULT_URL} is used instead of profile {name}; name it with --profile {name} to use it"
                ));
            }
            Ok(Some(chosen))
        }
        (None, None) => match &file.profile {
            Some(name) => by_profile(name, &find(file, name)?, flags, env),
            None => Ok(None),
        },
    }
}

/// The profile that is asked for by a flag or in the environment.
pub(super) fn asked_profile(flags: &Flags, env: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let set = || env(PROFILE_VARIABLE).filter(|value| !value.trim().is_empty());
    flags.profile.clone().or_else(set)
}

/// The profile in use for what needs no server: the one asked for, else the file's own.
pub(super) fn named_profile(
    flags: &Flags,
    env: &dyn Fn(&str) -> Option<String>,
    file: &File,
) -> Result<Option<(String, Profile)>, ConfigError> {
    let name = asked_profile(flags, env).or_else(|| file.profile.clone());
    name.map(|name| Ok((name.clone(), find(file, &name)?)))
        .transpose()
}

pub(super) fn find(file: &File, name: &str) -> Result<Profile, ConfigError> {
    file.profiles.get(name).cloned().ok_or_else(|| {
        let known: Vec<&str> = file.profiles.keys().map(String::as_str).collect();
        let known = if known.is_empty() {
            "there are no profiles in the configuration file".to_owned()
        } else {
            format!("known are: {}", known.join(", "))
        };
        ConfigError(format!("unknown profile {name:?}; {known}"))
    })
}

fn by_flag(
    url: &str,
    flags: &Flags,
    profile: Option<(String, Profile)>,
    key: Option<KeyFrom>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Chosen, ConfigError> {
    let (name, settings) = profile.unzip();
    let settings = settings.unwrap_or_default();
    let same = |own: &str| {
        let asked = checked(url, "--url", true);
        asked.is_ok() && asked == checked(own, "profile", true)
    };
    let is_its_own = settings.url.as_deref().is_some_and(same);
    if let Some(name) = name.filter(|_| is_its_own)
        && let Some(chosen) = by_profile(&name, &settings, flags, env)?
    {
        return Ok(chosen);
    }
    // What a profile says of its own server is not true of another.
    let settings = Profile {
        read_only: settings.read_only,
        ..Profile::default()
    };
    let url = checked(url, "--url", flags.allow_http)?;
    let Some(key) = key else {
        return Err(ConfigError(format!(
            "--url {url} has no key: set {KEY_VARIABLE} (a profile's key goes only to that profile's URL)"
        )));
    };
    Ok(Chosen {
        url,
        key,
        profile: None,
        settings,
        notes: Vec::new(),
    })
}

fn by_profile(
    name: &str,
    settings: &Profile,
    flags: &Flags,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Chosen>, ConfigError> {
    let Some(url) = &settings.url else {
        if settings.has_svix() {
            return Ok(None);
        }
        return Err(ConfigError(format!(
            "profile {name} has no url: add url = \"https://…\" to it"
        )));
    };
    let allow_http = settings.allow_http || flags.allow_http;
    let url = checked(url, &format!("profile {name}"), allow_http)?;
    let sources = Sources {
        word: "key",
        variable: settings.key_env.as_deref(),
        file: settings.key_file.as_deref(),
        command: settings.key_command.as_deref(),
    };
    let key = sources.one(name, env)?;
    Ok(Some(Chosen {
        url,
        key,
        profile: Some(name.to_owned()),
        settings: settings.clone(),
        notes: Vec::new(),
    }))
}

/// Where a profile says that a secret comes from.
pub(super) struct Sources<'a> {
    /// How the fields begin: `key` for `key_env`, `key_file`, `key_command`.
    pub word: &'static str,
    pub variable: Option<&'a str>,
    pub file: Option<&'a Path>,
    pub command: Option<&'a [String]>,
}

impl Sources<'_> {
    /// The one that is named; an error if there is none or more than one.
    pub fn one(
        &self,
        profile: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<KeyFrom, ConfigError> {
        let word = self.word;
        match (self.variable, self.file, self.command) {
            (Some(variable), None, None) => {
                let value = env(variable)
                    .filter(|value| !value.trim().is_empty())
                    .ok_or_else(|| {
                        ConfigError(format!(
                            "profile {profile} takes its {} from {variable}, which is not set",
                            word.replace('_', " ")
                        ))
                    })?;
                Ok(KeyFrom::Variable {
                    name: variable.to_owned(),
                    value: value.into(),
                })
            }
            (None, Some(path), None) => Ok(KeyFrom::File(path.to_owned())),
            (None, None, Some(words)) => Ok(KeyFrom::Command {
                key: format!("{word}_command"),
                words: words.to_owned(),
            }),
            (None, None, None) => Err(ConfigError(format!(
                "profile {profile} has no {}: add {word}_env, {word}_file or {word}_command to it",
                word.replace('_', " ")
            ))),
            _ => Err(ConfigError(format!(
                "profile {profile} has more than one of {word}_env, {word}_file and {word}_command: keep one"
            ))),
        }
    }
}

fn plain(url: &str, key: KeyFrom, flags: &Flags) -> Result<Chosen, ConfigError> {
    Ok(Chosen {
        url: checked(url, URL_VARIABLE, flags.allow_http)?,
        key,
        profile: None,
        settings: Profile::default(),
        notes: Vec::new(),
    })
}

/// A base URL without a slash at its end, if a key may be sent to it.
pub(super) fn checked(url: &str, place: &str, allow_http: bool) -> Result<String, ConfigError> {
    let refuse = |why: &str| ConfigError(format!("{place}: {:?} {why}", shown(url)));
    let parsed = Url::parse(url.trim())
        .map_err(|_| refuse("is no URL; it looks like https://api.aspect.inc"))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(ConfigError(format!(
            "{place}: a URL with a user name or password is not taken; the key goes beside it"
        )));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(refuse("has a query or fragment; give the base URL alone"));
    }
    match parsed.scheme() {
        "https" => {}
        "http" if allow_http || is_loopback(&parsed) => {}
        "http" => {
            return Err(refuse(
                "would send the key unencrypted: use https, or say --allow-http (allow_http = true in a profile)",
            ));
        }
        _ => return Err(refuse("is neither http nor https")),
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

/// A URL as it may be printed: without user, password, query and fragment. Where it cannot be
/// parsed, whatever may be a password is left out.
pub fn shown(url: &str) -> String {
    let url = url.trim();
    if let Ok(parsed) = Url::parse(url)
        && parsed.has_host()
    {
        let origin = parsed.origin().ascii_serialization();
        return format!("{origin}{}", parsed.path().trim_end_matches('/'));
    }
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    // An unescaped mark may stand inside a password too, so that the whole is looked through.
    match (url.rsplit_once('@'), bare.split_once("//")) {
        (None, _) => bare.to_owned(),
        (Some((_, rest)), Some((scheme, _))) => {
            let rest = rest.split(['?', '#']).next().unwrap_or_default();
            format!("{scheme}//…@{rest}")
        }
        (Some((_, rest)), None) => {
            format!("…@{}", rest.split(['?', '#']).next().unwrap_or_default())
        }
    }
}

/// Whether the URL names this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use secrecy::ExposeSecret;

    use super::*;

    const FILE: &str = r#"
        profile = "prod"
        [profiles.prod]
        url = "https://prod.example/"
        key_env = "PROD_KEY"
        [profiles.lab]
        url = "http://lab.example:8000"
        key_env = "LAB_KEY"
        allow_http = true
        [profiles.keyless]
        url = "https://keyless.example"
        [profiles.urlless]
        key_env = "PROD_KEY"
        [profiles.plain]
        url = "http://plain.example"
        key_env = "PROD_KEY"
    "#;

    fn try_with(flags: &Flags, env: &[(&str, &str)], file: &str) -> Result<Option<Chosen>, String> {
        let file = File::parse(file, Path::new("config.toml")).unwrap();
        let env: Vec<(String, String)> = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let look = move |name: &str| {
            env.iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        };
        resolve(flags, &look, &file).map_err(|error| error.to_string())
    }

    fn pair(flags: &Flags, env: &[(&str, &str)], file: &str) -> (String, String) {
        let chosen = try_with(flags, env, file).unwrap().unwrap();
        let key = chosen.key.read().unwrap().0;
        (chosen.url, key.expose_secret().to_owned())
    }

    fn url_flag(url: &str) -> Flags {
        Flags {
            url: Some(url.to_owned()),
            ..Flags::default()
        }
    }

    fn profile_flag(name: &str) -> Flags {
        Flags {
            profile: Some(name.to_owned()),
            ..Flags::default()
        }
    }

    fn is(pair: &(String, String), url: &str, key: &str) {
        assert_eq!((pair.0.as_str(), pair.1.as_str()), (url, key));
    }

    const KEY: (&str, &str) = ("ASPECT_API_KEY", "sk_env");
    const BASE: (&str, &str) = ("ASPECT_BASE_URL", "https://env.example");
    const PROD: (&str, &str) = ("PROD_KEY", "sk_prod");

    #[test]
    fn the_environments_key_goes_with_flag_environment_or_default() {
        let none = Flags::default();
        is(&pair(&none, &[KEY], ""), "https://api.aspect.inc", "sk_env");
        is(
            &pair(&none, &[KEY, BASE], ""),
            "https://env.example",
            "sk_env",
        );
        is(
            &pair(&url_flag("https://flag.example"), &[KEY, BASE], FILE),
            "https://flag.example",
            "sk_env",
        );
        is(
            &pair(&none, &[KEY, PROD], FILE),
            "https://api.aspect.inc",
            "sk_env",
        );
    }

    #[test]
    fn a_profile_takes_only_its_own_key() {
        is(
            &pair(&Flags::default(), &[PROD], FILE),
            "https://prod.example",
            "sk_prod",
        );
        is(
            &pair(&profile_flag("prod"), &[PROD, KEY, BASE], FILE),
            "https://prod.example",
            "sk_prod",
        );
        is(
            &pair(
                &Flags::default(),
                &[PROD, KEY, ("REELTOP_PROFILE", "prod")],
                FILE,
            ),
            "https://prod.example",
            "sk_prod",
        );
        let notes = try_with(&profile_flag("prod"), &[PROD, KEY], FILE)
            .unwrap()
            .unwrap()
            .notes;
        assert!(notes[0].contains("ASPECT_API_KEY"), "{notes:?}");
        let both = Flags {
            profile: Some("prod".into()),
            ..url_flag("https://other.example")
        };
        let error = try_with(&both, &[PROD], FILE).unwrap_err();
        assert!(error.contains("ASPECT_API_KEY"), "{error}");
        let same = Flags {
            profile: Some("prod".into()),
            ..url_flag("https://prod.example/")
        };
        is(
            &pair(&same, &[PROD, KEY], FILE),
            "https://prod.example",
            "sk_prod",
        );
    }

    #[test]
    fn half_a_pair_is_an_error_that_names_what_is_missing() {
        for (flags, env, missing) in [
            (
                url_flag("https://flag.example"),
                vec![PROD],
                "ASPECT_API_KEY",
            ),
            (Flags::default(), vec![BASE, PROD], "ASPECT_API_KEY"),
            (profile_flag("prod"), vec![KEY], "PROD_KEY"),
            (profile_flag("keyless"), vec![KEY], "key_env"),
            (profile_flag("urlless"), vec![PROD], "url"),
            (
                profile_flag("none"),
                vec![KEY],
                "known are: keyless, lab, plain, prod, urlless",
            ),
            (Flags::default(), vec![], "PROD_KEY"),
        ] {
            let error = try_with(&flags, &env, FILE).unwrap_err();
            assert!(error.contains(missing), "{error}");
            assert!(!error.contains("sk_"), "{error}");
        }
        assert!(try_with(&Flags::default(), &[], "").unwrap().is_none());
        assert!(
            try_with(&Flags::default(), &[("ASPECT_API_KEY", " ")], "")
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn what_may_be_a_password_is_never_said() {
        for (url, said) in [
            (
                "https://u:hunter2@x.example/a?b=hunter2",
                "https://x.example/a",
            ),
            (
                "https://u:hunter2@x.example:99999/",
                "https://…@x.example:99999/",
            ),
            ("u:hunter2@x.example", "…@x.example"),
            (
                "https://u:hunt#er2@x.example:99999",
                "https://…@x.example:99999",
            ),
            (
                "https://x.example:99999?key=hunter2",
                "https://x.example:99999",
            ),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(shown(url), said);
            for error in [
                try_with(&url_flag(url), &[KEY], "").map(|_| ()),
                try_with(&Flags::default(), &[("ASPECT_BASE_URL", url)], "").map(|_| ()),
            ] {
                let error = error.unwrap_err();
                assert!(!error.contains("hunt") && !error.contains("er2"), "{error}");
            }
        }
    }

    #[test]
    fn what_a_profile_says_of_its_server_is_not_said_of_another() {
        let file = FILE.replace(
            "allow_http = true",
            "allow_http = true\nevents_path = \"/e\"\nread_only = true",
        );
        let lab = |url: &str| Flags {
            profile: Some("lab".into()),
            ..url_flag(url)
        };
        let env = [KEY, ("LAB_KEY", "sk_lab")];
        let other = try_with(&lab("https://other.example"), &env, &file)
            .unwrap()
            .unwrap();
        assert_eq!(other.settings.events_path, None);
        assert!(other.settings.read_only);
        let error = try_with(&lab("http://other.example"), &env, &file).unwrap_err();
        assert!(error.contains("unencrypted"), "{error}");
        let own = try_with(&lab("http://lab.example:8000/"), &env, &file)
            .unwrap()
            .unwrap();
        assert_eq!(own.settings.events_path.as_deref(), Some("/e"));
    }

    #[test]
    fn plain_http_only_to_this_machine_or_by_name() {
        is(
            &pair(&url_flag("http://127.0.0.1:4000/"), &[KEY], ""),
            "http://127.0.0.1:4000",
            "sk_env",
        );
        is(
            &pair(&url_flag("http://[::1]:4000"), &[KEY], ""),
            "http://[::1]:4000",
            "sk_env",
        );
        is(
            &pair(&profile_flag("lab"), &[("LAB_KEY", "sk_lab")], FILE),
            "http://lab.example:8000",
            "sk_lab",
        );
        for flags in [url_flag("http://flag.example"), profile_flag("plain")] {
            let error = try_with(&flags, &[KEY, PROD], FILE).unwrap_err();
            assert!(error.contains("allow_http"), "{error}");
        }
        let allowed = Flags {
            allow_http: true,
            ..url_flag("http://flag.example")
        };
        is(&pair(&allowed, &[KEY], ""), "http://flag.example", "sk_env");
        let plain = ("ASPECT_BASE_URL", "http://env.example");
        let allowed = Flags {
            allow_http: true,
            ..Flags::default()
        };
        is(
            &pair(&allowed, &[KEY, plain], ""),
            "http://env.example",
            "sk_env",
        );
        let allowed = Flags {
            allow_http: true,
            ..profile_flag("plain")
        };
        is(
            &pair(&allowed, &[PROD], FILE),
            "http://plain.example",
            "sk_prod",
        );
        for bad in ["nonsense", "ftp://x", "https://u:p@x", "https://x?a=1", ""] {
            assert!(try_with(&url_flag(bad), &[KEY], "").is_err(), "{bad}");
        }
    }
}
