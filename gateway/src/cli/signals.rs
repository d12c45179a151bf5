//! SIGTERM and Ctrl-C: the first asks for a graceful end, the second ends at once.

use std::io;

use gateway::threads;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The customary exit code of a program that a Ctrl-C ended.
const EXIT_INTERRUPTED: i32 = 130;

/// Calls `stop` at the first signal, from a thread of its own. The signals are caught from the
/// return of this function on.
pub(super) fn watch(stop: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    drop(entered);
    threads::spawn_background("signals", move || {
        runtime.block_on(async {
            let name = either(&mut terminate, &mut interrupt).await;
            tracing::info!(signal = name, "stopping; a second signal ends at once");
            stop();
            either(&mut terminate, &mut interrupt).await;
        });
        std::process::exit(EXIT_INTERRUPTED);
    })
}

/// Waits for one of the two. Cancel-safe: a signal that came is kept by its `Signal` until asked
/// for.
async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    std::future::poll_fn(|cx| {
        if terminate.poll_recv(cx).is_ready() {
            return std::task::Poll::Ready("SIGTERM");
        }
        interrupt.poll_recv(cx).map(|_| "SIGINT")
    })
    .await
}
