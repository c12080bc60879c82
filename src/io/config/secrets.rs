//! Signing secrets that the user saved: one file for each endpoint, beside the configuration, for
//! its owner alone. They are kept only where the user asks for it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::{Source, default_path};
use crate::io::journal::base_name;

/// Saved secrets are looked at up to this many.
const MOST: usize = 1000;
const LONGEST: u64 = 4096;

/// The folder of a server's secrets; `None` where the system has no place for configuration.
pub fn folder(source: &Source, config: Option<&Path>) -> Option<PathBuf> {
    let config = config.map(Path::to_owned).or_else(default_path)?;
    let name = base_name(&source.name, &source.url);
    Some(config.parent()?.join("secrets").join(name))
}

/// Writes an endpoint's secret down, instead of one that was there. Gives the file.
pub fn save(folder: &Path, endpoint: &str, secret: &SecretString) -> io::Result<PathBuf> {
    if !is_file_name(endpoint) {
        let why = "the endpoint's id cannot be the name of a file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    crate::io::journal::make_folder(folder)?;
    let path = folder.join(endpoint);
    let new = folder.join(format!(".{endpoint}.new"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    writeln!(file, "{}", secret.expose_secret())?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    Ok(path)
}

/// The file of an endpoint's saved secret, if one is saved.
pub fn file_of(folder: &Path, endpoint: &str) -> Option<PathBuf> {
    let path = folder.join(endpoint);
    (is_file_name(endpoint) && path.is_file()).then_some(path)
}

/// The saved secrets of a server: endpoint id and secret, sorted by id. A file that cannot be read
/// is left out; a folder that is not there holds none.
pub fn saved(folder: &Path) -> Vec<(String, SecretString)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut secrets: Vec<(String, SecretString)> = entries
        .take(MOST)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_small = entry.metadata().ok()?.len() <= LONGEST;
            if !is_small || !is_file_name(&name) {
                return None;
            }
            let text = fs::read_to_string(entry.path()).ok()?;
            Some((name, SecretString::from(text.trim())))
        })
        .collect();
    secrets.sort_by(|(a, _), (b, _)| a.cmp(b));
    secrets
}

/// The saved secrets of all servers, for a search for whose secret signed a request.
pub fn of_all_servers(config: Option<&Path>) -> Vec<(String, SecretString)> {
    of_servers(config, |_| true)
}

/// The secrets that were saved with a profile, at whatever server it named.
pub fn of_profile(profile: &str, config: Option<&Path>) -> Vec<(String, SecretString)> {
    let name = base_name(profile, "");
    // What follows the last dash is of the server.
    let own = name.rsplit_once('-').map_or("", |(own, _)| own).to_owned();
    of_servers(config, |folder| {
        folder.rsplit_once('-').is_some_and(|(it, _)| it == own)
    })
}

fn of_servers(
    config: Option<&Path>,
    is_meant: impl Fn(&str) -> bool,
) -> Vec<(String, SecretString)> {
    let config = config.map(Path::to_owned).or_else(default_path);
    let Some(folder) = config.as_deref().and_then(Path::parent) else {
        return Vec::new();
    };
    let servers = fs::read_dir(folder.join("secrets"));
    let mut folders: Vec<PathBuf> = servers
        .into_iter()
        .flatten()
        .flatten()
        .take(MOST)
        .filter(|entry| entry.file_name().to_str().is_some_and(&is_meant))
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    let all = folders.iter().flat_map(|folder| saved(folder));
    all.take(MOST).collect()
}

fn is_file_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=128).contains(&name.len()) && name.chars().all(is_plain) && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_profile_has_the_secrets_that_were_saved_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        for (profile, endpoint) in [("prod", "ep_1"), ("prod-eu", "ep_2"), ("Prod", "ep_3")] {
            let place = base_name(profile, "https://api.example");
            let place = folder.path().join("secrets").join(place);
            save(&place, endpoint, &SecretString::from("whsec_x")).unwrap();
            assert!(file_of(&place, endpoint).is_some() && file_of(&place, "ep_9").is_none());
        }
        let of = |profile| {
            let found = of_profile(profile, Some(&config)).into_iter();
            let mut ids: Vec<String> = found.map(|(id, _)| id).collect();
            ids.sort();
            ids
        };
        assert_eq!(of("prod-eu"), ["ep_2"]);
        assert_eq!(of("other"), [""; 0]);
        // As folders, names that differ in case alone are one.
        assert_eq!(of("prod"), ["ep_1", "ep_3"]);
        assert_eq!(of_all_servers(Some(&config)).len(), 3);
    }

    #[test]
    fn a_secret_is_kept_for_its_owner_alone_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("secrets").join("local");
        assert!(saved(&place).is_empty());
        save(&place, "ep_1", &SecretString::from("whsec_old")).unwrap();
        let path = save(&place, "ep_1", &SecretString::from("whsec_new")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let found = saved(&place);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1.expose_secret(), "whsec_new");
        for name in ["../x", "", ".x", "a/b", "a\nb"] {
            assert!(
                save(&place, name, &SecretString::from("x")).is_err(),
                "{name:?}"
            );
        }
    }
}
