//! How far a long command has come: a bar or a line on a terminal, a line every five seconds
//! otherwise, an object a line in JSON. All to standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use engine::ports::timer::Timer;
use outbound::system::SystemTimer;
use serde_json::{Value, json};

use crate::output::Output;

const BAR_WIDTH: u64 = 30;
/// Time between two drawings of the bar.
const REDRAW: Duration = Duration::from_millis(100);
/// Time between two lines.
const LINE: Duration = Duration::from_secs(5);

enum Form {
    Bar,
    Line,
    Json,
}

/// How far it has come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Entries of an audit, of how many.
    Entries { done: u64, total: u64 },
    /// Rows of a store, and the bytes of their keys and values.
    Rows {
        /// What is done with them: "copying".
        phase: &'static str,
        rows: u64,
        bytes: u64,
        /// Rows in all, where that is known.
        total: Option<u64>,
    },
}

/// Shows progress, no more often than anybody reads.
pub(super) struct Meter {
    form: Form,
    timer: SystemTimer,
    shown: Duration,
    drawn: bool,
    /// Phase, and when and at which row it was first heard of.
    begun: Option<(&'static str, Duration, u64)>,
}

impl Meter {
    pub(super) fn new(output: Output) -> Self {
        let form = match (output.is_json(), io::stderr().is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => Form::Bar,
            (false, false) => Form::Line,
        };
        let timer = SystemTimer::start();
        Self {
            form,
            timer,
            shown: timer.monotonic(),
            drawn: false,
            begun: None,
        }
    }

    pub(super) fn show(&mut self, step: Step) {
        let now = self.timer.monotonic();
        let rate = self.rate(step, now);
        let pause = match self.form {
            Form::Bar => REDRAW,
            Form::Line | Form::Json => LINE,
        };
        if now.saturating_sub(self.shown) < pause {
            return;
        }
        self.shown = now;
        let text = match self.form {
            Form::Bar => format!("\r{}\x1b[K", drawn(step, rate)),
            Form::Line => format!("{}\n", words(step, rate)),
            Form::Json => format!("{}\n", json!({ "progress": object(step, rate) })),
        };
        self.drawn = true;
        print(&text);
    }

    /// Rows a second since the phase began.
    fn rate(&mut self, step: Step, now: Duration) -> u64 {
        let Step::Rows { phase, rows, .. } = step else {
            return 0;
        };
        match self.begun {
            Some((same, since, from)) if same == phase => {
                per_second(rows.saturating_sub(from), now.saturating_sub(since))
            }
            Some(_) | None => {
                self.begun = Some((phase, now, rows));
                0
            }
        }
    }

    /// Ends the line of the bar.
    pub(super) fn finish(self) {
        if self.drawn && matches!(self.form, Form::Bar) {
            print("\r\x1b[K");
        }
    }
}

/// How many in a second.
pub(super) fn per_second(count: u64, time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    count.saturating_mul(1000) / millis
}

fn drawn(step: Step, rate: u64) -> String {
    match step {
        Step::Entries { done, total } => bar(done, total),
        Step::Rows {
            rows,
            total: Some(total),
            ..
        } => format!("{} {}", bar(rows, total), words(step, rate)),
        Step::Rows { total: None, .. } => words(step, rate),
    }
}

fn words(step: Step, rate: u64) -> String {
    match step {
        Step::Entries { done, total } => format!("{done} of {total} entries"),
        Step::Rows {
            phase,
            rows,
            bytes,
            total,
        } => {
            let of = total.map_or_else(String::new, |total| format!(" of {total}"));
            format!("{phase}: {rows}{of} rows, {}, {rate} rows/s", mib(bytes))
        }
    }
}

fn object(step: Step, rate: u64) -> Value {
    match step {
        Step::Entries { done, total } => json!({ "done": done, "total": total }),
        Step::Rows {
            phase,
            rows,
            bytes,
            total,
        } => json!({
            "phase": phase, "done": rows, "total": total, "bytes": bytes, "rows_per_s": rate,
        }),
    }
}

/// Bytes for people.
pub(super) fn mib(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

fn bar(done: u64, total: u64) -> String {
    let share = |of: u64| done.saturating_mul(of).checked_div(total).unwrap_or(of);
    let filled = usize::try_from(share(BAR_WIDTH)).unwrap_or_default();
    let empty = usize::try_from(BAR_WIDTH)
        .unwrap_or_default()
        .saturating_sub(filled);
    let (filled, empty) = ("#".repeat(filled), ".".repeat(empty));
    format!("[{filled}{empty}] {}% {done}/{total}", share(100))
}

/// Progress that cannot be shown is no reason to stop.
fn print(text: &str) {
    let mut stream = io::stderr().lock();
    let _ = stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills() {
        let text = |done| bar(done, 200);
        assert_eq!(text(0), format!("[{}] 0% 0/200", ".".repeat(30)));
        let half = format!("[{}{}] 50% 100/200", "#".repeat(15), ".".repeat(15));
        assert_eq!(text(100), half);
        assert_eq!(text(200), format!("[{}] 100% 200/200", "#".repeat(30)));
    }

    #[test]
    fn rows_are_told_with_their_bytes_and_their_rate() {
        let step = |total| Step::Rows {
            phase: "copying",
            rows: 1500,
            bytes: 3 << 19,
            total,
        };
        assert_eq!(
            words(step(None), 7),
            "copying: 1500 rows, 1.5 MiB, 7 rows/s"
        );
        let of = words(step(Some(3000)), 7);
        assert_eq!(of, "copying: 1500 of 3000 rows, 1.5 MiB, 7 rows/s");
        assert!(drawn(step(Some(3000)), 7).contains("] 50% 1500/3000 copying: "));
        assert_eq!(object(step(None), 7)["rows_per_s"], 7);
        assert_eq!(per_second(1500, Duration::from_millis(500)), 3000);
        assert_eq!(per_second(5, Duration::ZERO), 5000);
    }
}
