//! What a config is refused for, and that each refusal names file, line, key, value and reason.

use std::path::Path;

use gateway::config::{self, ConfigError, Refusal};
use gateway::door::certificate::ensure_self_signed;

/// A config that is right; tests exchange one piece of it.
const GOOD: &str = "\
[door]
listen = '127.0.0.1:8443'
cert_file = 'cert.pem'
key_file = 'key.pem'

[ring]
bytes = 4194304

[[ingest.feeds]]
name = 'spot'
dialect = 'binance-spot'
url = 'ws://127.0.0.1:9001/spot'
rest_url = 'http://127.0.0.1:9001/spot'
symbols = [{ venue_symbol = 'BTCUSDT', symbol = 'BTC/USDT' }]
";

fn refusals(text: &str) -> Vec<Refusal> {
    match config::parse(text, Path::new("gateway.toml")) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Refused { refusals, .. }) => refusals,
        Err(other) => panic!("{other}"),
    }
}

/// Exchanges `from` for `to` in the good config and expects exactly one refusal, written so.
fn check(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from:?} is no part of the good config");
    let text = GOOD.replacen(from, to, 1);
    match config::parse(&text, Path::new("gateway.toml")) {
        Ok(_) => panic!("{to:?} was taken"),
        Err(error) => assert_eq!(error.to_string(), expected),
    }
}

#[test]
fn the_good_config_is_good() {
    assert_eq!(refusals(GOOD), []);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_key_that_was_meant() {
    check(
        "listen =",
        "lisen = '127.0.0.1:1'\nlisten =",
        "gateway.toml:2: door.lisen: unknown key; did you mean listen?",
    );
    check("[ring]", "[rings]\n[ring]", "gateway.toml:6: rings: unknown key; did you mean ring?");
    check(
        "name = 'spot'",
        "name = 'spot'\nqwertyuiop = 1",
        "gateway.toml:11: ingest.feeds.qwertyuiop: unknown key",
    );
}

#[test]
fn a_number_out_of_range_or_of_another_kind_is_shown_with_its_bounds() {
    let bounds = "must be a whole number, 65536 to 1073741824";
    for wrong in ["1", "'65536'", "65536.0", "-65536", "true", "99999999999999999999999"] {
        let expected = format!("gateway.toml:7: ring.bytes = {wrong}: {bounds}");
        check("4194304", wrong, &expected);
    }
    check(
        "4194304",
        "4_194_305",
        "gateway.toml:7: ring.bytes = 4194305: must be a power of two; 4194304 is the next below, \
         8388608 the next above",
    );
}

#[test]
fn socket_buffers_are_the_kernels_own_or_hold_a_record() {
    for key in ["send_buffer_bytes", "notsent_bytes_max"] {
        let expected = format!(
            "gateway.toml:6: door.{key} = 4096: must be 0, for the kernel's own, or 32768 at least"
        );
        check("[ring]", &format!("{key} = 4096\n[ring]"), &expected);
        let text = GOOD.replacen("[ring]", &format!("{key} = 0\n[ring]"), 1);
        assert_eq!(refusals(&text), [], "{key}");
    }
    check(
        "[ring]",
        "congestion_control = 'cu bic'\n[ring]",
        "gateway.toml:6: door.congestion_control = \"cu bic\": must be a name of 15 letters at \
         most, such as \"cubic\"; empty for the kernel's own",
    );
}

#[test]
fn a_missing_key_is_named_with_the_line_of_its_section() {
    check(
        "listen = '127.0.0.1:8443'\n",
        "",
        "gateway.toml:1: door.listen: is missing, and has no default",
    );
}

#[test]
fn addresses_and_words_are_refused_with_what_would_be_right() {
    check(
        "127.0.0.1:8443",
        "localhost",
        "gateway.toml:2: door.listen = \"localhost\": must be an IP address and a port, such as \
         127.0.0.1:8443 or [::]:8443",
    );
    check(
        "binance-spot",
        "binance",
        "gateway.toml:11: ingest.feeds.dialect = \"binance\": must be one of: kraken, \
         binance-spot, binance-usdm",
    );
    check(
        "ws://127.0.0.1:9001/spot",
        "ftp://x",
        "gateway.toml:12: ingest.feeds.url = \"ftp://x\": must be ws:// or wss:// and a host \
         (no query, no password)",
    );
}

#[test]
fn keys_that_do_not_go_together_are_refused() {
    check(
        "4194304",
        "2097152",
        "gateway.toml:7: ring.bytes = 2097152: is too small for books of 5000 levels a side; \
         4194304 would do",
    );
    check(
        "rest_url = 'http://127.0.0.1:9001/spot'\n",
        "",
        "gateway.toml:9: ingest.feeds.rest_url: is needed: Binance gives the snapshot of a book \
         by REST only",
    );
    check(
        "[ring]",
        "[admin]\nlisten = '127.0.0.1:8443'\n[ring]",
        "gateway.toml:7: admin.listen = 127.0.0.1:8443: is door.listen too; the two need a port \
         each",
    );
    check(
        "[[ingest.feeds]]",
        "[ingest]\nbackoff_min_ms = 500\nbackoff_max_ms = 100\n[[ingest.feeds]]",
        "gateway.toml:11: ingest.backoff_max_ms = 100: must not be below backoff_min_ms, 500",
    );
    check(
        "[[ingest.feeds]]",
        "[[ingest.feeds]]\nca_file = 'ca.pem'",
        "gateway.toml:10: ingest.feeds.ca_file = \"ca.pem\": has no use: neither url nor rest_url \
         is encrypted",
    );
    check(
        "name = 'spot'",
        "name = 'spot'\nbook_depth = 25",
        "gateway.toml:11: ingest.feeds.book_depth = 25: has no use: Binance's streams carry the \
         whole depth",
    );
}

#[test]
fn a_name_used_twice_is_told_with_the_line_of_the_first() {
    check(
        "[{ venue_symbol = 'BTCUSDT', symbol = 'BTC/USDT' }]",
        "[\n{ venue_symbol = 'A', symbol = 'BTC/USDT' },\n{ venue_symbol = 'B', symbol = \
         'BTC/USDT' },\n]",
        "gateway.toml:16: ingest.feeds.symbols.symbol = \"BTC/USDT\": is used already, in line \
         15; it must be unique in the gateway",
    );
    let second = GOOD[GOOD.find("[[").expect("a feed is there")..].replace("BTC/USDT", "X/Y");
    let found = refusals(&format!("{GOOD}{second}"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].line, found[0].key.as_str()), (Some(16), "ingest.feeds.name"));
}

