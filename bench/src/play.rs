//! The commands that play scenarios: what they resolve, run, print and save.

use std::path::{Path, PathBuf};

use bench::compare::{ratios, text as ratio_text};
use bench::floor::{FloorOptions, floor, text as floor_text};
use bench::report::html::page;
use bench::report::result::{Block, FloorFigure, RunResult, Step};
use bench::report::text::{summary, table};
use bench::run::against::run_against;
use bench::run::block::{Measured, Setting};
use bench::run::contender::{Contender, Kind};
use bench::run::interrupt::Interrupt;
use bench::run::{self, Run, RunError, folder_of, gather, in_turn, save};
use bench::scenario::{Cores, Scenario};

use crate::cli::{CompareOptions, PeersOptions, ReportOptions, RunOptions};
use crate::print;

/// `bench run`.
pub(crate) fn run_scenario(options: &RunOptions) -> Result<u8, RunError> {
    let common = &options.common;
    let (name, scenario) = common.scenario(&options.scenario)?;
    let contender = match (&options.peer, &options.url) {
        (Some(peer), _) => common.peer(peer)?,
        (None, Some(url)) => Contender {
            name: url.clone(),
            kind: Kind::Url { url: url.clone(), ca: options.ca.clone() },
        },
        (None, None) => common.gateway()?,
    };
    let interrupt = Interrupt::watch().map_err(RunError::Folder)?;
    let setting = common.setting(&interrupt)?;
    if let Some(base) = scenario.baseline().filter(|_| !options.alone) {
        return run_with_baseline(options, &name, &scenario, &base, &contender, &setting);
    }
    let mut run = run::run(&name, &scenario, &contender, &setting, common.exclude_marked)?;
    if options.floor {
        run.result.floor = Some(floor_beside(&run.result, &interrupt)?);
    }
    print(&summary(&run.result));
    let folder = common.out.clone().unwrap_or_else(|| folder_of(&name));
    save(&run, &folder)?;
    print(&format!("  reports     {}", folder.join("report.html").display()));
    Ok(run.result.exit_code())
}

/// `bench run` of a scenario whose figures are related to a variant of it.
fn run_with_baseline(
    options: &RunOptions,
    name: &str,
    scenario: &Scenario,
    base: &(String, Scenario),
    contender: &Contender,
    setting: &Setting,
) -> Result<u8, RunError> {
    let common = &options.common;
    let exclude = common.exclude_marked;
    let mut runs = run_against(name, scenario, base, contender, setting, exclude)?;
    if options.floor {
        runs[0].result.floor = Some(floor_beside(&runs[0].result, &setting.interrupt)?);
    }
    for run in runs.iter().rev() {
        print(&summary(&run.result));
    }
    let folder = common.out.clone().unwrap_or_else(|| folder_of(name));
    save_all(&runs, &folder)?;
    print(&format!("  reports     {}", folder.join("report.html").display()));
    Ok(runs.iter().map(|run| run.result.exit_code()).max().unwrap_or(0))
}

/// `bench compare`.
pub(crate) fn compare_two(options: &CompareOptions) -> Result<u8, RunError> {
    let common = &options.common;
    let (name, scenario) = common.scenario(&options.scenario)?;
    let interrupt = Interrupt::watch().map_err(RunError::Folder)?;
    let find = |spec: &str| common.contender(spec, &interrupt);
    let mut contenders = vec![find(&options.a)?, find(&options.b)?];
    let round: &[usize] = if options.no_aa { &[0, 1, 1, 0] } else { &[0, 1, 2, 2, 1, 0] };
    if !options.no_aa {
        let name = format!("{} again", contenders[0].name);
        let again = Contender { name, ..contenders[0].clone() };
        contenders.push(again);
    }
    let order: Vec<usize> = (0..options.rounds).flat_map(|_| round).copied().collect();
    let setting = common.setting(&interrupt)?;
    let mut failures = Vec::new();
    let measured = in_turn(&name, &scenario, &contenders, &order, &setting, &mut failures)?;
    let folder = common.out.clone().unwrap_or_else(|| folder_of(&format!("compare-{name}")));
    let runs = gather_all(&name, &scenario, &contenders, measured, common.exclude_marked);
    save_all(&runs, &folder)?;
    let blocks = |at: usize| -> Vec<&Block> {
        runs.get(at)
            .into_iter()
            .flat_map(|run| &run.result.steps)
            .flat_map(Step::counting)
            .collect()
    };
    if !options.no_aa {
        let noise = ratios(&blocks(0), &blocks(2));
        print(&ratio_text(
            &format!("A'/A, the noise: {} against itself", contenders[0].name),
            &noise,
        ));
    }
    let compared = ratios(&blocks(0), &blocks(1));
    print(&ratio_text(
        &format!("B/A: {} by {}", contenders[1].name, contenders[0].name),
        &compared,
    ));
    for failure in &failures {
        print(&format!("FAILED {failure}"));
    }
    print(&format!("reports: {}", folder.join("report.html").display()));
    Ok(u8::from(!failures.is_empty()))
}

