//! Keys and certificates: who is known, who is not, and what is said about a register with faults.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod support;

use std::path::Path;

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use rights::{
    Authenticator, CredentialKind, Credentials, Failure, Identity, NewKey, Presented, Register,
    Subject, Wall,
};
use support::{NOW, Signer, claims, present, present_at, register};

/// A gateway that knows these keys.
fn door(entries: &[String]) -> Authenticator {
    Authenticator::new(register(&entries.concat()), None)
}

#[test]
fn a_new_key_is_known_and_names_its_user() {
    let key = NewKey::generate().unwrap();
    let end = Wall::from_seconds(NOW + 60);
    let entry = key.register_entry("alice \"the\nquick\"", &["desk"], Some(end));
    let failure = Register::parse(&entry, Path::new("r.toml")).unwrap_err();
    assert!(failure.to_string().contains("keys.user: must be 1 to 256 bytes"), "{failure}");
    let door = door(&[key.register_entry("alice \"quick\" \\ ä", &["desk", "a'b"], Some(end))]);
    let identity = present(&door, key.text().expose()).unwrap();
    assert_eq!(
        (identity.user(), identity.kind()),
        ("alice \"quick\" \\ ä", CredentialKind::ApiKey)
    );
    assert_eq!(identity.groups().collect::<Vec<_>>(), ["desk", "a'b"]);
    assert_eq!(identity.expires_at(), Some(end));
    assert_eq!(identity.credential(), format!("key:{}", key.id()));
}

#[test]
fn keys_are_long_and_no_two_are_alike() {
    let (one, two) = (NewKey::generate().unwrap(), NewKey::generate().unwrap());
    assert_ne!(one.text().expose(), two.text().expose());
    assert_ne!(one.id(), two.id());
    let parts: Vec<_> = one.text().expose().split('_').collect();
    assert_eq!((parts[0], parts[1], parts[2].len()), ("mdg", one.id(), 64));
}

#[test]
fn no_secret_shows_in_debug_texts_or_the_register() {
    let key = NewKey::generate().unwrap();
    let secret = key.text().expose().rsplit('_').next().unwrap();
    let entry = key.register_entry("alice", &[], None);
    let credentials = Credentials::from_text(key.text().expose());
    let door = door(std::slice::from_ref(&entry));
    let identity = present(&door, key.text().expose()).unwrap();
    let texts = [format!("{key:?} {credentials:?} {door:?} {identity:?}"), entry];
    for text in texts {
        assert!(!text.contains(secret), "{text}");
    }
    let token = Credentials::from_text("aa.bb.cc");
    assert!(!format!("{token:?}").contains("aa"), "{token:?}");
}

#[test]
fn no_change_of_one_byte_of_a_key_is_believed() {
    let keys = [NewKey::generate().unwrap(), NewKey::generate().unwrap()];
    let entries = keys.each_ref().map(|key| key.register_entry("alice", &[], None));
    let door = door(&entries);
    let text = keys[0].text().expose();
    for at in 0..text.len() {
        for bit in 0..7 {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(present(&door, &changed).is_err(), "byte {at}");
        }
        assert!(present(&door, &text[..at]).is_err(), "cut at {at}");
    }
    let secret = |key: &NewKey| key.text().expose().rsplit('_').next().unwrap().to_owned();
    let crossed = format!("mdg_{}_{}", keys[0].id(), secret(&keys[1]));
    assert_eq!(present(&door, &crossed).unwrap_err(), Failure::WrongSecret);
    let unknown = format!("mdg_{}_{}", "0".repeat(16), secret(&keys[0]));
    assert_eq!(present(&door, &unknown).unwrap_err(), Failure::UnknownKey);
    for odd in ["mdg_", "mdg__", "mdg_a_b", "mdg_\u{e4}_", &text.to_uppercase()] {
        assert!(present(&door, odd).is_err(), "{odd}");
    }
}

#[test]
fn a_key_ends_by_its_date_or_when_it_is_disabled() {
    let key = NewKey::generate().unwrap();
    let entry = key.register_entry("alice", &[], Some(Wall::from_seconds(NOW)));
    let dated = door(std::slice::from_ref(&entry));
    assert!(present_at(&dated, key.text().expose(), NOW - 1).is_ok());
    assert_eq!(present_at(&dated, key.text().expose(), NOW).unwrap_err(), Failure::Expired);
    let disabled = door(&[entry, "disabled = true\n".to_owned()]);
    let failure = present_at(&disabled, key.text().expose(), NOW - 1).unwrap_err();
    assert_eq!(failure, Failure::Disabled);
}

