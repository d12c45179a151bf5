//! Where a panic at the door may be survived: in what belongs to one visit, and nowhere else.
//!
//! TLS, HTTP and the answers of one connection go with it. What all visits share stands behind
//! locks; a panic while one is held leaves it poisoned, and what it guards half done. Then the door
//! ends, and with it the process, visibly: see `threads`.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::Hall;

/// What a panic said.
pub(super) type Panic = Box<dyn Any + Send>;

/// Does one connection's work to its end, or to its panic. Cancel-safe where `work` is.
pub(super) async fn watched(hall: Arc<Hall>, work: impl Future<Output = ()>) {
    let mut work = pin!(work);
    // Nothing of the work is used after a panic, so nothing half-changed of its own is seen.
    let outcome = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await;
    let Err(panic) = outcome else { return };
    hall.metrics().panics.inc();
    if hall.is_poisoned() {
        // Where another was told already, the door is ending.
        let _ = hall.alarm.try_send(panic);
    }
}
