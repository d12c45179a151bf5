//! Who a session is: nobody yet, somebody who was believed, or anyone where nobody is asked.
//!
//! Tokens are not looked at here: a signature costs more than a cycle may. A token leaves as a
//! [`Petition`] and comes back as a [`Verdict`], while the session is served as before.
//!
//! **Invariant:** a session that is not known is sent pongs, refusals and its close, and not a byte
//! of data; what it is not granted is refused.

use std::sync::Arc;

use market::Nanos;
use rights::usage::Tally;
use rights::{Authenticator, Entitlement, Identity, Lease, LeaseEvent, Rules, Wall};
use wire::close::CloseCode;
use wire::notice;
use wire::refusal::{Code, Refusal};
use wire::reply::{self, Envelope};
use wire::request::Token;

use crate::fanout::Fanout;
use crate::limits::Limits;
use crate::session::{Session, SessionKey};

/// Why everybody is refused whose credentials are not good.
const REFUSED: &str = "credentials refused";

/// Who may sign in and who may see what: one reading of the operator's files, replaced whole.
#[derive(Debug)]
pub struct Permits {
    /// Believes credentials.
    pub authenticator: Authenticator,
    /// Says what an identity may see.
    pub rules: Arc<Rules>,
}

/// Somebody who was believed, with what he may see.
#[derive(Clone, Debug)]
pub struct Admission {
    /// By which reading.
    permits: Arc<Permits>,
    lease: Lease,
    entitlement: Entitlement,
}

impl Admission {
    /// Of an identity that was believed at `wall`, which is `now` on the one clock.
    pub fn new(permits: Arc<Permits>, identity: Arc<Identity>, wall: Wall, now: Nanos) -> Self {
        let entitlement = permits.rules.entitlement(&identity);
        let lease = Lease::new(identity, Lease::NOTICE, wall, now);
        Self { permits, lease, entitlement }
    }

    /// Who it is.
    pub const fn identity(&self) -> &Arc<Identity> {
        self.lease.identity()
    }
}

/// Which session asked, and what it is to be answered.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    /// The session.
    pub session: SessionKey,
    /// Its connection's number, because sessions' numbers are used again.
    id: u64,
    envelope: Envelope,
}

/// A token to be looked at.
#[derive(Clone, Debug)]
pub struct Petition {
    /// Goes with the verdict.
    pub ticket: Ticket,
    /// The token.
    pub token: Token,
    /// Who the session is already: then this is a refresh.
    pub identity: Option<Arc<Identity>>,
}

/// What became of a token.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is good, at this moment of the wall clock.
    Admitted(Box<Admission>, Wall),
    /// It is not.
    Refused,
    /// It is, and its user has as many sessions as he may.
    Full,
    /// Too many are being looked at; the session may ask again.
    Busy,
}

/// Who a session is.
#[derive(Debug)]
pub(crate) enum Who {
    /// Nobody asks, and everything is granted.
    Anyone,
    /// To be known by then.
    Unknown { until: u64 },
    /// Believed.
    Known(Box<Known>),
}

/// Somebody who was believed.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) lease: Lease,
    pub(crate) entitlement: Entitlement,
    /// Where usage is recorded.
    pub(crate) tally: Option<Tally>,
}

/// What has become due of a session's rights.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RightsEvent {
    Unanswered,
    Missing,
    Lease(LeaseEvent),
}

impl Who {
    pub(crate) const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    pub(crate) fn poll(
        &mut self,
        asking_since: Option<u64>,
        limits: &Limits,
        now: u64,
    ) -> Option<RightsEvent> {
        if let Self::Known(known) = self
            && let Some(event) = known.lease.poll(Nanos(now))
        {
            return Some(RightsEvent::Lease(event));
        }
        match (self, asking_since) {
            (_, Some(since)) if now.saturating_sub(since) >= limits.credentials_timeout_ns => {
                Some(RightsEvent::Unanswered)
            }
            // Whose token is being looked at has come in time.
            (Self::Unknown { until }, None) if now >= *until => Some(RightsEvent::Missing),
            _ => None,
        }
    }
}

impl Fanout {
    /// A dashboard has arrived, known or not. Who is known is greeted with the status message; who
    /// is not has the time of the limits to become it.
    pub fn handle_arrival(
        &mut self,
        connection_id: u64,
        admission: Option<Admission>,
        now: Nanos,
    ) -> SessionKey {
        let until = now.0.saturating_add(self.limits.credentials_timeout_ns);
        let who = Who::Unknown { until };
        let key = self.outboxes.insert(Session::new(connection_id, who, now.0));
        if let Some(admission) = admission {
            self.admit(key, admission);
        }
        key
    }

    fn admit(&mut self, key: SessionKey, admission: Admission) {
        let Admission { permits, lease, entitlement } = admission;
        let Some(session) = self.outboxes.session_mut(key) else { return };
        let tally = self.usage.begin(session.id, lease.identity(), &self.limits);
        session.who = Who::Known(Box::new(Known { lease, entitlement, tally }));
        self.review.admitted(key, &permits);
        self.greet(key);
    }

    /// The next token to be looked at.
    pub fn poll_petition(&mut self) -> Option<Petition> {
        self.petitions.pop()
    }

