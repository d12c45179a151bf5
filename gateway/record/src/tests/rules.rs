//! Each rule broken by a peer whose keys are right, and by one that has none.

use rustls::AlertDescription;

use super::{Opened, SUITES, TLS12, TLS13, open, open_more, pair, plain, refused, seal};
use crate::content::{ALERT, DATA, HANDSHAKE};
use crate::{Records, SEALED_BYTES_MAX, Violation};

/// A record of any kind; never an empty one.
pub(super) fn message(records: &mut Records, content: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let begin = records.sealer.begin(&mut out);
    out.extend_from_slice(bytes);
    records.sealer.seal(content, &mut out, begin);
    out
}

/// A TLS 1.3 record with exactly this behind its head, content type and padding included; it ends
/// with a zero of its own.
fn inner(records: &mut Records, bytes: &[u8]) -> Vec<u8> {
    let mut record = [&[0; 5], bytes, &[0; 17]].concat();
    records.sealer.seal_one(0, &mut record);
    record
}

/// What a fresh pair's server says to what its client makes.
fn check(make: impl FnOnce(&mut Records) -> Vec<u8>, expected: Violation) {
    let (mut server, mut client) = pair(TLS13);
    let sealed = make(&mut client);
    assert_eq!(refused(&mut server, &sealed), expected);
    assert_eq!(server.held_bytes(), 0);
    let mut more = Vec::new();
    seal(&mut client, b"more", &mut more);
    assert_eq!(open(&mut server, &more), Opened::default(), "nothing is read behind it");
}

#[test]
fn a_changed_bit_is_seen_wherever_it_is() {
    for suite in SUITES {
        let (mut server, mut client) = pair(suite);
        let mut sealed = Vec::new();
        seal(&mut client, b"eight...", &mut sealed);
        let bits = 8 * sealed.len();
        // Kind and length decide how a record is read; the rest decides whether it opens.
        for bit in (8..24).chain(40..bits).step_by(5) {
            let (mut server, mut client) = pair(suite);
            let mut sealed = Vec::new();
            seal(&mut client, b"eight...", &mut sealed);
            sealed[bit / 8] ^= 1 << (bit % 8);
            let violation = refused(&mut server, &sealed);
            assert_eq!(violation, Violation::BadRecord, "{suite:?}, bit {bit}");
            assert_eq!(violation.alert(), Some(AlertDescription::BadRecordMac));
        }
        assert_eq!(open(&mut server, &sealed).data, b"eight...");
        assert_eq!(refused(&mut server, &sealed), Violation::BadRecord, "played again");
    }
}

#[test]
fn padding_is_taken_off() {
    let (mut server, mut client) = pair(TLS13);
    let padded = inner(&mut client, b"hello\0\x17\0\0\0\0");
    assert_eq!(open(&mut server, &padded).data, b"hello\0");
    let mut most = plain(16_384);
    most[16_383] = DATA;
    let sealed = inner(&mut client, &most);
    assert_eq!(open(&mut server, &sealed).data, plain(16_383));
    check(|client| inner(client, &[0; 20]), Violation::NoContentType);
    check(|client| inner(client, b""), Violation::NoContentType);
}

#[test]
fn no_record_is_longer_than_it_may_be() {
    let mut long = plain(16_385);
    long[16_384] = DATA;
    check(|client| inner(client, &long), Violation::RecordTooLong);
    let [high, low] = (SEALED_BYTES_MAX as u16 + 1).to_be_bytes();
    check(|_| vec![DATA, 3, 3, high, low], Violation::RecordTooLong);
    check(|_| vec![DATA, 3, 3, 0, 0], Violation::BadRecord);
    check(|_| vec![DATA, 3, 3, 0, 3, 1, 2, 3], Violation::BadRecord);
    let alert = Violation::RecordTooLong.alert();
    assert_eq!(alert, Some(AlertDescription::RecordOverflow));
}

#[test]
fn records_in_the_clear_are_refused() {
    for kind in [20, ALERT, HANDSHAKE, 24, 0, b'G'] {
        let clear = vec![kind, 3, 3, 0, 2, 1, 0];
        check(|_| clear, Violation::UnexpectedRecord(kind));
    }
    check(|client| message(client, 20, &[1]), Violation::UnexpectedRecord(20));
}

#[test]
fn empty_records_are_borne_for_a_while() {
    let (mut server, mut client) = pair(TLS13);
    let mut opened = Opened::default();
    for _ in 0..3 {
        for _ in 0..32 {
            open_more(&mut server, &inner(&mut client, &[DATA]), &mut opened);
        }
        open_more(&mut server, &message(&mut client, DATA, b"."), &mut opened);
    }
    assert_eq!((opened.data.as_slice(), opened.violation), (&b"..."[..], None));
    check(
        |client| (0..33).flat_map(|_| inner(client, &[DATA])).collect(),
        Violation::TooManyEmptyRecords,
    );
    check(|client| inner(client, &[ALERT]), Violation::EmptyMessage);
    check(|client| inner(client, &[HANDSHAKE]), Violation::EmptyMessage);
}

