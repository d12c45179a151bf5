//! The ingest thread.
