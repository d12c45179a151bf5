//! What rules grant: the shipped file, the first match, a naive model, faults with their lines.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use market::{Channel, Interval};
use proptest::prelude::*;
use rights::{
    Ask, Change, Decision, Entitlement, Grant, Identity, Quality, Refusal, Rules, changes,
};
use serde_json::{Value, json};
use support::{Signer, authenticator, claims_with, present};

fn rules(text: &str) -> Arc<Rules> {
    Arc::new(
        Rules::parse(text, Path::new("e.toml"), Duration::MAX)
            .unwrap_or_else(|error| panic!("{error}")),
    )
}

/// Somebody with these groups, and with these entitlements in the token where there are any.
fn somebody(user: &str, groups: &[&str], own: Value) -> Arc<Identity> {
    let signer = Signer::Hs256(vec![3; 32]);
    let mut claims = claims_with("groups", json!(groups));
    claims["sub"] = user.into();
    if !own.is_null() {
        claims["entitlements"] = own;
    }
    let door = authenticator(&[signer.jwk("k")]);
    Arc::new(present(&door, &signer.token("k", &claims)).unwrap())
}

fn entitlement(text: &str, user: &str, groups: &[&str]) -> Entitlement {
    rules(text).entitlement(&somebody(user, groups, Value::Null))
}

fn ask(symbol: &str, channel: Channel) -> Ask<'_> {
    Ask { symbol, channel, depth: 100, pace_ms: 0 }
}

fn granted(quality: Quality, depth: u16, pace_ms: u32) -> Decision {
    Decision::Granted(Grant { quality, depth, pace_ms })
}

const QUARTER: Quality = Quality::Delayed(Duration::from_secs(900));

#[test]
fn the_shipped_file_grants_what_its_comments_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/entitlements.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let check = |user: &str, groups: &[&str], symbol, channel, expected| {
        let decision = entitlement(&text, user, groups).decide(&ask(symbol, channel));
        assert_eq!(decision, expected, "{user} {groups:?} {symbol} {channel:?}");
    };
    let denied = Decision::Refused(Refusal::Denied);
    let no_rule = Decision::Refused(Refusal::NoRule);
    let all = granted(Quality::Realtime, 100, 0);
    check("mallory", &["desk"], "XMR/USD", Channel::Trade, denied);
    check("mallory", &["desk"], "XBT/USD", Channel::Trade, all);
    check("risk-engine", &[], "XMR/USD", Channel::Book, all);
    let picture = granted(Quality::Realtime, 10, 250);
    check("wall", &["displays"], "BTC/EUR", Channel::Book, picture);
    check("wall", &["displays"], "SOL/USD", Channel::Bars(Interval::ALL[0]), picture);
    check("wall", &["displays"], "SOL/EUR", Channel::Book, no_rule);
    check("wall", &["displays"], "BTC/EUR", Channel::Trade, no_rule);
    check("wall", &["displays", "guests"], "BTC/EUR", Channel::Trade, granted(QUARTER, 100, 0));
    check("visitor", &["guests"], "BTC/EUR", Channel::Ticker, granted(QUARTER, 100, 0));
    check("stranger", &[], "BTC/EUR", Channel::Ticker, no_rule);
    check("stranger", &[], "BTC/EUR", Channel::Instrument, all);
}

#[test]
fn every_key_of_a_rule_is_in_the_shipped_file() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/entitlements.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let keys = [
        "users",
        "groups",
        "symbols",
        "channels",
        "quality",
        "delay_minutes",
        "depth_max",
        "pace_ms_min",
    ];
    for key in keys {
        assert!(text.contains(&format!("\n#   {key} ")), "{key} is described");
        assert!(text.contains(&format!("\n{key} = ")), "{key} is shown");
    }
}

#[test]
fn the_first_rule_that_fits_decides() {
    let text = r#"
        [[rules]]
        users = ["alice"]
        symbols = ["BTC/USD"]
        channels = ["book"]
        quality = "none"
        [[rules]]
        symbols = ["BTC/*"]
        quality = "delayed"
        delay_minutes = 15
        [[rules]]
        users = ["alice"]
        symbols = ["*"]
        quality = "realtime"
    "#;
    let alice = entitlement(text, "alice", &[]);
    let denied = Decision::Refused(Refusal::Denied);
    assert_eq!(alice.decide(&ask("BTC/USD", Channel::Book)), denied);
    let late = granted(QUARTER, 100, 0);
    assert_eq!(alice.decide(&ask("BTC/USD", Channel::Trade)), late, "not the better rule below");
    assert_eq!(alice.decide(&ask("ETH/USD", Channel::Book)), granted(Quality::Realtime, 100, 0));
    let bob = entitlement(text, "bob", &[]);
    assert_eq!(bob.decide(&ask("BTC/USD", Channel::Book)), late);
    assert_eq!(bob.decide(&ask("ETH/USD", Channel::Book)), Decision::Refused(Refusal::NoRule));
}

