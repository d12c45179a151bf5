//! Many dashboards on one thread, each with a strict view of its own.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};
use tokio::task::LocalSet;

use super::dashboard::{Reading, Shared, Target, Wish, serve};
use super::view::View;

/// Connections that are made at once.
const CONNECTING_MAX: usize = 32;

struct Member {
    shared: Shared,
    ended_at: Mutex<Option<Instant>>,
}

/// Running dashboards; dropping it ends their connections.
pub struct Crowd {
    members: Vec<Arc<Member>>,
    leave: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    /// All with the same wish.
    pub fn start(count: usize, target: &Target, wish: &Wish, reading: Reading) -> Self {
        let member =
            || Member { shared: Shared::new(wish.rules, reading), ended_at: Mutex::new(None) };
        let members: Vec<Arc<Member>> = (0..count).map(|_| Arc::new(member())).collect();
        let (leave, left) = oneshot::channel();
        let (own, target, requests) = (members.clone(), target.clone(), wish.requests());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let tasks = LocalSet::new();
            let connecting = Arc::new(Semaphore::new(CONNECTING_MAX));
            for member in own {
                let (target, requests) = (target.clone(), requests.clone());
                let connecting = Arc::clone(&connecting);
                tasks.spawn_local(async move {
                    let mut permit = connecting.acquire_owned().await.ok();
                    let mut serving = pin!(serve(&target, &requests, &member.shared));
                    let end = poll_fn(|cx| {
                        let polled = serving.as_mut().poll(cx);
                        if member.shared.lock().greeted {
                            permit = None;
                        }
                        polled
                    })
                    .await;
                    drop(permit);
                    let ended = Some(Instant::now());
                    *member.ended_at.lock().unwrap_or_else(PoisonError::into_inner) = ended;
                    member.shared.lock().end = Some(end);
                });
            }
            let mut tasks = pin!(tasks);
            let mut left = pin!(left);
            runtime.expect("a runtime").block_on(poll_fn(|cx| {
                // Who is done stays, until everybody is to leave.
                let _ = tasks.as_mut().poll(cx);
                left.as_mut().poll(cx).map(drop)
            }));
        });
        Self { members, leave: Some(leave), thread: Some(thread) }
    }

    /// One view after the other; nothing is heard while one is looked at.
    pub fn views(&self) -> impl Iterator<Item = MutexGuard<'_, View>> {
        self.members.iter().map(|member| member.shared.lock())
    }

    /// When each was closed or lost.
    pub fn ended_at(&self) -> impl Iterator<Item = Instant> {
        let of =
            |member: &Arc<Member>| *member.ended_at.lock().unwrap_or_else(PoisonError::into_inner);
        self.members.iter().filter_map(of)
    }

    /// Waits until all have `met`; fails on a broken promise or the deadline.
    pub fn wait(&self, what: &str, limit: Duration, met: impl Fn(&View) -> bool) {
        let deadline = Instant::now() + limit;
        for (at, member) in self.members.iter().enumerate() {
            loop {
                let view = member.shared.lock();
                assert!(view.violations.is_empty(), "{at}: {:#?}", view.violations);
                if met(&view) {
                    break;
                }
                assert!(view.end.is_none(), "{at}: ended before {what}: {:?}", view.end);
                assert!(Instant::now() < deadline, "{at}: not within {limit:?}: {what}");
                drop(view);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.leave.take());
        let joined = self.thread.take().map(JoinHandle::join);
        assert!(matches!(joined, Some(Ok(()))) || std::thread::panicking(), "the crowd panicked");
    }
}
