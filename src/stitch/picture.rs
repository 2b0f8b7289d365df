//! A picture of a stitched output as SVG: pure.
//!
//! Time runs to the right, with an axis to read dates off. A lane for each turn shows its segments, and its gap entries as
//! hollow boxes; the lane at the bottom shows what plays, with gaps in red between. Colours say what became of a segment: it
//! plays, it was trimmed (its end is pale), it filled a gap, or it is left out. Times that two turns cover are shaded
//! over all lanes. Segments too narrow to be seen one by one are drawn together, so that a month is no larger than
//! an hour.

use std::fmt::Write as _;

use super::piece::{Piece, Turn};
use super::places::{Place, places};
use super::plan::Plan;
use crate::time::WallTime;

/// In pixels.
const WIDTH: f64 = 1200.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 40.0;
const TOP: f64 = 70.0;
const LANE: f64 = 40.0;
const BOX: f64 = 24.0;
/// Narrower segments are drawn together with their neighbours.
const NARROWEST: f64 = 3.0;

/// What became of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Plays,
    Fills,
    LeftOut,
    Gap,
}

impl Fate {
    fn class(self) -> &'static str {
        match self {
            Self::Plays => "plays",
            Self::Fills => "fills",
            Self::LeftOut => "out",
            Self::Gap => "gap",
        }
    }
}

/// A box on a lane.
struct Shape {
    start: i64,
    end: i64,
    fate: Fate,
    count: usize,
    title: String,
}

/// Draws a plan; `title` stands above it.
pub fn picture(plan: &Plan, title: &str) -> String {
    let lanes = places(&plan.turns);
    let drawing = Drawing { begin: begin(plan, &lanes), end: end(plan, &lanes), plan };
    let bottom = TOP + LANE * (plan.turns.len() as f64 + 1.0);
    let height = bottom + 78.0;
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n<style>\n{STYLE}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{}</text>\n\
         <text x=\"16\" y=\"44\">{}</text>\n",
        escaped(title),
        escaped(&drawing.summary()),
    );
    drawing.axis(&mut svg, bottom);
    for overlap in &plan.overlaps {
        let (x, width) = drawing.interval(overlap.start, overlap.end);
        let title = drawing.titled("both cover", overlap.start, overlap.end);
        let tall = LANE * plan.turns.len() as f64;
        let _ = writeln!(
            svg,
            "<rect class=\"overlap\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{tall}\"><title>{}</title></rect>",
            escaped(&title),
        );
    }
    for (number, (turn, lane)) in plan.turns.iter().zip(&lanes).enumerate() {
        let y = TOP + LANE * number as f64;
        drawing.label(&mut svg, y, &turn.label(), turn.standing.as_str());
        let shapes = drawing.shapes(number, turn, lane);
        shapes.iter().for_each(|shape| drawing.shape(&mut svg, y, shape));
        drawing.cut_ends(&mut svg, y, number);
    }
    drawing.result(&mut svg, bottom - LANE);
    legend(&mut svg, bottom + 62.0);
    svg.push_str("</svg>\n");
    svg
}

const STYLE: &str = "\
.plays{fill:#3a7ca5;stroke:#ffffff}\n\
.fills{fill:#2e9e5b;stroke:#ffffff}\n\
.out{fill:#d8d8d8;stroke:#9a9a9a}\n\
.gap{fill:#ffffff;stroke:#c0392b;stroke-dasharray:3 2}\n\
.cut{fill:#a9cce3;stroke:#3a7ca5}\n\
.missing{fill:#f5b7b1;stroke:#c0392b}\n\
.overlap{fill:#f7dc6f;fill-opacity:.45}\n\
.join{stroke:#222222;stroke-dasharray:4 3}\n\
.tick{stroke:#e4e4e4}\n\
.small{font-size:10px;fill:#555555}\n";

fn begin(plan: &Plan, lanes: &[Vec<Place>]) -> i64 {
    lanes.iter().flatten().map(|place| place.start).min().unwrap_or(plan.account.begin)
}

fn end(plan: &Plan, lanes: &[Vec<Place>]) -> i64 {
    lanes.iter().flatten().map(|place| place.end).max().unwrap_or(plan.account.end)
}

struct Drawing<'a> {
    begin: i64,
    end: i64,
    plan: &'a Plan,
}

