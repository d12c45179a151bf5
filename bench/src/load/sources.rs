//! Where connections come from: several loopback addresses, because one source address has about
//! 28,000 ports towards one gateway.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Sessions that share one source address, below the kernel's usual port range of 28,232.
pub const SESSIONS_PER_SOURCE: u32 = 25_000;

/// The source that session `index` binds to, or none where the kernel is to choose.
pub fn source_of(index: u32, gateway: SocketAddr) -> Option<SocketAddr> {
    let IpAddr::V4(address) = gateway.ip() else { return None };
    if !address.is_loopback() || index < SESSIONS_PER_SOURCE {
        return None;
    }
    let host = u8::try_from(1 + index / SESSIONS_PER_SOURCE).unwrap_or(u8::MAX - 1);
    Some(SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0)))
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
        assert_eq!(source_of(24_999, gateway), None);
        assert_eq!(source_of(25_000, gateway), Some("127.0.0.2:0".parse().unwrap()));
        assert_eq!(source_of(60_000, gateway), Some("127.0.0.3:0".parse().unwrap()));
        assert_eq!(source_of(60_000, "10.0.0.1:8443".parse().unwrap()), None);
    }
}
