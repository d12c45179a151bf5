//! Plays the venue.
fn main() {}
