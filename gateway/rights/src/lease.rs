//! How long a session's credential lasts: a notice in time, a refresh without a gap, an end.
//!
//! The wall clock is asked once, when a credential is believed: from then on its remaining time
//! runs on the gateway's one clock, so a step of the wall clock changes nothing. One owner: whoever
//! owns the session.

use std::sync::Arc;
use std::time::Duration;

use market::Nanos;
use thiserror::Error;

use crate::identity::Identity;
use crate::wall::{Wall, nanos};

/// What a session must hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseEvent {
    /// The credential ends soon: say so, once for each credential.
    Notice {
        /// The time that is left.
        remaining: Duration,
    },
    /// It has ended: close with 4003.
    Ended,
}

/// Why a credential does not carry a session on. The old one keeps counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RefreshError {
    /// It is of another user; a session never changes hands.
    #[error("credentials of another user")]
    OtherUser,
    /// The old one has ended, and so has the session.
    #[error("too late: the credentials have ended")]
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The notice was not given yet.
    Running,
    Noticed,
    Ended,
}

/// The life of one session's credential.
#[derive(Clone, Debug)]
pub struct Lease {
    identity: Arc<Identity>,
    deadline: Option<Nanos>,
    notice: Duration,
    state: State,
}

impl Lease {
    /// How long before the end the notice is given, where nothing else is wanted.
    pub const NOTICE: Duration = Duration::from_secs(60);

    /// A credential that was believed at `wall`, which is `now` on the gateway's clock.
    pub fn new(identity: Arc<Identity>, notice: Duration, wall: Wall, now: Nanos) -> Self {
        let deadline = deadline(&identity, wall, now);
        Self { identity, deadline, notice, state: State::Running }
    }

    /// Carries the session on with a new credential of the same user, or with what
    /// [`crate::Authenticator::recheck`] gave back. The new one counts alone, also where it ends
    /// earlier; where it ends at the same time, nothing is noticed again. Entitlements must be made
    /// anew, since groups may differ.
    pub fn refresh(
        &mut self,
        identity: Arc<Identity>,
        wall: Wall,
        now: Nanos,
    ) -> Result<(), RefreshError> {
        if self.state == State::Ended || self.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(RefreshError::Ended);
        }
        if identity.user() != self.identity.user() {
            return Err(RefreshError::OtherUser);
        }
        if identity.expires_at == self.identity.expires_at {
            // As after a recheck: the wall clock has no say twice about one and the same end.
            self.identity = identity;
            return Ok(());
        }
        *self = Self::new(identity, self.notice, wall, now);
        Ok(())
    }

    /// What is due; at most one notice and one end for each credential.
    pub fn poll(&mut self, now: Nanos) -> Option<LeaseEvent> {
        let deadline = self.deadline.filter(|_| self.state != State::Ended)?;
        if deadline <= now {
            self.state = State::Ended;
            return Some(LeaseEvent::Ended);
        }
        if self.state == State::Running && self.next_poll()? <= now {
            self.state = State::Noticed;
            let remaining = Duration::from_nanos(deadline.0 - now.0);
            return Some(LeaseEvent::Notice { remaining });
        }
        None
    }

    /// When [`Self::poll`] will have something to say; none where it never will.
    pub fn next_poll(&self) -> Option<Nanos> {
        let deadline = self.deadline?;
        match self.state {
            State::Running => Some(Nanos(deadline.0.saturating_sub(nanos(self.notice)))),
            State::Noticed => Some(deadline),
            State::Ended => None,
        }
    }

    /// Whose it is.
    pub const fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }
}

