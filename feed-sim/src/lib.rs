//! Plays the venue.
#![forbid(unsafe_code)]