#[test]
fn without_credentials_one_is_anonymous_where_that_is_allowed() {
    let enter = |register| {
        let outcome = Authenticator::new(register, None)
            .authenticate(&Credentials::None, Wall::from_seconds(NOW));
        outcome.map(|who| (*who).clone()).map_err(rights::AuthError::failure)
    };
    assert_eq!(enter(register("")).unwrap_err(), Failure::Missing);
    let guest = enter(register("[anonymous]\ngroups = [\"guests\"]")).unwrap();
    assert_eq!((guest.user(), guest.kind()), ("anonymous", CredentialKind::Anonymous));
    assert_eq!(guest.groups().collect::<Vec<_>>(), ["guests"]);
    assert_eq!(enter(Register::open()).unwrap().groups().count(), 0);
    // Credentials that are no good do not make anybody anonymous.
    let open = Authenticator::new(Register::open(), None);
    assert!(present(&open, "a.b.c").is_err());
}

fn recheck(entry: &str, identity: &Identity) -> Result<Vec<String>, Failure> {
    let door = Authenticator::new(register(entry), None);
    let outcome = door.recheck(identity);
    outcome
        .map(|fresh| fresh.groups().map(str::to_owned).collect())
        .map_err(rights::AuthError::failure)
}

#[test]
fn a_register_that_was_replaced_counts_for_who_is_inside() {
    let key = NewKey::generate().unwrap();
    let entry = |groups: &[&str]| key.register_entry("alice", groups, None);
    let identity = present(&door(&[entry(&["a"])]), key.text().expose()).unwrap();
    assert_eq!(recheck(&entry(&["b"]), &identity), Ok(vec!["b".to_owned()]));
    assert_eq!(recheck("", &identity), Err(Failure::UnknownKey));
    let disabled = entry(&["a"]) + "disabled = true";
    assert_eq!(recheck(&disabled, &identity), Err(Failure::Disabled));
    let other_user = entry(&["a"]).replace("alice", "bob");
    assert_eq!(recheck(&other_user, &identity), Err(Failure::UnknownSubject));
    let at = disabled.find("sha256 = \"").unwrap() + 10;
    let dated = entry(&["a"]) + "expires = 2000-01-01T00:00:00Z";
    assert_eq!(recheck(&dated, &identity), Ok(vec!["a".to_owned()]), "its lease ends it");
    let mut exchanged = entry(&["a"]);
    exchanged.replace_range(at..at + 64, &"1".repeat(64));
    assert_eq!(recheck(&exchanged, &identity), Err(Failure::WrongSecret));
}

#[test]
fn who_is_blocked_stays_out_and_does_not_stay_in() {
    let key = NewKey::generate().unwrap();
    let entry = key.register_entry("alice", &[], None);
    let identity = present(&door(std::slice::from_ref(&entry)), key.text().expose()).unwrap();
    let blocked = format!("{entry}[blocked]\nusers = [\"alice\"]\n");
    let failure = present(&door(std::slice::from_ref(&blocked)), key.text().expose()).unwrap_err();
    assert_eq!(failure, Failure::Blocked);
    assert_eq!(recheck(&blocked, &identity), Err(Failure::Blocked));

    let signer = Signer::es256();
    let token = signer.token("k1", &claims());
    let door = |more: &str| {
        let keys = support::key_set(&[signer.jwk("k1")]);
        Authenticator::new(register(&format!("{}{more}", support::TOKENS)), Some(keys))
    };
    let identity = present(&door(""), &token).unwrap();
    for list in ["users = [\"alice\"]", "tokens = [\"t-0\", \"t-1\"]"] {
        let door = door(&format!("[blocked]\n{list}\n"));
        assert_eq!(present(&door, &token).unwrap_err(), Failure::Blocked, "{list}");
        let outcome = door.recheck(&identity).map(|_| ());
        assert_eq!(outcome.map_err(rights::AuthError::failure), Err(Failure::Blocked), "{list}");
    }
    let others = door("[blocked]\nusers = [\"bob\"]\ntokens = [\"t-2\"]\n");
    assert!(present(&others, &token).is_ok() && others.recheck(&identity).is_ok());
}

fn certificate(edit: impl FnOnce(&mut CertificateParams)) -> Subject {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    edit(&mut params);
    let key = KeyPair::generate().unwrap();
    Subject::from_der(params.self_signed(&key).unwrap().der()).expect("it has a name")
}

