//! How far an audit has come: a bar on a terminal, a line every five seconds otherwise, an object a
//! line in JSON. All to standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use client::audit::Progress;
use engine::ports::timer::Timer;
use outbound::system::SystemTimer;
use serde_json::json;

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

/// Shows progress, no more often than anybody reads.
pub(super) struct Meter {
    form: Form,
    timer: SystemTimer,
    shown: Duration,
    drawn: bool,
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
        }
    }

    pub(super) fn show(&mut self, Progress { done, total }: Progress) {
        let now = self.timer.monotonic();
        let pause = match self.form {
            Form::Bar => REDRAW,
            Form::Line | Form::Json => LINE,
        };
        if now.saturating_sub(self.shown) < pause {
            return;
        }
        self.shown = now;
        let text = match self.form {
            Form::Bar => bar(done, total),
            Form::Line => format!("{done} of {total} entries\n"),
            Form::Json => {
                let progress = json!({ "progress": { "done": done, "total": total } });
                format!("{progress}\n")
            }
        };
        self.drawn = true;
        print(&text);
    }

    /// Ends the line of the bar.
    pub(super) fn finish(self) {
        if self.drawn && matches!(self.form, Form::Bar) {
            print("\r\x1b[K");
        }
    }
}

fn bar(done: u64, total: u64) -> String {
    let share = |of: u64| done.saturating_mul(of).checked_div(total).unwrap_or(of);
    let filled = usize::try_from(share(BAR_WIDTH)).unwrap_or_default();
    let empty = usize::try_from(BAR_WIDTH)
        .unwrap_or_default()
        .saturating_sub(filled);
    let (filled, empty) = ("#".repeat(filled), ".".repeat(empty));
    format!("\r[{filled}{empty}] {}% {done}/{total}", share(100))
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
        let text = |done| bar(done, 200).trim_start_matches('\r').to_owned();
        assert_eq!(text(0), format!("[{}] 0% 0/200", ".".repeat(30)));
        let half = format!("[{}{}] 50% 100/200", "#".repeat(15), ".".repeat(15));
        assert_eq!(text(100), half);
        assert_eq!(text(200), format!("[{}] 100% 200/200", "#".repeat(30)));
    }
}
