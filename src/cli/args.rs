//! What can be typed on the command line, and nothing else: this file depends on clap alone, and
//! on secrecy for what must not be shown.

mod endpoints;
mod id;
mod number;
mod receiving;

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args as ClapArgs, Parser, Subcommand, ValueEnum};
use secrecy::SecretString;

pub use endpoints::{
    CreateArgs, DeleteArgs, EndpointCommand, EndpointsArgs, ExampleArgs, HeadersArgs, KeepArgs,
    RateLimit, RotateArgs, StatsArgs, TellArgs, UpdateArgs,
};
pub use receiving::{ListenArgs, SecretArgs, SendArgs, VerifyArgs};

use id::{endpoint_id, id, message_id};
use number::{ago, count, duration, event_bytes, per_second, seed, tasks_per_minute, time_scale};

/// top for media-processing tasks and their webhooks
///
/// Without a command, opens the dashboard for the active profile. `reeltop demo` needs no account
/// and no configuration.
#[derive(Debug, Parser)]
#[command(
    name = "reeltop",
    version,
    max_term_width = 100,
    subcommand_value_name = "COMMAND",
    after_long_help = "Exit codes of the dashboard: 0 it was quit, 1 it broke, 2 usage or \
              configuration; 128 + N ended by signal N. Those of a command are in its own --help."
)]
pub struct Args {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Receive webhooks beside the dashboard, on screen 6; verified with the profile's secret
    #[arg(long, value_name = "ADDR", num_args = 0..=1, require_equals = true,
          default_missing_value = "127.0.0.1:0", help_heading = None::<&str>)]
    pub listen: Option<SocketAddr>,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Which server to talk to, and how.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Source")]