#[test]
fn what_was_asked_for_is_a_bound_too() {
    let text =
        "[[rules]]\nsymbols = [\"*\"]\nquality = \"realtime\"\ndepth_max = 25\npace_ms_min = 100";
    let alice = entitlement(text, "alice", &[]);
    let check = |channel, (depth, pace_ms), expected: (u16, u32)| {
        let decision = alice.decide(&Ask { symbol: "A", channel, depth, pace_ms });
        assert_eq!(decision, granted(Quality::Realtime, expected.0, expected.1));
    };
    check(Channel::Book, (1000, 0), (25, 100));
    check(Channel::Book, (10, 500), (10, 500));
    check(Channel::Ticker, (0, 99), (0, 100));
    check(Channel::Trade, (0, 0), (0, 0));
}

#[test]
fn a_token_narrows_the_rules_and_never_widens_them() {
    let text = r#"
        [[rules]]
        symbols = ["BTC/*", "ETH/*"]
        quality = "realtime"
        pace_ms_min = 50
    "#;
    let own = json!([
        {"symbols": ["BTC/USD"], "channels": ["book"], "quality": "delayed", "delay_minutes": 15,
            "depth_max": 10},
        {"symbols": ["BTC/EUR", "SOL/*"], "quality": "realtime", "pace_ms_min": 20},
    ]);
    let alice = rules(text).entitlement(&somebody("alice", &[], own));
    let check = |symbol, channel, expected| {
        assert_eq!(alice.decide(&ask(symbol, channel)), expected, "{symbol} {channel:?}");
    };
    check("BTC/USD", Channel::Book, granted(QUARTER, 10, 50));
    check("BTC/USD", Channel::Ticker, Decision::Refused(Refusal::Token));
    check("BTC/EUR", Channel::Ticker, granted(Quality::Realtime, 100, 50));
    check("ETH/USD", Channel::Ticker, Decision::Refused(Refusal::Token));
    check("SOL/USD", Channel::Ticker, Decision::Refused(Refusal::NoRule));
    let nothing = rules(text).entitlement(&somebody("alice", &[], json!([])));
    let decision = nothing.decide(&ask("BTC/USD", Channel::Book));
    assert_eq!(decision, Decision::Refused(Refusal::Token), "an empty list grants nothing");
}

#[test]
fn without_a_file_all_is_granted_and_an_empty_file_grants_nothing() {
    let alice = somebody("alice", &[], Value::Null);
    let open = Arc::new(Rules::open()).entitlement(&alice);
    for channel in [Channel::Book, Channel::Trade, Channel::Instrument, Channel::State] {
        assert_eq!(open.decide(&ask("A", channel)), granted(Quality::Realtime, 100, 0));
    }
    let closed = rules("").entitlement(&alice);
    assert_eq!(closed.decide(&ask("A", Channel::Book)), Decision::Refused(Refusal::NoRule));
}