    /// Takes a session's token on, one at a time.
    pub(crate) fn petition(&mut self, key: SessionKey, token: Token, envelope: Envelope) {
        let now = envelope.time_in.0;
        let Some(session) = self.outboxes.session_mut(key) else { return };
        let identity = match &session.who {
            Who::Anyone => {
                let refusal = Refusal::new(Code::InvalidRequest, "nobody is asked who he is here");
                return self.refuse(key, Some("auth"), &refusal, None, &envelope);
            }
            Who::Unknown { .. } => None,
            Who::Known(known) => Some(Arc::clone(known.lease.identity())),
        };
        if session.asking_since.is_some() {
            let refusal = Refusal::new(Code::RateLimit, "the last token is still looked at");
            return self.refuse(key, Some("auth"), &refusal, None, &envelope);
        }
        session.asking_since = Some(now);
        let ticket = Ticket { session: key, id: session.id, envelope };
        self.petitions.push(Petition { ticket, token, identity });
    }

    /// A token was looked at. True where the session that asked lives and goes on by it.
    pub fn handle_verdict(&mut self, ticket: Ticket, verdict: Verdict, now: Nanos) -> bool {
        let Ticket { session: key, id, envelope } = ticket;
        let envelope = Envelope { time_out: now, ..envelope };
        let Some(session) = self.outboxes.session_mut(key) else { return false };
        if session.id != id || session.closing.is_some() {
            return false;
        }
        session.asking_since = None;
        match verdict {
            Verdict::Admitted(admission, wall) => {
                return self.carry_on(key, *admission, wall, &envelope);
            }
            Verdict::Refused => self.turn_away(key, &envelope),
            Verdict::Full => {
                let refusal = Refusal::new(Code::ConnectionLimit, "as many sessions as allowed");
                self.refuse(key, Some("auth"), &refusal, None, &envelope);
                self.outboxes.close(key, CloseCode::Displaced, "as many sessions as allowed");
            }
            Verdict::Busy => {
                let refusal = Refusal::new(Code::RateLimit, "too many sign in: try again");
                self.refuse(key, Some("auth"), &refusal, None, &envelope);
            }
        }
        false
    }

    /// A token that is not good: who is not known yet is closed, who is goes on with the old one.
    pub(crate) fn turn_away(&mut self, key: SessionKey, envelope: &Envelope) {
        let refusal = Refusal::new(Code::AuthFailed, REFUSED);
        self.refuse(key, Some("auth"), &refusal, None, envelope);
        let Some(session) = self.outboxes.session_mut(key) else { return };
        if session.who.is_unknown() {
            self.outboxes.close(key, CloseCode::CredentialsRefused, REFUSED);
        } else if session.is_bad_request_the_last(&self.limits) {
            let sentence = "too many requests that made no sense";
            self.outboxes.close(key, CloseCode::BadRequests, sentence);
        }
    }

    /// Lets a session in, or carries it on with a fresh token.
    fn carry_on(
        &mut self,
        key: SessionKey,
        admission: Admission,
        wall: Wall,
        envelope: &Envelope,
    ) -> bool {
        let now = envelope.time_out;
        let identity = Arc::clone(admission.identity());
        let Some(session) = self.outboxes.session_mut(key) else { return false };
        let is_new = session.who.is_unknown();
        let mut before = None;
        if let Who::Known(known) = &mut session.who {
            if known.lease.refresh(Arc::clone(&identity), wall, now).is_err() {
                self.turn_away(key, envelope);
                return false;
            }
            let entitlement = admission.entitlement.clone();
            before = Some(std::mem::replace(&mut known.entitlement, entitlement));
            if let Some(tally) = &mut known.tally {
                tally.refresh(Arc::clone(&identity));
            }
        }
        let left = identity.expires_at().map(|at| at.0.0.saturating_sub(wall.0.0) / 1_000_000_000);
        self.outboxes.answer(key, |out| {
            reply::write_authenticated(envelope, identity.user(), left, out);
        });
        if is_new {
            self.admit(key, admission);
        } else {
            // Groups may differ, and so what was granted.
            if let Some(before) = before {
                self.entitled_otherwise(key, before);
            }
            self.review.admitted(key, &admission.permits);
            self.review_session(key, now);
        }
        true
    }

    pub(crate) fn handle_rights_event(&mut self, key: SessionKey, event: RightsEvent, now: u64) {
        let now = Nanos(now);
        let envelope = Envelope { req_id: None, time_in: now, time_out: now };
        let (code, close, words) = match event {
            RightsEvent::Lease(LeaseEvent::Notice { remaining }) => {
                let seconds = remaining.as_nanos().div_ceil(1_000_000_000) as u64;
                let frame = self.outboxes.encode(|out| notice::write_expiry(seconds, out));
                return self.outboxes.push(key, frame);
            }
            RightsEvent::Lease(LeaseEvent::Ended) => {
                (Code::TokenExpired, CloseCode::TokenExpired, "the credentials have ended")
            }
            RightsEvent::Missing => {
                (Code::AuthTimeout, CloseCode::CredentialsMissing, "no credentials in time")
            }
            RightsEvent::Unanswered => {
                (Code::Internal, CloseCode::Overloaded, "the token could not be looked at")
            }
        };
        let refusal = Refusal::new(code, words);
        self.refuse(key, None, &refusal, None, &envelope);
        self.outboxes.close(key, close, words);
    }
}
