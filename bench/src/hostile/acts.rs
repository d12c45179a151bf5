//! One attempt of each kind, from connecting to its end. Each runs on the session's own thread, and
//! ends at its deadline or with the run, whatever the server does.

use std::io::Read as _;
use std::time::{Duration, Instant};

use super::kind::Kind;
use super::link::{Ending, Link, OVER, Way, connect, outlast};
use crate::load::frame::{Op, Requests};

/// Bytes of a slow request's head, each time.
const HEAD_BYTES: usize = 4;
const HEAD_EVERY: Duration = Duration::from_millis(250);
/// A byte of the answer, each time.
const READ_EVERY: Duration = Duration::from_millis(100);
/// Pings, and as many pongs, at a time.
const PINGS: usize = 20;
const PINGS_EVERY: Duration = Duration::from_millis(10);
const NONSENSE_EVERY: Duration = Duration::from_millis(10);
/// How often one that stands still looks whether it was cut off.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long one that stood still listens for what became of it.
const AWAKE_MAX: Duration = Duration::from_secs(1);
/// One more than a gateway takes by default (`shard.message_bytes_max`).
const ONE_TOO_MANY: u64 = 65_536 + 1;

const EVERYTHING: &str =
    r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["*"],"event_trigger":"bbo"}}"#;

const NONSENSE: [&str; 6] = [
    "what is this",
    "{\"method\":",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    r#"{"method":"subscribe","params":{"channel":7,"symbol":{}}}"#,
    r#"{"method":"subscribe","method":"unsubscribe","params":[]}"#,
    "-1e999999",
];

/// Who attempts, for the how-many-th time, and for how long at most.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// What it does.
    pub kind: Kind,
    /// Whose it is.
    pub session: u32,
    /// Counted from zero.
    pub turn: u64,
    /// When it gives up by itself.
    pub deadline: Instant,
}

impl Attempt {
    /// Makes it, and says how it ended.
    pub fn make(self, way: &Way) -> Ending {
        let done = match self.kind {
            Kind::Silent => self.silent(way),
            Kind::SlowHead => self.slow_head(way),
            Kind::SlowAnswer => self.slow_answer(way),
            Kind::Oversized => self.oversized(way),
            Kind::PingFlood => self.ping_flood(way),
            Kind::Nonsense => self.nonsense(way),
            Kind::Stopped => self.stopped(way),
        };
        match done {
            Err(ending) => ending,
            Ok(()) if way.stop.is_raised() => OVER.to_owned(),
            Ok(()) => "borne until it left".to_owned(),
        }
    }

    fn silent(self, way: &Way) -> Result<(), Ending> {
        let socket = connect(way, self.session)?;
        outlast(&socket, &way.stop, self.deadline).map_or(Ok(()), Err)
    }

    fn slow_head(self, way: &Way) -> Result<(), Ending> {
        let mut link = Link::secure(way, self.session, self.deadline)?;
        let mut head = link.request(way);
        // Without its last empty line it never ends.
        head.truncate(head.len().saturating_sub(2));
        head.extend_from_slice(b"X-Slow: ");
        let mut rest = head.chunks(HEAD_BYTES);
        self.go_on(&mut link, HEAD_EVERY, |link, _| link.write(rest.next().unwrap_or(b"slow")))
    }

    fn slow_answer(self, way: &Way) -> Result<(), Ending> {
        let mut link = Link::secure(way, self.session, self.deadline)?;
        let mut asked = link.request(way);
        let mut wish = Requests::default();
        wish.text(EVERYTHING);
        asked.extend_from_slice(&wish.bytes);
        link.write(&asked)?;
        while !link.is_late(self.deadline) {
            match link.socket.read(&mut [0]) {
                Ok(0) => return Err("ended without a word".to_owned()),
                Ok(_) => way.stop.wait(READ_EVERY),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return Err("reset".to_owned()),
            }
        }
        // What was said to it, or its end, may lie behind all that it did not read yet.
        outlast(&link.socket, &way.stop, Instant::now() + AWAKE_MAX).map_or(Ok(()), Err)
    }

    fn oversized(self, way: &Way) -> Result<(), Ending> {
        let mut link = Link::open(way, self.session, self.deadline)?;
        let length = if self.turn.is_multiple_of(2) { i64::MAX as u64 } else { ONE_TOO_MANY };
        let mut frame = vec![0x81, 0xff];
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(&[b'a'; 64]);
        link.write(&frame)?;
        self.go_on(&mut link, LOOK_EVERY, |_, _| Ok(()))
    }

    fn ping_flood(self, way: &Way) -> Result<(), Ending> {
        let mut link = Link::open(way, self.session, self.deadline)?;
        let mut flood = Requests::default();
        for _ in 0..PINGS {
            flood.push(Op::Ping, b"are you there, are you there");
            flood.push(Op::Pong, b"I am");
        }
        self.go_on(&mut link, PINGS_EVERY, |link, _| link.write(&flood.bytes))
    }

    fn nonsense(self, way: &Way) -> Result<(), Ending> {
        let mut link = Link::open(way, self.session, self.deadline)?;
        // What is no text ends a session at once, so it comes last, and only in some attempts.
        let turn = self.turn as usize;
        self.go_on(&mut link, NONSENSE_EVERY, |link, at| {
            let mut said = Requests::default();
            match NONSENSE.get(at) {
                Some(text) => said.text(text),
                None if turn.is_multiple_of(3) => said.push(Op::Binary, &[0xff; 100]),
                None if turn % 3 == 1 => said.push(Op::Text, &[0xc3, 0x28]),
                None => said.text(NONSENSE[at % NONSENSE.len()]),
            }
            link.write(&said.bytes)
        })
    }

    fn stopped(self, way: &Way) -> Result<(), Ending> {
        let mut link = Link::open(way, self.session, self.deadline)?;
        let mut wish = Requests::default();
        wish.text(EVERYTHING);
        link.write(&wish.bytes)?;
        while !link.is_late(self.deadline) {
            way.stop.wait(LOOK_EVERY);
            if !matches!(link.socket.take_error(), Ok(None)) {
                return Err("reset".to_owned());
            }
        }
        // It wakes, and finds what was said to it while it stood still.
        link.listen(Instant::now() + AWAKE_MAX).map_or(Ok(()), Err)
    }

    /// Does `act` again and again, listening meanwhile, until the end of the connection or the
    /// time.
    fn go_on(
        self,
        link: &mut Link,
        every: Duration,
        mut act: impl FnMut(&mut Link, usize) -> Result<(), Ending>,
    ) -> Result<(), Ending> {
        let mut count = 0;
        while !link.is_late(self.deadline) {
            act(link, count)?;
            count += 1;
            let until = self.deadline.min(Instant::now() + every);
            if let Some(ending) = link.listen(until) {
                return Err(ending);
            }
        }
        Ok(())
    }
}
