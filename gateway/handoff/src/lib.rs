//! Across threads: a broadcast ring whose writer never waits.
