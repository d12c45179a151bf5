//! Whoever else speaks there: another build, another program, bytes that make no sense.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use gateway::relay_frame::{Frame, Greeting, Place, put_greeting, put_symbol};
use market::{Body, Instrument, Nanos, Price, Quote, Size, Stamps, SymbolId, Tick, Trading, Truth};

use serde_json::json;

use super::client::session;
use super::link::{Link, Refused};
use super::rig::{PATIENCE, SYMBOLS, market, subscribe};
use super::site::{Program, Site};

const PLACE: Place = Place { epoch: 7, ring: 9, records: 3 };

/// The script of one connection: what is said, behind a good greeting or without.
fn say(listener: &UnixListener, is_greeted: bool, bytes: &[u8], closes: bool) {
    let (mut socket, _) = listener.accept().expect("it is dialled");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut out = Vec::new();
    if is_greeted {
        put_greeting(Greeting::default(), &mut out);
    }
    out.extend_from_slice(bytes);
    // It may have had enough before all is said.
    let _ = socket.write_all(&out);
    if closes {
        return;
    }
    let mut heard = Vec::new();
    // A reset says as much as an end.
    let _ = socket.read_to_end(&mut heard);
}

fn frame(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.put(&mut out);
    out
}

fn instrument(name: &str) -> Body<'static> {
    Body::Instrument(Instrument {
        symbol: name.into(),
        venue: "v".into(),
        venue_symbol: "AB".into(),
        base: "A".into(),
        quote: "B".into(),
        price_precision: 2,
        size_precision: 2,
        price_increment: Price(1),
        size_increment: Size(1),
        size_min: Size(0),
        book_levels_max: 10,
        trading: Trading::Online,
    })
}

fn image() -> Vec<u8> {
    image_with(&[])
}

