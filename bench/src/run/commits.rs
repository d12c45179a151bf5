//! A commit as a contender: its gateway, built in a work tree of its own below `target/`, with the
//! profile that figures come from, and kept by the commit's hash.
//!
//! One work tree and one build folder serve all commits, one after the other: what two commits
//! share is built once. A lock keeps two runs from building at the same time.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::RunError;
use super::interrupt::Interrupt;

/// Where all of it lies, below the repository's root.
const FOLDER: &str = "target/bench/commits";
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Lines of a failed build that are told.
const TOLD_MAX: usize = 12;

/// A built commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its hash, as short as people know it.
    pub hash: String,
    /// Its gateway.
    pub program: PathBuf,
}

/// The gateway of `revision`, as git names revisions, of the repository around the folder `here`;
/// `tell` hears what goes on.
pub fn build(
    here: &Path,
    revision: &str,
    interrupt: &Interrupt,
    tell: impl Fn(&str),
) -> Result<Built, RunError> {
    let fail = |cause: String| RunError::Commit { revision: revision.to_owned(), cause };
    let root = git(here, &["rev-parse", "--show-toplevel"])
        .map_err(|error| fail(format!("no git repository here: {error}")))?;
    let root = PathBuf::from(root);
    let wanted = format!("{revision}^{{commit}}");
    let hash = git(&root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted])
        .map_err(|_| fail("no such commit in this repository".to_owned()))?;
    if matches!(revision, "HEAD" | "@") {
        let changes =
            git(&root, &["status", "--porcelain", "--untracked-files=no"]).map_err(fail)?;
        if !changes.is_empty() {
            return Err(fail(
                "the work tree has local changes, which are not in that commit: commit them, or \
                 name the commit by its hash"
                    .to_owned(),
            ));
        }
    }
    let folder = root.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(RunError::Folder)?;
    let short = hash[..12.min(hash.len())].to_owned();
    let program = folder.join(&hash).join("gateway");
    let lock = File::create(folder.join("lock")).map_err(RunError::Folder)?;
    lock.lock().map_err(RunError::Folder)?;
    if program.is_file() {
        tell(&format!("commit {short}: built before"));
        return Ok(Built { hash: short, program });
    }
    let tree = folder.join("tree");
    check_out(&root, &tree, &hash).map_err(fail)?;
    tell(&format!("commit {short}: building its gateway (cargo build --release)"));
    let made = make(&tree, &folder, interrupt)?.map_err(fail)?;
    std::fs::create_dir_all(folder.join(&hash)).map_err(RunError::Folder)?;
    // Under its name only when it is whole.
    let half = folder.join(&hash).join("gateway.part");
    std::fs::copy(&made, &half).map_err(RunError::Folder)?;
    std::fs::rename(&half, &program).map_err(RunError::Folder)?;
    tell(&format!("commit {short}: built"));
    Ok(Built { hash: short, program })
}

/// Puts the work tree at `tree` on `hash`; local changes there are nobody's to throw away.
fn check_out(root: &Path, tree: &Path, hash: &str) -> Result<(), String> {
    let at = tree.display().to_string();
    if !tree.join(".git").exists() {
        git(root, &["worktree", "prune"])?;
        return git(root, &["worktree", "add", "--detach", "--force", &at, hash]).map(drop);
    }
    let changes = git(tree, &["status", "--porcelain"])?;
    if !changes.is_empty() {
        return Err(format!(
            "the work tree that commits are built in has local changes: look at {at}, and remove \
             it with: git worktree remove --force {at}"
        ));
    }
    git(tree, &["checkout", "--quiet", "--detach", hash]).map(drop)
}

/// Builds, and says where the program lies; what does not build says why.
fn make(
    tree: &Path,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<Result<PathBuf, String>, RunError> {
    let (log, build) = (folder.join("build.log"), folder.join("build"));
    let errors = File::create(&log).map_err(RunError::Folder)?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--locked", "-p", "gateway", "--bin", "gateway"])
        .arg("--target-dir")
        .arg(&build)
        .current_dir(tree)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .map_err(|error| RunError::Start { name: "cargo".into(), cause: error.to_string() })?;
    let status = loop {
        if let Some(status) = cargo.try_wait().map_err(RunError::Folder)? {
            break status;
        }
        if interrupt.is_raised() {
            if let Some(pid) = Pid::from_raw(cargo.id() as i32) {
                // It may be gone already, which is as good.
                let _ = kill_process(pid, Signal::TERM);
            }
            let _ = cargo.wait();
            return Err(RunError::Interrupted);
        }
        std::thread::sleep(LOOK_EVERY);
    };
    if status.success() {
        return Ok(Ok(build.join("release/gateway")));
    }
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    let begin = said.find("error").unwrap_or(0);
    let told: Vec<&str> = said[begin..].lines().take(TOLD_MAX).collect();
    let told = told.join("\n    ");
    Ok(Err(format!("does not build (all of it in {}):\n    {told}", log.display())))
}

/// What git says; or why it does not.
fn git(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output();
    let Output { status, stdout, stderr } = output.map_err(|error| format!("git: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if status.success() { Ok(text(&stdout)) } else { Err(text(&stderr)) }
}
