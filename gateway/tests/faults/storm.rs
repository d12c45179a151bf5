//! A crowd that returns after a restart, and a crowd that wants one symbol.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use feed_sim::Generate;
use gateway::metrics::{Channel, TickKind};
use serde_json::json;

use super::link::{Link, Refused};
use super::rig::{CHANNELS, DEEP, Gateway, PATIENCE, market, market_of, subscribe};

const CROWD: usize = 2000;
const PLACES: usize = 200;
const CALLERS: usize = 32;

#[test]
fn two_thousand_that_return_at_once_are_let_in_or_told_when_to_come_back() {
    let door = format!("sessions_max = {PLACES}\narriving_max = 24\n");
    let gateway = Gateway::start(market(300.0), &door, "");
    let mut healthy = gateway.session(&CHANNELS, &json!({}));
    let outcomes = Mutex::new(Vec::new());
    let begun = Instant::now();
    let mut quiet_max = Duration::ZERO;
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                for _ in 0..CROWD / CALLERS {
                    let outcome = Link::connect(&gateway.target, true);
                    outcomes.lock().expect("no caller panics").push(outcome);
                }
            });
        }
        let mut heard_at = Instant::now();
        while outcomes.lock().expect("no caller panics").len() < CROWD / CALLERS * CALLERS {
            assert!(begun.elapsed() < 2 * PATIENCE, "callers wait for ever");
            let known = healthy.view.book_updates;
            healthy.listen(Duration::from_millis(10));
            if healthy.view.book_updates > known {
                quiet_max = quiet_max.max(heard_at.elapsed());
                heard_at = Instant::now();
            }
        }
    });
    let took = begun.elapsed();
    let outcomes = outcomes.into_inner().expect("no caller panicked");
    let (mut inside, mut refused, mut closed) = (Vec::new(), 0_u64, 0_u64);
    for outcome in outcomes {
        match outcome {
            Ok(link) => inside.push(link),
            Err(Refused::Status(503, Some(retry))) => {
                assert_eq!(retry.parse(), Ok(5), "seconds until another try");
                refused += 1;
            }
            Err(Refused::Closed) => closed += 1,
            Err(other) => panic!("neither let in nor told: {other:?}"),
        }
    }
    eprintln!(
        "{took:.2?}: {} let in, {refused} refused with 503, {closed} closed at accept; a neighbour \
         waited {quiet_max:.2?} at most",
        inside.len()
    );
    assert_eq!(inside.len(), PLACES - 1, "every place is taken");
    assert_eq!(closed, gateway.metrics.door.arriving_refused.total());
    assert!(refused > 0);
    healthy.listen_for(Duration::from_millis(100));
    healthy.is_content();
    assert_eq!(healthy.view.announced, 0, "the neighbour missed nothing");
    assert!(quiet_max < Duration::from_secs(2), "ticks waited {quiet_max:.2?}");
    let feed = &gateway.metrics.ingest.feeds[0];
    assert_eq!((feed.reconnects.value(), feed.silences.value(), feed.gaps.value()), (0, 0, 0));
    for link in &mut inside {
        link.until("greeted", |link| link.view.greeted);
    }
}

#[test]
fn every_session_on_one_symbol_shares_one_frame_an_update() {
    const SESSIONS: usize = 200;
    let market = Generate { symbols: 1, ..market_of(1000, 200.0) };
    let gateway = Gateway::start(market, DEEP, "");
    let mut sessions: Vec<Link> = (0..SESSIONS).map(|_| Link::open(&gateway.target)).collect();
    for channel in CHANNELS {
        for link in &mut sessions {
            link.say(&subscribe(channel, &["*"], &json!({})));
        }
    }
    while !gateway.venue.is_done() {
        for link in &mut sessions {
            link.listen(Duration::from_micros(1));
        }
    }
    let published = |kinds: &[TickKind]| -> u64 {
        let of = |kind: &TickKind| gateway.metrics.ingest.ticks_published.of(*kind).value();
        kinds.iter().map(of).sum()
    };
    let due = || {
        [
            (Channel::Ticker, published(&[TickKind::Quote, TickKind::Statistics])),
            (Channel::Trade, published(&[TickKind::Trade])),
            (Channel::Book, published(&[TickKind::Book])),
        ]
    };
    for link in &mut sessions {
        link.until("everything was told", |link| {
            CHANNELS.map(|channel| link.view.numbered(channel)) == due().map(|(_, updates)| updates)
        });
        assert_eq!(link.view.announced, 0);
    }
    let total: u64 = due().iter().map(|(_, updates)| updates).sum();
    let frames = &gateway.metrics.shards[0].frames_encoded;
    gateway.wait("it is counted", PATIENCE, |_| {
        due().iter().all(|(channel, updates)| frames.of(*channel).value() >= *updates / 2)
    });
    for (channel, updates) in due() {
        // A snapshot for each who came later, and a frame for each group that was merged together.
        let bound = updates + 2 * SESSIONS as u64;
        let encoded = frames.of(channel).value();
        assert!(encoded <= bound, "{channel:?}: {encoded} frames for {updates} updates");
    }
    let sent = gateway.counted("gateway_shard_frames_sent_total");
    assert!(sent > total * SESSIONS as u64 / 4, "{sent} deliveries");
}
