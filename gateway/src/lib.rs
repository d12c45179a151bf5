//! Market-data fan-out gateway.
#![forbid(unsafe_code)]
