//! The Svix server that `serve` hands delivery to. Flags alone name it: a profile says where deliveries
//! are read, and what is published there would reach its receivers.

use super::file::{File, Profile};
use super::resolve::{PROFILE_VARIABLE, find};
use super::svix::{ChosenSvix, choose};
use super::{ConfigError, Flags, Source};

/// What the application is called where no flag names it.
const APP: &str = "reeltop";

/// The server that events are published at, and notes for people; `Ok(None)` where no flag names one.
pub fn handing_over(flags: &Flags) -> Result<Option<(Source, Vec<String>)>, ConfigError> {
    if !is_asked(flags) && flags.profile.is_none() {
        return Ok(None);
    }
    let file = File::load(flags.config.as_deref())?;
    let env = |name: &str| std::env::var(name).ok();
    let Some(chosen) = chosen(flags, &env, &file)? else {
        return Ok(None);
    };
    let (svix, note) = chosen.read_named()?;
    let source = Source::svix_alone(svix).settled(flags, Profile::default(), &file)?;
    Ok(Some((source, note.into_iter().collect())))
}

fn is_asked(flags: &Flags) -> bool {
    flags.svix_url.is_some() || flags.svix_app.is_some() || flags.svix_token_env.is_some()
}

/// What the flags choose. A profile that is named may only forbid it.
fn chosen(
    flags: &Flags,
    env: &dyn Fn(&str) -> Option<String>,
    file: &File,
) -> Result<Option<ChosenSvix>, ConfigError> {
    let mut read_only = flags.read_only;
    if let Some(name) = &flags.profile {
        let profile = find(file, name)?;
        if profile.has_svix() {
            return Err(ConfigError(format!(
                "--profile {name} names a Svix server to read deliveries from; serve would publish its events there, to whoever receives them, and takes none from a profile: leave --profile out, and to mean that server name it with --svix-url, --svix-app and --svix-token-env"
            )));
        }
        read_only |= profile.read_only;
    }
    if !is_asked(flags) {
        return Ok(None);
    }
    if read_only {
        return Err(ConfigError(
            "read-only mode publishes nothing: delivery by a Svix server makes an application, event types and messages there; leave out --read-only (read_only in the profile), or --svix-url, --svix-app and --svix-token-env for the embedded engine"
                .to_owned(),
        ));
    }
    let by_flags = Flags {
        profile: None,
        svix_app: Some(flags.svix_app.clone().unwrap_or_else(|| APP.to_owned())),
        ..flags.clone()
    };
    let env = |name: &str| env(name).filter(|_| name != PROFILE_VARIABLE);
    choose(&by_flags, &env, &File::default())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::path::Path;

    use secrecy::ExposeSecret;

    use super::*;

    const FILE: &str = r#"
        profile = "both"
        [profiles.both]
        url = "https://aspect.example"
        key_env = "KEY"
        svix_url = "https://svix.example"
        svix_app = "user-1"
        svix_token_env = "OWN_TOKEN"
        [profiles.plain]
        url = "https://aspect.example"
        key_env = "KEY"
        [profiles.quiet]
        url = "https://aspect.example"
        key_env = "KEY"
        read_only = true
    "#;

    fn asked(url: &str, app: &str, variable: &str) -> Flags {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Flags {
            svix_url: given(url),
            svix_app: given(app),
            svix_token_env: given(variable),
            ..Flags::default()
        }
    }

    fn of(profile: &str, flags: Flags) -> Flags {
        Flags {
            profile: Some(profile.to_owned()),
            ..flags
        }
    }

    /// Server, application and token, of an environment that names a profile and holds two tokens.
    fn found(flags: &Flags) -> Result<Option<[String; 3]>, String> {
        let file = File::parse(FILE, Path::new("config.toml")).unwrap();
        let env = |name: &str| {
            let value = match name {
                "REELTOP_PROFILE" => "both",
                "SVIX_TOKEN" => "sk_1.eu",
                "BARE" => "sk_2",
                "OWN_TOKEN" => "own.ca",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let read = chosen(flags, &env, &file)
            .and_then(|chosen| chosen.map(ChosenSvix::read_named).transpose());
        let read = read.map_err(|error| error.to_string())?;
        Ok(read.map(|(source, _)| {
            let token = source.token.expose_secret().to_owned();
            [source.url, source.app, token]
        }))
    }

    #[test]
    fn each_flag_alone_hands_over_and_the_environment_never_does() {
        let (eu, own) = ("https://api.eu.svix.com", "https://own.example");
        for (flags, wanted) in [
            (asked(own, "", "BARE"), [own, "reeltop", "sk_2"]),
            (asked("", "me", ""), [eu, "me", "sk_1.eu"]),
            (asked("", "", "SVIX_TOKEN"), [eu, "reeltop", "sk_1.eu"]),
            (of("plain", asked("", "me", "")), [eu, "me", "sk_1.eu"]),
        ] {
            assert_eq!(found(&flags).unwrap().unwrap(), wanted, "{flags:?}");
        }
        assert_eq!(found(&Flags::default()), Ok(None));
        assert_eq!(found(&of("plain", Flags::default())), Ok(None));
    }

    #[test]
    fn what_is_missing_or_contradicts_is_said() {
        let read_only = |flags| Flags {
            read_only: true,
            ..flags
        };
        for (flags, words) in [
            (asked("", "me", "BARE"), "--svix-url URL"),
            (asked("", "", "NONE"), "set NONE"),
            (asked("", "a/b", ""), "--svix-app"),
            (of("both", Flags::default()), "--profile both"),
            (of("both", asked("", "me", "")), "--profile both"),
            (of("unknown", Flags::default()), "unknown profile"),
            (of("quiet", asked("", "me", "")), "read-only"),
            (read_only(asked("", "me", "")), "--read-only"),
        ] {
            let said = found(&flags).unwrap_err();
            assert!(said.contains(words), "{words}: {said}");
            assert!(!said.contains("sk_") && !said.contains("own."), "{said}");
        }
    }
}
