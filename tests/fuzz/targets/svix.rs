//! Bodies of a Svix server: no panic, whatever they hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reeltop::domain::MessageId;
use reeltop::wire::{endpoints, svix};

fuzz_target!(|data: &[u8]| {
    let message = MessageId::new("m");
    if let Ok(page) = svix::destinations(data) {
        assert!(page.unreadable.len() <= 201);
    }
    let _ = svix::message(data);
    let _ = svix::attempt(data, &message);
    let _ = svix::stats(data);
    let _ = svix::attempt_headers(data);
    let _ = svix::background(data);
    svix::is_spoken(data);
    let _ = endpoints::created(data);
    let _ = endpoints::secret(data);
    let _ = endpoints::headers(data);
});
