//! What a fleet measured, for people and as JSON.

use std::fmt;

use serde::Serialize;

use super::latency::Percentiles;
use super::meter::Counts;
use super::process::Course;
use crate::load::thread::Traffic;
use crate::scan::message::Channel;

/// How the load side itself did: the proof that it was not what was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LoadSide {
    /// Load threads.
    pub threads: u32,
    /// Processor time of this process within the run.
    pub cpu_seconds: f64,
    /// How long turns of the load loops took.
    pub turns: Percentiles,
    /// How late a sleeping thread was on this machine.
    pub hiccups: Percentiles,
    /// Turns took longer than allowed: the tail above may be ours.
    pub late: bool,
}

/// The outcome of `bench fleet`.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The gateway.
    pub url: String,
    /// Sessions asked for.
    pub sessions: u32,
    /// Whether every session got all answers.
    pub ready: bool,
    /// How long that took.
    pub ready_seconds: f64,
    /// Symbols that were dealt out.
    pub symbols: usize,
    /// Symbols of each session.
    pub symbols_per_session: usize,
    /// Channels of each symbol.
    pub channels: Vec<Channel>,
    /// Measured for this long.
    pub seconds: f64,
    /// What was delivered, and what was not.
    pub counts: Counts,
    /// From the tick's time to its bytes being read.
    pub latency: Percentiles,
    /// What went through the sockets.
    pub traffic: Traffic,
    /// How the load side did.
    pub load: LoadSide,
    /// The gateway's process, where one was named.
    pub gateway: Option<Course>,
    /// The first thing that went wrong with a session.
    pub trouble: Option<String>,
}

impl Outcome {
    /// 0 measured, 1 something was lost, out of order, refused or ended, 3 not every session came
    /// up.
    pub fn exit_code(&self) -> u8 {
        let Counts { lost, out_of_order, unreadable, refused, ended, not_connected, .. } =
            self.counts;
        if not_connected > 0 {
            3
        } else {
            u8::from(!self.ready || lost + out_of_order + unreadable + refused + ended > 0)
        }
    }

    /// The gateway's processor time for a million deliveries, where its process was named.
    pub fn cpu_seconds_per_million(&self) -> Option<f64> {
        let course = self.gateway.as_ref()?;
        (self.counts.deliveries > 0)
            .then(|| course.cpu_seconds * 1e6 / self.counts.deliveries as f64)
    }
}

impl Outcome {
    fn write_gateway(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(course) = &self.gateway else { return Ok(()) };
        let each = self.cpu_seconds_per_million().unwrap_or_default();
        writeln!(
            f,
            "  gateway     {:.2} s processor, {each:.2} s per million deliveries{}",
            course.cpu_seconds,
            if course.gone { "; it went away" } else { "" }
        )?;
        writeln!(
            f,
            "  memory      {} to {} KiB, {:+.0} KiB a minute",
            course.resident_kib_min, course.resident_kib_max, course.resident_kib_per_minute
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels: Vec<_> = self.channels.iter().map(|channel| channel.name()).collect();
        writeln!(
            f,
            "{}: {} sessions x {} of {} symbols, {}, {:.1} s (ready after {:.1} s)",
            self.url,
            self.sessions,
            self.symbols_per_session,
            self.symbols,
            channels.join(" "),
            self.seconds,
            self.ready_seconds
        )?;
        let Counts { deliveries, ticks, merged, lost, out_of_order, announced_missing, .. } =
            self.counts;
        let rate = deliveries as f64 / self.seconds;
        writeln!(
            f,
            "  deliveries  {deliveries} ({rate:.0} /s), standing for {ticks} ticks, {merged} merged"
        )?;
        writeln!(
            f,
            "  sequences   {lost} lost, {out_of_order} out of order, \
             {announced_missing} announced as missing"
        )?;
        if self.latency.count > 0 {
            writeln!(f, "  latency     {}", self.latency)?;
        }
        let Counts { untimed, ahead_of_time, unreadable, refused, .. } = self.counts;
        if untimed + ahead_of_time + unreadable + refused > 0 {
            writeln!(
                f,
                "  odd         {untimed} untimed, {ahead_of_time} ahead of time, \
                 {unreadable} unreadable, {refused} refused"
            )?;
        }
        let Traffic { reads, read_bytes, messages, .. } = self.traffic;
        writeln!(
            f,
            "  traffic     {:.1} MB in {reads} reads, {:.2} messages a read",
            read_bytes as f64 / 1e6,
            messages as f64 / reads.max(1) as f64
        )?;
        self.write_gateway(f)?;
        let share = 100.0 * self.load.cpu_seconds / self.seconds;
        writeln!(f, "  load side   {share:.0} % of a core, turns {}", self.load.turns)?;
        write!(f, "  hiccups     {}", self.load.hiccups)?;
        if self.load.late {
            write!(
                f,
                "\n  INVALID     the load side was late: use more --threads, or another core"
            )?;
        }
        if !self.ready || self.counts.not_connected + self.counts.ended > 0 {
            let Counts { not_connected, ended, .. } = self.counts;
            let cause = self.trouble.as_deref().unwrap_or("not every subscription was answered");
            write!(f, "\n  sessions    {not_connected} not connected, {ended} ended: {cause}")?;
        }
        Ok(())
    }
}
