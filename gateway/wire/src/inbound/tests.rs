use proptest::prelude::*;

use super::*;

const LIMITS: Limits =
    Limits { message_bytes_max: 70_000, fragments_max: 4, is_binary_taken: false };
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const FIN: u8 = 0x80;

/// A frame as a dashboard sends it: masked, length in its shortest form.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        length @ 0..126 => out.push(0x80 | length as u8),
        length @ 126..65_536 => {
            out.push(0xfe);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0xff);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
    Broken(u16, &'static str),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong => Self::Pong,
            Event::Close(code) => Self::Close(code),
        }
    }
}

fn feed(inbound: &mut Inbound, bytes: &[u8], seen: &mut Vec<Seen>) {
    let mut bytes = bytes.to_vec();
    let mut input = Input::new(&mut bytes);
    loop {
        match inbound.next(&mut input) {
            Ok(Some(event)) => seen.push(event.into()),
            Ok(None) => return,
            Err(violation) => seen.push(Seen::Broken(violation.code.code(), violation.reason)),
        }
    }
}

fn read(pieces: &[&[u8]]) -> Vec<Seen> {
    let mut inbound = Inbound::new(LIMITS);
    let mut seen = Vec::new();
    for piece in pieces {
        feed(&mut inbound, piece, &mut seen);
    }
    seen
}

fn check(bytes: &[u8], expected: &[Seen]) {
    assert_eq!(read(&[bytes]), expected, "in one piece");
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read(&single), expected, "byte by byte");
}

fn check_broken(bytes: &[u8], code: u16, reason: &'static str) {
    check(bytes, &[Seen::Broken(code, reason)]);
}

fn text(words: &str) -> Seen {
    Seen::Text(words.to_owned())
}

/// Everything a well-behaved dashboard may do, and what it is to be seen as.
fn script() -> (Vec<u8>, Vec<Seen>) {
    let long = "x".repeat(300);
    let bytes = [
        frame(FIN | TEXT, b"{\"method\":\"ping\"}"),
        frame(FIN | TEXT, b""),
        frame(FIN | PING, b"are you there"),
        frame(TEXT, "split \u{20ac}".as_bytes().split_at(7).0),
        frame(FIN | PING, b"between"),
        frame(CONTINUATION, b""),
        frame(FIN | PONG, b""),
        frame(FIN | CONTINUATION, "split \u{20ac}".as_bytes().split_at(7).1),
        frame(FIN | TEXT, long.as_bytes()),
        frame(TEXT, b""),
        frame(FIN | CONTINUATION, b"late"),
        frame(FIN | CLOSE, b"\x03\xe8bye"),
        frame(FIN | TEXT, b"nobody reads this"),
        b"nor this".to_vec(),
    ]
    .concat();
    let seen = vec![
        text("{\"method\":\"ping\"}"),
        text(""),
        Seen::Ping(b"are you there".to_vec()),
        Seen::Ping(b"between".to_vec()),
        Seen::Pong,
        text("split \u{20ac}"),
        text(&long),
        text("late"),
        Seen::Close(Some(1000)),
    ];
    (bytes, seen)
}

#[test]
fn a_scripted_session_reads_the_same_wherever_it_is_split() {
    let (bytes, expected) = script();
    check(&bytes, &expected);
    for at in 0..=bytes.len() {
        let (first, second) = bytes.split_at(at);
        assert_eq!(read(&[first, second]), expected, "split at {at}");
        for further in [1, 2, 3, 5, 7] {
            let (middle, last) = second.split_at(further.min(second.len()));
            assert_eq!(read(&[first, middle, last]), expected, "split at {at} and +{further}");
        }
    }
}

#[test]
fn lengths_at_the_borders_of_their_encodings_are_read() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
        let words = "a".repeat(length);
        check(&frame(FIN | TEXT, words.as_bytes()), &[text(&words)]);
    }
}

#[test]
fn reserved_bits_are_refused() {
    for bit in [0x40, 0x20, 0x10] {
        check_broken(&frame(FIN | bit | TEXT, b"x"), 1002, "reserved bits set");
    }
}