/// `bench peers`.
pub(crate) fn against_peers(options: &PeersOptions) -> Result<u8, RunError> {
    let common = &options.common;
    let mut contenders = vec![common.gateway()?];
    for peer in common.peers()? {
        if !options.only.is_empty() && !options.only.contains(&peer.name) {
            continue;
        }
        if peer.is_installed() {
            contenders.push(Contender { name: peer.name.clone(), kind: Kind::Peer(peer) });
        } else {
            print(&format!(
                "{}: not installed, left out; to install it: {}",
                peer.name, peer.install
            ));
        }
    }
    let interrupt = Interrupt::watch().map_err(RunError::Folder)?;
    let setting = common.setting(&interrupt)?;
    let root = common.out.clone().unwrap_or_else(|| folder_of("peers"));
    let (mut failures, mut results) = (Vec::new(), Vec::new());
    for scenario in &options.scenarios {
        let (name, scenario) = common.scenario(scenario)?;
        let stepped = !scenario.steps.rates.is_empty() || !scenario.steps.speeds.is_empty();
        let mut runs = if stepped {
            let mut runs = Vec::new();
            for contender in &contenders {
                match run::run(&name, &scenario, contender, &setting, common.exclude_marked) {
                    Ok(run) => runs.push(run),
                    Err(RunError::Interrupted) => return Err(RunError::Interrupted),
                    Err(error) => failures.push(format!("{name}, {}: {error}", contender.name)),
                }
            }
            runs
        } else {
            let order = turns(contenders.len(), scenario.time.blocks);
            let measured = in_turn(&name, &scenario, &contenders, &order, &setting, &mut failures)?;
            gather_all(&name, &scenario, &contenders, measured, common.exclude_marked)
        };
        if let (true, Some(first)) = (options.floor, runs.first()) {
            let floor = floor_beside(&first.result, &interrupt)?;
            for run in &mut runs {
                run.result.floor = Some(floor.clone());
            }
        }
        save_all(&runs, &root.join(&name))?;
        results.extend(runs.into_iter().map(|run| run.result));
    }
    print(&table(&results));
    for failure in &failures {
        print(&format!("FAILED {failure}"));
    }
    print(&format!("reports: {}", root.display()));
    Ok(u8::from(!failures.is_empty()))
}

/// There and back again, so that no contender always comes first.
fn turns(contenders: usize, blocks: u32) -> Vec<usize> {
    let there = (0..blocks).map(|block| -> Vec<usize> {
        if block % 2 == 0 { (0..contenders).collect() } else { (0..contenders).rev().collect() }
    });
    there.flatten().collect()
}

/// `bench floor`.
pub(crate) fn floor_alone(options: &FloorOptions) -> Result<u8, RunError> {
    let interrupt = Interrupt::watch().map_err(RunError::Folder)?;
    let figures = floor(options, &Cores::default(), &interrupt).map_err(RunError::Folder)?;
    if options.json {
        print(&serde_json::to_string_pretty(&figures).expect("figures always become JSON"));
    } else {
        print(&floor_text(&figures));
    }
    Ok(0)
}

/// The floor with the sessions and the message size of `result`.
fn floor_beside(result: &RunResult, interrupt: &Interrupt) -> Result<Vec<FloorFigure>, RunError> {
    let block = result.steps.first().and_then(|step| step.blocks.first());
    let bytes = block.map_or(290.0, |block| block.load.bytes_per_delivery + 4.0);
    let options = FloorOptions {
        sessions: result.config.fleet.sessions.min(2000),
        bytes: (bytes as u32).clamp(1, 16_384),
        seconds: 1.0,
        json: false,
    };
    floor(&options, &result.config.cores, interrupt).map_err(RunError::Folder)
}

/// `bench report`.
pub(crate) fn report(options: &ReportOptions) -> Result<u8, RunError> {
    let read = |path: &PathBuf| -> Result<RunResult, RunError> {
        let fail = |cause: String| RunError::Result { path: path.display().to_string(), cause };
        let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| fail(error.to_string()))
    };
    let results = options.results.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    print(&table(&results));
    if let Some(path) = &options.page {
        std::fs::write(path, page(&results)).map_err(RunError::Folder)?;
    }
    Ok(0)
}

fn gather_all(
    name: &str,
    scenario: &Scenario,
    contenders: &[Contender],
    measured: Vec<Vec<Measured>>,
    exclude: bool,
) -> Vec<Run> {
    let each = contenders.iter().zip(measured).filter(|(_, blocks)| !blocks.is_empty());
    each.map(|(one, blocks)| gather(name, scenario, one, blocks, exclude)).collect()
}

/// Each run in a folder of its own, and one page with all of them.
fn save_all(runs: &[Run], folder: &Path) -> Result<(), RunError> {
    for run in runs {
        let name = run.result.contender.replace(['/', '+', ':', ' '], "-");
        save(run, &folder.join(name.trim_start_matches('-')))?;
    }
    let results: Vec<RunResult> = runs.iter().map(|run| run.result.clone()).collect();
    std::fs::create_dir_all(folder).map_err(RunError::Folder)?;
    std::fs::write(folder.join("report.html"), page(&results)).map_err(RunError::Folder)
}
