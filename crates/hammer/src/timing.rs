//! `timing`: whether a comparison of secrets takes a time that depends on the secret.
//!
//! As dudect does it (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?"): two classes of
//! inputs in random order, the time of each call, and Welch's t-test over both, raw and with the slow
//! tail cut off at several places. A |t| of 4.5 or more shows a difference; a comparison that stops at
//! the first byte that differs is measured beside them, and has to show one.

mod subjects;
mod welch;

use std::hint::black_box;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::clock::now;
use crate::output::Output;
use crate::random::Random;
use subjects::{Call, SUBJECTS, Subject};
use welch::Welch;

/// From here on a difference counts as shown: less than one in 10^5 by chance.
const T_MAX: f64 = 4.5;
/// Calls before a batch that are not counted.
const BATCH_WARMUP: usize = 64;
/// Calls between two draws of inputs.
const BATCH: u64 = 10_000;
/// Parts of the first batch's times above which a cropped test leaves times out.
const CROPS: [f64; 5] = [0.5, 0.75, 0.9, 0.97, 0.995];

/// Compare secrets often, and see whether the time tells which.
#[derive(Debug, clap::Args)]
pub(crate) struct Timing {
    /// Calls of each subject.
    #[arg(long, default_value_t = 1_000_000)]
    samples: u64,
    /// Of the random inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Measures every subject; true when none but the control shows a difference.
pub(crate) fn run(timing: &Timing, output: &Output) -> Result<bool> {
    ensure!(timing.samples >= BATCH, "at least {BATCH} samples");
    let mut passed = true;
    for subject in SUBJECTS {
        let t = measure(subject, timing);
        let differs = t >= T_MAX;
        passed &= differs == subject.is_control;
        let verdict = match (differs, subject.is_control) {
            (false, false) => "ok",
            (true, true) => "ok: the control was caught",
            (true, false) => "FAILED: the time depends on the secret",
            (false, true) => "FAILED: the control was not caught",
        };
        let text = format!(
            "{:<34} {} samples  |t| {t:>8.2}  {verdict}",
            subject.name, timing.samples
        );
        let value = json!({
            "subject": subject.name,
            "samples": timing.samples,
            "t": t,
            "t_max": T_MAX,
            "control": subject.is_control,
            "passed": differs == subject.is_control,
        });
        output.print(&text, &value)?;
    }
    Ok(passed)
}

/// The largest |t| of the raw times and the cropped ones.
fn measure(subject: &Subject, timing: &Timing) -> f64 {
    let mut random = Random::new(timing.seed);
    let call = (subject.make)(&mut random);
    let mut tests = [Welch::default(); CROPS.len() + 1];
    let mut limits: Option<[u64; CROPS.len()]> = None;
    let mut left = timing.samples;
    while left > 0 {
        let count = left.min(BATCH);
        left -= count;
        let times = batch(call.as_ref(), &mut random, count);
        // The first batch says where to cut, and warms everything up.
        let Some(limits) = limits else {
            limits = Some(percentiles(&times));
            continue;
        };
        for (is_second, time) in times {
            let [raw, cropped @ ..] = &mut tests;
            raw.add(is_second, time);
            for (test, limit) in cropped.iter_mut().zip(limits) {
                if time <= limit {
                    test.add(is_second, time);
                }
            }
        }
    }
    tests.iter().map(|test| test.t().abs()).fold(0.0, f64::max)
}

/// The class and the nanoseconds of each call, the classes in random order.
///
/// All inputs are made before the first is used, and lie in one piece of memory: whatever the making of
/// one class does to caches and predictions, it does to both.
fn batch(call: &dyn Call, random: &mut Random, count: u64) -> Vec<(bool, u64)> {
    let classes: Vec<bool> = (0..count).map(|_| random.next() & 1 == 1).collect();
    let inputs: Vec<u8> = classes
        .iter()
        .flat_map(|is_second| call.input(*is_second, random))
        .collect();
    let length = inputs.len() / classes.len().max(1);
    for input in inputs.chunks_exact(length.max(1)).take(BATCH_WARMUP) {
        black_box(call.run(input));
    }
    let inputs = inputs.chunks_exact(length.max(1));
    let times = classes.into_iter().zip(inputs).map(|(is_second, input)| {
        let start = now();
        black_box(call.run(black_box(input)));
        let nanos = start.elapsed().as_nanos();
        (is_second, u64::try_from(nanos).unwrap_or(u64::MAX))
    });
    times.collect()
}

fn percentiles(times: &[(bool, u64)]) -> [u64; CROPS.len()] {
    let mut sorted: Vec<u64> = times.iter().map(|(_, time)| *time).collect();
    sorted.sort_unstable();
    CROPS.map(|part| {
        let limit = sorted.iter().enumerate().find(|(at, _)| {
            let below = u32::try_from(*at).unwrap_or(u32::MAX);
            let all = u32::try_from(sorted.len()).unwrap_or(u32::MAX);
            f64::from(below) >= part * f64::from(all)
        });
        limit.map_or(u64::MAX, |(_, time)| *time)
    })
}
