//! Numbers in sentences.

use std::fmt::Display;

/// `1 row`, `2 rows`: a number with the word, or words, that one or many take.
pub fn plural<N: Copy + Display + PartialEq + From<u8>>(n: N, one: &str, many: &str) -> String {
    let word = if n == N::from(1) { one } else { many };
    format!("{n} {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        let rows: Vec<String> = (0..3_u64).map(|n| plural(n, "row", "rows")).collect();
        assert_eq!(rows, ["0 rows", "1 row", "2 rows"]);
    }
}
