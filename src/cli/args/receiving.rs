//! Arguments of the receiver's side: `verify`, `send`, `listen`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

use super::number::{count, duration, status};

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
    /// Saved request: raw HTTP text, or JSON as listen prints it; with --header, --id, --timestamp
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
    /// Check as of this time: RFC 3339 or unix seconds; without it, as of now
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
    #[arg(long, default_value = "15s", allow_hyphen_values = true, value_parser = duration, value_name = "TIME")]
    pub timeout: Duration,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct ListenArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR")]
    pub addr: SocketAddr,
    #[command(flatten)]
    pub secrets: SecretArgs,
    /// Post each delivery on to this URL, and answer what it answers: status, headers (but for those of
    /// the connection) and the first 20000 bytes of the body; a redirect is passed back and not
    /// followed. 502 where it answers nothing
    #[arg(long, value_name = "URL")]
    pub forward: Option<String>,
    /// Sign what is forwarded anew with the secret in this file; what does not verify stays here
    #[arg(long, value_name = "FILE", requires = "forward")]
    pub resign: Option<PathBuf>,
    /// Answer this status (200 to 599) to every delivery; else 204, and 401 where the signature does not fit
    #[arg(long, allow_negative_numbers = true, value_name = "CODE", value_parser = status)]
    pub status: Option<u16>,
    /// Wait so long before each answer, as 500ms, 2s or 1m; without it, not at all
    #[arg(long, allow_hyphen_values = true, value_parser = duration, value_name = "TIME")]
    pub delay: Option<Duration>,
    /// Save each request as it came in a file of its own in this folder
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// Create an endpoint for this address at the configured server, and delete it at the end
    #[arg(long)]
    pub register: bool,
    /// URL that leads here, as a tunnel gives it, where the server cannot reach this address
    #[arg(long, value_name = "URL", requires = "register")]
    pub public_url: Option<String>,
    /// Stop after this many deliveries, with 0
    #[arg(long, allow_negative_numbers = true, value_parser = count::<u64>, value_name = "N")]
    pub limit: Option<u64>,
    /// Forward to a host that is not this machine without asking
    #[arg(long)]
    pub yes: bool,
    /// One JSON object for each delivery, on a terminal too
    #[arg(long)]
    pub json: bool,
}
