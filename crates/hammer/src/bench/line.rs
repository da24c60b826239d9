//! One measured figure beside its yardstick and its target.

use std::fmt::Write as _;

use serde::Serialize;

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// A figure: ours, and what it is divided by, both of the same run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) id: &'static str,
    pub(crate) what: String,
    pub(crate) ours: f64,
    pub(crate) unit: &'static str,
    /// Name and value of the yardstick; without one, `ours` itself is held against the target.
    pub(crate) yardstick: Option<(String, f64)>,
    pub(crate) target: Option<Target>,
    /// What else was seen, and how it was measured.
    pub(crate) note: String,
}

impl Line {
    /// The figure the target is about.
    pub(crate) fn figure(&self) -> f64 {
        match &self.yardstick {
            Some((_, value)) => self.ours / value,
            None => self.ours,
        }
    }

    /// Whether the target is met; `None` without one.
    pub(crate) fn is_met(&self) -> Option<bool> {
        self.target.map(|target| match target {
            Target::AtMost(most) => self.figure() <= most,
            Target::AtLeast(least) => self.figure() >= least,
        })
    }

    /// The line for people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{:<4} {}: {} {}",
            self.id,
            self.what,
            shown(self.ours),
            self.unit
        );
        if let Some((name, value)) = &self.yardstick {
            let (value, ratio) = (shown(*value), shown(self.figure()));
            let written = write!(text, " / {value} ({name}) = {ratio}");
            debug_assert!(written.is_ok(), "writing to a String cannot fail");
        }
        let target = self.target.map(|target| match target {
            Target::AtMost(most) => format!(", target <= {}", shown(most)),
            Target::AtLeast(least) => format!(", target >= {}", shown(least)),
        });
        text.push_str(&target.unwrap_or_default());
        text.push_str(match self.is_met() {
            Some(true) => " \u{2713}",
            Some(false) => " \u{2717}",
            None => "",
        });
        if !self.note.is_empty() {
            text.push_str("\n       ");
            text.push_str(&self.note);
        }
        text
    }

    /// The line for programs.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "id": self.id,
            "what": self.what,
            "ours": self.ours,
            "unit": self.unit,
            "yardstick": self.yardstick.as_ref().map(|it| &it.0),
            "yardstick_value": self.yardstick.as_ref().map(|it| it.1),
            "figure": self.figure(),
            "target": self.target,
            "met": self.is_met(),
            "note": self.note,
        })
    }
}

/// About three digits.
fn shown(value: f64) -> String {
    match value.abs() {
        1000.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        0.1.. => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(ours: f64, yardstick: Option<f64>, target: Target) -> Line {
        Line {
            id: "B1",
            what: "look-up".to_owned(),
            ours,
            unit: "us",
            yardstick: yardstick.map(|value| ("bare".to_owned(), value)),
            target: Some(target),
            note: String::new(),
        }
    }

    #[test]
    fn ratios_are_held_against_targets() {
        let under = line(14.0, Some(7.0), Target::AtMost(2.0));
        assert_eq!(under.is_met(), Some(true));
        assert_eq!(
            under.text(),
            "B1   look-up: 14.0 us / 7.00 (bare) = 2.00, target <= 2.00 \u{2713}"
        );
        assert_eq!(
            line(14.2, Some(7.0), Target::AtMost(2.0)).is_met(),
            Some(false)
        );
        assert_eq!(line(0.2, None, Target::AtLeast(0.25)).is_met(), Some(false));
        assert_eq!(under.json()["figure"], 2.0);
        assert_eq!(under.json()["target"]["at_most"], 2.0);
    }
}
