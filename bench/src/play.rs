//! The commands that play scenarios: what they resolve, run, print and save.

use bench::report::text::summary;
use bench::run::contender::{Contender, Kind};
use bench::run::interrupt::Interrupt;
use bench::run::{self, RunError, folder_of, save};

use crate::cli::RunOptions;
use crate::print;

/// `bench run`.
pub(crate) fn run_scenario(options: &RunOptions) -> Result<u8, RunError> {
    let common = &options.common;
    let (name, scenario) = common.scenario(&options.scenario)?;
    let contender = match (&options.peer, &options.url) {
        (Some(peer), _) => common.peer(peer)?,
        (None, Some(url)) => Contender {
            name: url.clone(),
            kind: Kind::Url { url: url.clone(), ca: options.ca.clone() },
        },
        (None, None) => common.gateway()?,
    };
    let interrupt = Interrupt::watch().map_err(RunError::Folder)?;
    let setting = common.setting(&interrupt)?;
    let run = run::run(&name, &scenario, &contender, &setting, common.exclude_marked)?;
    print(&summary(&run.result));
    let folder = common.out.clone().unwrap_or_else(|| folder_of(&name));
    save(&run, &folder)?;
    print(&format!("  reports     {}", folder.display()));
    Ok(run.result.exit_code())
}
