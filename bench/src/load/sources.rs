//! Where connections come from: several loopback addresses, because one source address has about
//! 28,000 ports towards one gateway; and how many of them a process may hold.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Sessions that share one source address, below the kernel's usual port range of 28,232.
pub const SESSIONS_PER_SOURCE: u32 = 25_000;

/// The source that session `index` binds to, or none where the kernel is to choose.
pub fn source_of(index: u32, per_source: u32, gateway: SocketAddr) -> Option<SocketAddr> {
    let IpAddr::V4(address) = gateway.ip() else { return None };
    if !address.is_loopback() || index < per_source {
        return None;
    }
    let host = u8::try_from(1 + index / per_source).unwrap_or(u8::MAX - 1);
    Some(SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0)))
}

/// Descriptors of a process besides the sessions': standard streams, pollers, files.
pub const DESCRIPTORS_BESIDES: u64 = 32;

/// How many processes `sessions` need where each may have `limit` descriptors.
pub fn processes_needed(sessions: u32, limit: Option<u64>) -> u32 {
    let Some(limit) = limit else { return 1 };
    let each = limit.saturating_sub(DESCRIPTORS_BESIDES).max(1);
    u64::from(sessions).div_ceil(each).max(1) as u32
}

/// How many descriptors this process may have open, as the kernel says; none where it does not.
pub fn descriptors_max() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_spread_over_loopback_addresses_but_never_over_real_ones() {
        let gateway = "127.0.0.1:8443".parse().unwrap();
        let source = |index| source_of(index, SESSIONS_PER_SOURCE, gateway);
        assert_eq!(source(24_999), None);
        assert_eq!(source(25_000), Some("127.0.0.2:0".parse().unwrap()));
        assert_eq!(source(60_000), Some("127.0.0.3:0".parse().unwrap()));
        assert_eq!(source_of(60_000, 25_000, "10.0.0.1:8443".parse().unwrap()), None);
    }

    #[test]
    fn a_fleet_needs_as_many_processes_as_its_descriptors_ask_for() {
        assert_eq!(processes_needed(19_968, Some(20_000)), 1);
        assert_eq!(processes_needed(19_969, Some(20_000)), 2);
        assert_eq!(processes_needed(100_000, Some(20_000)), 6);
        assert_eq!(processes_needed(1_000_000, None), 1);
    }
}
