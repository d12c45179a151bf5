//! Which tokens are believed: every algorithm, every way of lying.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod support;

use std::time::Duration;

use proptest::prelude::*;
use rights::{CredentialKind, Failure, KeySet, Wall};
use serde_json::{Value, json};
use support::{
    NOW, Signer, TOKENS, authenticator, b64, claims, claims_with, key_set, present, present_at,
    present_token, register,
};

#[test]
fn a_good_token_of_every_algorithm_names_its_user() {
    for signer in Signer::all() {
        let door = authenticator(&[signer.jwk("k1")]);
        let identity = present(&door, &signer.token("k1", &claims())).unwrap();
        assert_eq!((identity.user(), identity.kind()), ("alice", CredentialKind::Token));
        assert_eq!(identity.groups().collect::<Vec<_>>(), ["desk", "eu"]);
        assert_eq!(identity.expires_at(), Some(Wall::from_seconds(NOW + 3600 + 30)));
        assert_eq!(identity.credential(), "token:k1/t-1");
        assert!(!identity.is_narrowed());
    }
}

#[test]
fn no_change_of_one_byte_of_a_token_is_believed() {
    for signer in Signer::all() {
        let door = authenticator(&[signer.jwk("k1")]);
        let token = signer.token("k1", &claims());
        assert!(present_token(&door, &token).is_ok());
        let mut tried = 0;
        for at in 0..token.len() {
            for bit in 0..7 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(present_token(&door, &changed).is_err(), "{} byte {at}", signer.alg());
                tried += 1;
            }
            let shortened = format!("{}{}", &token[..at], &token[at + 1..]);
            assert!(present_token(&door, &shortened).is_err(), "{} byte {at}", signer.alg());
            assert!(present_token(&door, &token[..at]).is_err(), "{} cut at {at}", signer.alg());
        }
        for more in ["A", "=", ".", " ", ".e30"] {
            assert!(present_token(&door, &format!("{token}{more}")).is_err());
        }
        assert_eq!(tried, token.len() * 7);
    }
}

#[test]
fn a_public_key_is_never_taken_for_a_shared_secret() {
    for signer in [Signer::rs256(), Signer::es256(), Signer::eddsa()] {
        let jwk = signer.jwk("k1");
        let mut secrets = vec![jwk.to_string().into_bytes()];
        for part in ["n", "e", "x", "y"] {
            if let Some(text) = jwk[part].as_str() {
                secrets.push(text.as_bytes().to_vec());
                let raw =
                    base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
                secrets.push(raw.unwrap());
            }
        }
        // The same key set has a shared secret, too: that must not open the way.
        let door = authenticator(&[jwk, Signer::hs256().jwk("shared")]);
        for secret in secrets {
            let forger = Signer::Hs256(secret);
            for kid in ["k1", "shared", "nobody"] {
                let forged = forger.token(kid, &claims());
                let failure = present(&door, &forged).unwrap_err();
                let expected = match kid {
                    "k1" => Failure::Algorithm,
                    "shared" => Failure::Signature,
                    _ => Failure::UnknownSigner,
                };
                assert_eq!(failure, expected, "{} {kid}", signer.alg());
            }
            let headless = forger.token_with(&json!({"alg": "HS256"}), &claims());
            assert_eq!(present(&door, &headless).unwrap_err(), Failure::Signature);
        }
    }
}

#[test]
fn only_the_algorithm_of_the_key_is_believed() {
    let signer = Signer::es256();
    let door = authenticator(&[signer.jwk("k1")]);
    let names = ["none", "None", "NONE", "", "HS256", "HS512", "RS256", "PS256", "ES384", "ES256K"];
    for alg in names {
        let header = json!({"alg": alg, "kid": "k1"});
        let signed = signer.token_with(&header, &claims());
        assert_eq!(present(&door, &signed).unwrap_err(), Failure::Algorithm, "{alg}");
        let unsigned = format!("{}.{}.", b64(header.to_string()), b64(claims().to_string()));
        assert_eq!(present(&door, &unsigned).unwrap_err(), Failure::Algorithm, "{alg}");
    }
}