fn image_with(ticks: &[Tick<'_>]) -> Vec<u8> {
    let mut truth = Truth::default();
    truth.apply(&tick(1, instrument("A/B"))).expect("in step");
    for tick in ticks {
        truth.apply(tick).expect("in step");
    }
    let mut out = Vec::new();
    put_symbol(|out| truth.symbol(SymbolId(0)).expect("defined").encode(out), &mut out);
    out
}

fn tick(sequence: u64, body: Body<'static>) -> Tick<'static> {
    let stamps = Stamps { event: Nanos(1), recv: Nanos(1), publish: Nanos(1) };
    Tick { symbol: SymbolId(0), sequence, stamps, body }
}

fn quote(sequence: u64) -> Tick<'static> {
    tick(sequence, Body::Quote(Quote::default()))
}

fn record(sequence: u64) -> Vec<u8> {
    framed(&quote(sequence))
}

fn framed(tick: &Tick<'_>) -> Vec<u8> {
    let mut record = Vec::new();
    tick.encode(&mut record);
    frame(&Frame::Record(&record))
}

fn fault(edge: &Program, reason: &str) -> u64 {
    edge.sample(&format!("gateway_follow_faults_total{{reason=\"{reason}\"}}"))
}

#[test]
fn a_relay_that_talks_nonsense_is_refused_counted_and_tried_again() {
    let site = Site::new(market(300.0));
    let listener = UnixListener::bind(&site.relay).expect("free");
    let mut edge = site.edge("silence_timeout_ms = 500\n", "");
    let mut other = Vec::new();
    put_greeting(Greeting { place: PLACE, ..Greeting::default() }, &mut other);
    other[8] += 1;
    say(&listener, false, &other, false);
    say(
        &listener,
        false,
        b"HTTP/1.1 200 OK\r\nServer: somebody else entirely, and wordy\r\n\r\n",
        false,
    );
    say(&listener, true, &u32::MAX.to_le_bytes(), false);
    let truth = frame(&Frame::Truth(PLACE, 1));
    let whole = [&truth[..], &image()].concat();
    say(&listener, true, &whole[..whole.len() / 2], true);
    say(&listener, true, &[truth, frame(&Frame::Symbol(b"no image"))].concat(), false);
    say(&listener, true, &record(1), false);
    say(&listener, true, &frame(&Frame::GoOn(PLACE)), false);
    say(&listener, true, &[], false);
    edge.wait("all is counted", |edge| fault(edge, "silent") == 1);
    assert_eq!([fault(&edge, "version"), fault(&edge, "too_large")], [1, 1]);
    assert_eq!([fault(&edge, "closed"), fault(&edge, "malformed")], [1, 4]);
    // Until the market has come, nobody is let in and told that there is none.
    let refused = Link::connect(&edge.target, true).err();
    assert!(matches!(refused, Some(Refused::Status(503, Some(_)))), "{refused:?}");
    assert!(!edge.is_ready());
    // The market comes; then a record that does not follow.
    say(&listener, true, &[whole, record(1), record(3)].concat(), false);
    edge.wait("it is counted", |edge| fault(edge, "out_of_step") == 1);
    let mut rng = fastrand::Rng::with_seed(9);
    for _ in 0..20 {
        let bytes: Vec<u8> = (0..rng.usize(1..400)).map(|_| rng.u8(..)).collect();
        say(&listener, true, &bytes, rng.bool());
    }
    assert!(edge.is_alive());
    drop(listener);
    std::fs::remove_file(&site.relay).expect("it was there");
    let hub = site.hub("", "", "");
    hub.until_ready();
    edge.until_ready();
    // Who comes at the very moment may still be sent away with the life before.
    let mut link = loop {
        let mut link = Link::open(&edge.target);
        link.say(&subscribe("book", &["*"], &json!({})));
        while link.end.is_none() && link.positions.len() < SYMBOLS {
            link.listen(Duration::from_millis(100));
        }
        if link.end.is_none() {
            break link;
        }
        assert_eq!(link.end, Some(4005));
    };
    link.until("the market goes on", |link| link.view.book_updates > 2 * SYMBOLS as u64);
    link.is_content();
}

#[test]
fn a_name_that_a_relay_gives_twice_is_refused_by_name_and_no_session_is_harmed() {
    let site = Site::new(market(300.0));
    let listener = UnixListener::bind(&site.relay).expect("free");
    let edge = site.edge("silence_timeout_ms = 20000\n", "");
    let truth = [frame(&Frame::Truth(PLACE, 1)), image()].concat();
    let again = [frame(&Frame::Truth(PLACE, 1)), image_with(&[quote(1)])].concat();
    let two = frame(&Frame::Truth(PLACE, 2));
    let second = Tick { symbol: SymbolId(1), ..tick(1, instrument("A/B")) };
    // The first connection lasts until the session is there.
    let (begun, begins) = std::sync::mpsc::channel();
    let relay = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("it is dialled");
        let mut out = Vec::new();
        put_greeting(Greeting { place: PLACE, ..Greeting::default() }, &mut out);
        out.extend_from_slice(&[&truth[..], &record(1)].concat());
        socket.write_all(&out).expect("sent");
        begins.recv_timeout(PATIENCE).expect("the session is there");
        socket.write_all(&framed(&second)).expect("sent");
        // Two of one name in a whole truth, and one that is called otherwise than before.
        say(&listener, true, &[&two[..], &image(), &image()].concat(), false);
        say(&listener, true, &[&again[..], &framed(&tick(2, instrument("C/D")))].concat(), false);
        let rest = [framed(&tick(2, instrument("A/B"))), record(2)].concat();
        say(&listener, true, &[again, rest].concat(), false);
    });
    edge.until_ready();
    let mut link = Link::open(&edge.target);
    let each = json!({ "channel": "ticker", "symbol": ["A/B"], "event_trigger": "bbo", "x": { "seq": true } });
    link.say(&json!({ "method": "subscribe", "params": each }));
    let ticker = ("ticker".to_owned(), "A/B".to_owned());
    link.until("the first value", |link| link.positions.get(&ticker) == Some(&1));
    begun.send(()).expect("awaited");
    edge.wait("all is counted", |edge| fault(edge, "name") == 3);
    link.until("the market goes on", |link| link.positions.get(&ticker) == Some(&2));
    assert_eq!(link.end, None, "the session lives");
    assert_eq!(fault(&edge, "out_of_step") + fault(&edge, "malformed"), 0);
    drop(edge);
    relay.join().expect("it ended well");
}

#[test]
fn who_is_no_follower_is_refused_and_counted_and_one_too_many_too() {
    let site = Site::new(market(300.0));
    let hub = site.hub("followers_max = 1\n", "", "");
    hub.until_ready();
    let refused = |reason| format!("gateway_relay_refused_total{{reason=\"{reason}\"}}");
    let greet = |bytes: &[u8]| {
        let mut socket = UnixStream::connect(&site.relay).expect("a relay");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        socket.write_all(bytes).expect("sent");
        let mut heard = Vec::new();
        let _ = socket.read_to_end(&mut heard);
        heard
    };
    let mut other = Vec::new();
    put_greeting(Greeting::default(), &mut other);
    other[12] += 1;
    let heard = greet(&other);
    assert!(heard.starts_with(b"mktrelay"), "who is refused learns what is spoken: {heard:?}");
    hub.wait("counted", |hub| hub.sample(&refused("version")) == 1);
    greet(b"GET / HTTP/1.1\r\nHost: this is no relay, nor one that follows\r\n\r\n");
    hub.wait("counted", |hub| hub.sample(&refused("stranger")) == 1);
    let edge = site.edge("", "");
    edge.until_ready();
    assert_eq!(greet(b""), b"");
    assert_eq!(hub.sample(&refused("full")), 1);
    let mut link = session(&edge.target);
    link.listen_for(Duration::from_millis(200));
    link.is_content();
}
