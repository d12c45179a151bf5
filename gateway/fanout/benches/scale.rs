//! What a session of ten thousand subscriptions costs its shard, in time: `cargo bench -p fanout
//! --bench scale`. It prints; what is judged, as a ratio within the run, is that nothing is
//! quadratic.
#![expect(clippy::print_stdout, reason = "it is there to be read")]

#[path = "../tests/scene/mod.rs"]
mod scene;

use std::time::{Duration, Instant};

use market::Nanos;
use scene::{Scene, book, quote};

const SYMBOLS: usize = 10_000;

fn timed(what: &str, work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    let took = begun.elapsed();
    println!("{what}: {took:?}");
    took
}

fn crowded() -> (Scene, Vec<String>) {
    let names: Vec<String> = (0..SYMBOLS).map(|n| format!("S{n}")).collect();
    let mut scene = Scene::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for id in 0..SYMBOLS as u32 {
        scene.tick(id, quote(10));
        scene.tick(id, book(&[(10, 1)], &[(11, 1)]));
    }
    (scene, names)
}

fn subscribe(scene: &mut Scene, names: &[String], channel: &str) -> (Duration, Duration) {
    let key = scene.open();
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let text = format!(
        r#"{{"method":"subscribe","params":{{"channel":"{channel}","symbol":[{}]}}}}"#,
        names.join(",")
    );
    let begun = Instant::now();
    scene.ask(key, &text);
    let mut longest = begun.elapsed();
    loop {
        let slice = Instant::now();
        scene.fanout.handle_work(Nanos(1));
        longest = longest.max(slice.elapsed());
        drop(scene.taken(key));
        while scene.fanout.poll_dirty().is_some() {}
        scene.fanout.end_cycle();
        if !scene.fanout.has_work() {
            break;
        }
    }
    let took = begun.elapsed();
    let fell = timed("  it falls behind", || scene.fanout.keep(key));
    timed("  and is served again", || drop(scene.written(key)));
    timed("  and is gone", || scene.fanout.handle_gone(key));
    println!("  longest slice of its requests: {longest:?}");
    (took, fell)
}

fn main() {
    let (mut scene, mut names) = crowded();
    for channel in ["ticker", "book"] {
        fastrand::Rng::with_seed(1).shuffle(&mut names);
        println!("{channel}, in random order");
        let (random, _) = subscribe(&mut scene, &names, channel);
        names.sort_by_key(|name| name[1..].parse::<usize>().expect("a number"));
        println!("{channel}, in order");
        let (ordered, fell) = subscribe(&mut scene, &names, channel);
        println!("{channel}: {random:?} in random order, {ordered:?} in order");
        assert!(random < ordered * 4 + Duration::from_millis(100), "{random:?} {ordered:?}");
        assert!(fell < Duration::from_millis(200), "{fell:?}");
    }
}
