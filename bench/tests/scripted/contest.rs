//! A scripted gateway as a contender of `bench run`: it listens already, so no program is started
//! but, where a test says which, the bench that plays hostile sessions.

use std::path::PathBuf;

use bench::report::result::RunResult;
use bench::run::RunError;
use bench::run::against::run_against;
use bench::run::block::Setting;
use bench::run::contender::{Contender, Kind};
use bench::run::interrupt::Interrupt;
use bench::run::stage::Programs;
use bench::scenario::Scenario;

use super::Gateway;

/// The gateway as it is named to a run.
pub fn contender(gateway: &Gateway) -> Contender {
    let kind = Kind::Url { url: gateway.url.clone(), ca: Some(gateway.ca.clone()) };
    Contender { name: "scripted".into(), kind }
}

/// A run's surroundings; `bench` is the program that hostile sessions are played by.
pub fn setting(bench: impl Into<PathBuf>) -> Setting {
    let programs = Programs { bench: bench.into(), feed_sim: "none".into(), data: "none".into() };
    Setting { programs, interrupt: Interrupt::default(), label: String::new() }
}

/// Plays a scenario that is related to a quiet run, and that quiet run.
pub fn run_beside_quiet(
    name: &str,
    scenario: &str,
    gateway: &Gateway,
    bench: &str,
) -> Result<[RunResult; 2], RunError> {
    let scenario = Scenario::parse(scenario, "test").unwrap();
    let base = scenario.baseline().unwrap();
    let (contender, setting) = (contender(gateway), setting(bench));
    let runs = run_against(name, &scenario, &base, &contender, &setting, false)?;
    Ok(runs.map(|run| run.result))
}