#[test]
fn an_unmasked_frame_is_refused() {
    check_broken(b"\x81\x01x", 1002, "frame is not masked");
}

#[test]
fn reserved_opcodes_are_refused() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        check_broken(&frame(FIN | opcode, b""), 1002, "reserved opcode");
    }
}

#[test]
fn binary_is_refused_where_text_is_spoken() {
    let reason = "binary message where text is spoken";
    check_broken(&frame(FIN | BINARY, b"x"), 1003, reason);
    check_broken(&frame(BINARY, b"x"), 1003, reason);
}

#[test]
fn binary_is_read_as_it_came_where_it_is_taken() {
    let mut inbound = Inbound::new(Limits { is_binary_taken: true, ..LIMITS });
    let mut seen = Vec::new();
    let bytes = [
        frame(FIN | BINARY, b"\xff"),
        frame(BINARY, b"\xff"),
        frame(FIN | PING, b""),
        frame(FIN | CONTINUATION, b"\xfe"),
        frame(FIN | TEXT, b"text"),
        frame(FIN | TEXT, b"\xff"),
    ];
    for byte in bytes.concat().chunks(1) {
        feed(&mut inbound, byte, &mut seen);
    }
    let broken = Seen::Broken(1007, "text is not UTF-8");
    let binary = |bytes: &[u8]| Seen::Binary(bytes.to_vec());
    let ping = Seen::Ping(Vec::new());
    assert_eq!(seen, [binary(b"\xff"), ping, binary(b"\xff\xfe"), text("text"), broken]);
}

#[test]
fn lengths_not_in_their_shortest_form_are_refused() {
    check_broken(b"\x81\xfe\x00\x7d....", 1002, "length is not minimal");
    check_broken(b"\x81\xff\0\0\0\0\0\0\xff\xff....", 1002, "length is not minimal");
    check_broken(b"\x81\xff\x80\0\0\0\0\0\0\0....", 1002, "length above 63 bits");
}

#[test]
fn control_frames_are_short_and_whole() {
    for opcode in [CLOSE, PING, PONG] {
        check_broken(&frame(opcode, b""), 1002, "control frame is fragmented");
        check_broken(&frame(FIN | opcode, &[0; 126]), 1002, "control frame above 125 bytes");
    }
    check(&frame(FIN | PING, &[7; 125]), &[Seen::Ping(vec![7; 125])]);
}

#[test]
fn fragments_follow_their_first_and_nothing_else() {
    check_broken(&frame(FIN | CONTINUATION, b"x"), 1002, "continuation of nothing");
    let inside = [frame(TEXT, b"a"), frame(FIN | TEXT, b"b")].concat();
    check_broken(&inside, 1002, "message inside a message");
    let after = [frame(FIN | TEXT, b"a"), frame(CONTINUATION, b"b")].concat();
    check(&after, &[text("a"), Seen::Broken(1002, "continuation of nothing")]);
}

#[test]
fn close_payloads_are_judged() {
    check(&frame(FIN | CLOSE, b""), &[Seen::Close(None)]);
    check(&frame(FIN | CLOSE, b"\x0f\xa0"), &[Seen::Close(Some(4000))]);
    check_broken(&frame(FIN | CLOSE, b"\x03"), 1002, "close payload of one byte");
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        check_broken(&frame(FIN | CLOSE, &code.to_be_bytes()), 1002, "illegal close code");
    }
    check_broken(&frame(FIN | CLOSE, b"\x03\xe8\xff"), 1007, "close reason is not UTF-8");
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let reason = "text is not UTF-8";
    for bad in [&b"\xff"[..], b"ok \xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"cut \xe2\x82"]
    {
        check_broken(&frame(FIN | TEXT, bad), 1007, reason);
    }
    let cut = [frame(TEXT, b"\xe2\x82"), frame(FIN | CONTINUATION, b"")].concat();
    check_broken(&cut, 1007, reason);
}

#[test]
fn bad_text_is_refused_before_its_last_fragment_comes() {
    check_broken(&frame(TEXT, b"\xe2\x28"), 1007, "text is not UTF-8");
    let first_half = &frame(FIN | TEXT, &[0xff; 100])[..20];
    assert_eq!(read(&[first_half]), [Seen::Broken(1007, "text is not UTF-8")]);
}

