//! Options of dashboards' sockets, set on the listening one: the kernel gives each accepted
//! connection what its listener had, so an arrival costs no system call for them.
//!
//! What they are for: bytes in the kernel can no longer be replaced by newer values, so as few as
//! possible wait there. A zero leaves an option as the kernel has it. Deliberately absent: options
//! of what we dial, and `TCP_NODELAY`, which the door sets itself.

use std::io;

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

use crate::config::Sockets;

/// Where Linux lists the congestion controls that are loaded.
const CONTROLS_FILE: &str = "/proc/sys/net/ipv4/tcp_available_congestion_control";

/// The kernel refused an option.
#[derive(Debug, Error)]
#[error("{key}: {reason}")]
pub struct SocketError {
    /// The key of the config's section `door`.
    pub key: &'static str,
    /// What the kernel said, and what it would take.
    pub reason: String,
}

/// Sets every option on a socket that is going to listen.
pub(crate) fn apply(socket: &Socket, settings: &Sockets) -> Result<(), SocketError> {
    let refused =
        |key| move |error: io::Error| SocketError { key, reason: format!("refused: {error}") };
    if settings.send_buffer_bytes > 0 {
        socket
            .set_send_buffer_size(settings.send_buffer_bytes)
            .map_err(refused("send_buffer_bytes"))?;
    }
    if settings.notsent_bytes_max > 0 {
        socket
            .set_tcp_notsent_lowat(settings.notsent_bytes_max)
            .map_err(refused("notsent_bytes_max"))?;
    }
    if !settings.user_timeout.is_zero() {
        socket
            .set_tcp_user_timeout(Some(settings.user_timeout))
            .map_err(refused("user_timeout_ms"))?;
    }
    set_control(socket, &settings.congestion_control)
}

/// Whether the kernel takes this congestion control, tried on a socket that goes nowhere.
pub(crate) fn check_control(name: &str) -> Result<(), SocketError> {
    let failed = |error: io::Error| SocketError {
        key: "congestion_control",
        reason: format!("cannot be tried: {error}"),
    };
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).map_err(failed)?;
    set_control(&socket, name)
}

fn set_control(socket: &Socket, name: &str) -> Result<(), SocketError> {
    if name.is_empty() {
        return Ok(());
    }
    socket.set_tcp_congestion(name.as_bytes()).map_err(|error| {
        let listed = std::fs::read_to_string(CONTROLS_FILE).unwrap_or_default();
        let known = match listed.trim() {
            "" => "it does not say which it has".to_owned(),
            names => format!("it has: {}", names.split_whitespace().collect::<Vec<_>>().join(", ")),
        };
        let reason = format!("the kernel does not take {name:?} ({error}); {known}");
        SocketError { key: "congestion_control", reason }
    })
}
