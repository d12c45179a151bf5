//! The connection between relay and follower breaks, anywhere.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::client::{last_positions, session};
use super::rig::market;
use super::site::Site;

/// Connections that are cut; those behind them last.
const CUTS: u64 = 40;

/// Passes connections on to the relay and cuts each after a random count of bytes.
fn cutter(from: &PathBuf, to: PathBuf) -> Arc<AtomicU64> {
    let listener = UnixListener::bind(from).expect("free");
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    // It ends with the program.
    thread::spawn(move || {
        let mut rng = fastrand::Rng::with_seed(7);
        for edge in listener.incoming().flatten() {
            let Ok(hub) = UnixStream::connect(&to) else { continue };
            // The first one brings the truth whole.
            let number = counted.fetch_add(1, Ordering::Relaxed);
            let limit = match number {
                0 => 200_000,
                1..=CUTS => rng.usize(..4000),
                _ => usize::MAX,
            };
            let (mut upwards, mut up) = (edge.try_clone().expect("a handle"), hub.try_clone());
            thread::spawn(move || std::io::copy(&mut upwards, up.as_mut().expect("a handle")));
            pass(hub, edge, limit);
        }
    });
    count
}

fn pass(mut hub: UnixStream, mut edge: UnixStream, mut limit: usize) {
    let mut bytes = [0; 1000];
    while limit > 0 {
        let Ok(count @ 1..) = hub.read(&mut bytes) else { break };
        let count = count.min(limit);
        if edge.write_all(&bytes[..count]).is_err() {
            break;
        }
        limit -= count;
    }
    // Either may be gone already.
    let _ = (hub.shutdown(Shutdown::Both), edge.shutdown(Shutdown::Both));
}

#[test]
fn a_connection_that_breaks_anywhere_costs_no_number() {
    let site = Site::new(market(300.0));
    let hub = site.hub("", "", "");
    hub.until_ready();
    let door = site.relay.with_file_name("cut.sock");
    let count = cutter(&door, site.relay.clone());
    let edge = site.follower(&format!("unix:{}", door.display()), "", "");
    edge.until_ready();
    let mut link = session(&edge.target);
    link.until("all cuts are made", |_| count.load(Ordering::Relaxed) > CUTS + 1);
    drop(site.venue.stop());
    let last = last_positions(&hub);
    link.until("all that was published", |link| link.positions == last);
    link.is_content();
    assert_eq!((link.view.announced, link.view.merged), (0, 0), "each update by itself");
    assert_eq!(edge.counted("gateway_follow_truths_total"), 1);
    assert!(edge.counted("gateway_follow_go_ons_total") > CUTS / 2);
}
