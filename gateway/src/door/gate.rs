//! Whether somebody is let in: credentials, back-off of addresses, seats.
//!
//! **Invariant:** whoever is refused hears the same, whatever the reason, and after too many
//! failures the same again without his credentials having been looked at. What he presented is in
//! no log line, metric or answer.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fanout::{Admission, Verdict};
use http::{HeaderValue, StatusCode, header, request};
use hyper::http;
use rights::{
    AuthError, Backoff, CredentialKind, Credentials, Failure, Identity, Places, Presented,
    Recorded, Subject,
};

use super::upgrade::Refusal;
use crate::access::Access;
use crate::clock;
use crate::config;
use crate::faults;
use crate::hearing::{Answer, Hearing};
use crate::metrics::{DoorMetrics, UpgradeRefusal};
use crate::seat::{Beyond, Seat, Seats};
use crate::throttle::Throttle;

/// How long a newcomer waits for the session it displaces to be gone; shards look twenty times a
/// second.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(3);
const SETTLE_LOOK: Duration = Duration::from_millis(5);

/// Where a connection comes from, and whom its certificate names.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    pub(super) peer: IpAddr,
    pub(super) subject: Option<Subject>,
}

/// Somebody who may come in. Without an admission he is asked for a token first.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) admission: Option<Admission>,
    pub(super) user: Option<Seat>,
    pub(super) address: Seat,
}

/// What the door remembers between two arrivals.
#[derive(Debug)]
struct Memory {
    backoff: Backoff,
    users: Seats<Box<str>>,
    addresses: Seats<IpAddr>,
}

/// The gate; the door's thread alone passes it.
#[derive(Debug)]
pub struct Gate {
    access: Arc<Access>,
    places: Places,
    /// Locked by the door's thread alone, and never across a wait.
    memory: Mutex<Memory>,
    lines: Throttle,
}

