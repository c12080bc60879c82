//! Text made safe: nothing in it acts on a terminal, and what is masked stays masked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reeltop::domain::{masked_url, masked_urls, visible};

fuzz_target!(|text: &str| {
    let safe = visible(text);
    assert!(!safe.chars().any(char::is_control));
    assert_eq!(visible(&safe), safe);
    let url = masked_url(text);
    assert_eq!(masked_url(&url), url);
    let masked = masked_urls(text);
    assert_eq!(masked_urls(&masked), masked);
    // A password of our own, in the middle of whatever it is, is never left.
    if !text.contains(|c: char| c.is_whitespace() || c.is_control() || "\"<>`\\/?#@:".contains(c)) {
        let told = masked_urls(&format!("see https://u{text}:pw7pw@h.example/{text}?a=pw7pw")).into_owned();
        assert!(!told.contains("pw7pw") || text.contains("pw7pw"), "{told}");
    }
});
