//! A scenario and the variant that its figures are related to, block by block in turn: both see the
//! same machine, so that the ratio says more than either figure.

use super::block::{Measured, Setting, play};
use super::contender::Contender;
use super::{Run, RunError, empty, step_of, steps_of};
use crate::compare::ratios;
use crate::report::result::{AgainstSide, Block, RunResult, Step};
use crate::scenario::Scenario;

/// One of the two.
struct Side {
    scenario: Scenario,
    contender: Contender,
    run: Run,
    /// The last step was not sustained.
    over: bool,
}

/// Plays `scenario` and its baseline, called `base_name`. The scenario's own run comes first.
pub fn run_against(
    name: &str,
    scenario: &Scenario,
    (base_name, base): &(String, Scenario),
    contender: &Contender,
    setting: &Setting,
    exclude: bool,
) -> Result<[Run; 2], RunError> {
    let side = |scenario: &Scenario, contender: Contender| Side {
        run: Run { result: empty(name, scenario, &contender), blocks: Vec::new() },
        scenario: scenario.clone(),
        contender,
        over: false,
    };
    let calm = Contender { name: format!("{} {base_name}", contender.name), ..contender.clone() };
    let mut sides = [side(scenario, contender.clone()), side(base, calm)];
    for at in 0..steps_of(scenario).len() {
        let mut measured = [Vec::new(), Vec::new()];
        for turn in 0..scenario.time.blocks {
            // There and back, so that neither always comes first.
            for which in if turn % 2 == 0 { [1, 0] } else { [0, 1] } {
                if sides[which].over {
                    continue;
                }
                let (label, _, scenario) = &steps_of(&sides[which].scenario)[at];
                let contender = &sides[which].contender;
                let of = scenario.time.blocks;
                let label = format!("{name} {} {label} {}/{of}", contender.name, turn + 1);
                let setting = Setting { label, ..setting.clone() };
                measured[which].push(play(scenario, contender, &setting)?);
            }
        }
        for (side, measured) in sides.iter_mut().zip(measured).filter(|(_, one)| !one.is_empty()) {
            side.take(at, measured, exclude);
        }
        if sides.iter().all(|side| side.over) {
            break;
        }
    }
    let [it, base] = sides;
    let (mut it, base) = (it.run, base.run);
    it.result.against = Some(related(&it.result, base_name, &base.result));
    Ok([it, base])
}

impl Side {
    fn take(&mut self, at: usize, mut measured: Vec<Measured>, exclude: bool) {
        let (label, value, _) = &steps_of(&self.scenario)[at];
        let step = step_of(label, *value, &mut measured, exclude);
        let steps = &self.scenario.steps;
        self.over = !steps.rates.is_empty()
            && (!step.is_good() || step.latency.p99_us > steps.p99_max_ms * 1000.0);
        self.run.result.steps.push(step);
        let tagged = measured.into_iter().enumerate();
        self.run.blocks.extend(tagged.map(|(at, one)| (format!("{label}block{}", at + 1), one)));
    }
}

/// The ratios of `it` to `base`: of the step that both sustained last, or the only one.
pub fn related(it: &RunResult, base_name: &str, base: &RunResult) -> AgainstSide {
    let rising = !it.config.steps.rates.is_empty();
    let sustained = |run: &RunResult| run.steps.iter().filter(|step| step.is_good()).count();
    let common = sustained(it).min(sustained(base)).saturating_sub(1);
    let at = if rising { common } else { 0 };
    let (mine, theirs) = (it.steps.get(at), base.steps.get(at));
    let blocks = |step: Option<&Step>| -> Vec<Block> {
        step.into_iter().flat_map(Step::counting).cloned().collect()
    };
    let (mine_blocks, their_blocks) = (blocks(mine), blocks(theirs));
    let p99_9_us = |step: Option<&Step>| step.map_or(0.0, |step| step.latency.p99_9_us);
    let rate = |run: &RunResult| {
        let step = run.sustained().filter(|_| rising)?;
        step.median(|block| Some(block.deliveries_per_second))
    };
    let max = it.config.against.as_ref().map_or(0.0, |against| against.p99_9_ratio_max);
    let ratio = p99_9_us(mine) / p99_9_us(theirs).max(1.0);
    AgainstSide {
        name: base_name.to_owned(),
        step: mine.map(|step| step.label.clone()).unwrap_or_default(),
        ratios: ratios(
            &their_blocks.iter().collect::<Vec<_>>(),
            &mine_blocks.iter().collect::<Vec<_>>(),
        ),
        p99_9_us: (p99_9_us(theirs), p99_9_us(mine)),
        p99_9_ratio: ratio,
        p99_9_ratio_max: (max > 0.0).then_some(max),
        sustained_per_second: rate(base).zip(rate(it)),
    }
}
