//! Times the operations of all sides in turns, and prints what was measured as JSON.
//!
//! Criterion measures one thing after the other, so its estimates of two sides are of different
//! minutes.  Here the sides take short turns, so what disturbs one disturbs all.

use lupa_benches::{Operation, Side, Timed};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

const ROUNDS: usize = 33;
/// Turns in a round, of which the best counts.
const TURNS: usize = 8;
const TURN: Duration = Duration::from_micros(200);

fn main() -> std::io::Result<()> {
    let mut json = String::new();
    for &operation in Operation::ALL {
        let sides = measure(operation);
        let separator = if json.is_empty() { "" } else { ",\n" };
        let (title, limit) = (operation.title(), operation.limit());
        write!(json, "{separator}{title:?}: {{\"limit\": {limit}").expect("strings take all");
        for (side, times) in Side::ALL.iter().zip(&sides) {
            write!(json, ", {:?}: {times:?}", side.name()).expect("strings take all");
        }
        json.push('}');
    }
    writeln!(std::io::stdout(), "{{{json}}}")
}

/// Nanoseconds of each side in each round.
fn measure(operation: Operation) -> [Vec<f64>; 3] {
    let mut runs = Side::ALL.map(|side| Run::new(side.prepare(operation)));
    let mut times = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        let mut best = [f64::INFINITY; 3];
        for _ in 0..TURNS {
            for place in 0..3 {
                let side = (place + round) % 3;
                best[side] = best[side].min(runs[side].turn());
            }
        }
        for (all, best) in times.iter_mut().zip(best) {
            all.push(best);
        }
    }
    times
}

/// An operation with the number of times that makes a turn.
struct Run {
    timed: Timed,
    times: u64,
}

impl Run {
    fn new(mut timed: Timed) -> Run {
        let mut times = 1;
        while timed(times) < TURN {
            times *= 2;
        }
        Run { timed, times }
    }

    fn turn(&mut self) -> f64 {
        (self.timed)(self.times).as_nanos() as f64 / self.times as f64
    }
}