#[test]
fn a_certificate_is_known_by_its_names() {
    let ia5 = |text: &str| Ia5String::try_from(text).unwrap();
    let subject = certificate(|params| {
        params.distinguished_name.push(DnType::CommonName, "Wall 7");
        params.subject_alt_names = vec![
            SanType::DnsName(ia5("Wall-7.Example.com")),
            SanType::Rfc822Name(ia5("wall@example.com")),
            SanType::URI(ia5("spiffe://example/wall")),
        ];
    });
    let names: Vec<_> = subject.names().collect();
    let expected = [
        "cn:Wall 7",
        "dns:wall-7.example.com",
        "email:wall@example.com",
        "uri:spiffe://example/wall",
    ];
    assert_eq!(names, expected);
    let end = Wall::from_seconds(1_893_456_000);
    assert_eq!(subject.not_after(), end);
    let enter = |text: &str, seconds| {
        let presented = Presented { subject: Some(subject.clone()), ..Presented::default() };
        let credentials = presented.credentials(&rights::Places::default()).unwrap();
        let door = Authenticator::new(register(text), None);
        let outcome = door.authenticate(&credentials, Wall::from_seconds(seconds));
        outcome.map(|who| (*who).clone()).map_err(rights::AuthError::failure)
    };
    let entry = |name: &str, user: &str| {
        format!("[[certificates]]\nsubject = \"{name}\"\nuser = \"{user}\"\n")
    };
    for name in expected.into_iter().chain(["dns:WALL-7.example.com"]) {
        let identity = enter(&entry(name, "wall"), NOW).expect(name);
        assert_eq!((identity.user(), identity.kind()), ("wall", CredentialKind::Certificate));
        assert_eq!(identity.expires_at(), Some(end));
        assert!(identity.credential().eq_ignore_ascii_case(name));
    }
    let stranger = enter(&entry("cn:wall-7.example.com", "wall"), NOW);
    assert_eq!(stranger.unwrap_err(), Failure::UnknownSubject, "another kind of name");
    let two = entry(expected[0], "wall") + &entry(expected[1], "wall");
    assert!(enter(&two, NOW).is_ok());
    let torn = entry(expected[0], "wall") + &entry(expected[1], "other");
    assert_eq!(enter(&torn, NOW).unwrap_err(), Failure::UnknownSubject, "two users");
    let over = enter(&entry(expected[0], "wall"), 1_893_456_000);
    assert_eq!(over.unwrap_err(), Failure::Expired);
    let disabled = entry(expected[0], "wall") + "disabled = true";
    assert_eq!(enter(&disabled, NOW).unwrap_err(), Failure::Disabled);
}

#[test]
fn several_common_names_are_none() {
    let subject = certificate(|params| {
        let other = DnType::CustomDnType(vec![2, 5, 4, 3]);
        params.distinguished_name.push(DnType::CommonName, "alice");
        params.distinguished_name.push(other, "bob");
        params.subject_alt_names = vec![SanType::DnsName(Ia5String::try_from("x.test").unwrap())];
    });
    assert_eq!(subject.names().collect::<Vec<_>>(), ["dns:x.test"]);
}

#[test]
fn the_shipped_register_is_good_once_its_tokens_have_keys() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/credentials.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let shipped = register(&text);
    assert_eq!(shipped.token_keys_file(), Some("jwks.json"));
    assert!(shipped.wants_certificates() && !shipped.is_open());
    let open = register(&text.replace("#[anonymous]", "[anonymous]").replace("#groups", "groups"));
    assert!(open.is_open());
    let signer = Signer::es256();
    let keys = support::key_set(&[signer.jwk("k1")]);
    let mut claims = claims();
    claims["iss"] = "https://login.example.com/".into();
    let door = Authenticator::new(shipped, Some(keys));
    assert_eq!(present(&door, &signer.token("k1", &claims)).unwrap().user(), "alice");
}

#[test]
fn a_register_with_faults_names_all_of_them_and_shows_no_value() {
    let text = r#"
[tokens]
issuers = []
audiences = ["a"]
leeway_s = 301

[[keys]]
id = "short"
sha256 = "SECRET"
user = "alice"

[[keys]]
id = "0000000000000000"
sha256 = "SECRET"
user = "anonymous"
expires = "2027-01-01"

[[certificates]]
subject = "alice"
user = "alice"
secret = "SECRET"
"#;
    let error = Register::parse(text, Path::new("r.toml")).unwrap_err().to_string();
    let expected = [
        "r.toml:2: tokens.keys_file: is missing, and has no default",
        "r.toml:3: tokens.issuers: must name at least one, and none may be empty",
        "r.toml:5: tokens.leeway_s: must be a whole number, 0 to 300",
        "r.toml:8: keys.id: must be the 16 hex digits in the middle of a key",
        "r.toml:14: keys.sha256: must be 64 hex digits, the SHA-256 of the whole key",
        "r.toml:15: keys.user: must be 1 to 256 bytes without control characters, \
         and not \"anonymous\"",
    ];
    for line in expected {
        assert!(error.contains(line), "{line}\n{error}");
    }
    assert!(error.contains("keys.expires: must be a time in UTC without quotes"), "{error}");
    assert!(error.contains("certificates.subject: must be a name with its kind"), "{error}");
    assert!(error.contains("certificates.secret: unknown key"), "{error}");
    assert!(!error.contains("SECRET"), "{error}");
    let key = "[[keys]]\nid = \"0000000000000000\"\nuser = \"a\"\nsha256 = \"";
    let key = format!("{key}{}\"\n", "0".repeat(64));
    let twice = Register::parse(&key.repeat(2), Path::new("r.toml")).unwrap_err();
    assert_eq!(twice.to_string(), "r.toml:6: keys.id: is taken by a key above");
}
