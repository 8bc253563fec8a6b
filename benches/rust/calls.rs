//! Criterion's estimates: `cargo bench -p lupa-benches`, by `make bench-criterion`.

use criterion::{Criterion, criterion_group, criterion_main};
use lupa_benches::{Operation, Side};
use std::time::Duration;

fn calls(criterion: &mut Criterion) {
    for &operation in Operation::ALL {
        let mut group = criterion.benchmark_group(operation.title());
        for side in Side::ALL {
            let mut timed = side.prepare(operation);
            group.bench_function(side.name(), |bencher| bencher.iter_custom(&mut timed));
        }
    }
}

criterion_group! {
    name = benches;
    // Short: the operations are, and `ratios` is what compares them.
    config = Criterion::default()
        .sample_size(30)
        .without_plots()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = calls
}
criterion_main!(benches);
