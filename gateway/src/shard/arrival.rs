//! The way from door to shard: one upgraded connection at a time through a bounded mailbox.
//!
//! The door offers, the shard takes. The door gives out no more places than there are, so that who
//! was answered 101 finds one; a mailbox that is full all the same hands the arrival back.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::channel::{Receiver, Sender, TrySendError};
use fanout::Admission;
use record::Records;

use crate::seat::Seat;

/// A dashboard that has been let in: handshake, upgrade and checks are behind it.
#[derive(Debug)]
pub struct Arrival {
    /// Non-blocking, `TCP_NODELAY` set.
    pub socket: TcpStream,
    /// Its keys; the 101 answer has been sealed by them and given to the socket.
    pub records: Records,
    /// Plain bytes that came behind the upgrade request; the first frames, perhaps.
    pub early: Vec<u8>,
    /// It asked for an echo, and the gateway was started so that it may; see
    /// `door.conformance_echo`.
    pub is_echo: bool,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Who it is, once that is known.
    pub admission: Option<Admission>,
    /// What it holds of the door.
    pub place: Box<Place>,
}

/// What a session holds of the door for as long as it is served.
#[derive(Debug)]
pub struct Place {
    /// The address that is answerable for its tokens.
    pub peer: IpAddr,
    /// Among its user's sessions; none while the user is unknown, or nobody.
    pub user: Option<Seat>,
    /// Among its address's sessions.
    pub address: Option<Seat>,
}

impl Place {
    /// Gives the seats back.
    pub fn leave(&mut self) {
        (self.user, self.address) = (None, None);
    }
}

/// The door's end of a shard's mailbox.
#[derive(Clone, Debug)]
pub struct Mailbox {
    sender: Sender<Arrival>,
    waker: Arc<mio::Waker>,
    sessions: Arc<AtomicUsize>,
}

impl Mailbox {
    /// The two ends of a mailbox for at most `capacity` arrivals. `sessions` is the shard's count
    /// of the sessions it serves.
    pub fn new(
        capacity: usize,
        waker: Arc<mio::Waker>,
        sessions: Arc<AtomicUsize>,
    ) -> (Self, Receiver<Arrival>) {
        let (sender, receiver) = crossbeam::channel::bounded(capacity);
        (Self { sender, waker, sessions }, receiver)
    }

    /// Hands an arrival over, or back when the mailbox is full or the shard has stopped.
    pub fn offer(&self, arrival: Arrival) -> Result<(), Box<Arrival>> {
        match self.sender.try_send(arrival) {
            Ok(()) => {
                // A failed wake-up delays the arrival until the shard's next cycle, no longer.
                let _ = self.waker.wake();
                Ok(())
            }
            Err(TrySendError::Full(arrival) | TrySendError::Disconnected(arrival)) => {
                Err(Box::new(arrival))
            }
        }
    }

    /// How many offers would be taken now. The door alone makes offers, so it only grows meanwhile.
    pub fn room(&self) -> usize {
        self.sender.capacity().unwrap_or(usize::MAX) - self.sender.len()
    }

    /// Sessions served plus arrivals waiting: the door's measure of where there is room.
    pub fn load(&self) -> usize {
        // The length first: a shard counts an arrival before it takes it out, so that one which is
        // on its way is seen at least once, and no place is given twice. Seeing it taken out (the
        // channel's acquire) is seeing it counted, so relaxed is enough.
        let waiting = self.sender.len();
        waiting + self.sessions.load(Ordering::Relaxed)
    }
}
