//! Which session watches which symbols: drawn once, from a seed, so that a run can be repeated.

/// How symbols are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice {
    /// By popularity: the symbol of rank r with weight 1 / r^exponent, no symbol twice a session.
    Zipf(f64),
    /// In turn, so that every symbol is watched equally often.
    RoundRobin,
}

/// For each session the positions of its symbols, among `symbols` of them.
///
/// A session asks for `each` symbols, or for all where there are fewer.
pub fn symbols_by_session(
    sessions: u32,
    symbols: usize,
    each: usize,
    choice: Choice,
    seed: u64,
) -> Vec<Vec<u32>> {
    let each = each.min(symbols);
    let mut random = fastrand::Rng::with_seed(seed);
    (0..sessions as usize)
        .map(|session| match choice {
            Choice::RoundRobin => {
                (0..each).map(|k| ((session * each + k) % symbols) as u32).collect()
            }
            Choice::Zipf(exponent) => draw(symbols, each, exponent, &mut random),
        })
        .collect()
}

/// Weighted drawing without replacement: the smallest of `-ln(u) * r^exponent` come first
/// (Efraimidis and Spirakis, 2006).
fn draw(symbols: usize, each: usize, exponent: f64, random: &mut fastrand::Rng) -> Vec<u32> {
    let mut keys: Vec<(f64, u32)> = (0..symbols as u32)
        .map(|rank| {
            let weight = f64::from(rank + 1).powf(exponent);
            (-(1.0 - random.f64()).ln() * weight, rank)
        })
        .collect();
    keys.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    keys.truncate(each);
    keys.into_iter().map(|(_, rank)| rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_symbols_again_and_none_twice() {
        let plan = || symbols_by_session(200, 50, 20, Choice::Zipf(1.0), 7);
        assert_eq!(plan(), plan());
        for mut drawn in plan() {
            assert_eq!(drawn.len(), 20);
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), 20);
        }
    }

    #[test]
    fn popular_symbols_are_watched_more_often() {
        let plan = symbols_by_session(1000, 100, 5, Choice::Zipf(1.0), 1);
        let watchers = |rank| plan.iter().flatten().filter(|drawn| **drawn == rank).count();
        assert!(watchers(0) > 4 * watchers(20), "{} and {}", watchers(0), watchers(20));
    }

    #[test]
    fn round_robin_watches_every_symbol_equally_often() {
        let plan = symbols_by_session(10, 5, 2, Choice::RoundRobin, 0);
        for symbol in 0..5 {
            assert_eq!(plan.iter().flatten().filter(|drawn| **drawn == symbol).count(), 4);
        }
        assert_eq!(symbols_by_session(1, 3, 20, Choice::RoundRobin, 0), [[0, 1, 2]]);
    }
}
