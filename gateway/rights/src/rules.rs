//! All rules of `entitlements.toml`, and who each is for.
//!
//! **The first rule that fits decides**, in the order of the file; what no rule fits is refused.
//! First match was chosen over "most specific", because it can be seen by reading down the file,
//! needs no definition of specific across users, patterns and channels, and exceptions are written
//! where they are thought of: above what they except. A rule fits somebody named in `users`, a
//! member of `groups`, or anybody where it has neither.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::entitlement::Entitlement;
use crate::file::{Document, FileError, Table};
use crate::identity::{Identity, is_name};
use crate::rule::{DELAY_MINUTES_MAX, DELAY_MS_MAX, DEPTH_MAX, PACE_MS_MAX, Rule, RuleText};

/// Most rules of a file; their places fit a u16.
const RULES_MAX: usize = 4096;

/// The rules of one file, compiled. Replaced whole when the file changes.
#[derive(Debug, Default)]
pub struct Rules {
    all: Vec<Rule>,
    everybody: Vec<u16>,
    users: FxHashMap<String, Vec<u16>>,
    groups: FxHashMap<String, Vec<u16>>,
}

impl Rules {
    /// Reads `entitlements.toml`; `file` is its name in what is said about faults. A rule that
    /// gives something later than `delay_max` is one: nobody serves it.
    pub fn parse(text: &str, file: &Path, delay_max: Duration) -> Result<Self, FileError> {
        Document::read(text, file, |root| {
            let mut rules = Self::default();
            let tables = root.tables("rules");
            if tables.len() > RULES_MAX {
                root.refuse("rules", format!("has {} rules, at most {RULES_MAX}", tables.len()));
                return rules;
            }
            for mut table in tables {
                rules.read_rule(&mut table, delay_max);
                table.finish();
            }
            rules
        })
    }

    /// One rule for everybody: everything in real time. For a gateway without an entitlements file.
    pub fn open() -> Self {
        let text = RuleText {
            symbols: vec!["*".into()],
            quality: "realtime".into(),
            ..RuleText::default()
        };
        let all = Rule::compile(&text).into_iter().collect();
        Self { all, everybody: vec![0], ..Self::default() }
    }

    /// What somebody may have. Costs a pass over the rules that name them; made once a session, or
    /// shared by all sessions of one identity.
    pub fn entitlement(self: &Arc<Self>, identity: &Arc<Identity>) -> Entitlement {
        let mut places = self.everybody.clone();
        places.extend(self.users.get(identity.user()).into_iter().flatten());
        for group in identity.groups() {
            places.extend(self.groups.get(group).into_iter().flatten());
        }
        places.sort_unstable();
        places.dedup();
        Entitlement::new(Arc::clone(self), places.into(), Arc::clone(identity))
    }

    /// The rule at a place that came from these rules.
    pub(crate) fn at(&self, place: u16) -> &Rule {
        &self.all[usize::from(place)]
    }

    fn read_rule(&mut self, table: &mut Table<'_, '_>, delay_max: Duration) {
        let users = names(table, "users");
        let groups = names(table, "groups");
        for key in ["symbols", "quality"] {
            if !table.has(key) {
                table.refuse(key, "is missing, and has no default");
            }
        }
        let symbols = table.texts("symbols");
        let channels = table.texts("channels");
        let depth_max = table.number("depth_max", 10..=DEPTH_MAX);
        let pace_ms_min = table.number("pace_ms_min", 0..=PACE_MS_MAX);
        let quality = table.text("quality");
        let had_delay = ["delay_minutes", "delay_ms"].map(|key| table.has(key));
        let delay_minutes = table.number("delay_minutes", 1..=DELAY_MINUTES_MAX);
        let delay_ms = table.number("delay_ms", 1..=DELAY_MS_MAX);
        // What is wrong or absent so far has been noted; a second fault on top would mislead.
        let (Some(symbols), Some(quality)) = (symbols, quality) else { return };
        if had_delay != [delay_minutes.is_some(), delay_ms.is_some()] {
            return;
        }
        let text = RuleText {
            symbols,
            channels,
            depth_max,
            pace_ms_min,
            quality,
            delay_minutes,
            delay_ms,
        };
        match Rule::compile(&text) {
            Ok(rule) if rule.delay() > delay_max => {
                let key = if had_delay[1] { "delay_ms" } else { "delay_minutes" };
                table.refuse(key, beyond(delay_max));
            }
            Ok(rule) => self.add(rule, users, groups),
            Err((key, reason)) => table.refuse(key, reason),
        }
    }

    fn add(&mut self, rule: Rule, users: Option<Vec<String>>, groups: Option<Vec<String>>) {
        let place = self.all.len() as u16;
        self.all.push(rule);
        if users.is_none() && groups.is_none() {
            self.everybody.push(place);
        }
        for user in users.unwrap_or_default() {
            self.users.entry(user).or_default().push(place);
        }
        for group in groups.unwrap_or_default() {
            self.groups.entry(group).or_default().push(place);
        }
    }
}

fn beyond(delay_max: Duration) -> String {
    if delay_max.is_zero() {
        return "nothing is delayed by this gateway: see ingest.delays_ms in its config".into();
    }
    let longest_ms = delay_max.as_millis();
    format!("is more than the longest delay there is, {longest_ms} ms: see ingest.delays_ms")
}

fn names(table: &mut Table<'_, '_>, key: &'static str) -> Option<Vec<String>> {
    let names = table.texts(key)?;
    if names.is_empty() {
        table.refuse(key, "must name somebody; leave it out for everybody");
    }
    if !names.iter().all(|name| is_name(name)) {
        table.refuse(key, "has a name that is empty, too long, or has control characters");
    }
    Some(names)
}
