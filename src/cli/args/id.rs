//! Ids on the command line.

/// Takes any id but an empty one, which a script passes where a variable of its own is empty.
pub(super) fn id(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("an id is needed here, and this is empty".to_owned());
    }
    Ok(text.to_owned())
}

/// The same of a message; the id of something else is told by its form.
pub(super) fn message_id(text: &str) -> Result<String, String> {
    not_of(text, &[ENDPOINT, ATTEMPT])
}

/// The same of an endpoint.
pub(super) fn endpoint_id(text: &str) -> Result<String, String> {
    not_of(text, &[MESSAGE, ATTEMPT])
}

/// What begins an id of Svix, and what it is of. As many letters follow as a KSUID has.
const MESSAGE: (&str, &str) = (
    "msg_",
    "a message's; reeltop messages ID tells which endpoints got it",
);
const ENDPOINT: (&str, &str) = (
    "ep_",
    "an endpoint's; reeltop messages --query endpoint:ID lists what went there",
);
const ATTEMPT: (&str, &str) = (
    "atmpt_",
    "an attempt's; reeltop attempts lists them with their messages and endpoints",
);
const KSUID: usize = 27;

fn not_of(text: &str, others: &[(&str, &str)]) -> Result<String, String> {
    let is_ksuid = |rest: &str| {
        rest.len() == KSUID && rest.bytes().all(|letter| letter.is_ascii_alphanumeric())
    };
    let is_of = |(start, _): &&(&str, &str)| text.strip_prefix(start).is_some_and(is_ksuid);
    match others.iter().find(is_of) {
        Some((_, what)) => Err(format!("this id is {what}")),
        None => id(text),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::args::Args;

    #[test]
    fn the_id_of_something_else_is_told_by_its_form() {
        let ksuid = "3MRJYJ2hHKaMkw08eJd9tckVedt";
        for (line, told) in [
            ("replay ep_", "this id is an endpoint's"),
            ("messages atmpt_", "this id is an attempt's"),
            ("attempts --endpoint msg_", "this id is a message's"),
            ("endpoints disable msg_", "this id is a message's"),
        ] {
            let words = format!("reeltop {line}{ksuid}");
            let said = match Args::try_parse_from(words.split(' ')) {
                Ok(_) => String::new(),
                Err(error) => error.to_string(),
            };
            assert!(said.contains(told), "{line}: {said}");
        }
        // A name of one's own (a uid) may begin like any.
        let uid = "reeltop endpoints disable msg_bus".split(' ');
        assert!(Args::try_parse_from(uid).is_ok());
    }

    #[test]
    fn an_empty_id_is_refused_by_the_name_of_its_argument() {
        for (line, named) in [
            ("tasks _", "[ID]..."),
            ("messages a _", "[ID]..."),
            ("attempts --message _", "--message <ID>"),
            ("attempts --endpoint _", "--endpoint <ID>"),
            ("replay _", "[MESSAGE]..."),
            ("replay a --endpoint _", "--endpoint <ID>"),
            ("replays --give-up _", "--give-up [<ID>...]"),
            ("endpoints update _ --description x", "<ID>"),
            ("endpoints enable _", "<ID>"),
            ("endpoints disable _", "<ID>"),
            ("endpoints delete _", "<ID>"),
            ("endpoints rotate _", "<ID>"),
            ("endpoints secret _", "<ID>"),
            ("endpoints headers _", "<ID>"),
            ("endpoints example _", "<ID>"),
        ] {
            for empty in ["", " "] {
                let words = line
                    .split(' ')
                    .map(|word| if word == "_" { empty } else { word });
                let error = Args::try_parse_from(["reeltop"].into_iter().chain(words));
                let told = error
                    .err()
                    .map(|error| error.to_string())
                    .unwrap_or_default();
                let is_named = told.contains("an id is needed") && told.contains(named);
                assert!(is_named, "{line}: {told}");
            }
        }
    }
}
