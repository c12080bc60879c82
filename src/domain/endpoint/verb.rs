//! What is done to an endpoint, and how to find out whether it was where its answer was lost.

/// A change of an endpoint, by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointVerb {
    Create,
    /// Its definition, or whether it is disabled.
    Edit,
    Delete,
    Rotate,
    SetHeaders,
    Example,
}

impl EndpointVerb {
    /// The command that shows whether it was done, and what doing it again would do: without an
    /// answer nobody knows, and nothing is tried again by itself. `id` is the endpoint's.
    pub fn look(self, id: &str) -> String {
        match self {
            Self::Create => "look for its URL in reeltop endpoints before it is created again: a \
                             second one would get every message too. If it is there, reeltop \
                             endpoints secret ID tells its secret where the service does, else \
                             delete it and create it anew"
                .to_owned(),
            Self::Edit => "reeltop endpoints shows what it has now; the same change again does no \
                           harm"
                .to_owned(),
            Self::Delete => "if reeltop endpoints still lists it, it was not deleted, and can be \
                             deleted again"
                .to_owned(),
            Self::Rotate => format!(
                "do not rotate it again before it is known, as that makes one secret more: where \
                 the service tells it, reeltop endpoints secret {id} shows whether it is another \
                 than the receiver's"
            ),
            Self::SetHeaders => format!(
                "reeltop endpoints headers {id} shows what it has now; the same headers again do no \
                 harm"
            ),
            Self::Example => format!(
                "reeltop attempts --endpoint {id} shows whether it came; doing it again sends \
                 another"
            ),
        }
    }
}
