//! Every text is read as a standing parser reads it, and nesting is bounded.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// The value a list of nodes stands for, and what is left of the list. Numbers become texts,
/// marked.
fn rebuild<'n>(nodes: &'n [Node], text: &str, unescaped: &str) -> (Value, &'n [Node]) {
    let (first, mut rest) = nodes.split_first().expect("a node");
    let part = |of: &str, span: &Span| of[span.range()].to_owned();
    let value = match first {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(*value),
        Node::Number(span) => Value::String(format!("number {}", part(text, span))),
        Node::Text(span) => Value::String(part(text, span)),
        Node::Unescaped(span) => Value::String(part(unescaped, span)),
        Node::Array(below) => {
            let (mut inside, behind) = rest.split_at(*below as usize);
            let mut values = Vec::new();
            while !inside.is_empty() {
                let (value, left) = rebuild(inside, text, unescaped);
                values.push(value);
                inside = left;
            }
            rest = behind;
            Value::Array(values)
        }
        Node::Object(below) => {
            let (mut inside, behind) = rest.split_at(*below as usize);
            let mut entries = serde_json::Map::new();
            while !inside.is_empty() {
                let (key, left) = rebuild(inside, text, unescaped);
                let (value, left) = rebuild(left, text, unescaped);
                entries.insert(key.as_str().expect("a key").to_owned(), value);
                inside = left;
            }
            rest = behind;
            Value::Object(entries)
        }
    };
    (value, rest)
}

fn ours(text: &str) -> Option<Value> {
    let (mut nodes, mut unescaped) = (Vec::new(), String::new());
    parse(text, &mut nodes, &mut unescaped)?;
    let (value, rest) = rebuild(&nodes, text, &unescaped);
    assert!(rest.is_empty(), "{text}: {rest:?} belong to nothing");
    Some(value)
}

/// Numbers of both as floats, as far as that goes, since the other parser keeps no text.
fn comparable(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            Value::String(format!("float {}", number.as_f64().expect("a float")))
        }
        Value::String(text) => Value::String(match text.strip_prefix("number ") {
            Some(number) => match serde_json::from_str::<f64>(number) {
                Ok(float) => format!("float {float}"),
                Err(_) => "no number".to_owned(),
            },
            None => text,
        }),
        Value::Array(values) => values.into_iter().map(comparable).collect(),
        Value::Object(entries) => {
            entries.into_iter().map(|(key, value)| (key, comparable(value))).collect()
        }
        other => other,
    }
}

/// Both parsers agree, bad numbers aside, which ours leaves to its reader.
fn check(text: &str) {
    let theirs = serde_json::from_str::<Value>(text).ok().map(comparable);
    let ours = ours(text).map(comparable);
    let has_bad_number = ours.as_ref().is_some_and(|v| v.to_string().contains("\"no number\""));
    if theirs.is_some() || !has_bad_number {
        assert_eq!(ours, theirs, "{text:?}");
    }
}

#[test]
fn what_a_standing_parser_reads_is_read_alike() {
    for text in [
        r#"{"channel":"ticker","data":[{"bid":105944.20,"s":"BTC/USD","n":-1.5e-7}],"t":true}"#,
        " [ 1 , [ ] , { } , null , false , \"\" ]\r\n\t",
        r#"["\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00 and behind", "ä😀", {"k\u0041":0}]"#,
        "",
        " ",
        "{",
        "}",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{1:1}",
        "{,}",
        "\"",
        "\"\\",
        "\"\\\"",
        r#""\x""#,
        r#""\u12""#,
        r#""\u12g4""#,
        r#""\ud83d""#,
        r#""\ud83dx""#,
        r#""\ud83d\u0041""#,
        r#""\ude00\ud83d""#,
        r#""\ud83d\ud83d""#,
        "\"a\nb\"",
        "\"a\u{1}b\"",
        "\"\u{7f}\"",
        "tru",
        "trues",
        "true false",
        "nul",
        "fals",
        "1 1",
        "1,",
        "-",
        "1e",
        "01",
        "+1",
        ".5",
        "1e1e1",
        "\u{feff}1",
        "'a'",
    ] {
        check(text);
    }
}

#[test]
fn a_number_with_zeros_in_front_is_no_json() {
    for text in ["[01]", "{\"E\":086}", "00", "[-01.5]"] {
        assert!(ours(text).is_none(), "{text}");
    }
    for text in ["[0]", "[0.5]", "[-0.5]", "[10]", "[\"01\"]"] {
        check(text);
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert!(ours(&nested(DEPTH_MAX)).is_some());
    assert!(ours(&nested(DEPTH_MAX + 1)).is_none());
    assert!(ours(&"[{\"a\":".repeat(50_000)).is_none());
}

#[test]
fn a_string_ends_where_it_ends_wherever_it_stands_in_a_word() {
    for size in 0..40 {
        let plain: String = ('a'..='z').cycle().take(size).collect();
        for end in ["\"", "\\n\"", "\u{e9}\"", "\u{1f}\"", ""] {
            check(&format!("[\"{plain}{end}"));
            check(&format!("[\"{plain}{end}, \"{plain}\"]"));
        }
        for byte in 0..128_u8 {
            let letter = char::from(byte);
            check(&format!("\"{plain}{letter}{plain}\""));
        }
    }
}

proptest! {
    #[test]
    fn texts_like_json_are_read_alike(text in r#"[\[\]{}":,0-9eE+.a-z\\ \nä-]{0,60}"#) {
        check(&text);
    }

    #[test]
    fn lists_of_pieces_are_read_alike(
        pieces in proptest::collection::vec(
            prop::sample::select(vec![
                "[", "]", "{", "}", "\"", ",", ":", "\"key\"", "\"key\":", "1.50", "-2e5", " ",
                "true", "null", "\\", "\\u00e9", "\\ud83d\\ude00", "\\\"", "ä",
            ]),
            0..24,
        ),
    ) {
        check(&pieces.concat());
    }
}
