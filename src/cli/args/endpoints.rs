//! What can be typed after `reeltop endpoints`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};

use super::id::endpoint_id;
use super::number::{ago, grace, rate_limit};

const CHANGED: &str = "Exit codes: 0 done, 1 refused, not offered or not known to be done, \
    2 usage or configuration.";
const UPDATED: &str = "The endpoint is read right before it is sent back whole, so that what others \
    change of it meanwhile stays; where somebody changed a field that is named here since the command \
    began, nothing is sent and what stands is said (exit code 1). Only what is changed in the instant \
    between that last look and the sending is replaced unseen, as the service takes no condition. \
    Where the service then tells it otherwise than it was sent, that is said.

Exit codes: 0 done, 1 refused, changed by somebody else meanwhile, not offered or not known to be done, \
    2 usage or configuration.";
const SWITCHED: &str = "The endpoint is read right before it is sent back whole, so that what others \
    change of it stays, but for the instant between that look and the sending. Where the service then \
    tells another state than the one that was sent, that is said, and the exit code is 1.

Exit codes: 0 done, 1 refused, not offered or not known to be done, 2 usage or configuration.";
const REPLACED: &str = "What --from holds replaces all headers that stand there. Where somebody else \
    changes them while the file is read or the question is answered, nothing is sent and the names are \
    said (exit code 1), also with --yes; only what is changed in the instant before the sending is \
    replaced unseen.

Exit codes: 0 done; 1 refused, changed by somebody else meanwhile, not offered, declined or not known \
    to be done; 2 usage or configuration, or nobody can be asked and --yes is missing.";
const CONFIRMED: &str = "Exit codes: 0 done; 1 refused, not offered, declined or not known to be \
    done; 2 usage or configuration, or nobody can be asked and --yes is missing.";
const TOLD: &str = "Exit codes: 0 done, 1 refused or not offered, 2 usage or configuration.";

#[derive(Debug, Clone, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_value_name = "COMMAND"
)]
pub struct EndpointsArgs {
    #[command(subcommand)]
    pub command: Option<EndpointCommand>,
    /// Only endpoints that this query matches
    #[arg(short, long, value_name = "QUERY")]
    pub query: Option<String>,
    /// As the journal has it, without asking the server
    #[arg(long)]
    pub offline: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub enum EndpointCommand {
    /// Create an endpoint; its signing secret is shown this once
    #[command(after_long_help = CHANGED)]
    Create(CreateArgs),
    /// Change an endpoint; what is not named stays as it is. --to is its address: a --url (the server)
    /// that is not the configured one is refused
    #[command(after_long_help = UPDATED)]
    Update(UpdateArgs),
    /// Have messages sent to an endpoint again
    #[command(after_long_help = SWITCHED)]
    Enable(OneArgs),
    /// Have nothing sent to an endpoint; what happens meanwhile is not sent later
    #[command(after_long_help = SWITCHED)]
    Disable(OneArgs),
    /// Delete an endpoint, after asking
    #[command(after_long_help = CONFIRMED)]
    Delete(DeleteArgs),
    /// Give an endpoint another signing secret, after asking; the one before stays valid for a while
    #[command(after_long_help = CONFIRMED)]
    Rotate(RotateArgs),
    /// Print an endpoint's signing secret, where the server tells it
    #[command(after_long_help = TOLD)]
    Secret(TellArgs),
    /// Show an endpoint's own headers, or replace them
    #[command(after_long_help = REPLACED)]
    Headers(HeadersArgs),
    /// Have the server send an example event to an endpoint
    #[command(after_long_help = CHANGED)]
    Example(ExampleArgs),
    /// Show how many attempts at an endpoint succeeded and failed, as the server counts them
    #[command(after_long_help = TOLD)]
    Stats(StatsArgs),
}

#[derive(Debug, Clone, ClapArgs)]
pub struct CreateArgs {
    /// Where messages are sent; - reads it from standard input, as it may hold a password
    // Not --url, which is the server's.
    #[arg(value_name = "URL")]
    pub to: String,
    /// The name to show
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "TEXT"
    )]
    pub description: String,
    /// Event types, separated by commas; task.* is every one of a task, '*' every one there is
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "task.*",
        value_name = "TYPE,…"
    )]
    pub event_types: Vec<String>,
    /// Messages a second, at most; none is no limit
    #[arg(long, default_value = "none", value_parser = rate_limit, allow_negative_numbers = true, value_name = "N")]
    pub rate_limit: RateLimit,
    #[command(flatten)]
    pub keep: KeepArgs,
    /// One JSON object a line, the secret in it unless it is saved
    #[arg(long)]
    pub json: bool,
}

/// What is done with a secret instead of printing it.
#[derive(Debug, Clone, ClapArgs)]
pub struct KeepArgs {
    /// Save the secret beside the configuration, in a file that only you can read, instead of
    /// printing it
    #[arg(long)]
    pub save: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct UpdateArgs {
    /// The endpoint
    #[arg(value_name = "ID", value_parser = endpoint_id)]
    pub id: String,
    /// Where messages are sent; - reads it from standard input, as it may hold a password
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// The name to show
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Event types, separated by commas; task.* is every one of a task, '*' every one there is
    #[arg(long, value_delimiter = ',', value_name = "TYPE,…")]
    pub event_types: Option<Vec<String>>,
    /// Messages a second, at most; none is no limit
    #[arg(long, value_parser = rate_limit, allow_negative_numbers = true, value_name = "N")]
    pub rate_limit: Option<RateLimit>,
    /// Print the endpoint as it is then, as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// A number of messages a second, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit(pub Option<u64>);

#[derive(Debug, Clone, ClapArgs)]
pub struct OneArgs {
    /// The endpoint
    #[arg(value_name = "ID", value_parser = endpoint_id)]
    pub id: String,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct DeleteArgs {
    /// The endpoint
    #[arg(value_name = "ID", value_parser = endpoint_id)]
    pub id: String,
    /// Delete without asking
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct RotateArgs {
    /// The endpoint
    #[arg(value_name = "ID", value_parser = endpoint_id)]
    pub id: String,
    /// File with the new secret (whsec_…); the server makes one if this is left out
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// How long the secret before stays valid, as 30m, 24h or 168h
    #[arg(long, default_value = "24h", allow_hyphen_values = true, value_parser = grace, value_name = "TIME")]
    pub grace: Duration,
    /// Rotate without asking
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct TellArgs {
    /// The endpoint
    #[arg(value_name = "ID", value_parser = endpoint_id)]
    pub id: String,
    #[command(flatten)]
    pub keep: KeepArgs,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct HeadersArgs {
    /// The endpoint
    #[arg(value_name = "ID", value_parser = endpoint_id)]
    pub id: String,
    /// Replace them all by what this file holds, a `name: value` a line; - is standard input
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// With a --from that holds none, or not all whose values are hidden: remove those without asking
    #[arg(long, requires = "from")]
    pub yes: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct ExampleArgs {
    /// The endpoint
    #[arg(value_name = "ID", value_parser = endpoint_id)]
    pub id: String,
    /// The type of the event
    #[arg(value_name = "EVENT", default_value = "task.completed")]
    pub event_type: String,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct StatsArgs {
    /// The endpoint
    #[arg(value_name = "ID", value_parser = endpoint_id)]
    pub id: String,
    /// Attempts since so long ago, as `2h` or `3d`; 28 days at most, which is also what is counted
    /// without it
    #[arg(long, allow_hyphen_values = true, value_parser = ago, value_name = "TIME")]
    pub since: Option<Duration>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}
