//! Who may have what: values and state machines, no sockets, no threads, no clock.
//!
//! A dashboard *presents* [`Credentials`]; the [`Authenticator`] makes an [`Identity`] of them or
//! refuses, always with the same words. [`Rules`] say what an identity may see; its [`Entitlement`]
//! decides about one symbol and channel at a time. A [`Lease`] watches how long a credential lasts.
//! [`usage`] keeps the record of who saw what. Whoever runs this brings the time, reads the files,
//! and replaces an `Authenticator` or `Rules` whole (behind an `Arc`) when a file has changed.
//!
//! Two times come in and are kept apart by type: [`Wall`], read afresh, only where a credential's
//! own dates are compared; and [`market::Nanos`] of the gateway's one clock, which never steps, for
//! everything that waits.
//!
//! Deliberately absent: passwords (people have tokens), fetching of keys over the network, logging,
//! metrics. A secret is never part of an error, an identity, a record or a `Debug` text.
#![forbid(unsafe_code)]

mod api_key;
mod authenticator;
mod backoff;
mod certificate;
mod change;
mod credentials;
mod decision;
mod entitlement;
mod failure;
mod file;
mod glob;
mod identity;
mod lease;
mod presented;
mod register;
mod rule;
mod rules;
mod secret;
mod symbol_set;
mod token;
pub mod usage;
mod wall;
mod words;

pub use api_key::NewKey;
pub use authenticator::Authenticator;
pub use backoff::{Backoff, BackoffLimits, Recorded};
pub use certificate::Subject;
pub use change::{Altered, Change, changes};
pub use credentials::Credentials;
pub use decision::{Ask, Decision, Grant, Quality, Refusal};
pub use entitlement::Entitlement;
pub use failure::{AuthError, Failure};
pub use file::{Fault, FileError};
pub use glob::Glob;
pub use identity::{CredentialKind, Identity};
pub use lease::{Lease, LeaseEvent, RefreshError};
pub use presented::{Places, Presented, is_bearer_protocol};
pub use register::Register;
pub use rules::Rules;
pub use secret::Secret;
pub use token::{KeySet, TOKEN_BYTES_MAX};
pub use wall::Wall;
