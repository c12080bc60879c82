//! Whatever a server did meanwhile: once it behaves again, the client's tasks are the server's, and
//! what could not be known was said.
//!
//! Each round draws a schedule of faults from its seed, lets tasks begin, move and end all the
//! while, and compares when the faults have stopped. `REELTOP_ROUNDS` sets how many rounds there
//! are, `REELTOP_SEED` with which one they begin.

mod round;
mod schedule;
mod world;

use std::time::Duration;

use futures_util::{StreamExt, stream};
use reeltop::server::chaos::Fault;

use self::round::Report;
use self::schedule::{Schedule, Step, schedule, smaller};

/// Rounds in an ordinary run; each takes a second or two.
const ROUNDS: u64 = 40;
/// Rounds at once.
const AT_ONCE: usize = 8;
/// Tries at finding a smaller schedule that fails too.
const TRIES: usize = 12;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_faults_the_client_knows_what_the_server_knows() {
    let first = number("REELTOP_SEED", 1);
    let n_rounds = number("REELTOP_ROUNDS", ROUNDS);
    let rounds = stream::iter(first..first + n_rounds)
        .map(|seed| async move {
            let schedule = schedule(seed);
            (seed, round::run(&schedule, round::PATIENCE).await)
        })
        .buffer_unordered(AT_ONCE);
    let outcomes: Vec<_> = rounds.collect().await;
    let mut reports = Vec::new();
    let mut failures = Vec::new();
    for (seed, outcome) in outcomes {
        match outcome {
            Ok(report) => reports.push(report),
            Err(why) => failures.push((seed, why)),
        }
    }
    print(&reports);
    if let Some((seed, _)) = failures.first() {
        let (schedule, why) = smaller(*seed, TRIES).await;
        eprintln!("the smallest found of seed {seed}: {schedule:#?}\n{why}");
    }
    let told: Vec<String> = failures
        .iter()
        .map(|(seed, why)| format!("REELTOP_SEED={seed}: {why}"))
        .collect();
    assert!(
        told.is_empty(),
        "{} of {n_rounds} rounds:\n{}",
        told.len(),
        told.join("\n")
    );
}

fn print(reports: &[Report]) {
    let slowest = reports.iter().map(|report| report.took).max();
    let most = |figure: fn(&Report) -> f64| reports.iter().map(figure).fold(0.0, f64::max);
    println!(
        "{} rounds converged, the slowest within {slowest:?}; at most {:.0} requests a second, {:.0} of \
         them for the stream; {} tasks, {} of them never seen and said to be so",
        reports.len(),
        most(|report| report.requests_a_second),
        most(|report| report.connections_a_second),
        reports.iter().map(|report| report.n_tasks).sum::<usize>(),
        reports.iter().map(|report| report.n_unseen).sum::<usize>(),
    );
}

/// A gap in which far more happens than the ring holds.
fn with_a_gap(seed: u64, always: Vec<Fault>) -> Schedule {
    let step = |faults: Vec<Fault>, lasts_ms| Step { faults, lasts_ms };
    Schedule {
        seed,
        // The log tells the states of tasks too, to a client that polls it.
        has_logs: false,
        goes_on_after: false,
        always,
        steps: vec![step(vec![], 500), step(vec![Fault::Forbidden], 1500)],
    }
}

/// The mutation: without the catch-up the test above must fail. Whether one gap matters is chance, as
/// the last events, which the ring still has, may tell the state of every task; not in all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_catch_up_it_does_not_converge() {
    let rounds = stream::iter(1..=4).map(|seed| async move {
        let whole = with_a_gap(seed, vec![]);
        let mutated = with_a_gap(seed, vec![Fault::NoTasks]);
        let patience = Duration::from_secs(4);
        let (whole, mutated) = tokio::join!(
            round::run(&whole, round::PATIENCE),
            round::run(&mutated, patience)
        );
        assert!(whole.is_ok(), "{whole:?}");
        mutated
    });
    let mutated: Vec<_> = rounds.buffer_unordered(4).collect().await;
    let is_wrong = |why: &String| why.contains("never converged") && why.contains(" is held as ");
    let n_wrong = mutated
        .iter()
        .filter(|outcome| outcome.as_ref().is_err_and(is_wrong))
        .count();
    assert!(n_wrong > 0, "{mutated:?}");
}
