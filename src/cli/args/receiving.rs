//! Arguments of the receiver's side: `verify`, `send`, `listen`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

use super::number::duration;

/// Where the secrets of webhooks come from. None is ever given on the command line itself.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct SecretArgs {
    /// File with a webhook secret (whsec_…, whpk_…); several are tried in turn
    #[arg(long, value_name = "FILE")]
    pub secret_file: Vec<PathBuf>,
    /// Environment variable with a webhook secret
    #[arg(long, value_name = "VARIABLE")]
    pub secret_env: Vec<String>,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct VerifyArgs {
    /// Saved request: raw HTTP text, or JSON with headers and body; with --header, --id, --timestamp
    /// or --signature the body alone; - reads standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub secrets: SecretArgs,
    /// File with the secret before a rotation: it only explains
    #[arg(long, value_name = "FILE")]
    pub old_secret_file: Vec<PathBuf>,
    /// File with the secret of another endpoint: it only explains
    #[arg(long, value_name = "FILE")]
    pub other_secret_file: Vec<PathBuf>,
    /// A header of the request, as 'svix-id: msg_…'
    #[arg(long, value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    /// The message id (svix-id)
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// The time of sending (svix-timestamp), in unix seconds
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub timestamp: Option<String>,
    /// The signatures (svix-signature)
    #[arg(long, value_name = "SIGNATURES")]
    pub signature: Option<String>,
    /// Check as of this time: RFC 3339 or unix seconds
    #[arg(long, value_name = "TIME", conflicts_with = "ignore_time")]
    pub at: Option<String>,
    /// Do not check how old the request is
    #[arg(long)]
    pub ignore_time: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct SendArgs {
    /// Event to send: task.progress, task.failed or task.completed
    #[arg(value_name = "EVENT", required_unless_present = "check")]
    pub event: Option<String>,
    /// URL of the receiver
    #[arg(long, value_name = "URL")]
    pub to: String,
    #[command(flatten)]
    pub secrets: SecretArgs,
    /// Fields of the task as a JSON object, or a file that holds one; they replace the sample's
    #[arg(long, value_name = "JSON|FILE")]
    pub task: Option<String>,
    /// Send what a receiver should take and what it should refuse, and compare its answers
    #[arg(long, conflicts_with_all = ["event", "task"])]
    pub check: bool,
    /// Send to a host that is not this machine without asking
    #[arg(long)]
    pub yes: bool,
    /// How long to wait for an answer
    #[arg(long, default_value = "15s", value_parser = duration, value_name = "TIME")]
    pub timeout: Duration,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}
