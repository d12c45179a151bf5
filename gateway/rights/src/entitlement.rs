//! What one identity may have.
//!
//! A decision looks at the rules for this identity, in their order, and at nothing else: a table
//! lookup and the patterns' first bytes for each. It allocates nothing.

use std::sync::Arc;

use crate::decision::{Ask, Decision, Refusal};
use crate::identity::Identity;
use crate::rule::first_match;
use crate::rules::Rules;

/// What one identity may have, by one version of the rules.
#[derive(Clone, Debug)]
pub struct Entitlement {
    rules: Arc<Rules>,
    /// The rules that fit the identity, ascending.
    places: Box<[u16]>,
    identity: Arc<Identity>,
}

impl Entitlement {
    pub(crate) fn new(rules: Arc<Rules>, places: Box<[u16]>, identity: Arc<Identity>) -> Self {
        Self { rules, places, identity }
    }

    /// Whose it is.
    pub const fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// How a subscription is served. Where the token brings entitlements of its own, the answer is
    /// the lesser of what the rules and what the token give: an issuer can narrow what the operator
    /// allows, never widen it.
    pub fn decide(&self, ask: &Ask<'_>) -> Decision {
        let given = first_match(self.places.iter().map(|place| self.rules.at(*place)), ask);
        let (Decision::Granted(grant), Some(narrowing)) = (given, &self.identity.narrowing) else {
            return given;
        };
        match first_match(narrowing, ask) {
            Decision::Granted(own) => Decision::Granted(grant.narrowed(own)),
            Decision::Refused(_) => Decision::Refused(Refusal::Token),
        }
    }
}
