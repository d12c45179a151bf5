//! `bench floor`: what this machine's kernel and TLS library ask for the work that no gateway can
//! avoid, measured without a gateway: seal and send for each session, send alone, and a wake-up.
//!
//! ```text
//!   sender (the server's core): for each session in turn: seal K messages as one record, send
//!                      --loopback--> drain (the load's core): read and forget
//! ```
//! Figures are processor time of the sending thread, so that noise on the machine hardly touches
//! them; the kernel's share of a loopback send, receive side included, is in them as it is in a
//! gateway's.

use std::fmt::Write as _;
use std::io;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::report::result::{FloorFigure, median};
use crate::run::cores::{granted, pinned};
use crate::run::interrupt::Interrupt;
use crate::scenario::Cores;

mod pair;
mod wake;

use pair::{Pairs, Sealer};

/// Options of `bench floor`.
#[derive(Clone, Debug, clap::Args)]
pub struct FloorOptions {
    /// Sessions that are served in turn
    #[arg(
        long, value_name = "N", default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(1..=8000)
    )]
    pub sessions: u32,
    /// Bytes of a message, the frame's header included
    #[arg(
        long, value_name = "N", default_value_t = 290,
        value_parser = clap::value_parser!(u32).range(1..=16_384)
    )]
    pub bytes: u32,
    /// Seconds each figure is measured
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = crate::load::aim::seconds)]
    pub seconds: f64,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Messages in a record.
const GATHERED: [u32; 4] = [1, 4, 16, 64];
/// Parts of a figure's time: the median of them is the figure.
const PARTS: u32 = 5;

/// Measures all figures on the cores that server and load would have.
pub fn floor(
    options: &FloorOptions,
    cores: &Cores,
    interrupt: &Interrupt,
) -> io::Result<Vec<FloorFigure>> {
    let (server, load) = (granted(&cores.server), granted(&cores.load));
    let sealers = [Sealer::None, Sealer::Bare, Sealer::Buffered];
    let connect = |sealer: Sealer| Pairs::connect(options.sessions, sealer, &load);
    let mut pairs = sealers.map(connect).into_iter().collect::<io::Result<Vec<_>>>()?;
    let costs = pinned(&server, || costs(&mut pairs, options, interrupt))??;
    pairs.into_iter().for_each(Pairs::end);
    let mut figures = Vec::new();
    for (sealer, costs) in sealers.iter().zip(costs) {
        for (messages, parts) in GATHERED.into_iter().zip(costs) {
            figures.push(figure(sealer.name(), messages, median(parts).unwrap_or(0.0)));
        }
    }
    let woken = wake::measure(&server, &load, Duration::from_secs_f64(options.seconds), interrupt)?;
    figures.push(figure("wake-up, until it runs (p50)", 1, woken.until_runs_ns));
    figures.push(figure("wake-up, the writer's part", 1, woken.writer_ns));
    Ok(figures)
}

fn figure(name: &str, messages: u32, ns: f64) -> FloorFigure {
    let cpu_seconds_per_million = ns / f64::from(messages) / 1000.0;
    FloorFigure { name: name.to_owned(), messages, ns, cpu_seconds_per_million }
}

/// Processor nanoseconds of one record, sent: by sealer, size and part. All take turns, so that a
/// noisy moment does not fall on one of them alone.
fn costs(
    pairs: &mut [Pairs],
    options: &FloorOptions,
    interrupt: &Interrupt,
) -> io::Result<Vec<Vec<Vec<f64>>>> {
    let part = Duration::from_secs_f64(options.seconds / f64::from(PARTS + 1));
    let mut all = vec![vec![Vec::new(); GATHERED.len()]; pairs.len()];
    // The first part warms up: buffers grow, congestion windows open.
    for at in 0..=PARTS {
        for (pairs, costs) in pairs.iter_mut().zip(&mut all) {
            for (messages, costs) in GATHERED.into_iter().zip(costs) {
                let payload = vec![b'x'; (messages * options.bytes) as usize];
                let (begin, cpu, mut sent) = (Instant::now(), thread_ns(), 0u64);
                while begin.elapsed() < part {
                    pairs.send_to_all(&payload)?;
                    sent += pairs.sessions();
                    if interrupt.is_raised() {
                        return Err(io::ErrorKind::Interrupted.into());
                    }
                }
                if at > 0 {
                    costs.push((thread_ns() - cpu) as f64 / sent as f64);
                }
            }
        }
    }
    Ok(all)
}

/// Processor time of the calling thread.
pub(crate) fn thread_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The figures for people.
pub fn text(figures: &[FloorFigure]) -> String {
    let mut out = format!(
        "{:<30} {:>9} {:>10} {:>22}\n",
        "what", "messages", "ns each", "CPU s per M messages"
    );
    for one in figures {
        let _ = writeln!(
            out,
            "{:<30} {:>9} {:>10.0} {:>22.3}",
            one.name, one.messages, one.ns, one.cpu_seconds_per_million
        );
    }
    out
}