#[test]
fn a_running_subscription_hears_what_has_changed() {
    let grant = |quality, depth, pace_ms| Grant { quality, depth, pace_ms };
    let best = grant(Quality::Realtime, 100, 0);
    let hears = |was, now| match changes(Decision::Granted(was), Decision::Granted(now)) {
        Change::Unchanged => vec![],
        Change::Altered(altered) => {
            assert_eq!((altered.was, altered.grant), (was, now));
            altered.words().collect()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(hears(best, best), [""; 0]);
    assert_eq!(hears(best, grant(QUARTER, 100, 0)), ["now_delayed"]);
    assert_eq!(hears(grant(QUARTER, 100, 0), best), ["now_realtime"]);
    assert_eq!(hears(best, grant(Quality::Realtime, 100, 250)), ["now_conflated"]);
    assert_eq!(hears(grant(Quality::Realtime, 100, 250), best), ["now_every_update"]);
    let all = ["now_delayed", "now_conflated", "now_other_depth"];
    assert_eq!(hears(best, grant(QUARTER, 10, 250)), all);
    let refused = Decision::Refused(Refusal::Denied);
    let running = Decision::Granted(best);
    assert_eq!(changes(running, refused), Change::Ended(Refusal::Denied));
    assert_eq!(changes(refused, running), Change::Available(best));
    assert_eq!(changes(refused, Decision::Refused(Refusal::NoRule)), Change::Unchanged);
}

#[track_caller]
fn check_fault(text: &str, expected: &str) {
    let error = Rules::parse(text, Path::new("e.toml"), Duration::MAX).unwrap_err();
    assert_eq!(error.to_string(), expected, "{text}");
}

#[test]
fn a_fault_of_a_rule_is_named_with_its_line_and_key() {
    let check = |more: &str, expected: &str| {
        let rule = "[[rules]]\nsymbols = [\"*\"]\nquality = \"realtime\"\n";
        check_fault(&format!("{rule}{more}"), expected);
    };
    check("dept_max = 5", "e.toml:4: rules.dept_max: unknown key");
    check("depth_max = 5", "e.toml:4: rules.depth_max: must be a whole number, 10 to 1000");
    check("depth_max = \"5\"", "e.toml:4: rules.depth_max: must be a whole number, 10 to 1000");
    check("users = []", "e.toml:4: rules.users: must name somebody; leave it out for everybody");
    check(
        "users = \"alice\"",
        "e.toml:4: rules.users: must be a list of texts, such as [\"a\", \"b\"]",
    );
    check(
        "channels = []",
        "e.toml:4: rules.channels: must name at least one; leave it out for all",
    );
    check(
        "channels = [\"books\"]",
        "e.toml:4: rules.channels: must be some of ticker, trade, book, ohlc, instrument",
    );
    check(
        "channels = [\"trade\"]\npace_ms_min = 5",
        "e.toml:5: rules.pace_ms_min: cannot be kept by trades, which are never merged; \
         delay or refuse them",
    );
    check("delay_minutes = 5", "e.toml:4: rules.delay_minutes: belongs to quality delayed only");
}

#[test]
fn a_fault_of_the_file_is_named_with_its_line_and_key() {
    check_fault(
        "[[rules]]\nquality = \"realtime\"",
        "e.toml:1: rules.symbols: is missing, and has no default",
    );
    check_fault(
        "[[rules]]\nsymbols = [\"*\"]",
        "e.toml:1: rules.quality: is missing, and has no default",
    );
    check_fault(
        "[[rules]]\nsymbols = [\"*\"]\nquality = \"late\"",
        "e.toml:3: rules.quality: must be realtime, delayed or none",
    );
    check_fault(
        "[[rules]]\nsymbols = [\"*\"]\nquality = \"delayed\"",
        "e.toml:1: rules.delay_minutes: is needed where quality is delayed",
    );
    check_fault(
        "[[rules]]\nsymbols = [\"*\"]\nquality = \"delayed\"\ndelay_minutes = 0",
        "e.toml:4: rules.delay_minutes: must be a whole number, 1 to 1440",
    );
    check_fault(
        "[[rules]]\nquality = \"none\"\nsymbols = [\"A\", \"B C\"]",
        "e.toml:3: rules.symbols: \"B C\" is no pattern: 1 to 128 bytes without blanks, \
         `*` stands for anything",
    );
    check_fault(
        "[rules]\nsymbols = [\"*\"]",
        "e.toml:1: rules: must be tables, each under [[rules]]",
    );
    check_fault("rule = 1", "e.toml:1: rule: unknown key");
    let two =
        "[[rules]]\nsymbols = []\nquality = \"none\"\n\n[[rules]]\nquality = 1\nsymbols = [\"*\"]";
    check_fault(
        two,
        "e.toml:2: rules.symbols: must name at least one symbol or pattern\n\
        e.toml:6: rules.quality: must be a text in quotes",
    );
    let broken = Rules::parse("\n\n[[rules]\n", Path::new("e.toml"), Duration::MAX).unwrap_err();
    assert_eq!(broken.faults[0].line, Some(3), "{broken}");
}

#[test]
fn too_many_rules_are_refused() {
    let rule = "[[rules]]\nsymbols = [\"*\"]\nquality = \"none\"\n";
    assert!(Rules::parse(&rule.repeat(4096), Path::new("e.toml"), Duration::MAX).is_ok());
    let error = Rules::parse(&rule.repeat(4097), Path::new("e.toml"), Duration::MAX).unwrap_err();
    assert_eq!(error.faults[0].reason, "has 4097 rules, at most 4096");
}

/// A rule as the file has it, and nothing compiled.
#[derive(Clone, Debug)]
struct Written {
    users: Option<Vec<&'static str>>,
    groups: Option<Vec<&'static str>>,
    symbols: Vec<String>,
    channels: Option<Vec<&'static str>>,
    depth_max: Option<u16>,
    pace_ms_min: Option<u32>,
    /// None: realtime. Zero: none.
    delay_minutes: Option<u32>,
}

impl Written {
    fn to_toml(&self) -> String {
        let mut text = format!("[[rules]]\nsymbols = {:?}\n", self.symbols);
        let lists =
            [("users", &self.users), ("groups", &self.groups), ("channels", &self.channels)];
        for (key, list) in lists {
            text += &list.as_ref().map_or(String::new(), |list| format!("{key} = {list:?}\n"));
        }
        text += &self.depth_max.map_or(String::new(), |n| format!("depth_max = {n}\n"));
        text += &self.pace_ms_min.map_or(String::new(), |n| format!("pace_ms_min = {n}\n"));
        text + &match self.delay_minutes {
            None => "quality = \"realtime\"\n".to_owned(),
            Some(0) => "quality = \"none\"\n".to_owned(),
            Some(n) => format!("quality = \"delayed\"\ndelay_minutes = {n}\n"),
        }
    }

    fn fits(&self, user: &str, groups: &[&str], ask: &Ask<'_>) -> bool {
        let is_user = self.users.as_ref().is_some_and(|users| users.contains(&user));
        let is_member =
            self.groups.as_ref().is_some_and(|own| own.iter().any(|group| groups.contains(group)));
        let is_anybody = self.users.is_none() && self.groups.is_none();
        let channel = match ask.channel {
            Channel::Trade => "trade",
            Channel::Book => "book",
            _ => "ticker",
        };
        (is_user || is_member || is_anybody)
            && self.channels.as_ref().is_none_or(|channels| channels.contains(&channel))
            && self
                .symbols
                .iter()
                .any(|pattern| is_match(pattern.as_bytes(), ask.symbol.as_bytes()))
    }

    fn gives(&self, ask: &Ask<'_>) -> Decision {
        let quality = match self.delay_minutes {
            None => Quality::Realtime,
            Some(0) => return Decision::Refused(Refusal::Denied),
            Some(minutes) => Quality::Delayed(Duration::from_secs(u64::from(minutes) * 60)),
        };
        let pace_ms = match (ask.channel, self.pace_ms_min) {
            (Channel::Trade, _) | (_, None) => ask.pace_ms,
            (_, Some(pace_ms)) => pace_ms.max(ask.pace_ms),
        };
        granted(quality, self.depth_max.unwrap_or(1000).min(ask.depth), pace_ms)
    }
}

fn is_match(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|at| is_match(rest, &text[at..])),
        [first, rest @ ..] => text.first() == Some(first) && is_match(rest, &text[1..]),
    }
}

