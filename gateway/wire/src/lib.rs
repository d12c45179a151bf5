//! What a dashboard says and hears: requests, replies, frames, close codes.
#![forbid(unsafe_code)]

pub mod close;
pub mod data;
pub mod frame;
pub mod inbound;
mod json;
pub mod notice;
pub mod refusal;
pub mod reply;
pub mod request;
pub mod topic;
