//! The month's nights as an inline SVG: a bar a day, told apart in grey as well as in colour.

use super::sheet::Night;
use super::words::pick;
use crate::model::fleet::Language;
use chrono::Datelike;
use std::fmt::Write as _;

const WIDTH: u32 = 700;
const HEIGHT: u32 = 170;
const LEFT: u32 = 26;
const BOTTOM: u32 = 22;
const TOP: u32 = 16;
/// Fewest steps of the scale, so that one installation is no tower.
const SCALE_MIN: u32 = 4;

/// What a bar is made of, from the bottom up: class, French, English.
const PARTS: [(&str, &str, &str); 5] = [
    ("ok", "installées", "installed"),
    ("back", "annulées, ancienne version remise", "rolled back"),
    ("not", "non commencées", "not begun"),
    ("bad", "échouées", "failed"),
    ("plan", "prévues", "planned"),
];

fn parts(night: &Night) -> [u32; 5] {
    [night.installed, night.rolled_back, night.refused, night.failed, night.planned]
}

/// The drawing, and the names of what occurs in it.
pub(super) struct Chart {
    /// SVG without anything from outside.
    pub svg: String,
    pub legend: Vec<(&'static str, &'static str)>,
}

pub(super) fn draw(nights: &[Night], language: Language) -> Chart {
    let most = nights.iter().map(Night::total).max().unwrap_or(0).max(SCALE_MIN);
    let step = most.div_ceil(SCALE_MIN).max(1);
    let scale = most.div_ceil(step) * step;
    let days = u32::try_from(nights.len().max(1)).unwrap_or(1);
    let (plot, floor) = (HEIGHT - TOP - BOTTOM, HEIGHT - BOTTOM);
    let width = (WIDTH - LEFT) / days;
    let y = |count: u32| floor - count * plot / scale;
    let title = pick(language, ("Installations par nuit", "Installations by night"));
    let mut svg = format!(
        r#"<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><title>{title}</title>{HATCHES}"#
    );
    for (place, _) in (0..).zip(nights).filter(|(_, night)| !night.is_working_day) {
        let x = LEFT + place * width;
        let _ = write!(svg, r#"<rect class="off" x="{x}" y="{TOP}" width="{width}" height="{plot}"/>"#);
    }
    for line in (0..=scale / step).map(|n| n * step) {
        let at = y(line);
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{LEFT}" y1="{at}" x2="{WIDTH}" y2="{at}"/><text class="tick" x="{}" y="{}" text-anchor="end">{line}</text>"#,
            LEFT - 5,
            at + 3
        );
    }
    for (place, night) in (0..).zip(nights) {
        let (x, middle) = (LEFT + place * width, LEFT + place * width + width / 2);
        let mut below = 0;
        for ((class, ..), count) in PARTS.iter().zip(parts(night)).filter(|(_, count)| *count > 0) {
            let (top, bottom) = (y(below + count), y(below));
            let _ = write!(
                svg,
                r#"<rect class="{class}" x="{}" y="{top}" width="{}" height="{}"/>"#,
                x + 3,
                width.saturating_sub(6).max(2),
                bottom - top
            );
            below += count;
        }
        if below > 0 {
            let _ = write!(
                svg,
                r#"<text class="sum" x="{middle}" y="{}" text-anchor="middle">{below}</text>"#,
                y(below) - 4
            );
        }
        let class = if night.is_working_day { "day" } else { "day off" };
        let (day, under) = (night.date.day(), HEIGHT - 7);
        let _ = write!(svg, r#"<text class="{class}" x="{middle}" y="{under}" text-anchor="middle">{day}</text>"#);
    }
    svg.push_str("</svg>");
    let occurs = |part: usize| nights.iter().any(|night| parts(night)[part] > 0);
    let named = PARTS.into_iter().enumerate().filter(|(part, _)| occurs(*part));
    Chart { svg, legend: named.map(|(_, (class, fr, en))| (class, pick(language, (fr, en)))).collect() }
}

/// Patterns that a printer without colours tells apart.
const HATCHES: &str = r##"<defs><pattern id="h1" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="5" height="5" fill="#e9b949"/><line x1="0" y1="0" x2="0" y2="5" stroke="#7a5200" stroke-width="2"/></pattern><pattern id="h2" width="4" height="4" patternUnits="userSpaceOnUse"><rect width="4" height="4" fill="#fff"/><circle cx="2" cy="2" r="1" fill="#7a5200"/></pattern></defs>"##;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::report::Month;

    fn night(date: chrono::NaiveDate, installed: u32, failed: u32) -> Night {
        Night { date, is_working_day: true, holiday: None, installed, rolled_back: 0, refused: 0, failed, planned: 0 }
    }

    #[test]
    fn bars_are_as_high_as_their_counts_and_stand_on_each_other() {
        let month: Month = "2026-05".parse().unwrap();
        let counts = |day: u32| match day {
            6 => (3, 1),
            7 => (2, 0),
            _ => (0, 0),
        };
        let nights: Vec<Night> =
            month.days().map(|date| night(date, counts(date.day()).0, counts(date.day()).1)).collect();
        let chart = draw(&nights, Language::Fr);
        let heights = |class: &str| -> Vec<u32> {
            let bars = chart.svg.split("<rect ").filter(|rect| rect.starts_with(&format!("class=\"{class}\"")));
            bars.map(|rect| rect.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
                .collect()
        };
        assert_eq!((heights("ok"), heights("bad")), (vec![99, 66], vec![33]));
        assert_eq!(chart.legend, [("ok", "installées"), ("bad", "échouées")]);
        // What the busiest night needs, whatever it is, stays inside.
        for most in [0, 1, 4, 5, 17, 99, 1_000] {
            let nights: Vec<Night> = month.days().map(|date| night(date, most, 0)).collect();
            let svg = draw(&nights, Language::En).svg;
            assert!(!svg.contains("NaN") && svg.matches("class=\"ok\"").count() == if most > 0 { 31 } else { 0 });
        }
    }
}
