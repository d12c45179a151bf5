//! `gateway key`: makes an API key.
//!
//! Standard output carries the lines for the credentials file, so that they can be appended to it;
//! standard error shows the key itself, once. It is kept nowhere.

use std::path::Path;

use anyhow::anyhow;
use clap::Args;
use market::Nanos;
use rights::{NewKey, Register, Wall};

use super::{Failure, output};

pub(super) const EXAMPLES: &str = "\
Examples:
  gateway key risk-engine >> config/keys.toml
  gateway key wall-7 --group displays --expires 2027-01-31T00:00:00Z

The key itself goes to standard error, for its owner, and is not kept: the lines for
auth.credentials_file hold its digest alone. `gateway ctl reload` has a running gateway take them.";

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Whose key it is
    user: String,
    /// A group of the user; once for each
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// When it ends, in UTC; left out, never
    #[arg(long, value_name = "TIME", value_parser = moment)]
    expires: Option<Wall>,
}

fn moment(text: &str) -> Result<Wall, String> {
    let moment = Nanos::parse_rfc3339(text.as_bytes()).map(Wall);
    moment.ok_or_else(|| "must be a time in UTC, such as 2027-01-31T00:00:00Z".to_owned())
}

/// Makes a key and prints both of its halves.
pub(super) fn key(options: &Options) -> Result<(), Failure> {
    let key = NewKey::generate()
        .ok_or_else(|| Failure::Runtime(anyhow!("the system gives no random bytes")))?;
    let groups: Vec<&str> = options.groups.iter().map(String::as_str).collect();
    let entry = key.register_entry(&options.user, &groups, options.expires);
    // A name that the register would refuse is refused here.
    if let Err(error) = Register::parse(&entry, Path::new("credentials.toml")) {
        let name = |key: &str| key.trim_start_matches("keys.").to_owned();
        let faults: Vec<_> =
            error.faults.iter().map(|fault| name(&fault.key) + ": " + &fault.reason).collect();
        return Err(Failure::Usage(anyhow!(faults.join("; "))));
    }
    output::note(&format!("key: {}", key.text().expose()));
    output::print(&format!("\n{entry}")).map_err(|error| Failure::Runtime(error.into()))
}
