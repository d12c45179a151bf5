//! A network that loses packets, slows down, and falls silent: a namespace of its own for the
//! dashboard, a pair of virtual cables to the gateway, and rules that drop.
//!
//! Needs root, `ip`, `tc` and `nft`; says so where it is skipped. Without netem in the kernel,
//! delay, reordering and duplicates stay untried.
#![allow(clippy::print_stdout, reason = "a test that skips says so")]

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::{Duration, Instant};

use gateway::metrics::CloseReason;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::json;

use super::hiccups::Hiccups;
use super::rig::{CHANNELS, DEEP, Gateway, PATIENCE, SYMBOLS, market, market_of};

/// Two ends of a cable; gone when dropped.
struct Cable {
    name: String,
    /// The gateway's end.
    address: SocketAddr,
}

/// An address of a network that no other run of these tests has.
fn end(number: u8, host: u8) -> Ipv4Addr {
    let id = std::process::id();
    let [second, third] = [128 + (id / 128 % 64) as u8, (id % 128) as u8 * 2 + number];
    Ipv4Addr::new(10, second, third, host)
}

fn run(command: &str) -> Result<String, String> {
    let mut words = command.split(' ');
    let program = words.next().expect("a program");
    let output = Command::new(program).args(words).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

impl Cable {
    /// Of a network of its own; none, said aloud, where this process may not.
    fn lay(number: u8) -> Option<Self> {
        let name = format!("gwtest{number}-{}", std::process::id());
        let cable = Self { name, address: SocketAddr::from((end(number, 1), 0)) };
        match cable.set_up(number) {
            Ok(()) => Some(cable),
            Err(reason) => {
                println!("SKIPPED: no network namespace with rules can be made here: {reason}");
                None
            }
        }
    }

    fn set_up(&self, number: u8) -> Result<(), String> {
        let Self { name, .. } = self;
        let (near, far) = self.ends();
        run(&format!("ip netns add {name}"))?;
        run(&format!("ip link add {near} type veth peer name {far} netns {name}"))?;
        run(&format!("ip addr add {}/24 dev {near}", end(number, 1)))?;
        run(&format!("ip link set {near} up"))?;
        self.inside(&format!("ip addr add {}/24 dev {far}", end(number, 2)))?;
        self.inside(&format!("ip link set {far} up"))?;
        self.inside("ip link set lo up")?;
        self.inside("nft add table inet lossy")?;
        for hook in ["input", "output"] {
            let kind = format!("{{ type filter hook {hook} priority 0 ; }}");
            self.inside(&format!("nft add chain inet lossy {hook} {kind}"))?;
        }
        // Tried where it drops nothing, so that a kernel without it is a skip and no failure.
        self.inside("nft add chain inet lossy tried")?;
        self.inside(&format!("nft add rule inet lossy tried {LOSSY}"))?;
        self.inside(&format!(
            "tc qdisc add dev {far} root tbf rate 20mbit burst 32k latency 30ms"
        ))?;
        Ok(())
    }

    /// Names of interfaces have 15 letters at most.
    fn ends(&self) -> (String, String) {
        let id = self.name.trim_start_matches("gwtest").replace('-', "_");
        (format!("gn{id}"), format!("gf{id}"))
    }

    fn inside(&self, command: &str) -> Result<String, String> {
        run(&format!("ip netns exec {} {command}", self.name))
    }

    /// Adds a rule for what goes in either direction.
    fn rule(&self, rule: &str) {
        for hook in ["input", "output"] {
            self.inside(&format!("nft add rule inet lossy {hook} {rule}")).expect("a rule");
        }
    }

    /// Packets that rules have dropped.
    fn dropped(&self) -> u64 {
        let rules = self.inside("nft list table inet lossy").expect("they are there");
        let counts = rules.split("packets ").skip(1);
        counts.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Does a dashboard's work at the far end.
    fn at_the_far_end<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let at_work = scope.spawn(|| {
                let there =
                    File::open(format!("/var/run/netns/{}", self.name)).expect("it is there");
                // The thread's alone: sockets that it opens are the other network's.
                move_into_link_name_space(there.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("root may");
                work()
            });
            at_work.join().expect("the dashboard does not panic")
        })
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // What was never laid is not taken away.
        let _ = run(&format!("ip link del {}", self.ends().0));
        let _ = run(&format!("ip netns del {}", self.name));
    }
}

/// Drops one packet in fifty.
const LOSSY: &str = "numgen random mod 50 < 1 counter drop";
const OPEN: &str = "[auth]\nopen = true\n";

#[test]
fn a_network_that_loses_one_packet_in_fifty_each_way_costs_no_number() {
    let Some(cable) = Cable::lay(0) else { return };
    cable.rule(LOSSY);
    let gateway = Gateway::at(cable.address, market_of(9000, 1500.0), DEEP, OPEN);
    cable.at_the_far_end(|| {
        let mut link = gateway.session(&CHANNELS, &json!({}));
        while !gateway.venue.is_done() {
            link.listen(Duration::from_millis(5));
        }
        let published = |gateway: &Gateway| gateway.published();
        let settled = published(&gateway);
        link.until("everything was told", |link| {
            CHANNELS.map(|channel| link.view.numbered(channel)) >= settled
                && CHANNELS.map(|channel| link.view.numbered(channel)) == published(&gateway)
        });
        link.is_content();
        assert_eq!(link.view.announced, 0, "nothing is missing");
        println!(
            "{:?} updates, {} of them merged, with {} packets lost",
            published(&gateway),
            link.view.merged,
            cable.dropped()
        );
    });
    assert!(cable.dropped() > 20, "the network lost only {}", cable.dropped());
}

#[test]
fn a_network_that_falls_silent_is_noticed_by_the_kernel_where_no_ping_is_due() {
    const SILENT: Duration = Duration::from_secs(2);
    let Some(cable) = Cable::lay(1) else { return };
    let rest = format!("[shard]\nping_ms = 3600000\nwrite_timeout_ms = 3600000\n{OPEN}");
    let door = format!("{DEEP}user_timeout_ms = {}\n", SILENT.as_millis());
    let gateway = Gateway::at(cable.address, market(300.0), &door, &rest);
    cable.at_the_far_end(|| {
        let mut link = gateway.session(&CHANNELS, &json!({}));
        link.until("it is served", |link| link.view.books.len() == SYMBOLS);
        assert_eq!(gateway.sessions(), 1);
        let hiccups = Hiccups::start();
        cable.rule("counter drop");
        let silent = Instant::now();
        gateway.wait("it is freed", PATIENCE, |gateway| gateway.sessions() == 0);
        // The kernel looks when it sends again, at intervals that double.
        let (took, allowed) =
            (silent.elapsed(), hiccups.allow(2 * SILENT + Duration::from_secs(1)));
        println!("freed after {took:.2?} of silence");
        assert!((SILENT / 2..allowed).contains(&took), "{took:?} of {allowed:?}");
        assert_eq!(gateway.ended(CloseReason::ConnectionLost), 1);
    });
}