#[test]
fn a_token_cannot_bring_its_own_key_or_demand_to_be_understood() {
    let (signer, forger) = (Signer::es256(), Signer::es256());
    let door = authenticator(&[signer.jwk("k1")]);
    let header = json!({"alg": "ES256", "kid": "k1", "jwk": forger.jwk("k1"),
        "jku": "https://evil.test/jwks.json", "x5u": "https://evil.test/x"});
    let forged = forger.token_with(&header, &claims());
    assert_eq!(present(&door, &forged).unwrap_err(), Failure::Signature);
    let critical = json!({"alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false});
    let token = signer.token_with(&critical, &claims());
    assert_eq!(present(&door, &token).unwrap_err(), Failure::Malformed);
}

#[test]
fn claims_decide_after_the_signature() {
    let signer = Signer::eddsa();
    let door = authenticator(&[signer.jwk("k1")]);
    let many: Vec<_> = (0..257).map(|n| format!("g{n}")).collect();
    let cases = [
        ("exp", json!(NOW - 31), Err(Failure::Expired)),
        ("exp", json!(NOW - 30), Err(Failure::Expired)),
        ("exp", json!(NOW - 29), Ok(())),
        ("exp", json!(NOW as f64 - 29.5), Ok(())),
        ("exp", json!(-5), Err(Failure::Expired)),
        ("exp", json!(1e300), Ok(())),
        ("exp", json!("2100-01-01"), Err(Failure::Claims)),
        ("exp", Value::Null, Err(Failure::Claims)),
        ("nbf", json!(NOW + 31), Err(Failure::NotYetValid)),
        ("nbf", json!(NOW + 30), Ok(())),
        ("nbf", Value::Null, Ok(())),
        ("nbf", json!([]), Err(Failure::Claims)),
        ("iat", json!(NOW + 3000), Err(Failure::NotYetValid)),
        ("aud", json!("market-data"), Ok(())),
        ("aud", json!("market-data "), Err(Failure::Audience)),
        ("aud", json!(["other"]), Err(Failure::Audience)),
        ("aud", json!([]), Err(Failure::Audience)),
        ("aud", json!({"market-data": 1}), Err(Failure::Claims)),
        ("aud", Value::Null, Err(Failure::Audience)),
        ("iss", json!("https://login.test"), Err(Failure::Issuer)),
        ("iss", json!(["https://login.test/"]), Err(Failure::Claims)),
        ("iss", Value::Null, Err(Failure::Issuer)),
        ("sub", json!(""), Err(Failure::Claims)),
        ("sub", json!("a\r\nb"), Err(Failure::Claims)),
        ("sub", json!("anonymous"), Err(Failure::Claims)),
        ("sub", json!("x".repeat(257)), Err(Failure::Claims)),
        ("sub", json!(7), Err(Failure::Claims)),
        ("sub", Value::Null, Err(Failure::Claims)),
        ("groups", json!(many), Err(Failure::Claims)),
        ("groups", json!([1]), Err(Failure::Claims)),
        ("groups", Value::Null, Ok(())),
        ("entitlements", json!([]), Ok(())),
        ("entitlements", json!([{"symbols": ["*"], "quality": "realtime"}]), Ok(())),
        ("entitlements", json!([{"symbols": ["*"]}]), Err(Failure::Claims)),
        (
            "entitlements",
            json!([{"symbols": ["*"], "quality": "realtime", "deph_max": 1}]),
            Err(Failure::Claims),
        ),
        ("entitlements", json!("all"), Err(Failure::Claims)),
    ];
    for (name, value, expected) in cases {
        let token = signer.token("k1", &claims_with(name, value.clone()));
        let outcome = present(&door, &token).map(|_| ());
        assert_eq!(outcome, expected, "{name} = {value}");
    }
    let foreign = Signer::eddsa().token("k1", &claims_with("exp", json!(1)));
    assert_eq!(present(&door, &foreign).unwrap_err(), Failure::Signature);
}

#[test]
fn a_token_ends_with_its_leeway() {
    let signer = Signer::hs256();
    let door = authenticator(&[signer.jwk("k1")]);
    let token = signer.token("k1", &claims());
    assert!(present_at(&door, &token, NOW + 3629).is_ok());
    assert_eq!(present_at(&door, &token, NOW + 3630).unwrap_err(), Failure::Expired);
    assert_eq!(present_at(&door, &token, NOW - 41).unwrap_err(), Failure::NotYetValid);
}

#[test]
fn keys_rotate_without_a_gap() {
    let (old, new) = (Signer::rs256(), Signer::rs256());
    let (before, after) = (old.token("2025", &claims()), new.token("2026", &claims()));
    let doors = [
        authenticator(&[old.jwk("2025")]),
        authenticator(&[old.jwk("2025"), new.jwk("2026")]),
        authenticator(&[new.jwk("2026")]),
    ];
    let outcome = |token: &str| doors.each_ref().map(|door| present(door, token).map(|_| ()));
    assert_eq!(outcome(&before), [Ok(()), Ok(()), Err(Failure::UnknownSigner)]);
    assert_eq!(outcome(&after), [Err(Failure::UnknownSigner), Ok(()), Ok(())]);
    let identity = present(&doors[0], &before).unwrap();
    assert!(doors[1].recheck(&identity).is_ok());
    let ended = doors[2].recheck(&identity).unwrap_err();
    assert_eq!(ended.failure(), Failure::UnknownSigner, "its session ends with the key");
    let exchanged = authenticator(&[new.jwk("2025")]);
    assert!(exchanged.recheck(&identity).is_err(), "another key under the same id");
}

#[test]
fn a_token_without_a_key_id_is_tried_with_all_keys_of_its_algorithm() {
    let (first, second) = (Signer::es256(), Signer::es256());
    let door = authenticator(&[first.jwk("a"), second.jwk("b"), Signer::eddsa().jwk("c")]);
    let header = json!({"alg": "ES256"});
    for signer in [&first, &second] {
        assert!(present(&door, &signer.token_with(&header, &claims())).is_ok());
    }
    let stranger = Signer::es256().token_with(&header, &claims());
    assert_eq!(present(&door, &stranger).unwrap_err(), Failure::Signature);
}

#[test]
fn a_token_above_16_kib_is_not_looked_at() {
    let signer = Signer::hs256();
    let door = authenticator(&[signer.jwk("k1")]);
    let token =
        |letters: usize| signer.token("k1", &claims_with("pad", json!("x".repeat(letters))));
    let spare = |letters: usize| 16 * 1024 - token(letters).len() as isize;
    let largest = (0..13_000).rev().find(|letters| spare(*letters) >= 0).unwrap();
    assert!(spare(largest) < 4, "the limit is reached");
    assert!(present(&door, &token(largest)).is_ok());
    assert_eq!(present(&door, &token(largest + 4)).unwrap_err(), Failure::TooLarge);
    assert_eq!(present(&door, &"x".repeat(1 << 20)).unwrap_err(), Failure::TooLarge);
    assert_eq!(
        present(&door, &format!("mdg_{}", "a".repeat(1 << 20))).unwrap_err(),
        Failure::TooLarge
    );
}

#[test]
fn tokens_are_not_taken_where_none_are_configured() {
    let signer = Signer::hs256();
    let token = signer.token("k1", &claims());
    let closed = rights::Authenticator::new(register(""), Some(key_set(&[signer.jwk("k1")])));
    assert_eq!(present(&closed, &token).unwrap_err(), Failure::NotAccepted);
    let keyless = rights::Authenticator::new(register(TOKENS), None);
    assert_eq!(present(&keyless, &token).unwrap_err(), Failure::UnknownSigner);
}

fn refusal(keys: &Value) -> String {
    let text = keys.to_string();
    KeySet::parse(&text, std::path::Path::new("jwks.json")).unwrap_err().to_string()
}

#[test]
fn a_key_file_with_a_fault_is_refused_with_its_place() {
    let check = |key: Value, expected: &str| {
        let said = refusal(&json!({"keys": [Signer::hs256().jwk("ok"), key]}));
        assert_eq!(said, format!("jwks.json: keys[1]: {expected}"));
    };
    let changed = |signer: Signer, name: &str, value: Value| {
        let mut jwk = signer.jwk("k1");
        jwk[name] = value;
        jwk
    };
    let short = json!({"kty": "oct", "k": b64([1; 31])});
    check(short, "is a shared secret of less than 32 bytes");
    let private = "holds a private key; put its public half here";
    check(changed(Signer::es256(), "d", json!("AAAA")), private);
    check(changed(Signer::es256(), "x", json!(b64([1; 32]))), "is no point of the curve P-256");
    check(changed(Signer::eddsa(), "x", json!(b64([1; 31]))), "is no Ed25519 key");
    let weak = "is an RSA key of less than 2048 or more than 8192 bits";
    check(changed(Signer::rs256(), "n", json!(b64([255; 128]))), weak);
    check(changed(Signer::rs256(), "n", json!(b64([&[0; 200][..], &[255; 128]].concat()))), weak);
    check(changed(Signer::rs256(), "n", json!("=")), "has a part that is not base64url");
    check(changed(Signer::hs256(), "kid", json!("ok")), "its kid is taken by a key above");
    check(json!({}), "has no kty");
    check(json!(1), "must be an object");
    assert_eq!(refusal(&json!({})), "jwks.json: keys: must be a list of keys (JWKS)");
    let broken = KeySet::parse("{\n\n oops", std::path::Path::new("jwks.json")).unwrap_err();
    assert_eq!(broken.to_string(), "jwks.json:3: is not JSON");
}

#[test]
fn keys_for_other_uses_are_left_out() {
    let mut encryption = Signer::rs256().jwk("enc");
    encryption["use"] = "enc".into();
    let mut other = Signer::rs256().jwk("ps");
    other["alg"] = "PS256".into();
    let mut crossed = Signer::rs256().jwk("crossed");
    crossed["alg"] = "HS256".into();
    let unknown = json!({"kty": "AKP", "alg": "ML-DSA-65", "kid": "pq", "pub": "AA"});
    let set = key_set(&[encryption, other, crossed.clone(), unknown, Signer::eddsa().jwk("ed")]);
    assert_eq!((set.len(), set.left_out()), (1, 4));
    let nothing = refusal(&json!({"keys": [crossed]}));
    assert!(nothing.contains("holds no key for"), "{nothing}");
}

proptest! {
    #[test]
    fn random_texts_never_panic_and_are_never_believed(
        text in ".{0,80}", header in ".{0,60}", body in ".{0,60}", kid in ".{0,9}",
    ) {
        let signer = Signer::Hs256(vec![7; 32]);
        let door = authenticator(&[signer.jwk("k1")]);
        prop_assert!(present_token(&door, &text).is_err());
        let message = format!("{}.{}", b64(&header), b64(&body));
        let signed = format!("{message}.{}", b64(signer.sign(message.as_bytes())));
        prop_assert!(present_token(&door, &signed).is_err());
        let header = json!({"alg": "HS256", "kid": kid}).to_string();
        let message = format!("{}.{}", b64(header), b64(&body));
        let signed = format!("{message}.{}", b64(signer.sign(message.as_bytes())));
        prop_assert!(present_token(&door, &signed).is_err());
        let file = std::path::Path::new("any.file");
        let _ = KeySet::parse(&text, file);
        let _ = rights::Register::parse(&text, file);
        let _ = rights::Rules::parse(&text, file, Duration::MAX);
    }
}