impl Drawing<'_> {
    fn x(&self, at: i64) -> f64 {
        let share = (at - self.begin) as f64 / (self.end - self.begin).max(1) as f64;
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    /// Where an interval begins, and how wide it is; never too narrow to be seen.
    fn interval(&self, start: i64, end: i64) -> (f64, f64) {
        let x = self.x(start);
        (x, (self.x(end) - x).max(1.0))
    }

    fn summary(&self) -> String {
        let account = self.plan.account;
        let seconds = |millis: i64| format!("{:.3} s", millis as f64 / 1000.0);
        let dates = if self.plan.dated {
            format!("{} to {}: ", WallTime::from_millis(account.begin), WallTime::from_millis(account.end))
        } else {
            String::new()
        };
        format!(
            "{dates}{} covered by {} segments, {} missing, {} plays twice",
            seconds(account.covered),
            self.plan.items.len(),
            seconds(account.uncovered),
            seconds(account.repeated),
        )
    }

    fn clock(&self, at: i64) -> String {
        if self.plan.dated {
            let text = WallTime::from_millis(at).to_string();
            text.get(11..23).unwrap_or(&text).to_owned()
        } else {
            format!("{:.3} s", at as f64 / 1000.0)
        }
    }

    fn titled(&self, what: &str, start: i64, end: i64) -> String {
        let seconds = (end - start) as f64 / 1000.0;
        format!("{what}: {} to {}, {seconds:.3} s", self.clock(start), self.clock(end))
    }

    fn axis(&self, svg: &mut String, bottom: f64) {
        let step = step(self.end - self.begin);
        let mut at = self.begin.div_euclid(step) * step;
        if at < self.begin {
            at += step;
        }
        while at <= self.end {
            let x = self.x(at);
            let text = self.clock(at);
            let text = text.trim_end_matches(".000");
            let _ = writeln!(
                svg,
                "<line class=\"tick\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
                 <text class=\"small\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>",
                bottom + 14.0,
            );
            at += step;
        }
    }

    fn label(&self, svg: &mut String, y: f64, name: &str, what: &str) {
        let short: String = if name.chars().count() > 28 {
            name.chars().take(26).chain("..".chars()).collect()
        } else {
            name.to_owned()
        };
        let _ = writeln!(
            svg,
            "<text x=\"16\" y=\"{}\">{}<title>{}</title></text><text class=\"small\" x=\"16\" y=\"{}\">{}</text>",
            y + 14.0,
            escaped(&short),
            escaped(name),
            y + 27.0,
            escaped(what),
        );
    }

    /// The boxes of a lane, narrow ones of one kind drawn together.
    fn shapes(&self, number: usize, turn: &Turn, lane: &[Place]) -> Vec<Shape> {
        let plays: std::collections::BTreeSet<usize> = {
            let own = self.plan.items.iter().filter(|item| item.place.turn == number);
            own.map(|item| item.place.piece).collect()
        };
        let mut both: Vec<(&Piece, &Place)> = turn.pieces.iter().zip(lane).collect();
        both.sort_by_key(|(_, place)| (place.start, place.end));
        let mut shapes: Vec<Shape> = Vec::new();
        for (piece, place) in both {
            let fate = match (piece.gap, plays.contains(&place.piece)) {
                (Some(_), _) => Fate::Gap,
                (None, true) if piece.origin.is_filler() => Fate::Fills,
                (None, true) => Fate::Plays,
                (None, false) => Fate::LeftOut,
            };
            let narrow = self.x(place.end) - self.x(place.start) < NARROWEST;
            let near = |last: &Shape| self.x(place.start) - self.x(last.end) < 1.0;
            match shapes.last_mut().filter(|last| narrow && last.fate == fate && near(last)) {
                Some(last) => {
                    last.end = last.end.max(place.end);
                    last.count += 1;
                }
                None => shapes.push(Shape {
                    start: place.start,
                    end: place.end,
                    fate,
                    count: 1,
                    title: piece.gap.map_or_else(|| piece.key.clone(), |gap| gap.as_str().to_owned()),
                }),
            }
        }
        shapes
    }

    fn shape(&self, svg: &mut String, y: f64, shape: &Shape) {
        let (x, width) = self.interval(shape.start, shape.end);
        let what = if shape.count > 1 {
            format!("{} segments from {} on", shape.count, shape.title)
        } else {
            shape.title.clone()
        };
        let _ = writeln!(
            svg,
            "<rect class=\"{}\" x=\"{x:.1}\" y=\"{}\" width=\"{width:.1}\" height=\"{BOX}\"><title>{}</title></rect>",
            shape.fate.class(),
            y + 4.0,
            escaped(&self.titled(&what, shape.start, shape.end)),
        );
    }

    /// The ends that were cut off.
    fn cut_ends(&self, svg: &mut String, y: f64, number: usize) {
        for item in self.plan.items.iter().filter(|item| item.place.turn == number && item.trimmed.is_some())
        {
            let (x, width) = self.interval(item.end, item.place.end);
            let title = self.titled("cut off", item.end, item.place.end);
            let _ = writeln!(
                svg,
                "<rect class=\"cut\" x=\"{x:.1}\" y=\"{}\" width=\"{width:.1}\" height=\"{BOX}\"><title>{}</title></rect>",
                y + 4.0,
                escaped(&title),
            );
        }
    }

    /// The lane of what plays: runs of items of one turn, gaps, and joins.
    fn result(&self, svg: &mut String, y: f64) {
        self.label(svg, y, "stitched", "what plays");
        let mut run: Option<(i64, i64, usize)> = None;
        let mut runs = Vec::new();
        for item in &self.plan.items {
            match &mut run {
                Some((_, end, turn)) if *turn == item.place.turn && item.place.start - *end <= 1000 => {
                    *end = item.end.max(*end);
                }
                _ => runs.extend(run.replace((item.place.start, item.end, item.place.turn))),
            }
        }
        runs.extend(run);
        for (start, end, turn) in &runs {
            let label = self.plan.turns.get(*turn).map(Turn::label).unwrap_or_default();
            let (x, width) = self.interval(*start, *end);
            let _ = writeln!(
                svg,
                "<rect class=\"plays\" x=\"{x:.1}\" y=\"{}\" width=\"{width:.1}\" height=\"{BOX}\"><title>{}</title></rect>",
                y + 4.0,
                escaped(&self.titled(&label, *start, *end)),
            );
        }
        for gap in &self.plan.gaps {
            let (x, width) = self.interval(gap.start, gap.end);
            let _ = writeln!(
                svg,
                "<rect class=\"missing\" x=\"{x:.1}\" y=\"{}\" width=\"{width:.1}\" height=\"{BOX}\"><title>{}</title></rect>",
                y + 4.0,
                escaped(&self.titled(gap.reason.as_str(), gap.start, gap.end)),
            );
            if width > 46.0 {
                let _ = writeln!(
                    svg,
                    "<text class=\"small\" x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{:.1} s</text>",
                    x + width / 2.0,
                    y + 20.0,
                    (gap.end - gap.start) as f64 / 1000.0,
                );
            }
        }
        let mut free = f64::MIN;
        let joins = self.plan.items.windows(2).filter_map(|pair| pair.first().zip(pair.last()));
        for (_, to) in joins.filter(|(from, to)| from.place.turn != to.place.turn) {
            let x = self.x(to.place.start);
            let _ = writeln!(
                svg,
                "<line class=\"join\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{}\"/>",
                y + LANE
            );
            // Dates of joins that are too near to each other would cover each other.
            if x > free {
                free = x + 70.0;
                let _ = writeln!(
                    svg,
                    "<text class=\"small\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">join {}</text>",
                    TOP - 6.0,
                    self.clock(to.place.start),
                );
            }
        }
    }
}

/// The distance of the axis's ticks: a round number, at most eleven of them.
fn step(span: i64) -> i64 {
    const ROUND: [i64; 18] = [
        100,
        200,
        500,
        1000,
        2000,
        5000,
        10_000,
        30_000,
        60_000,
        120_000,
        300_000,
        600_000,
        1_800_000,
        3_600_000,
        7_200_000,
        21_600_000,
        86_400_000,
        604_800_000,
    ];
    let least = span / 10;
    ROUND.into_iter().find(|step| *step >= least).unwrap_or(least.max(1))
}

fn legend(svg: &mut String, y: f64) {
    let entries = [
        ("plays", "plays"),
        ("cut", "cut off"),
        ("fills", "fills a gap (salvaged or unlisted)"),
        ("out", "left out"),
        ("gap", "gap entry, or missing in the store"),
        ("missing", "nothing covers it"),
        ("overlap", "two turns cover it"),
    ];
    let mut x = 16.0;
    for (class, text) in entries {
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"14\" height=\"10\"/>\
             <text class=\"small\" x=\"{}\" y=\"{y}\">{text}</text>",
            y - 9.0,
            x + 19.0,
        );
        x += 40.0 + 5.6 * text.len() as f64;
    }
}

/// Text as XML takes it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
