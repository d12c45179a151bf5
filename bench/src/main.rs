//! The `bench` command: reads the command line, runs, prints, and ends with a code that says how it
//! went (0 good, 1 violated, 2 wrong usage, 3 could not connect).

#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;

use bench::fleet::{FleetError, FleetOptions, fleet};
use bench::hostile::process::play_hostile;
use bench::load::aim::AimError;
use bench::run::part::play_part;
use bench::verify::{VerifyError, VerifyOptions, verify};
use clap::Parser as _;

mod cli;
mod play;

use cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: u8 = 2;
const NOT_CONNECTED: u8 = 3;

fn main() -> ExitCode {
    let code = match Cli::parse().command {
        Command::Verify(options) => run_verify(&options),
        Command::Fleet(options) => run_fleet(&options),
        Command::Run(options) => ended(play::run_scenario(&options)),
        Command::Compare(options) => ended(play::compare_two(&options)),
        Command::Peers(options) => ended(play::against_peers(&options)),
        Command::Floor(options) => ended(play::floor_alone(&options)),
        Command::Report(options) => ended(play::report(&options)),
        Command::LoadProcess => ended(play_part().map(|()| 0)),
        Command::HostileProcess => ended(play_hostile().map(|()| 0)),
    };
    ExitCode::from(code)
}

fn run_verify(options: &VerifyOptions) -> u8 {
    match verify(options) {
        Ok(verdict) => {
            let text = if options.json { json(&verdict) } else { verdict.to_string() };
            print(&text);
            verdict.exit_code()
        }
        Err(error) => {
            complain(&error);
            match &error {
                VerifyError::Aim(aim) => code_of(aim),
                VerifyError::Crew(_) | VerifyError::Truth(_) => USAGE,
            }
        }
    }
}

fn run_fleet(options: &FleetOptions) -> u8 {
    match fleet(options) {
        Ok(outcome) => {
            print(&outcome.to_string());
            if let Some(path) = &options.json
                && let Err(error) = std::fs::write(path, json(&outcome))
            {
                let _ = writeln!(std::io::stderr().lock(), "bench: {}: {error}", path.display());
                return USAGE;
            }
            outcome.exit_code()
        }
        Err(error) => {
            complain(&error);
            match &error {
                FleetError::Aim(aim) => code_of(aim),
                FleetError::Crew(_) | FleetError::Process(_) | FleetError::Hiccup(_) => USAGE,
            }
        }
    }
}

fn ended(outcome: Result<u8, bench::run::RunError>) -> u8 {
    outcome.unwrap_or_else(|error| {
        complain(&error);
        USAGE
    })
}

fn code_of(error: &AimError) -> u8 {
    match error {
        AimError::Discover { .. } => NOT_CONNECTED,
        AimError::Target(_) | AimError::Trust(_) => USAGE,
    }
}

fn json(result: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(result).expect("a result always becomes JSON")
}

fn print(text: &str) {
    // A reader that has gone away (`bench ... | head`) is no fault of the run.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

fn complain(error: &dyn std::error::Error) {
    let _ = writeln!(std::io::stderr().lock(), "bench: {error}");
}
