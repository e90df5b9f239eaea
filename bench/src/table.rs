//! The result, as a table that the README can quote.

use std::fmt::Write;

/// One measurement beside its target.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    what: String,
    target: String,
    measured: String,
    beside: String,
    is_met: bool,
}

impl Row {
    /// Measured beside something else in the same run; the target is a ratio.
    pub(crate) fn ratio(what: &str, measured: f64, beside: (&str, f64), unit: &str, most: f64) -> Self {
        let ratio = measured / beside.1;
        Self {
            what: what.to_owned(),
            target: format!("≤ {most} ×"),
            measured: format!("{measured:.1} {unit} = {ratio:.2} ×"),
            beside: format!("{} {:.1} {unit}", beside.0, beside.1),
            is_met: ratio <= most,
        }
    }

    /// Measured beside something else in the same run; the target is a difference.
    pub(crate) fn beyond(what: &str, measured: f64, beside: (&str, f64), unit: &str, most: f64) -> Self {
        Self {
            what: what.to_owned(),
            target: format!("≤ {} + {most} {unit}", beside.0),
            measured: format!("{measured:.1} {unit}"),
            beside: format!("{} {:.1} {unit}", beside.0, beside.1),
            is_met: measured <= beside.1 + most,
        }
    }

    /// Said for itself, without a target.
    pub(crate) fn note(what: &str, measured: String, beside: String) -> Self {
        Self { what: what.to_owned(), target: String::new(), measured, beside, is_met: true }
    }

    /// A number that must not be more than `most`.
    pub(crate) fn at_most(what: String, measured: f64, most: f64, unit: &str) -> Self {
        Self {
            what,
            target: format!("≤ {most} {unit}"),
            measured: format!("{measured:.1} {unit}"),
            beside: String::new(),
            is_met: measured <= most,
        }
    }

    /// A number that must not be less than `least`.
    pub(crate) fn at_least(what: &str, measured: f64, least: f64, unit: &str) -> Self {
        Self {
            what: what.to_owned(),
            target: format!("≥ {least} {unit}"),
            measured: format!("{measured:.1} {unit}"),
            beside: String::new(),
            is_met: measured >= least,
        }
    }

    /// A measurement that could not be made.
    pub(crate) fn failed(what: &str, error: &anyhow::Error) -> Self {
        Self {
            what: what.to_owned(),
            target: String::new(),
            measured: format!("not measured: {error:#}"),
            beside: String::new(),
            is_met: false,
        }
    }
}

/// The rows as Markdown.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from("| | target | measured | beside | |\n|---|---|---|---|---|\n");
    for Row { what, target, measured, beside, is_met } in rows {
        let verdict = if *is_met { "" } else { "missed" };
        let _ = writeln!(text, "| {what} | {target} | {measured} | {beside} | {verdict} |");
    }
    text
}

/// The value below which `percent` of the samples lie. Sorts them.
pub(crate) fn percentile(samples: &mut [f64], percent: usize) -> f64 {
    samples.sort_by(f64::total_cmp);
    let at = (samples.len() * percent / 100).min(samples.len().saturating_sub(1));
    samples.get(at).copied().unwrap_or(f64::NAN)
}
