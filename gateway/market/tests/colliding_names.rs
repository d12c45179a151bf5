//! Names made to collide in the hash of the table that dashboards' names are looked up in.
//!
//! That hash has no key, so anybody can compute them. The work is counted, not timed: strangers'
//! names are looked up and never kept, and a lookup compares no more than it does for any name.
#![allow(missing_docs, clippy::print_stdout, reason = "a test program has no public face")]

use std::cell::Cell;
use std::hash::{BuildHasher, Hash, Hasher};

use market::Truth;
use rustc_hash::{FxBuildHasher, FxHashMap};

const SEED: u64 = 0x243f_6a88_85a3_08d3;
/// What the hash mixes into the second half of a block.
const PREVENT: u64 = 0xa409_3822_299f_31d0;
/// Symbols that a venue lists.
const LISTED: usize = 4096;
/// Names that a dashboard asks for in one request, as many as a message holds.
const ASKED: usize = 1200;

fn mixed(x: u64, y: u64) -> u64 {
    let full = u128::from(x) * u128::from(y);
    full as u64 ^ (full >> 64) as u64
}

fn word(text: &[u8]) -> u64 {
    u64::from_le_bytes(text.try_into().expect("eight bytes"))
}

/// Names of 48 characters that all have one hash. The state that the first block leaves meets the
/// third: where they are the same, the product that ends the hash is zero, whatever the other 24
/// characters are. So a first block is sought whose state can be written in a name.
fn colliding(count: usize) -> Vec<String> {
    let is_letter = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'*');
    let (first, state) = (0..1_000_000_u32)
        .map(|at| {
            let block = format!("COLLIDING{at:07}");
            let (x, y) = block.as_bytes().split_at(8);
            let state = mixed(SEED ^ word(x), PREVENT ^ word(y));
            (block, state.to_le_bytes())
        })
        .find(|(_, state)| state.iter().all(is_letter))
        .expect("one of some thousands");
    let state = std::str::from_utf8(&state).expect("letters");
    (0..count).map(|at| format!("{first}{at:016}{state}{at:08}")).collect()
}

thread_local! {
    static COMPARED: Cell<usize> = const { Cell::new(0) };
}

/// A name as the table sees it, that counts how often it is compared.
struct Name(String);

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        COMPARED.set(COMPARED.get() + 1);
        self.0 == other.0
    }
}

impl Eq for Name {}

/// The table that a shard looks names up in.
fn table(names: impl IntoIterator<Item = String>) -> FxHashMap<Name, usize> {
    names.into_iter().enumerate().map(|(at, name)| (Name(name), at)).collect()
}

fn listed() -> impl Iterator<Item = String> {
    (0..LISTED).map(|at| format!("S{at}/USD"))
}

/// Comparisons that looking all of these up takes.
fn compared(table: &FxHashMap<Name, usize>, names: &[String]) -> usize {
    COMPARED.set(0);
    for name in names {
        let _ = table.get(&Name(name.clone()));
    }
    COMPARED.get()
}

#[test]
fn names_that_collide_cost_no_more_than_any_and_are_harmful_only_where_they_are_kept() {
    let strangers = colliding(ASKED);
    let hashes: Vec<u64> = strangers.iter().map(|name| FxBuildHasher.hash_one(name)).collect();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "they collide in the hash itself");

    let others: Vec<String> = (0..ASKED).map(|at| format!("T{at}/EUR")).collect();
    let of_others = compared(&table(listed()), &others);
    let of_strangers = compared(&table(listed()), &strangers);
    // A slot is compared where seven bits of its hash agree: by chance, and for one hash alike.
    assert!(of_others <= ASKED, "{of_others}");
    assert!(of_strangers <= 2 * ASKED, "{of_strangers} comparisons of {ASKED} names");

    // The worst that a venue can do: it lists a name that collides with all of them.
    let with_one = table(listed().chain([colliding(ASKED + 1).remove(ASKED)]));
    let with_one = compared(&with_one, &strangers);
    assert!(with_one <= 3 * ASKED, "{with_one} comparisons of {ASKED} names");

    // Kept, they would cost each lookup a pass over them: that is what must never happen.
    let kept = compared(&table(strangers.iter().cloned()), &strangers);
    assert!(kept > ASKED * ASKED / 4, "{kept} comparisons");
    println!(
        "comparisons for {ASKED} names: any others {of_others}, colliding {of_strangers}, with one \
         of them listed {with_one}, if they were kept {kept}"
    );
}

#[test]
fn what_is_looked_up_is_not_kept() {
    let truth = Truth::default();
    for name in colliding(ASKED) {
        assert!(name.len() <= 64, "as long as a name may be");
        assert_eq!(truth.find(&name), None);
    }
    assert_eq!(truth.symbol_count(), 0);
}
