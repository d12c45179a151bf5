//! What a dashboard says and hears: requests, replies, frames, close codes.
#![forbid(unsafe_code)]

pub mod close;
pub mod inbound;
