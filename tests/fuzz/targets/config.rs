//! The configuration file: read or refused in one line, and every limit within its bounds.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use reeltop::io::config::{File, Flags, resolve};

fuzz_target!(|text: &str| {
    match File::parse(text, Path::new("config.toml")) {
        Ok(file) => {
            let limits = file.limits;
            assert!(limits.longest_line() >= 16 && limits.bounds().tasks >= 16);
            assert!((8..=127).contains(&limits.json_depth));
            let backoff = file.waits.backoff();
            assert!(backoff.floor >= 10_000);
            let names = file.profiles.keys().cloned().map(Some).chain([None]);
            for profile in names {
                let flags = Flags {
                    profile,
                    ..Flags::default()
                };
                if let Ok(Some(chosen)) = resolve(&flags, &|_| Some("sk_1".to_owned()), &file) {
                    assert!(chosen.url.starts_with("http"));
                }
            }
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
});
