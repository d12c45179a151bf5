//! The ranges of a scenario's values, checked once.

use super::{How, Scenario};

impl Scenario {
    /// The first key whose value is out of range, and what it must be.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let Self { market, fleet, time, steps, unruly, limits, .. } = self;
        between("market.symbols", f64::from(market.symbols), 1.0, 10_000.0)?;
        between("market.zipf", market.zipf, 0.0, 4.0)?;
        between("market.rate", market.rate, 0.001, 200_000.0)?;
        between("market.burst_every_ms", f64::from(market.burst_every_ms), 1.0, 600_000.0)?;
        between("market.speed", market.speed, 0.01, 1000.0)?;
        between("fleet.sessions", f64::from(fleet.sessions), 1.0, 1e6)?;
        between("fleet.symbols_per_session", f64::from(fleet.symbols_per_session), 1.0, 10_000.0)?;
        between("fleet.zipf", fleet.zipf, 0.0, 4.0)?;
        between("fleet.threads", f64::from(fleet.threads), 1.0, 64.0)?;
        between("fleet.connecting_max", f64::from(fleet.connecting_max), 1.0, 100_000.0)?;
        between("fleet.load_processes", f64::from(fleet.load_processes), 0.0, 64.0)?;
        between("fleet.sessions_per_source", f64::from(fleet.sessions_per_source), 1.0, 28_000.0)?;
        if fleet.load_processes * fleet.threads > fleet.sessions {
            return Err(("fleet.load_processes", "leaves threads without a session".to_owned()));
        }
        if ![10, 25, 100, 500, 1000].contains(&fleet.depth) {
            return Err(("fleet.depth", "must be one of 10, 25, 100, 500, 1000".to_owned()));
        }
        if fleet.channels.is_empty() {
            return Err(("fleet.channels", "must name at least one channel".to_owned()));
        }
        between("time.warm_up_s", time.warm_up_s, 0.0, 600.0)?;
        between("time.measure_s", time.measure_s, 0.5, 3600.0)?;
        between("time.blocks", f64::from(time.blocks), 1.0, 1000.0)?;
        between("time.drain_s", time.drain_s, 0.1, 600.0)?;
        between("time.ready_s", time.ready_s, 1.0, 3600.0)?;
        for rate in &steps.rates {
            between("steps.rates", *rate, 0.001, 200_000.0)?;
        }
        for speed in &steps.speeds {
            between("steps.speeds", *speed, 0.01, 1000.0)?;
        }
        if !steps.rates.is_empty() {
            between("steps.p99_max_ms", steps.p99_max_ms, 0.001, 60_000.0)?;
        }
        let hostile = f64::from(self.hostile_sessions());
        if let Some(unruly) = unruly {
            between("unruly.percent", unruly.percent, 0.0, 99.0)?;
            if matches!(unruly.how, How::Storm | How::Churn | How::Hostile) {
                between("unruly.every_ms", unruly.every_ms as f64, 10.0, 600_000.0)?;
            }
            between("unruly.hold_ms", unruly.hold_ms as f64, 100.0, 600_000.0)?;
            // A thread each.
            between("unruly.percent, as hostile sessions", hostile, 0.0, 4000.0)?;
            if unruly.mix.is_empty() {
                return Err(("unruly.mix", "must name at least one kind".to_owned()));
            }
        }
        if let Some(against) = &self.against {
            between("against.p99_9_ratio_max", against.p99_9_ratio_max, 0.0, 1000.0)?;
            if against.quiet && unruly.is_none() {
                return Err(("against.quiet", "needs [unruly]: who is to be quiet?".to_owned()));
            }
        }
        between("limits.share_pct", limits.share_pct, 0.0, 100.0)
    }
}

fn between(
    key: &'static str,
    value: f64,
    least: f64,
    most: f64,
) -> Result<(), (&'static str, String)> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err((key, format!("is {value}, must be {least} to {most}")))
}

#[cfg(test)]
mod tests {
    use crate::scenario::{FOLDER, Scenario};

    #[test]
    fn every_scenario_of_the_project_is_valid_and_the_manual_names_every_key() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FOLDER);
        let mut seen = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            Scenario::load(entry.unwrap().path().to_str().unwrap()).unwrap();
            seen += 1;
        }
        assert!(seen >= 10, "{seen} scenarios");
        let manual = std::fs::read_to_string(folder.join("steady.toml")).unwrap();
        let (_, steady) = Scenario::load(folder.join("steady.toml").to_str().unwrap()).unwrap();
        let value = toml::Value::try_from(&steady).unwrap();
        // The gateway's own keys have a manual of their own.
        let tables = value.as_table().unwrap().iter().filter(|(table, _)| *table != "gateway");
        for (table, keys) in tables {
            for key in keys.as_table().into_iter().flatten().map(|(key, _)| key) {
                assert!(manual.contains(&format!("{key} =")), "{table}.{key} is not explained");
            }
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_name_and_line() {
        let text = "title = \"x\"\n[fleet]\nsesions = 3\n";
        let error = Scenario::parse(text, "some.toml").unwrap_err().to_string();
        assert!(error.contains("sesions") && error.contains("line 3"), "{error}");
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_its_key() {
        let text = "title = \"x\"\n[market]\nrate = 0\n";
        let error = Scenario::parse(text, "some.toml").unwrap_err().to_string();
        assert!(error.contains("market.rate") && error.contains("200000"), "{error}");
    }
}