pub struct SourceArgs {
    /// Base URL of the API, else `ASPECT_BASE_URL`, else `https://api.aspect.inc`; takes its key from
    /// `ASPECT_API_KEY`
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// Path (or full URL) of the event stream, if it is neither published nor /events
    #[arg(long, global = true, value_name = "PATH")]
    pub events_path: Option<String>,
    /// Profile of the configuration file to use, else `REELTOP_PROFILE`
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Configuration file to read instead of the platform's
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Largest event taken from the stream, in bytes (16 MiB unless configured); a larger one is
    /// skipped and counted
    #[arg(long, global = true, allow_negative_numbers = true, value_name = "N", value_parser = event_bytes)]
    pub max_event_bytes: Option<usize>,
    /// Make no request that changes anything
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Send the key unencrypted (http) to a host that is not this machine
    #[arg(long, global = true)]
    pub allow_http: bool,
    /// Trust the certificates in this file (PEM) beside those of this machine
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Read deliveries from this Svix server, beside the Aspect API or instead of it; `serve` hands
    /// its own delivery to it
    #[arg(long, global = true, value_name = "URL")]
    pub svix_url: Option<String>,
    /// The application there, by id or uid; without --svix-url the token says which region
    #[arg(long, global = true, value_name = "APP")]
    pub svix_app: Option<String>,
    /// Environment variable that holds the token of Svix, instead of `SVIX_TOKEN`
    #[arg(long, global = true, value_name = "NAME")]
    pub svix_token_env: Option<String>,
    /// Neither read nor write the journal of earlier runs
    #[arg(long, global = true)]
    pub no_journal: bool,
    /// Write what reeltop does into this file: no key, no payload, safe to attach to a bug report
    #[arg(long, global = true, value_name = "FILE", env = "REELTOP_LOG")]
    pub log: Option<PathBuf>,
    /// Colours of the dashboard; `NO_COLOR` in the environment means mono
    #[arg(long, global = true, value_name = "THEME", default_value = "dark",
          help_heading = "Display", value_parser = ["dark", "light", "mono"])]
    pub theme: String,
    /// Show times in UTC instead of the local zone
    #[arg(long, global = true, help_heading = "Display")]
    pub utc: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open the dashboard on an embedded server: real HTTP, real signed webhooks, no account
    #[command(after_long_help = "Exit codes: 0 it was quit, 1 it broke, 2 usage.")]
    Demo(DemoArgs),
    /// Run the embedded server alone: a local Aspect API and webhook delivery engine
    #[command(
        after_long_help = "Exit codes: 0 a signal ended it, 1 it cannot listen or the Svix \
        server cannot be used, 2 usage or configuration."
    )]
    Serve(ServeArgs),
    /// Print live events: JSON lines in a pipe, readable lines on a terminal
    #[command(
        after_long_help = "Exit codes: 0 --limit is reached or, with --no-reconnect, the \
        stream ended; 1 no stream, or an answer that ends it; 2 usage or configuration; 130 \
        ctrl-c."
    )]
    Tail(TailArgs),
    /// List the active tasks, or show tasks by id
    #[command(
        after_long_help = "Exit codes: 0 done, 1 a task or an answer that is needed could \
        not be read, 2 usage or configuration."
    )]
    Tasks(TasksArgs),
    /// List webhook messages, newest first
    #[command(
        after_long_help = "Exit codes: 0 done, 1 a message is not there or an answer that \
        is needed could not be read, 2 usage or configuration."
    )]
    Messages(MessagesArgs),
    /// List delivery attempts of a message, of an endpoint, or of all endpoints
    #[command(
        after_long_help = "Exit codes: 0 done, 1 not all that was asked for could be read, \
        2 usage or configuration."
    )]
    Attempts(AttemptsArgs),
    /// Say why messages failed: endpoint, class and answer, one line for each cause
    #[command(
        after_long_help = "Exit codes: 0 done, whatever the causes; 1 not all that was \
        asked for could be read; 2 usage or configuration."
    )]
    Causes(CausesArgs),
    /// List webhook endpoints; create, change and delete them, their secrets and headers
    ///
    /// OK 1H and 24H are the part of the attempts that succeeded in the last hour and day; P50 1H and
    /// P95 1H how long half and 95 % of the answers of the last hour took at most.
    #[command(
        after_long_help = "Exit codes: 0 done, 1 they could not all be read, 2 usage or \
        configuration."
    )]
    Endpoints(EndpointsArgs),
    /// Replay messages: plan, confirm, send once, follow to the attempt it caused
    #[command(
        after_long_help = "Exit codes: 0 all is delivered or needed no sending; 1 \
        something failed, was refused, was declined or was left unsent; 2 usage or configuration, or nobody can \
        be asked and --yes is missing; 3 an outcome is unknown, also of another replay that keeps \
        from being sent what was asked for, be it that a reeltop is just sending it; 130 ctrl-c."
    )]
    Replay(ReplayArgs),
    /// List the replays of every reeltop on this machine, and which attempt each caused
    ///
    /// The service is asked first for the attempts of those that are open. With --give-up some or all
    /// of those are closed.
    #[command(
        after_long_help = "Exit codes: 0 done, 1 it could not be done or was declined, 2 \
        usage or configuration, 3 a listed replay is open, its outcome not known yet."
    )]
    Replays(ReplaysArgs),
    /// Receive webhooks on this machine: verify, explain, count retries, forward, save
    ///
    /// Readable lines on a terminal, JSON lines in a pipe. Ends with ctrl-c.
    #[command(
        after_long_help = "Exit codes: 0 --limit is reached, 1 it cannot listen, 2 usage \
        or configuration, 128 + N ended by signal N."
    )]
    Listen(ListenArgs),
    /// Post a signed, realistic event to a webhook receiver, or check all that it should do
    #[command(
        after_long_help = "Exit codes: 0 taken (with --check: all as expected), 1 not, 2 \
        usage, or nobody can be asked and --yes is missing."
    )]
    Send(SendArgs),
    /// Say whether a saved webhook request verifies, and if not, which of the usual causes it is
    ///
    /// No secret is needed on the command line.
    #[command(after_long_help = "Exit codes: 0 verified, 1 not, 2 usage.")]
    Verify(VerifyArgs),
    /// Look at everything between this terminal and the service, and say what is wrong
    ///
    /// Configuration, name, connection, key, stream, logs, clock and terminal, one line each: ok,
    /// warning or failed, with what to do. Nothing is changed anywhere and no key is shown.
    #[command(
        after_long_help = "Exit codes: 0 nothing failed, warnings or not; 1 something \
        failed; 2 no server is configured."
    )]
    Doctor(DoctorArgs),
    /// Show what is configured and where the journal is, or write a first configuration
    #[command(after_long_help = "Exit codes: 0 done, 2 usage or configuration.")]
    Config(ConfigArgs),
    /// Print a shell completion script
    #[command(after_long_help = "Exit codes: 0 done, 2 no such shell.")]
    Completions {
        /// Shell to print it for
        #[arg(value_name = "SHELL")]
        shell: String,
    },
    /// Print the manual page of all commands (roff)
    #[command(after_long_help = "Exit codes: 0 done.")]
    Man,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct DemoArgs {
    /// Seed of the simulation: the same seed gives the same assets and fates
    #[arg(long, default_value_t = 1, allow_negative_numbers = true, value_parser = seed, value_name = "N")]
    pub seed: u64,
    /// Tasks created per minute
    #[arg(long, default_value_t = 30.0, allow_hyphen_values = true, value_parser = tasks_per_minute, value_name = "TASKS_PER_MINUTE")]
    pub rate: f64,
    /// Faults of the demo's server, or `all` for a changing mix; `list` prints them all
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub chaos: Vec<String>,
    /// Key of the demo's server, for other tools that look at it too; made if absent
    #[arg(
        long,
        env = "REELTOP_SERVE_KEY",
        hide_env_values = true,
        value_parser = KeyParser,
        value_name = "KEY"
    )]
    pub api_key: Option<SecretString>,
    /// Receive its webhooks beside the dashboard too, on screen 6; at ADDR, else at a free port
    #[arg(long, value_name = "ADDR", num_args = 0..=1, require_equals = true,
          default_missing_value = "127.0.0.1:0")]
    pub listen: Option<SocketAddr>,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct ServeArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    pub addr: SocketAddr,
    /// Key that clients must send as a Bearer token; made and printed if absent
    #[arg(
        long,
        env = "REELTOP_SERVE_KEY",
        hide_env_values = true,
        value_parser = KeyParser,
        value_name = "KEY"
    )]
    pub api_key: Option<SecretString>,
    /// Seed of the simulation and the faults: the same seed gives the same ids again; drawn and
    /// printed if absent
    #[arg(long, allow_negative_numbers = true, value_parser = seed, value_name = "N")]
    pub seed: Option<u64>,
    /// Simulate this many new tasks per minute (0: none)
    #[arg(long, default_value_t = 0.0, allow_hyphen_values = true, value_parser = tasks_per_minute, value_name = "TASKS_PER_MINUTE")]
    pub simulate: f64,
    /// Divide the times of processing, retries, retention and automatic disabling by this
    #[arg(long, default_value_t = 1.0, allow_hyphen_values = true, value_parser = time_scale, value_name = "X")]
    pub time_scale: f64,
    /// Tasks to hold; beyond it the oldest finished ones go early
    #[arg(long, default_value_t = 200_000, value_parser = count::<u32>, allow_negative_numbers = true, value_name = "N")]
    pub max_tasks: u32,
    /// Messages to hold with their attempts; beyond it the oldest go
    #[arg(long, default_value_t = 100_000, value_parser = count::<u32>, allow_negative_numbers = true, value_name = "N")]
    pub max_messages: u32,
    /// Faults to misbehave with, or `all` for a changing mix; `list` prints them all
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub chaos: Vec<String>,
    /// Answer below /api/v1 as a Svix server too, with one application of this uid: to try
    /// --svix-url against, and for tests
    #[arg(long, value_name = "APP")]
    pub as_svix: Option<String>,
    /// Print its URL and key as one line of JSON when ready
    #[arg(long)]
    pub json: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, ClapArgs)]
