//! Who gets what: the whole state of one shard, without I/O.
#![forbid(unsafe_code)]
