//! Where the ledger lies, whose replays are in it, and whether the file is still the one that is
//! open.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::domain::MessageId;
use crate::io::config::is_loopback;
use crate::io::journal;

/// The file of all replays from this machine, in the folder for state.
pub(super) const FILE: &str = "replays.db";
/// What Svix and those that number like it put before a message's id, …
const PREFIX: &str = "msg_";
/// … and the letters after it: a KSUID, of which no two are alike anywhere.
const LETTERS: usize = 27;

/// The service whose replays are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// Tells it from other services whose messages may have the same ids.
    name: String,
    /// How it is reached, for people.
    pub via: String,
}

impl Service {
    /// A service by the URL of its API, and the application there, if it has any.
    pub fn new(url: &str, app: &str) -> Self {
        let origin = origin(url);
        let via = match app {
            "" => origin,
            app => format!("{origin} {app}"),
        };
        Self {
            name: file_name(url, app),
            via,
        }
    }

    /// What a message's id is unique in: nothing where it is so by itself, so that one service
    /// that is reached in two ways (an Aspect API, and the Svix behind it) has one row for a pair.
    pub(super) fn scope(&self, message: &MessageId) -> &str {
        if is_unique(&message.to_string()) {
            ""
        } else {
            &self.name
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Whether no other service can have a message of this id.
pub(super) fn is_unique(id: &str) -> bool {
    id.strip_prefix(PREFIX).is_some_and(|rest| {
        rest.len() == LETTERS && rest.bytes().all(|letter| letter.is_ascii_alphanumeric())
    })
}

/// The name of the file that held the replays of a server, or of one application there, before all
/// were in one. One server that is spelled in several ways has one name: by any name of this
/// machine, by either scheme.
fn file_name(url: &str, app: &str) -> String {
    let parsed = reqwest::Url::parse(url).ok().map(|mut url| {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        let host = host.to_owned();
        let port = url.port_or_known_default();
        let is_here = is_loopback(&url);
        let _ = url.set_scheme("http");
        let _ = url.set_port(port);
        let _ = url.set_host(Some(if is_here { "127.0.0.1" } else { &host }));
        url
    });
    let host = parsed.as_ref().and_then(|url| url.host_str());
    let name = format!("replays-{}", host.unwrap_or("server"));
    let origin = parsed.map_or_else(
        || url.to_owned(),
        |mut url| {
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            url.as_str().trim_end_matches('/').to_owned()
        },
    );
    journal::file_name(&name, &format!("{origin}\n{app}"))
}

fn origin(url: &str) -> String {
    reqwest::Url::parse(url).map_or_else(
        |_| "an unknown server".to_owned(),
        |url| url.origin().ascii_serialization(),
    )
}

/// The ledgers of single servers beside this one, of before all were in one.
pub(super) fn older(path: &Path) -> Vec<PathBuf> {
    if path.file_name().is_none_or(|name| name != FILE) {
        return Vec::new();
    }
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let mut older: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("replays-") && name.ends_with(".db")
        })
        .collect();
    older.sort();
    older
}

/// Which file stands at the path, so that another one there is told from the one that is open.
pub(super) type Identity = (u64, u64);

/// `None` where there is none for certain; a folder that cannot be looked into may hold one.
pub(super) fn identity(path: &Path) -> io::Result<Option<Identity>> {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Ok(Some((meta.dev(), meta.ino())))
    }
    #[cfg(not(unix))]
    {
        let _ = meta;
        Ok(Some((0, 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_has_one_name_however_it_is_spelled() {
        let name = |url| file_name(url, "");
        for other in [
            "http://localhost:8080/",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://u:p@LOCALHOST:8080/?x=1",
        ] {
            assert_eq!(name(other), name("http://127.0.0.1:8080/"), "{other}");
        }
        assert_eq!(name("https://a.example."), name("https://A.example:443/"));
        assert_ne!(name("https://a.example"), name("https://b.example"));
        assert_ne!(name("http://127.0.0.1:1"), name("http://127.0.0.1:2"));
        assert_ne!(
            file_name("https://a.example", "app_1"),
            file_name("https://a.example", "app_2")
        );
    }

    #[test]
    fn an_id_that_is_unique_by_itself_belongs_to_no_server() {
        let aspect = Service::new("https://a.example", "");
        let svix = Service::new("https://svix.example", "app_1");
        let unique = MessageId::new("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk");
        assert_eq!(aspect.scope(&unique), svix.scope(&unique));
        for short in [
            "msg_1",
            "27UH4WbU6Z5A5EzD8u03UvzRbpk",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRb-k",
        ] {
            let short = MessageId::new(short);
            assert_ne!(aspect.scope(&short), svix.scope(&short));
        }
        assert_eq!(svix.via, "https://svix.example app_1");
    }
}
