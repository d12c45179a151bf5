//! Serving: start the threads, say that they run, wait for a signal or for a thread's end.

use std::io;
use std::net::SocketAddr;

use anyhow::Context;
use gateway::config::Config;
use gateway::door::DoorError;
use gateway::reload::Reloader;
use gateway::threads::ThreadError;
use gateway::{Controls, StartError};

use super::{Failure, signals};

/// Serves until the end. `started` is told the addresses of door and admin once they answer.
pub(super) fn serve(
    config: Config,
    controls: Controls,
    started: impl FnOnce(SocketAddr, SocketAddr) -> io::Result<()>,
) -> Result<(), Failure> {
    let running = gateway::start_with(config, controls).map_err(blame)?;
    let (stopper, reloader) = (running.stopper(), running.reloader());
    let reload = move || {
        // Its outcome is counted and logged where it happens.
        let _ = reloader.as_ref().map(Reloader::reload);
    };
    signals::watch(reload, move || stopper.stop())
        .context("signals cannot be caught")
        .map_err(Failure::Runtime)?;
    let told = started(running.door_address(), running.admin_address());
    if told.is_err() {
        running.stop();
    }
    running.join().map_err(|error| match error {
        ThreadError::Stuck { .. } | ThreadError::Failed { .. } => Failure::Runtime(error.into()),
        ThreadError::Panicked { .. } | ThreadError::EndedEarly { .. } => Failure::Bug(error),
    })?;
    told.context("standard output").map_err(Failure::Runtime)?;
    tracing::info!("ended in order");
    Ok(())
}

/// Whose fault it is that nothing started.
fn blame(error: StartError) -> Failure {
    match error {
        StartError::Door(DoorError::Tls(_))
        | StartError::Access(_)
        | StartError::Ring(_)
        | StartError::RingTooSmall { .. }
        | StartError::Ingest(_) => Failure::Usage(error.into()),
        StartError::Door(_)
        | StartError::Usage { .. }
        | StartError::Admin(_)
        | StartError::Relay(_)
        | StartError::Thread(_) => Failure::Runtime(error.into()),
    }
}
