//! The gateway's program: reads the command line, and turns the outcome into an exit code.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

/// Sessions come and go in small blocks on several threads, which is what it is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