#[test]
fn a_ring_is_lent_on_this_machine_alone_and_followed_instead_of_venues() {
    for outside in ["0.0.0.0:9300", "[::]:9300", "192.0.2.1:9300"] {
        check(
            "[ring]",
            &format!("[relay]\nlisten = '{outside}'\n[ring]"),
            &format!(
                "gateway.toml:7: relay.listen = \"{outside}\": leaves this machine, and what \
                 passes is neither encrypted nor authenticated: stay on 127.0.0.1 or [::1], or \
                 name a file, \"unix:/path\""
            ),
        );
    }
    check(
        "[ring]",
        "[relay]\nlisten = 'relay.sock'\n[ring]",
        "gateway.toml:7: relay.listen = \"relay.sock\": must be an address and port of this \
         machine, or \"unix:\" and a path",
    );
    check(
        "[ring]",
        "[shard]\ncount = 60\n[relay]\nlisten = 'unix:relay.sock'\nfollowers_max = 5\n[ring]",
        "gateway.toml:10: relay.followers_max = 5: with shard.count, 60, exceeds the ring's 64 \
         readers",
    );
    check(
        "[ring]",
        "[follow]\naddress = '127.0.0.1:9300'\n[ring]",
        "gateway.toml:7: follow.address: does not go with [[ingest.feeds]]: what is followed has \
         the venues, and numbers what they say",
    );
    let without = &GOOD[..GOOD.find("[[ingest").expect("feeds")];
    let [refusal] = &refusals(without)[..] else { panic!("one refusal is expected") };
    assert!(refusal.reason.contains("under [follow]"), "{refusal:?}");
    assert_eq!(refusals(&format!("{without}[follow]\naddress = 'unix:relay.sock'\n")), []);
    // Delays are another's there, and need no room here.
    let delays = "[ingest]\ndelays_ms = [900000]\ndelay_bytes_max = 1048576\n";
    let text = format!("{without}{delays}[follow]\naddress = 'unix:relay.sock'\n");
    let delayed = |text: &str| text.replacen("bytes = 4194304", "bytes = 16777216", 1);
    assert_eq!(refusals(&delayed(&text)), []);
    let own = GOOD.replacen("[[ingest", &format!("{delays}[[ingest"), 1);
    let [refusal] = &refusals(&delayed(&own))[..] else { panic!("one refusal is expected") };
    assert_eq!(refusal.key, "ingest.delay_bytes_max");
}

#[test]
fn symbols_that_could_break_a_message_or_mean_a_wildcard_are_refused() {
    for name in ["*", "BTC/*", "A\\\"B/C", "A B/C", "", "ä/b"] {
        let text = GOOD.replacen("'BTC/USDT'", &format!("\"{name}\""), 1);
        assert!(!refusals(&text).is_empty(), "{name:?} was taken");
    }
}

