//! Whom a client certificate names.
//!
//! TLS has verified the chain before anything comes here; this only reads names. A name carries its
//! kind, so that a host called like a person is not that person. Several common names in one
//! subject are none: which of them was meant cannot be known.

use market::Nanos;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::wall::Wall;

/// Most names of one certificate that are looked at; one with more is not read.
const NAMES_MAX: usize = 64;

/// The names of a verified certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    names: Vec<String>,
    not_after: Wall,
}

impl Subject {
    /// Reads a DER certificate; none where it is none, or names nobody, or more than 64.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let mut names = Vec::new();
        let mut common_names = certificate.subject().iter_common_name();
        if let (Some(name), None) = (common_names.next(), common_names.next()) {
            names.push(format!("cn:{}", name.as_str().ok()?));
        }
        let alternatives = certificate.subject_alternative_name().ok()?;
        for name in alternatives.iter().flat_map(|extension| &extension.value.general_names) {
            match name {
                GeneralName::DNSName(name) => names.push(canonical(&format!("dns:{name}"))),
                GeneralName::RFC822Name(name) => names.push(format!("email:{name}")),
                GeneralName::URI(name) => names.push(format!("uri:{name}")),
                _ => {}
            }
        }
        let seconds = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
        let not_after = Wall(Nanos(seconds.saturating_mul(1_000_000_000)));
        (1..=NAMES_MAX).contains(&names.len()).then_some(Self { names, not_after })
    }

    /// Its names, as `cn:NAME`, `dns:NAME`, `email:NAME`, `uri:NAME`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// When the certificate ends.
    pub const fn not_after(&self) -> Wall {
        self.not_after
    }
}

/// A name as it is compared: host names in lower case, everything else as it stands.
pub(crate) fn canonical(name: &str) -> String {
    if name.starts_with("dns:") { name.to_ascii_lowercase() } else { name.to_owned() }
}

/// Whether the register may name a certificate so.
pub(crate) fn is_subject(name: &str) -> bool {
    let kinds = ["cn:", "dns:", "email:", "uri:"];
    let rest = kinds.iter().find_map(|kind| name.strip_prefix(kind));
    rest.is_some_and(crate::identity::is_name)
}
