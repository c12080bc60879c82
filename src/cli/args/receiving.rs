//! Arguments of the receiver's side: `verify`, `send`, `listen`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

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