fn some_of(words: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<&'static str>>> {
    proptest::option::of(proptest::sample::subsequence(words, 1..=words.len()))
}

fn written() -> impl Strategy<Value = Written> {
    (
        some_of(&["alice", "bob"]),
        some_of(&["desk", "guests"]),
        proptest::collection::vec("[AB]{1,2}|[AB*]{1,4}", 1..4),
        some_of(&["ticker", "book", "trade"]),
        proptest::option::of(10_u16..1000),
        proptest::option::of(0_u32..1000),
        proptest::option::of(0_u32..30),
    )
        .prop_map(
            |(users, groups, symbols, channels, depth_max, pace_ms_min, delay_minutes)| {
                let is_trade_only = channels.as_deref() == Some(&["trade"]);
                let pace_ms_min = pace_ms_min.filter(|_| !is_trade_only);
                Written { users, groups, symbols, channels, depth_max, pace_ms_min, delay_minutes }
            },
        )
}

proptest! {
    #[test]
    fn random_rules_decide_as_a_naive_reading_of_the_file(
        file in proptest::collection::vec(written(), 0..8),
        groups in proptest::sample::subsequence(vec!["desk", "guests", "others"], 0..=3),
        user in proptest::sample::select(vec!["alice", "bob", "carol"]),
        asks in proptest::collection::vec(
            ("[AB]{0,4}", 0..3_usize, 0..2000_u16, 0..2000_u32), 1..20,
        ),
    ) {
        let text: String = file.iter().map(Written::to_toml).collect();
        let entitlement = entitlement(&text, user, &groups);
        for (symbol, channel, depth, pace_ms) in &asks {
            let channel = [Channel::Ticker, Channel::Book, Channel::Trade][*channel];
            let ask = Ask { symbol, channel, depth: *depth, pace_ms: *pace_ms };
            let first = file.iter().find(|rule| rule.fits(user, &groups, &ask));
            let nothing = Decision::Refused(Refusal::NoRule);
            let expected = first.map_or(nothing, |rule| rule.gives(&ask));
            prop_assert_eq!(entitlement.decide(&ask), expected, "{:?}", ask);
        }
    }
}
