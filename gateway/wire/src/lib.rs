//! What a dashboard says and hears: requests, replies, frames, close codes.
#![forbid(unsafe_code)]