pub struct TailArgs {
    /// Only events that this query matches, e.g. `type:task.failed` or `!visual:processing`
    #[arg(value_name = "QUERY")]
    pub query: Vec<String>,
    /// The same, as the other commands have it
    #[arg(long = "query", value_name = "QUERY", conflicts_with = "query")]
    pub as_option: Option<String>,
    /// Print raw SSE frames as {"event":…,"data":…,"id":…}
    #[arg(long, conflicts_with_all = ["query", "as_option"])]
    pub frames: bool,
    /// Print the envelopes on a terminal too
    #[arg(long)]
    pub json: bool,
    /// End with 0 when the stream ends, instead of connecting again
    #[arg(long)]
    pub no_reconnect: bool,
    /// Resume after this event id
    #[arg(long, value_name = "ID")]
    pub last_event_id: Option<String>,
    /// First what the journal holds since so long ago, as `10m` or `2h`, then live
    #[arg(long, allow_hyphen_values = true, value_parser = duration, value_name = "TIME", conflicts_with = "frames")]
    pub since: Option<Duration>,
    /// Stop after this many events, with 0
    #[arg(long, allow_negative_numbers = true, value_parser = count::<u64>, value_name = "N")]
    pub limit: Option<u64>,
    /// Poll the active tasks if the server has no event stream
    #[arg(long)]
    pub poll: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct TasksArgs {
    /// Tasks to show; without any, the active ones are listed
    #[arg(value_name = "ID", value_parser = id)]
    pub ids: Vec<String>,
    /// Only tasks that this query matches, e.g. `failed` or `visual:processing`
    #[arg(short, long, value_name = "QUERY")]
    pub query: Option<String>,
    /// Also tell how long after the latest change each endpoint was notified; wants ids
    #[arg(long, requires = "ids", conflicts_with = "offline")]
    pub webhooks: bool,
    /// As the journal has it, without asking the server
    #[arg(long)]
    pub offline: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct MessagesArgs {
    /// Messages to show; without any, the latest are listed
    #[arg(value_name = "ID", value_parser = message_id)]
    pub ids: Vec<String>,
    /// Only messages that this query matches, e.g. `type:task.failed`
    #[arg(short, long, value_name = "QUERY")]
    pub query: Option<String>,
    /// How many messages to read
    #[arg(long, default_value_t = 50, allow_negative_numbers = true, value_parser = count::<usize>, value_name = "N")]
    pub limit: usize,
    /// Do not read the attempts of each message: one request less for each, and how they stand at
    /// their endpoints is left out
    #[arg(long)]
    pub no_attempts: bool,
    /// As the journal has it, without asking the server
    #[arg(long)]
    pub offline: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct AttemptsArgs {
    /// Attempts of this message
    #[arg(long, value_name = "ID", conflicts_with = "endpoint", value_parser = message_id)]
    pub message: Option<String>,
    /// Attempts at this endpoint
    #[arg(long, value_name = "ID", value_parser = endpoint_id)]
    pub endpoint: Option<String>,
    /// Only attempts that this query matches, e.g. `failed` or `!endpoint:ep_…`
    #[arg(short, long, value_name = "QUERY")]
    pub query: Option<String>,
    /// With --message: also the headers of each request and answer, where the server keeps them
    #[arg(long, requires = "message", conflicts_with = "offline")]
    pub headers: bool,
    /// How many attempts to read (of each endpoint, if neither is named)
    #[arg(long, default_value_t = 50, allow_negative_numbers = true, value_parser = count::<usize>, value_name = "N")]
    pub limit: usize,
    /// As the journal has it, without asking the server
    #[arg(long)]
    pub offline: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct CausesArgs {
    /// Only failures of messages that this query matches, e.g. `endpoint:shop` or `type:task.failed`
    #[arg(short, long, value_name = "QUERY")]
    pub query: Option<String>,
    /// How many of the latest messages to look at
    #[arg(long, default_value_t = 200, allow_negative_numbers = true, value_parser = count::<usize>, value_name = "N")]
    pub limit: usize,
    /// As the journal has it, without asking the server
    #[arg(long)]
    pub offline: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, ClapArgs)]
#[command(subcommand_value_name = "COMMAND")]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub command: Option<ConfigCommand>,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, ClapArgs)]
pub struct ReplayArgs {
    /// Messages to replay
    #[arg(value_name = "MESSAGE", value_parser = message_id)]
    pub messages: Vec<String>,
    /// Instead of ids: every message that matches this query, where it failed; of the latest 10000, or
    /// of those that --since tells, 100000 at most
    #[arg(long, value_name = "QUERY", conflicts_with_all = ["messages", "to"])]
    pub query: Option<String>,
    /// Instead of ids: every message accepted since so long ago, as `2h` or `3d`, where it failed
    #[arg(long, allow_hyphen_values = true, value_parser = ago, value_name = "TIME", conflicts_with_all = ["messages", "to"])]
    pub since: Option<Duration>,
    /// At most so many messages a second, 0.01 to 1000
    #[arg(long, default_value_t = crate::domain::bulk::PER_SECOND, value_parser = per_second, allow_negative_numbers = true, value_name = "N")]
    pub rate: f64,
    /// Only to this endpoint; of named messages whatever their last attempt was
    #[arg(long, value_name = "ID", value_parser = endpoint_id)]
    pub endpoint: Option<String>,
    /// With --endpoint and --since: one request to Svix, which sends everything again that failed there
    #[arg(long, requires = "endpoint", requires = "since", conflicts_with_all = ["messages", "query", "to"])]
    pub recover: bool,
    /// With --endpoint and --since: one request to Svix, which sends everything that was never tried
    /// there, as while it was disabled; where the server offers replay-missing
    #[arg(long, requires = "endpoint", requires = "since", conflicts_with_all = ["messages", "query", "to", "recover"])]
    pub missing: bool,
    /// With --endpoint and --since: one request to Svix, which sends everything again that was sent
    /// there, what was delivered too; where the server offers bulk-replay
    #[arg(long, requires = "endpoint", requires = "since", conflicts_with_all = ["messages", "query", "to", "recover", "missing"])]
    pub bulk: bool,
    /// With --bulk: only events of these types, separated by commas
    #[arg(long, requires = "bulk", value_delimiter = ',', value_name = "TYPE,…")]
    pub event_types: Vec<String>,
    /// With --bulk: only what stands there so
    #[arg(long, requires = "bulk", value_enum, value_name = "STATE")]
    pub status: Option<StatusArg>,
    /// Send without asking; what is to be known before is told on stderr
    #[arg(long)]
    pub yes: bool,
    /// Leave what the service tries again by itself to it, which a resend may end
    #[arg(long, conflicts_with_all = ["recover", "missing", "bulk", "to"])]
    pub leave_retries: bool,
    /// Print the plan and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON object a line for each change of state
    #[arg(long)]
    pub json: bool,
    /// How long to wait for the service's answer and the attempt that the replay causes, or with --to
    /// for the answer; and so long at most, from its first refusal on, for a service that asks to be
    /// left alone (429), in reading too: where it asks for longer, the rest is not sent
    #[arg(long, default_value = "60s", allow_hyphen_values = true, value_parser = duration, value_name = "TIME")]
    pub wait: Duration,
    /// Post them to this URL instead, from here, signed anew with --secret-file: to this machine at
    /// once, to another host after the plan is shown and its name is typed, or with --yes
    #[arg(long, value_name = "URL", conflicts_with = "endpoint")]
    pub to: Option<String>,
    /// With --to: a request that `listen` saved, or a folder of them, for the bytes as delivered
    #[arg(long, value_name = "PATH", requires = "to")]
    pub captured: Option<PathBuf>,
    #[command(flatten)]
    pub secrets: SecretArgs,
}

/// How a message stands at an endpoint that it was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusArg {
    Delivered,
    Failed,
}

impl ReplayArgs {
    /// Whether anything is named that only a local replay takes.
    pub fn is_local(&self) -> bool {
        let secrets = &self.secrets;
        self.to.is_some() || !secrets.secret_file.is_empty() || !secrets.secret_env.is_empty()
    }
}

#[derive(Debug, Clone, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct ReplaysArgs {
    /// Having looked yourself, stop waiting for the outcome of these replays: IDs of the list or their
    /// beginnings, or without one all open ones that --query means, or with --open all of them. Each
    /// is closed as given up, and its message may be replayed there again
    #[arg(long, value_name = "ID", num_args = 0.., conflicts_with = "limit", value_parser = id)]
    pub give_up: Option<Vec<String>>,
    /// With --give-up: without asking
    #[arg(long, requires = "give_up")]
    pub yes: bool,
    /// Only replays that this query matches: words for their state, `message:`, `endpoint:`, `id:`
    /// or text, e.g. `failed` or `endpoint:shop`
    #[arg(short, long, value_name = "QUERY")]
    pub query: Option<String>,
    /// Only those whose outcome is not known yet
    #[arg(long)]
    pub open: bool,
    /// How many of the newest; those that are open are always listed
    #[arg(long, default_value_t = 50, allow_negative_numbers = true, value_parser = count::<usize>, value_name = "N")]
    pub limit: usize,
    /// As the ledger has it, without asking the server
    #[arg(long)]
    pub offline: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Write a configuration with every setting explained; one that is there is left as it is
    #[command(
        after_long_help = "Exit codes: 0 written, 1 it is there already or cannot be \
        written, 2 usage."
    )]
    Init,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct DoctorArgs {
    /// How long to listen to the stream for an event and a heartbeat
    #[arg(long, default_value = "20s", allow_hyphen_values = true, value_parser = duration, value_name = "TIME")]
    pub wait: Duration,
    /// One JSON object a line: check, state, detail, hint
    #[arg(long)]
    pub json: bool,
}

/// Reads the key of the embedded server. Its errors say what is wrong and not what was given, as
/// clap's own would.
#[derive(Debug, Clone)]
struct KeyParser;

impl TypedValueParser for KeyParser {
    type Value = SecretString;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<SecretString, clap::Error> {
        // Clients send it in a header, which holds nothing else.
        let key = value
            .to_str()
            .filter(|key| key.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        let wrong = match key {
            Some("") => "must not be empty",
            Some(key) if key.trim() != key => "must not begin or end with white space",
            Some(key) => return Ok(key.into()),
            None => "must consist of printable ASCII characters",
        };
        let text = format!("the API key (--api-key or REELTOP_SERVE_KEY) {wrong}\n");
        Err(clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command))
    }
}
