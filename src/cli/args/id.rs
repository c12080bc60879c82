//! Ids on the command line.

/// Takes any id but an empty one, which a script passes where a variable of its own is empty.
pub(super) fn id(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("an id is needed here, and this is empty".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::args::Args;

    #[test]
    fn an_empty_id_is_refused_by_the_name_of_its_argument() {
        for (line, named) in [
            ("tasks _", "[ID]..."),
            ("messages a _", "[ID]..."),
            ("attempts --message _", "--message <ID>"),
            ("attempts --endpoint _", "--endpoint <ID>"),
            ("replay _", "[MESSAGE]..."),
            ("replay a --endpoint _", "--endpoint <ID>"),
            ("replays --give-up _", "--give-up <ID>"),
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
