//! Threads: spawned here, named, pinned on request, joined.