#[test]
fn alerts_end_the_connection_and_warnings_do_not() {
    let fatal = AlertDescription::HandshakeFailure;
    check(|client| message(client, ALERT, &[2, 40]), Violation::Alerted(fatal));
    // Levels mean nothing in TLS 1.3.
    check(|client| message(client, ALERT, &[1, 40]), Violation::Alerted(fatal));
    assert_eq!(Violation::Alerted(fatal).alert(), None);
    check(|client| message(client, ALERT, &[1]), Violation::MalformedAlert);
    check(|client| message(client, ALERT, &[1, 0, 1]), Violation::MalformedAlert);
    let canceled = |client: &mut Records| message(client, ALERT, &[1, 90]);
    let (mut server, mut client) = pair(TLS13);
    let mut sealed = canceled(&mut client);
    sealed.extend(message(&mut client, DATA, b"on"));
    assert_eq!(open(&mut server, &sealed).data, b"on");
    check(|client| (0..5).flat_map(|_| canceled(client)).collect(), Violation::TooManyWarnings);
    let (mut server, mut client) = pair(TLS12);
    let mut sealed = message(&mut client, ALERT, &[1, 40]);
    sealed.extend(message(&mut client, DATA, b"on"));
    assert_eq!(open(&mut server, &sealed).data, b"on");
    let sealed = message(&mut client, ALERT, &[2, 40]);
    assert_eq!(refused(&mut server, &sealed), Violation::Alerted(fatal));
}

#[test]
fn a_key_update_may_come_in_pieces_and_nothing_between_them() {
    for cut in 1..5 {
        let (mut server, mut client) = pair(TLS13);
        let update = [24, 0, 0, 1, 1];
        let mut sealed = message(&mut client, HANDSHAKE, &update[..cut]);
        sealed.extend(message(&mut client, HANDSHAKE, &update[cut..]));
        client.renew_sealing();
        sealed.extend(message(&mut client, DATA, b"with the new key"));
        assert_eq!(open(&mut server, &sealed).data, b"with the new key", "cut at {cut}");
        assert!(server.owes_update());
    }
    let cut_by = |client: &mut Records, other: u8| {
        let mut sealed = message(client, HANDSHAKE, &[24, 0]);
        sealed.extend(message(client, other, &[1, 0]));
        sealed
    };
    check(|client| cut_by(client, DATA), Violation::InterruptedHandshake);
    check(|client| cut_by(client, ALERT), Violation::InterruptedHandshake);
}

#[test]
fn malformed_key_updates_and_other_handshakes_are_refused() {
    let cases: [(&[u8], Violation); 7] = [
        (&[24, 0, 0, 2, 0, 0], Violation::MalformedKeyUpdate),
        (&[24, 1], Violation::MalformedKeyUpdate),
        (&[24, 0, 0, 1, 2], Violation::UnknownKeyUpdate),
        (&[24, 0, 0, 1, 0, 24], Violation::SpannedKeyUpdate),
        (&[1, 0, 0, 0], Violation::UnexpectedHandshake(1)),
        (&[4, 0, 0, 0], Violation::UnexpectedHandshake(4)),
        (&[13], Violation::UnexpectedHandshake(13)),
    ];
    for (bytes, expected) in cases {
        check(|client| message(client, HANDSHAKE, bytes), expected);
    }
    let (mut server, mut client) = pair(TLS12);
    let hello = message(&mut client, HANDSHAKE, &[1, 0, 0, 0]);
    assert_eq!(refused(&mut server, &hello), Violation::Renegotiation);
    let (mut server, mut client) = pair(TLS12);
    let update = message(&mut client, HANDSHAKE, &[24, 0, 0, 1, 0]);
    assert_eq!(refused(&mut server, &update), Violation::UnexpectedHandshake(24));
}

#[test]
fn a_flood_of_key_updates_ends_the_connection() {
    let (mut server, mut client) = pair(TLS13);
    let update = |client: &mut Records| {
        let sealed = message(client, HANDSHAKE, &[24, 0, 0, 1, 0]);
        client.renew_sealing();
        sealed
    };
    for _ in 0..3 {
        let mut sealed: Vec<u8> = (0..32).flat_map(|_| update(&mut client)).collect();
        sealed.extend(message(&mut client, DATA, b"."));
        assert_eq!(open(&mut server, &sealed).data, b".");
    }
    let sealed: Vec<u8> = (0..33).flat_map(|_| update(&mut client)).collect();
    assert_eq!(refused(&mut server, &sealed), Violation::TooManyKeyUpdates);
}

#[test]
fn random_bytes_never_panic_and_never_open() {
    let mut random = fastrand::Rng::with_seed(7);
    for suite in [SUITES[0], SUITES[3], SUITES[5]] {
        for _ in 0..300 {
            let (mut server, _) = pair(suite);
            let mut opened = Opened::default();
            for _ in 0..8 {
                let mut bytes: Vec<u8> = (0..random.usize(0..600)).map(|_| random.u8(..)).collect();
                if let Some(head) = bytes.first_chunk_mut::<5>()
                    && random.bool()
                {
                    *head = [DATA, 3, 3, random.u8(..2), random.u8(..)];
                }
                open_more(&mut server, &bytes, &mut opened);
                assert!(server.held_bytes() <= 8 * 600);
            }
            assert!(opened.data.is_empty() && !opened.is_closed);
        }
    }
}
