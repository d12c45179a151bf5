//! A gateway that follows and is followed: what its restart means to who follows it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use gateway::relay_frame::{Frame, GREETING_BYTES, Greeting, Inbox, Place, greeting, put_greeting};
use rustix::process::Signal;

use super::client::{last_positions, session};
use super::rig::{PATIENCE, market};
use super::site::{Site, free_port};

/// What a relay answers to who stands at a place.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Truth(Place),
    GoOn(Place),
}

impl Answer {
    const fn place(&self) -> Place {
        match self {
            Self::Truth(place) | Self::GoOn(place) => *place,
        }
    }
}

/// Follows until it is answered; none where nobody listens, or it is sent away.
fn answer(relay: SocketAddr, place: Place) -> Option<Answer> {
    let mut socket = TcpStream::connect(relay).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut out = Vec::new();
    put_greeting(Greeting { place, ..Greeting::default() }, &mut out);
    socket.write_all(&out).ok()?;
    let mut there = [0; GREETING_BYTES];
    socket.read_exact(&mut there).ok()?;
    let ring = greeting(&there).expect("the same version").place.ring;
    let mut inbox = Inbox::new(1 << 20);
    let mut bytes = [0; 1 << 14];
    loop {
        let count = socket.read(&mut bytes).ok().filter(|count| *count > 0)?;
        inbox.room().extend_from_slice(&bytes[..count]);
        while let Some(frame) = inbox.next_frame().expect("good frames") {
            let answer = match frame {
                Frame::Truth(place, _) => Answer::Truth(place),
                Frame::GoOn(place) => Answer::GoOn(place),
                _ => continue,
            };
            assert_eq!(answer.place().ring, ring, "the greeting names the ring");
            return Some(answer);
        }
    }
}

fn until(mut answer: impl FnMut() -> Option<Answer>, met: impl Fn(&Answer) -> bool) -> Answer {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        match answer() {
            Some(found) if met(&found) => return found,
            last => assert!(std::time::Instant::now() < deadline, "not in time: {last:?}"),
        }
    }
}

#[test]
fn nobody_goes_on_in_the_ring_of_a_process_that_was_restarted_although_the_epoch_is_the_same() {
    let site = Site::new(market(2000.0));
    let hub = site.hub("", "", "");
    let relay = free_port();
    let mut middle = site.edge("", &format!("[relay]\nlisten = \"{relay}\"\n"));
    let tail = site.follower(&relay.to_string(), "", "");
    [&hub, &middle, &tail].into_iter().for_each(super::site::Program::until_ready);
    let mut link = session(&tail.target);
    let fresh = || answer(relay, Place::default());
    let left = until(fresh, |answer| answer.place().records > 3000).place();
    assert_eq!(answer(relay, left), Some(Answer::GoOn(left)), "while it is the same ring");
    middle.signal(Signal::KILL);
    middle.ended();
    middle.start_again();
    // It has a record of that number, too, and it is another one.
    let now = until(fresh, |answer| answer.place().records > left.records).place();
    assert_eq!(now.epoch, left.epoch, "the hub numbers");
    let answered = answer(relay, left).expect("it is answered");
    assert!(matches!(answered, Answer::Truth(_)), "{answered:?} in the ring of another process");
    let told = link.view.book_updates;
    link.until("the market goes on", |link| link.view.book_updates > told + 100);
    drop(site.venue.stop());
    let last = last_positions(&hub);
    link.until("all that was published", |link| link.positions == last);
    link.is_content();
    assert_eq!(tail.counted("gateway_follow_go_ons_total"), 0);
    assert_eq!(tail.counted("gateway_follow_new_lives_total"), 0);
}
