//! The synchronisation types of this crate, in one place so that loom can stand in for std.
//!
//! Everything that two threads touch goes through here; nothing else in the crate names
//! `std::sync`.

pub(crate) use std::sync::PoisonError;

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering, fence},
};

#[cfg(not(loom))]
pub(crate) use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering, fence},
};
