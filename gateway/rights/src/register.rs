//! The register, `credentials.toml`: who may sign in, and by what.

use std::path::Path;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::api_key::{self, Digest};
use crate::certificate;
use crate::failure::Failure;
use crate::file::{Document, FileError, Table};
use crate::identity::{ANONYMOUS, GROUPS_MAX, Identity, Source, is_name};
use crate::token::TokenPolicy;
use crate::wall::Wall;

/// Somebody in the register.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) user: Box<str>,
    pub(crate) groups: Box<[Box<str>]>,
    pub(crate) expires: Option<Wall>,
    pub(crate) disabled: bool,
}

/// A key of the register.
#[derive(Clone, Debug)]
pub(crate) struct KnownKey {
    pub(crate) sha256: Digest,
    pub(crate) holder: Holder,
}

/// Who is kept out, whatever else is good about them.
#[derive(Debug, Default)]
pub(crate) struct Blocked {
    users: FxHashSet<String>,
    tokens: FxHashSet<String>,
}

impl Blocked {
    /// Refuses who is on the list.
    pub(crate) fn check(&self, identity: &Identity) -> Result<(), Failure> {
        let is_token = match &identity.source {
            Source::Token { id: Some(id), .. } => self.tokens.contains(&**id),
            _ => false,
        };
        let is_blocked = is_token || self.users.contains(identity.user());
        if is_blocked { Err(Failure::Blocked) } else { Ok(()) }
    }
}

/// What `credentials.toml` says. It holds no secret: digests, names and policy.
#[derive(Debug, Default)]
pub struct Register {
    pub(crate) keys: FxHashMap<String, KnownKey>,
    pub(crate) certificates: FxHashMap<String, Holder>,
    pub(crate) tokens: Option<TokenPolicy>,
    pub(crate) anonymous: Option<Box<[Box<str>]>>,
    pub(crate) blocked: Blocked,
}

impl Register {
    /// Reads `credentials.toml`; `file` is its name in what is said about faults.
    pub fn parse(text: &str, file: &Path) -> Result<Self, FileError> {
        Document::read(text, file, |root| {
            let mut register = Self::default();
            if let Some(mut table) = root.table("anonymous") {
                register.anonymous = groups(&mut table);
                table.finish();
            }
            if let Some(mut table) = root.table("tokens") {
                register.tokens = TokenPolicy::read(&mut table);
                table.finish();
            }
            if let Some(mut table) = root.table("blocked") {
                let mut list = |key| table.texts(key).unwrap_or_default().into_iter().collect();
                register.blocked = Blocked { users: list("users"), tokens: list("tokens") };
                table.finish();
            }
            for mut table in root.tables("keys") {
                register.read_key(&mut table);
                table.finish();
            }
            for mut table in root.tables("certificates") {
                register.read_certificate(&mut table);
                table.finish();
            }
            register
        })
    }

    /// A register that lets everybody in as `anonymous`. For a gateway without a register.
    pub fn open() -> Self {
        Self { anonymous: Some(Box::default()), ..Self::default() }
    }

    /// The file of the token keys (JWKS), as written; its reader makes a [`crate::KeySet`] of it.
    pub fn token_keys_file(&self) -> Option<&str> {
        self.tokens.as_ref().map(|policy| &*policy.keys_file)
    }

    /// True where somebody may come without credentials.
    pub const fn is_open(&self) -> bool {
        self.anonymous.is_some()
    }

    /// True where a client certificate may sign somebody in, so that TLS should ask for one.
    pub fn wants_certificates(&self) -> bool {
        !self.certificates.is_empty()
    }

    fn read_key(&mut self, table: &mut Table<'_, '_>) {
        let id = table.required_text("id");
        let digest = table.required_text("sha256");
        let holder = holder(table);
        let (Some(id), Some(digest)) = (id, digest) else { return };
        if !api_key::is_id(&id) {
            return table.refuse("id", "must be the 16 hex digits in the middle of a key");
        }
        let Some(sha256) = api_key::parse_digest(&digest) else {
            return table.refuse("sha256", "must be 64 hex digits, the SHA-256 of the whole key");
        };
        let Some(holder) = holder else { return };
        if self.keys.insert(id, KnownKey { sha256, holder }).is_some() {
            table.refuse("id", "is taken by a key above");
        }
    }

    fn read_certificate(&mut self, table: &mut Table<'_, '_>) {
        let subject = table.required_text("subject");
        let holder = holder(table);
        let Some(subject) = subject else { return };
        if !certificate::is_subject(&subject) {
            let reason = "must be a name with its kind: cn:NAME, dns:NAME, email:NAME or uri:NAME";
            return table.refuse("subject", reason);
        }
        let Some(holder) = holder else { return };
        if self.certificates.insert(certificate::canonical(&subject), holder).is_some() {
            table.refuse("subject", "is taken by a certificate above");
        }
    }
}

fn holder(table: &mut Table<'_, '_>) -> Option<Holder> {
    let user = table.required_text("user");
    let groups = groups(table);
    let expires = table.moment("expires");
    let disabled = table.flag("disabled").unwrap_or(false);
    let user = user?;
    if !is_name(&user) || user == ANONYMOUS {
        let reason = "must be 1 to 256 bytes without control characters, and not \"anonymous\"";
        table.refuse("user", reason);
        return None;
    }
    Some(Holder { user: user.into(), groups: groups?, expires, disabled })
}

/// The key `groups`; none where it is wrong.
fn groups(table: &mut Table<'_, '_>) -> Option<Box<[Box<str>]>> {
    if !table.has("groups") {
        return Some(Box::default());
    }
    let names = table.texts("groups")?;
    if names.len() > GROUPS_MAX || !names.iter().all(|name| is_name(name)) {
        let reason = "must be at most 256 names, each 1 to 256 bytes without control characters";
        table.refuse("groups", reason);
        return None;
    }
    Some(names.into_iter().map(Into::into).collect())
}
