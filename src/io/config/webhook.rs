//! What the receiver's side needs of a profile, without its server: the secret of its webhooks, and
//! whether it is read-only.

use std::path::PathBuf;

use super::file::File;
use super::resolve::named_profile;
use super::{ConfigError, Flags};

/// Where a profile says that its webhook secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookSecret {
    File(PathBuf),
    Variable(String),
}

/// The profile in use and where its webhook secret is, if it names one.
pub fn webhook_secret(flags: &Flags) -> Result<Option<(String, WebhookSecret)>, ConfigError> {
    let file = File::load(flags.config.as_deref())?;
    of(flags, &|name| std::env::var(name).ok(), &file)
}

/// The profile in use, by its name.
pub fn profile_in_use(flags: &Flags) -> Result<Option<String>, ConfigError> {
    let file = File::load(flags.config.as_deref())?;
    let named = named_profile(flags, &|name| std::env::var(name).ok(), &file)?;
    Ok(named.map(|(name, _)| name))
}

/// Whether a flag or the profile in use forbids requests that change anything.
pub fn is_read_only(flags: &Flags) -> Result<bool, ConfigError> {
    if flags.read_only {
        return Ok(true);
    }
    let file = File::load(flags.config.as_deref())?;
    let profile = named_profile(flags, &|name| std::env::var(name).ok(), &file)?;
    Ok(profile.is_some_and(|(_, profile)| profile.read_only))
}

fn of(
    flags: &Flags,
    env: &dyn Fn(&str) -> Option<String>,
    file: &File,
) -> Result<Option<(String, WebhookSecret)>, ConfigError> {
    let Some((name, profile)) = named_profile(flags, env, file)? else {
        return Ok(None);
    };
    let secret = match (profile.webhook_secret_file, profile.webhook_secret_env) {
        (None, None) => return Ok(None),
        (Some(path), None) => WebhookSecret::File(path),
        (None, Some(variable)) => WebhookSecret::Variable(variable),
        (Some(_), Some(_)) => {
            return Err(ConfigError(format!(
                "profile {name} has both webhook_secret_file and webhook_secret_env: keep one"
            )));
        }
    };
    Ok(Some((name, secret)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::path::Path;

    use super::*;

    #[test]
    fn the_profile_in_use_names_the_secret() {
        let text = "profile = \"a\"\n[profiles.a]\nwebhook_secret_file = \"f\"\n[profiles.b]\nwebhook_secret_env = \"V\"\n[profiles.c]\nwebhook_secret_env = \"V\"\nwebhook_secret_file = \"f\"\n[profiles.d]\n";
        let file = File::parse(text, Path::new("x")).unwrap();
        let asked = |profile: Option<&str>, env: Option<&str>| {
            let flags = Flags {
                profile: profile.map(str::to_owned),
                ..Flags::default()
            };
            let env = env.map(str::to_owned);
            of(&flags, &|_| env.clone(), &file)
        };
        let a = Some(("a".to_owned(), WebhookSecret::File("f".into())));
        let b = Some(("b".to_owned(), WebhookSecret::Variable("V".into())));
        assert_eq!(asked(None, None).unwrap(), a);
        assert_eq!(asked(None, Some("b")).unwrap(), b);
        assert_eq!(asked(Some("b"), Some("a")).unwrap(), b);
        assert_eq!(asked(Some("d"), None).unwrap(), None);
        assert!(asked(Some("c"), None).is_err());
        assert!(asked(Some("e"), None).is_err());
    }
}
