//! Where the program's threads run and how they wait, as the kernel tells it of each.
#![allow(missing_docs, reason = "a test says by its name what it is for")]

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use feed_sim::Generate;
use gateway::door::certificate::ensure_self_signed;

const PATIENCE: Duration = Duration::from_secs(20);
/// What a thread uses of a processor while its sleeps are counted.
const USED: Duration = Duration::from_millis(40);

/// The program at work; killed when the test ends, however it ends.
struct Program {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Program {
    fn start(door: &str, rest: &str, venue: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (cert, key) = ensure_self_signed(folder.path()).expect("a certificate");
        let text = format!(
            "[door]\nlisten = '127.0.0.1:0'\ncert_file = '{}'\nkey_file = '{}'\n{door}\n{rest}\n\
             [ring]\nbytes = 4194304\n\
             [[ingest.feeds]]\nname = 'f'\ndialect = 'kraken'\nurl = 'ws://{venue}/v2'\n\
             symbols = 'all'\n",
            cert.display(),
            key.display(),
        );
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, text).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        let child = command.arg("run").arg("--config").arg(&file).stderr(Stdio::null()).spawn();
        Self { child: child.expect("the program starts"), _folder: folder }
    }

    /// The folder of a thread under /proc, once it is there.
    fn thread(&self, name: &str) -> PathBuf {
        let tasks = format!("/proc/{}/task", self.child.id());
        wait(&format!("a thread {name}"), || {
            let named = |task: &PathBuf| {
                std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name)
            };
            let listed = std::fs::read_dir(&tasks).ok()?;
            listed.filter_map(|task| Some(task.ok()?.path())).find(named)
        })
    }

    /// A figure of a thread from its status.
    fn status(&self, name: &str, figure: &str) -> String {
        let text = std::fs::read_to_string(self.thread(name).join("status")).expect("it lives");
        let line = text.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(":\t"));
        line.expect("Linux says it").to_owned()
    }

    fn nice(&self, name: &str) -> i32 {
        nice_of(&self.thread(name))
    }

    /// Time on a processor, and how often the thread went to sleep.
    fn spent(&self, name: &str) -> (Duration, u64) {
        let folder = self.thread(name);
        let text = std::fs::read_to_string(folder.join("schedstat")).expect("it lives");
        let ns = text.split(' ').next().expect("three figures").parse().expect("a number");
        let sleeps = self.status(name, "voluntary_ctxt_switches").parse().expect("a number");
        (Duration::from_nanos(ns), sleeps)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of a thread or process, by its folder under /proc.
fn nice_of(folder: &Path) -> i32 {
    let stat = std::fs::read_to_string(folder.join("stat")).expect("it lives");
    // Behind the name's parenthesis stands field 3; nice is field 19.
    let (_, rest) = stat.rsplit_once(") ").expect("a name");
    rest.split(' ').nth(16).expect("nice").parse().expect("a number")
}

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

#[test]
fn door_and_admin_stand_back_and_ingest_and_shards_do_not() {
    let rest = "nice = 7\n[admin]\nlisten = '127.0.0.1:0'\nnice = 13";
    let program = Program::start("", rest, nowhere());
    let admin = wait("the priorities are set", || {
        let found = [program.nice("door"), program.nice("admin")];
        (found == [7, 13]).then_some(found)
    });
    assert_eq!(admin, [7, 13]);
    let ours = nice_of(Path::new("/proc/self"));
    assert_eq!(
        [program.nice("ingest"), program.nice("shard-0")],
        [ours, ours],
        "as it was started"
    );
}

#[test]
fn pinned_threads_may_use_one_core_each() {
    let rest = "pin = true\n[admin]\nlisten = '127.0.0.1:0'\npin = true\n\
                [shard]\npin = true\n[ingest]\npin = true";
    let program = Program::start("", rest, nowhere());
    let cores: Vec<usize> =
        core_affinity::get_core_ids().expect("Linux says").iter().map(|core| core.id).collect();
    for (at, name) in ["ingest", "shard-0", "door", "admin"].into_iter().enumerate() {
        let core = cores[at % cores.len()].to_string();
        wait(&format!("{name} on core {core}"), || {
            (program.status(name, "Cpus_allowed_list") == core).then_some(())
        });
    }
}

#[test]
fn ingest_spins_for_its_time_and_sleeps_without_one() {
    let market = Generate { symbols: 2, rate: 50.0, levels: 10, ..Generate::default() };
    let venue = market.start_thread("127.0.0.1:0".parse().expect("an address"));
    let venue = venue.expect("it starts");
    let rest = |spin| format!("[admin]\nlisten = '127.0.0.1:0'\n[ingest]\nspin_us = {spin}");
    for (spin, sleeps_per_use) in [(1_000_000, 0..5), (0, 20..u64::MAX)] {
        let program = Program::start("", &rest(spin), venue.addr());
        wait("ticks come", || (program.spent("ingest").0 > Duration::from_millis(5)).then_some(()));
        let (used, slept) = program.spent("ingest");
        let sleeps = wait("it was at work for a while", || {
            let now = program.spent("ingest");
            (now.0 > used + USED).then_some(now.1 - slept)
        });
        assert!(sleeps_per_use.contains(&sleeps), "{sleeps} with spin_us = {spin}");
    }
}