#[test]
fn a_message_too_big_is_refused_by_its_head_alone() {
    let announced = &frame(FIN | TEXT, &vec![b'x'; 70_001])[..14];
    check_broken(announced, 1009, "message too big");
    check_broken(b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff....", 1009, "message too big");
    let half = vec![b'x'; 35_000];
    let sum = [frame(TEXT, &half), frame(FIN | CONTINUATION, &[&half[..], b"x"].concat())].concat();
    check_broken(&sum, 1009, "message too big");
}

#[test]
fn too_many_fragments_are_refused_even_when_they_are_empty() {
    let mut bytes = frame(TEXT, b"");
    for _ in 0..4 {
        bytes.extend(frame(CONTINUATION, b""));
    }
    check_broken(&bytes, 1008, "too many fragments in a message");
    let four = [frame(TEXT, b"a"), frame(CONTINUATION, b"b"), frame(CONTINUATION, b"c")].concat();
    check(&[four, frame(FIN | CONTINUATION, b"d")].concat(), &[text("abcd")]);
}

#[test]
fn after_a_violation_nothing_is_read() {
    let bytes = [frame(FIN | 3, b""), frame(FIN | TEXT, b"hello")].concat();
    check_broken(&bytes, 1002, "reserved opcode");
}

#[test]
fn an_idle_session_holds_no_buffer() {
    assert!(size_of::<Inbound>() <= 80);
    let mut inbound = Inbound::new(LIMITS);
    let mut seen = Vec::new();
    let whole = frame(FIN | TEXT, b"in pieces");
    feed(&mut inbound, &whole, &mut seen);
    assert_eq!(inbound.held_bytes(), 0);
    feed(&mut inbound, &whole[..9], &mut seen);
    assert!(inbound.held_bytes() > 0);
    feed(&mut inbound, &whole[9..], &mut seen);
    assert_eq!(inbound.held_bytes(), 0);
    let ping = frame(FIN | PING, b"in pieces");
    feed(&mut inbound, &ping[..9], &mut seen);
    feed(&mut inbound, &ping[9..], &mut seen);
    assert_eq!(inbound.held_bytes(), 0);
    assert_eq!(seen.len(), 3);
    feed(&mut inbound, &whole[..9], &mut seen);
    feed(&mut inbound, &frame(FIN | TEXT, b""), &mut seen);
    feed(&mut inbound, b"\xff\xff\xff\xff", &mut seen);
    assert!(matches!(seen.last(), Some(Seen::Broken(..))), "{seen:?}");
    assert_eq!(inbound.held_bytes(), 0);
}

#[test]
fn a_ping_in_pieces_between_fragments_leaves_nothing_behind() {
    for last in [&b"text"[..], b"\xff"] {
        let mut inbound = Inbound::new(LIMITS);
        let mut seen = Vec::new();
        feed(&mut inbound, &frame(TEXT, b""), &mut seen);
        let ping = frame(FIN | PING, b"in pieces");
        feed(&mut inbound, &ping[..9], &mut seen);
        feed(&mut inbound, &ping[9..], &mut seen);
        feed(&mut inbound, &frame(FIN | CONTINUATION, last), &mut seen);
        assert_eq!((seen.len(), inbound.held_bytes()), (2, 0), "{seen:?}");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic_nor_hold_more_than_a_message(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20),
    ) {
        let mut inbound = Inbound::new(Limits { message_bytes_max: 100, ..LIMITS });
        let mut seen = Vec::new();
        for piece in &pieces {
            feed(&mut inbound, piece, &mut seen);
            prop_assert!(inbound.held_bytes() <= 2 * (100 + 125));
        }
        let last = seen.iter().position(|s| matches!(s, Seen::Broken(..) | Seen::Close(_)));
        prop_assert!(last.is_none_or(|at| at + 1 == seen.len()));
    }

    #[test]
    fn almost_valid_bytes_never_panic_and_splits_change_nothing(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (mut bytes, _) = script();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|c| c.index(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
        prop_assert_eq!(read(&pieces), read(&[&bytes]));
    }
}
