//! A dashboard that returns: to the gateway it is told to try next, with all it knew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::link::{Link, Target};
use super::rig::{CHANNELS, PATIENCE, SYMBOLS, subscribe};
use super::site::Program;
use super::view::View;

/// A session that holds every symbol on all channels, and has them.
pub fn session(target: &Target) -> Link {
    let mut link = Link::open(target);
    for channel in CHANNELS {
        link.say(&subscribe(channel, &["*"], &json!({})));
    }
    link.until("it has every symbol", |link| link.positions.len() == SYMBOLS * CHANNELS.len());
    link
}

/// What the hub published last, once its venue has ended: before it has noticed that, there may be
/// more to read.
pub fn last_positions(hub: &Program) -> HashMap<(String, String), u64> {
    hub.wait("it has seen the venue's end", |hub| !hub.is_ready());
    session(&hub.target).positions
}

/// What a session has to say to go on with all it had.
pub fn resumptions(link: &Link) -> Vec<Value> {
    let epoch = link.epoch.as_deref().expect("told");
    let request = |channel: &&str| {
        let of_channel = || link.positions.iter().filter(|(key, _)| key.0 == **channel);
        let symbols: Vec<&str> = of_channel().map(|((_, symbol), _)| symbol.as_str()).collect();
        let at = of_channel()
            .map(|((_, symbol), seq)| (symbol.clone(), json!({ "epoch": epoch, "seq": seq })))
            .collect::<serde_json::Map<_, _>>();
        subscribe(channel, &symbols, &json!({ "resume": at }))
    };
    CHANNELS.iter().map(request).collect()
}

/// Connects as soon as it is let in.
pub fn connect(target: &Target, view: View) -> Link {
    let deadline = Instant::now() + PATIENCE;
    let depth = super::rig::DEPTH;
    let mut view = Some(view);
    loop {
        let rules = super::view::Rules { sequenced: true, depth, keeps_frames: false };
        if let Ok(mut link) = Link::connect_with(target, View::new(rules)) {
            let greeted = std::mem::replace(&mut link.view, view.take().expect("once"));
            assert!(greeted.violations.is_empty(), "{:?}", greeted.violations);
            link.view.greeted |= greeted.greeted;
            return link;
        }
        assert!(Instant::now() < deadline, "nobody lets it in");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The session's return to a gateway.
pub fn return_to(target: &Target, left: Link) -> Link {
    let asked = resumptions(&left);
    let Link { view, positions, epoch, .. } = left;
    let mut link = connect(target, view);
    (link.positions, link.epoch) = (positions, epoch);
    let acks = link.view.acks;
    for request in &asked {
        link.say(request);
    }
    link.until("every symbol is granted", |link| link.view.acks == acks + CHANNELS.len() * SYMBOLS);
    link
}

/// Whether each subscription of the last request was recovered.
pub fn recovered(link: &Link) -> Vec<bool> {
    let acks = link.notes.iter().filter(|note| note["method"] == "subscribe");
    acks.filter_map(|note| note["result"]["x"]["recovered"].as_bool()).collect()
}

/// Where its sessions are to go, and what came of it.
#[derive(Default)]
pub struct Tally {
    pub returns: usize,
    pub recovered: usize,
    pub codes: Vec<u16>,
}

/// A dashboard on a thread of its own: it reads all the time, and when it is sent away goes to the
/// other of two gateways.
pub struct Client {
    thread: JoinHandle<(Link, Tally)>,
    pub positions: Arc<Mutex<HashMap<(String, String), u64>>>,
    pub at: Arc<Mutex<usize>>,
}

impl Client {
    pub fn start(targets: [Target; 2], over: Arc<AtomicBool>) -> Self {
        let mut link = session(&targets[0]);
        let (positions, at) = (Arc::new(Mutex::default()), Arc::new(Mutex::new(0)));
        let (shown, place) = (Arc::clone(&positions), Arc::clone(&at));
        let thread = std::thread::spawn(move || {
            let mut tally = Tally::default();
            while !over.load(Ordering::Relaxed) {
                link.listen(Duration::from_millis(20));
                if let Some(code) = link.end {
                    let next = 1 - *place.lock().expect("whole");
                    link = return_to(&targets[next], link);
                    tally.returns += 1;
                    tally.recovered += recovered(&link).iter().filter(|is| **is).count();
                    tally.codes.push(code);
                    *place.lock().expect("whole") = next;
                }
                link.positions.clone_into(&mut shown.lock().expect("whole"));
            }
            (link, tally)
        });
        Self { thread, positions, at }
    }

    pub fn end(self) -> (Link, Tally) {
        self.thread.join().expect("it ended well")
    }
}
