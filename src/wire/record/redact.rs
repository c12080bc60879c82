//! The key must not reach the file, whatever carries it.

use memchr::memmem;

/// The shortest secret that is looked for; what is shorter stands in texts by chance.
const MIN_SECRET: usize = 6;

/// Overwrites every place where one of the secrets stands; gives their number.
pub fn redact(bytes: &mut [u8], secrets: &[&[u8]]) -> usize {
    let mut found = 0;
    for secret in secrets.iter().filter(|secret| secret.len() >= MIN_SECRET) {
        let finder = memmem::Finder::new(secret);
        let mut from = 0;
        while let Some(at) = finder.find(&bytes[from..]) {
            bytes[from + at..from + at + secret.len()].fill(b'*');
            from += at + secret.len();
            found += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_overwritten_wherever_it_stands() {
        let mut bytes = b"sk_live_1 and sk_live_1sk_live_1".to_vec();
        assert_eq!(redact(&mut bytes, &[b"sk_live_1", b"and"]), 3);
        assert_eq!(bytes, b"********* and ******************");
    }
}
