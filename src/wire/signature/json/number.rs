//! Numbers of JSON as JavaScript and Python write them.

use std::borrow::Cow;

use super::Numbers;

/// The token in this form; `true`, `false` and `null` are the same in all.
pub(super) fn written(token: &str, numbers: Numbers) -> Cow<'_, str> {
    let is_number = token.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    let is_whole = !token.contains(['.', 'e', 'E']);
    let value = match numbers {
        Numbers::Kept => None,
        // Whole numbers have any length in Python, and no sign where they are 0.
        Numbers::Python if token == "-0" => return Cow::Borrowed("0"),
        Numbers::Python if is_whole => None,
        _ if is_number => token.parse::<f64>().ok().filter(|value| value.is_finite()),
        _ => None,
    };
    match value {
        None => Cow::Borrowed(token),
        Some(value) if numbers == Numbers::Python => Cow::Owned(python(value)),
        Some(value) => Cow::Owned(javascript(value)),
    }
}

/// The shortest digits that mean this number, and the power of ten of the first.
fn digits(value: f64) -> (String, i32) {
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

/// ECMAScript's `Number::toString`.
fn javascript(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    laid_out(value, -6, 21, false)
}

/// Python's repr of a float.
fn python(value: f64) -> String {
    laid_out(value, -4, 16, true)
}

/// Plain from 10^`low` to below 10^`high`, else with an exponent. A `float` shows that it is one
/// by its `.0`, and its exponent has two digits.
fn laid_out(value: f64, low: i32, high: i32, is_float: bool) -> String {
    let (digits, exponent) = digits(value);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let n = digits.len() as i32;
    if !(low..high).contains(&exponent) {
        let (first, more) = digits.split_at(1);
        let point = if more.is_empty() { "" } else { "." };
        let (mark, power) = (if exponent < 0 { '-' } else { '+' }, exponent.abs());
        return if is_float {
            format!("{sign}{first}{point}{more}e{mark}{power:02}")
        } else {
            format!("{sign}{first}{point}{more}e{mark}{power}")
        };
    }
    if exponent < 0 {
        let zeros = "0".repeat((-exponent - 1) as usize);
        return format!("{sign}0.{zeros}{digits}");
    }
    if n <= exponent + 1 {
        let zeros = "0".repeat((exponent + 1 - n) as usize);
        let point = if is_float { ".0" } else { "" };
        return format!("{sign}{digits}{zeros}{point}");
    }
    let (whole, fraction) = digits.split_at((exponent + 1) as usize);
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_languages_do() {
        for (token, javascript, python) in [
            ("0", "0", "0"),
            ("-0", "0", "0"),
            ("-0.0", "0", "-0.0"),
            ("1.0", "1", "1.0"),
            ("1e3", "1000", "1000.0"),
            ("1E-7", "1e-7", "1e-07"),
            ("0.0001", "0.0001", "0.0001"),
            ("0.00001", "0.00001", "1e-05"),
            ("0.1", "0.1", "0.1"),
            ("123.456", "123.456", "123.456"),
            ("1e16", "10000000000000000", "1e+16"),
            ("1.5e300", "1.5e+300", "1.5e+300"),
            ("1e21", "1e+21", "1e+21"),
            ("1e20", "100000000000000000000", "1e+20"),
            (
                "12345678901234567890",
                "12345678901234567000",
                "12345678901234567890",
            ),
            ("true", "true", "true"),
            ("null", "null", "null"),
        ] {
            assert_eq!(written(token, Numbers::Javascript), javascript, "{token}");
            assert_eq!(written(token, Numbers::Python), python, "{token}");
            assert_eq!(written(token, Numbers::Kept), token);
        }
    }
}
