//! How a run is told: while it runs (`progress`).

pub mod progress;
