//! SIGHUP reloads; SIGTERM and Ctrl-C: the first asks for a graceful end, the second ends at once.

use std::io;
use std::task::Poll;

use gateway::threads;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The customary exit code of a program that a Ctrl-C ended.
const EXIT_INTERRUPTED: i32 = 130;

struct Signals {
    hang_up: Signal,
    terminate: Signal,
    interrupt: Signal,
}

enum Said {
    Reload,
    End(&'static str),
}

/// Calls `reload` at each SIGHUP and `stop` at the first signal to end, from a thread of its own.
/// The signals are caught from the return of this function on.
pub(super) fn watch(
    reload: impl Fn() + Send + 'static,
    stop: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let mut signals = Signals {
        hang_up: signal(SignalKind::hangup())?,
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
    };
    drop(entered);
    threads::spawn_background("signals", move || {
        runtime.block_on(async {
            let name = signals.end(&reload).await;
            tracing::info!(signal = name, "stopping; a second signal ends at once");
            stop();
            signals.end(&reload).await;
        });
        std::process::exit(EXIT_INTERRUPTED);
    })
}

impl Signals {
    async fn end(&mut self, reload: &impl Fn()) -> &'static str {
        loop {
            match self.next().await {
                Said::Reload => reload(),
                Said::End(name) => return name,
            }
        }
    }

    /// Waits for the next. Cancel-safe: a signal that came is kept by its `Signal` until asked for.
    async fn next(&mut self) -> Said {
        std::future::poll_fn(|cx| {
            if self.terminate.poll_recv(cx).is_ready() {
                return Poll::Ready(Said::End("SIGTERM"));
            }
            if self.interrupt.poll_recv(cx).is_ready() {
                return Poll::Ready(Said::End("SIGINT"));
            }
            self.hang_up.poll_recv(cx).map(|_| Said::Reload)
        })
        .await
    }
}
