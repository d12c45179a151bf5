//! Commits as contenders: a small repository whose `gateway` prints a number.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

use std::cell::RefCell;
use std::path::Path;
use std::process::Command;

use bench::run::commits::{Built, build};
use bench::run::interrupt::Interrupt;

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=n", "-c", "user.email=n@localhost"]);
    assert!(command.args(arguments).status().unwrap().success(), "git {arguments:?}");
}

fn commit(folder: &Path, main: &str) {
    std::fs::write(folder.join("src/main.rs"), main).unwrap();
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", "one"]);
}

/// Three commits: prints 1, prints 2, does not build.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("src")).unwrap();
    let manifest = "[package]\nname = \"gateway\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    std::fs::write(path.join("Cargo.toml"), manifest).unwrap();
    let lock = "version = 4\n\n[[package]]\nname = \"gateway\"\nversion = \"0.1.0\"\n";
    std::fs::write(path.join("Cargo.lock"), lock).unwrap();
    std::fs::write(path.join(".gitignore"), "/target/\n").unwrap();
    git(path, &["init", "-q"]);
    commit(path, "fn main() { println!(\"1\"); }\n");
    commit(path, "fn main() { println!(\"2\"); }\n");
    commit(path, "fn main() { missing(); }\n");
    folder
}

fn said(built: &Built) -> String {
    let output = Command::new(&built.program).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn each_commit_has_its_own_gateway_which_is_built_once() {
    let folder = repository();
    let told = RefCell::new(Vec::new());
    let tell = |line: &str| told.borrow_mut().push(line.to_owned());
    let of = |revision: &str| build(folder.path(), revision, &Interrupt::default(), tell).unwrap();
    let (two, one) = (of("HEAD~1"), of("HEAD~2"));
    assert_eq!((said(&two), said(&one)), ("2".to_owned(), "1".to_owned()));
    assert_ne!(two.hash, one.hash);
    let before = told.borrow().len();
    assert_eq!(of(&two.hash), two);
    assert_eq!(told.borrow().len(), before + 1);
    assert!(told.borrow()[before].contains("built before"), "{told:?}");
}

#[test]
fn what_does_not_build_is_unknown_or_leaves_changes_out_is_refused_in_words() {
    let folder = repository();
    let of = |revision: &str| {
        build(folder.path(), revision, &Interrupt::default(), |_| {}).unwrap_err().to_string()
    };
    let error = of("HEAD");
    assert!(error.contains("does not build") && error.contains("missing"), "{error}");
    let error = of("nobody-knows-it");
    assert!(error.contains("nobody-knows-it: no such commit"), "{error}");
    std::fs::write(folder.path().join("src/main.rs"), "fn main() {}\n").unwrap();
    let error = of("HEAD");
    assert!(error.contains("local changes, which are not in that commit"), "{error}");
    let inside = folder.path().join("target/bench/commits/tree/src/main.rs");
    std::fs::write(inside, "fn main() {}\n").unwrap();
    let error = of("HEAD~1");
    assert!(error.contains("that commits are built in has local changes"), "{error}");
    let nowhere = tempfile::tempdir().unwrap();
    let error = build(nowhere.path(), "HEAD", &Interrupt::default(), |_| {}).unwrap_err();
    assert!(error.to_string().contains("no git repository"), "{error}");
}
