//! Latency stations.