impl Gate {
    /// By these settings and what is in force.
    pub fn new(settings: &config::Auth, access: Arc<Access>) -> Self {
        let memory = Memory {
            backoff: Backoff::new(settings.backoff),
            users: Seats::new(settings.user_sessions_max, settings.beyond),
            addresses: Seats::new(settings.address_sessions_max, Beyond::Refuse),
        };
        Self {
            access,
            places: Places { query_key: settings.query_key.clone() },
            memory: Mutex::new(memory),
            lines: Throttle::new(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a panic left what it remembers half done.
    pub(super) fn is_poisoned(&self) -> bool {
        self.memory.is_poisoned()
    }

    /// Lets an upgrade pass, or says why not.
    pub(super) fn pass(
        &self,
        head: &request::Parts,
        visitor: &Visitor,
        metrics: &DoorMetrics,
    ) -> Result<Pass, Refusal> {
        let admission = self.admission(head, visitor, metrics)?;
        let mut memory = self.memory();
        faults::trip_by_agent(faults::Place::Door, &head.headers);
        let address = memory.addresses.take(network(visitor.peer)).ok_or(ADDRESS_FULL)?;
        // Sessions of an address are counted, never displaced: a seat is entered at once.
        memory.addresses.enter(&network(visitor.peer), &address);
        let user = match counted_user(admission.as_ref().map(Admission::identity)) {
            None => None,
            Some(user) => {
                let seat = memory.users.take(user.clone()).ok_or(USER_FULL)?;
                memory.users.enter(&user, &seat);
                Some(seat)
            }
        };
        Ok(Pass { admission, user, address })
    }

    fn admission(
        &self,
        head: &request::Parts,
        visitor: &Visitor,
        metrics: &DoorMetrics,
    ) -> Result<Option<Admission>, Refusal> {
        if self.memory().backoff.wait(visitor.peer, clock::now()).is_some() {
            metrics.backoff_refusals.inc();
            return Err(REFUSED);
        }
        let values = |name| head.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        let presented = Presented {
            authorization: values(header::AUTHORIZATION),
            protocols: values(header::SEC_WEBSOCKET_PROTOCOL),
            query: head.uri.query(),
            subject: visitor.subject.clone(),
        };
        let credentials = match presented.credentials(&self.places) {
            Ok(credentials) => credentials,
            Err(error) => {
                self.count_failure(error, visitor.peer, metrics);
                return Err(REFUSED);
            }
        };
        let permits = self.access.current();
        let is_open = permits.authenticator.register().is_open();
        if matches!(credentials, Credentials::None) && !is_open {
            return Ok(None);
        }
        drop(permits);
        let admitted = self.believe(&credentials, visitor.peer, metrics);
        admitted.map(|(admission, _)| Some(admission)).map_err(|_| REFUSED)
    }

    /// Looks at credentials, and remembers what became of them.
    fn believe(
        &self,
        credentials: &Credentials,
        peer: IpAddr,
        metrics: &DoorMetrics,
    ) -> Result<(Admission, rights::Wall), AuthError> {
        let permits = self.access.current();
        let wall = clock::wall();
        match permits.authenticator.authenticate(credentials, wall) {
            Ok(identity) => {
                if identity.kind() != CredentialKind::Anonymous {
                    self.memory().backoff.succeeded(peer);
                }
                metrics.authenticated.of(identity.kind()).inc();
                Ok((Admission::new(permits, identity, wall, clock::now()), wall))
            }
            Err(error) => {
                self.count_failure(error, peer, metrics);
                Err(error)
            }
        }
    }

    fn count_failure(&self, error: AuthError, peer: IpAddr, metrics: &DoorMetrics) {
        let mut memory = self.memory();
        let now = clock::now();
        let recorded = memory.backoff.failed(peer, now);
        metrics.backoff_addresses.set(memory.backoff.len() as u64);
        drop(memory);
        metrics.auth_failures.of(error.failure()).inc();
        if recorded != Recorded::Remembered {
            metrics.backoff_evictions.inc();
        }
        if let Some(left_out) = self.lines.pass(now) {
            let reason = Failure::as_str(error.failure());
            tracing::info!(%peer, reason, left_out, "credentials refused");
        }
    }

    /// Waits until a user's seat may be entered; false where it may not, or not soon. Cancel-safe:
    /// the seat is the caller's.
    pub(super) async fn settle(&self, identity: &Arc<Identity>, seat: &Seat) -> bool {
        let Some(user) = counted_user(Some(identity)) else { return true };
        let looks = SETTLE_TIMEOUT.as_millis() / SETTLE_LOOK.as_millis();
        for _ in 0..looks {
            if seat.is_displaced() {
                return false;
            }
            if seat.is_entered() || self.memory().users.enter(&user, seat) {
                return true;
            }
            tokio::time::sleep(SETTLE_LOOK).await;
        }
        false
    }

    /// Answers a token that came in a message. It is looked at before anything is waited for.
    pub(super) async fn hear(&self, hearing: Hearing, metrics: &DoorMetrics) {
        let Hearing { petition, peer, reply } = hearing;
        let ticket = petition.ticket;
        let (verdict, seat) = self.judge(petition, peer, metrics).await;
        reply.send(Answer { ticket, verdict, seat });
    }

    async fn judge(
        &self,
        petition: fanout::Petition,
        peer: IpAddr,
        metrics: &DoorMetrics,
    ) -> (Verdict, Option<Seat>) {
        if self.memory().backoff.wait(peer, clock::now()).is_some() {
            metrics.backoff_refusals.inc();
            return (Verdict::Refused, None);
        }
        let credentials = Credentials::from_text(petition.token.as_str());
        let Ok((admission, wall)) = self.believe(&credentials, peer, metrics) else {
            return (Verdict::Refused, None);
        };
        let identity = Arc::clone(admission.identity());
        let verdict = Verdict::Admitted(Box::new(admission), wall);
        let Some(user) = counted_user(Some(&identity)).filter(|_| petition.identity.is_none())
        else {
            // A refresh, which sits already.
            return (verdict, None);
        };
        let taken = self.memory().users.take(user);
        match taken {
            Some(seat) if self.settle(&identity, &seat).await => (verdict, Some(seat)),
            _ => (Verdict::Full, None),
        }
    }
}

const REFUSED: Refusal = Refusal {
    reason: UpgradeRefusal::Credentials,
    status: StatusCode::UNAUTHORIZED,
    words: "credentials refused",
};

const USER_FULL: Refusal = Refusal {
    reason: UpgradeRefusal::UserLimit,
    status: StatusCode::TOO_MANY_REQUESTS,
    words: "this user has as many sessions as allowed",
};

const ADDRESS_FULL: Refusal = Refusal {
    reason: UpgradeRefusal::AddressLimit,
    status: StatusCode::TOO_MANY_REQUESTS,
    words: "this address has as many sessions as allowed",
};

/// Whose sessions are counted; all who came without credentials have but one name.
fn counted_user(identity: Option<&Arc<Identity>>) -> Option<Box<str>> {
    identity
        .filter(|identity| identity.kind() != CredentialKind::Anonymous)
        .map(|identity| identity.user().into())
}

/// An IPv6 address counts with its /64, which is what one subscriber gets.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address @ IpAddr::V4(_) => address,
    }
}
