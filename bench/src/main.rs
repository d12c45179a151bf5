//! Plays the dashboards.
fn main() {}