/// None where the credential has no end, or one so far off that the clock cannot hold it.
fn deadline(identity: &Identity, wall: Wall, now: Nanos) -> Option<Nanos> {
    let remaining = wall.until(identity.expires_at()?);
    now.0.checked_add(nanos(remaining)).map(Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Source;

    const SECOND: u64 = 1_000_000_000;
    const START: Nanos = Nanos(1 << 60);

    fn identity(user: &str, expires_at: Option<u64>) -> Arc<Identity> {
        Arc::new(Identity {
            user: user.into(),
            groups: Box::default(),
            expires_at: expires_at.map(Wall::from_seconds),
            narrowing: None,
            credential: "key:1".into(),
            source: Source::Anonymous,
        })
    }

    fn after(seconds: u64) -> Nanos {
        Nanos(START.0 + seconds * SECOND)
    }

    fn lease(seconds: u64) -> Lease {
        let wall = Wall::from_seconds(1_000_000);
        Lease::new(identity("alice", Some(1_000_000 + seconds)), Lease::NOTICE, wall, START)
    }

    #[test]
    fn the_notice_comes_a_minute_before_the_end_and_both_come_once() {
        let mut lease = lease(300);
        assert_eq!(lease.next_poll(), Some(after(240)));
        assert_eq!(lease.poll(Nanos(after(240).0 - 1)), None);
        let remaining = Duration::from_secs(60);
        assert_eq!(lease.poll(after(240)), Some(LeaseEvent::Notice { remaining }));
        assert_eq!(lease.poll(after(241)), None);
        assert_eq!(lease.next_poll(), Some(after(300)));
        assert_eq!(lease.poll(Nanos(after(300).0 - 1)), None);
        assert_eq!(lease.poll(after(300)), Some(LeaseEvent::Ended));
        assert_eq!((lease.poll(after(301)), lease.next_poll()), (None, None));
    }

    #[test]
    fn a_short_credential_is_noticed_at_once_and_a_dead_one_ends_at_once() {
        let remaining = Duration::from_secs(10);
        assert_eq!(lease(10).poll(START), Some(LeaseEvent::Notice { remaining }));
        assert_eq!(lease(0).poll(START), Some(LeaseEvent::Ended));
    }

    #[test]
    fn a_session_that_slept_through_the_notice_just_ends() {
        let mut lease = lease(300);
        assert_eq!(lease.poll(after(1000)), Some(LeaseEvent::Ended));
        assert_eq!(lease.poll(after(1001)), None);
    }

    #[test]
    fn a_credential_without_an_end_is_never_noticed() {
        let wall = Wall::from_seconds(5);
        for expires_at in [None, Some(u64::MAX)] {
            let mut lease = Lease::new(identity("alice", expires_at), Lease::NOTICE, wall, START);
            assert_eq!(lease.next_poll(), None, "{expires_at:?}");
            assert_eq!(lease.poll(Nanos(u64::MAX)), None, "{expires_at:?}");
        }
    }

    #[test]
    fn a_refresh_carries_on_and_is_noticed_anew() {
        let mut lease = lease(300);
        assert!(lease.poll(after(250)).is_some());
        // The wall clock was set back by a day meanwhile: the remaining time is what the new token
        // says.
        let wall = Wall::from_seconds(1_000_250 - 86_400);
        let fresh = identity("alice", Some(1_000_550 - 86_400));
        assert_eq!(lease.refresh(fresh, wall, after(250)), Ok(()));
        assert_eq!(lease.poll(after(300)), None);
        assert_eq!(lease.next_poll(), Some(after(490)));
        assert!(matches!(lease.poll(after(490)), Some(LeaseEvent::Notice { .. })));
    }

    #[test]
    fn a_recheck_after_a_step_of_the_clock_moves_no_deadline() {
        let mut lease = lease(300);
        assert!(lease.poll(after(250)).is_some());
        for wall in [0, 1_000_250, 9_000_000] {
            let same = identity("alice", Some(1_000_300));
            assert_eq!(lease.refresh(same, Wall::from_seconds(wall), after(251)), Ok(()));
            assert_eq!((lease.poll(after(252)), lease.next_poll()), (None, Some(after(300))));
        }
    }

    #[test]
    fn a_refresh_by_another_user_or_too_late_leaves_all_as_it_was() {
        let mut lease = lease(300);
        let wall = Wall::from_seconds(1_000_000);
        let refused = lease.refresh(identity("mallory", Some(2_000_000)), wall, START);
        assert_eq!(refused, Err(RefreshError::OtherUser));
        assert_eq!(lease.identity().user(), "alice");
        assert_eq!(lease.next_poll(), Some(after(240)));
        let late = lease.refresh(identity("alice", Some(2_000_000)), wall, after(300));
        assert_eq!(late, Err(RefreshError::Ended));
        assert_eq!(lease.poll(after(300)), Some(LeaseEvent::Ended));
        let later = lease.refresh(identity("alice", Some(2_000_000)), wall, after(301));
        assert_eq!(later, Err(RefreshError::Ended));
    }
}
