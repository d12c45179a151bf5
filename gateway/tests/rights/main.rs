//! Who is let in and who sees what, over real sockets and real TLS: the gateway as an operator
//! configures it, dashboards that speak by the byte.
#![allow(missing_docs, unreachable_pub, reason = "a test program has no public face")]

mod dashboard;
mod doors;
mod entitled;
mod expiry;
mod issuer;
mod later;
#[path = "../support/orderly.rs"]
mod orderly;
mod refused;
mod rig;
mod seats;
#[path = "../support/trust.rs"]
mod trust;
#[path = "../support/websocket.rs"]
mod websocket;