#[test]
fn the_value_of_a_header_is_never_shown() {
    for header in ["X-Key = \"secret\\n\"", "Host = 'secret'", "'bad name' = 'secret'"] {
        let text = GOOD.replacen("name = ", &format!("headers = {{ {header} }}\nname = "), 1);
        let error = config::parse(&text, Path::new("f")).expect_err("the header is wrong");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn log_levels_that_name_no_module_are_refused_and_not_cut_in_half() {
    check(
        "[ring]",
        "[log]\nlevel = '  \u{feb7}\t=('\n[ring]",
        "gateway.toml:7: log.level = \"  \u{feb7}\\t=(\": must be error, warn, info, debug, trace, \
         or pairs such as info,gateway::ingest=debug",
    );
}

#[test]
fn a_key_cannot_begin_a_line_or_draw_on_the_terminal() {
    check(
        "name = 'spot'",
        "name = 'spot'\n\"\\u001b[31m\\ngateway.toml:1: \\u202e\" = 1",
        "gateway.toml:11: ingest.feeds.\\u{1b}[31m\\ngateway.toml:1: \\u{202e}: unknown key",
    );
    let long = "k".repeat(5000);
    let told = refusals(&GOOD.replacen("name =", &format!("{long} = 1\nname ="), 1));
    assert!(told[0].key.len() < 400, "{} bytes are shown", told[0].key.len());
}

#[test]
fn everything_that_is_wrong_is_told_at_once_in_the_order_of_the_lines() {
    let text = GOOD.replace("4194304", "3").replace("127.0.0.1:8443", "x").replace("'spot'", "7");
    let found: Vec<_> = refusals(&text).into_iter().map(|r| (r.line, r.key)).collect();
    let expected = [(2, "door.listen"), (7, "ring.bytes"), (10, "ingest.feeds.name")];
    assert_eq!(found, expected.map(|(line, key)| (Some(line), key.to_owned())));
}

#[test]
fn a_text_that_is_no_toml_is_refused_with_its_line() {
    let found = refusals("[door]\nlisten = \n");
    assert_eq!((found.len(), found[0].line), (1, Some(2)), "{found:?}");
}

#[test]
fn files_that_are_absent_or_hold_something_else_are_refused_with_their_lines() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, GOOD).expect("a file can be written");
    std::fs::write(folder.path().join("cert.pem"), "hello").expect("a file can be written");
    let Err(ConfigError::Refused { refusals, .. }) = config::load(&file) else {
        panic!("neither certificate nor key is there");
    };
    let keys: Vec<_> = refusals.iter().map(|r| (r.line, r.key.as_str())).collect();
    assert_eq!(keys, [(Some(3), "door.cert_file"), (Some(4), "door.key_file")]);
    assert!(matches!(
        config::load(&folder.path().join("absent.toml")),
        Err(ConfigError::Unreadable { .. })
    ));
}

#[test]
fn a_fault_in_who_may_see_what_is_put_down_to_the_key_that_names_its_file() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    ensure_self_signed(folder.path()).expect("a certificate can be made");
    let file = folder.path().join("gateway.toml");
    let auth = "[auth]\ncredentials_file = 'c.toml'\nentitlements_file = 'e.toml'\n\n[ring]";
    let rules = "[[rules]]\nsymbols = ['*']\nquality = 'fast'\n";
    for (name, text) in [
        ("gateway.toml", &*GOOD.replacen("[ring]", auth, 1)),
        ("c.toml", "[anonymous]\n"),
        ("e.toml", rules),
    ] {
        std::fs::write(folder.path().join(name), text).expect("a file can be written");
    }
    let Err(ConfigError::Refused { refusals, .. }) = config::load(&file) else {
        panic!("there is no such quality");
    };
    assert_eq!((refusals.len(), &*refusals[0].key), (1, "auth.entitlements_file"), "{refusals:?}");
    assert!(refusals[0].reason.contains("e.toml:3: rules.quality"), "{refusals:?}");
}

#[test]
fn what_this_machine_has_no_memory_for_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    ensure_self_signed(folder.path()).expect("a certificate can be made");
    let file = folder.path().join("gateway.toml");
    for (lines, key, words) in [
        // 64 shards of 64 GiB of history; a budget below what is taken without any session.
        (
            "[shard]\ncount = 64\nhistory_bytes_max = 68719476736\n",
            "shard.history_bytes_max",
            "is too much: ",
        ),
        ("[door]\nmemory_bytes_max = 1000000\n", "door.memory_bytes_max", "leaves no room "),
    ] {
        let text = match lines.strip_prefix("[door]\n") {
            Some(line) => GOOD.replacen("[door]\n", &format!("[door]\n{line}"), 1),
            None => format!("{lines}{GOOD}"),
        };
        std::fs::write(&file, text).expect("a file can be written");
        let Err(ConfigError::Refused { refusals, .. }) = config::load(&file) else {
            panic!("{lines} is taken");
        };
        let [refusal] = &refusals[..] else { panic!("{refusals:?}") };
        assert_eq!(refusal.key, key);
        assert!(refusal.line.is_some() && refusal.reason.starts_with(words), "{refusal:?}");
    }
}
