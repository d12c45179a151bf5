//! The door thread.
