//! Which time is covered: disjoint intervals in order, in milliseconds. Pure.

use super::places::Place;

/// A set of half-open intervals that do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cover {
    intervals: Vec<(i64, i64)>,
}

impl Cover {
    /// The time that these places cover. Those that are nearer to each other than their tolerance leave no hole.
    pub fn of(places: impl IntoIterator<Item = Place>) -> Self {
        let mut places: Vec<Place> = places.into_iter().collect();
        places.sort_by_key(|place| (place.start, place.end));
        let mut intervals: Vec<(i64, i64)> = Vec::new();
        // The piece that reaches furthest decides how near the next one must come.
        let mut furthest: Option<Place> = None;
        for place in places {
            match (intervals.last_mut(), &furthest) {
                (Some(last), Some(before))
                    if place.start.saturating_sub(last.1) <= before.tolerance(&place) =>
                {
                    last.1 = last.1.max(place.end);
                }
                _ => intervals.push((place.start, place.end)),
            }
            if furthest.is_none_or(|before| before.end <= place.end) {
                furthest = Some(place);
            }
        }
        Self { intervals }
    }

    /// Where the cover that begins at `point`, or has it inside, ends; `point` itself where there is none.
    pub fn end_from(&self, point: i64, tolerance: i64) -> i64 {
        let index = self.intervals.partition_point(|&(_, end)| end <= point);
        match self.intervals.get(index) {
            Some(&(start, end)) if start.saturating_sub(point) <= tolerance => end,
            _ => point,
        }
    }

    /// Adds an interval.
    pub fn add(&mut self, start: i64, end: i64) {
        if end <= start {
            return;
        }
        let first = self.intervals.partition_point(|&(_, before)| before < start);
        let last = self.intervals.partition_point(|&(after, _)| after <= end);
        let touched = self.intervals.get(first..last).unwrap_or_default();
        let start = touched.first().map_or(start, |&(begin, _)| begin.min(start));
        let end = touched.last().map_or(end, |&(_, stop)| stop.max(end));
        self.intervals.splice(first..last.max(first), [(start, end)]);
    }

    /// The parts of `start..end` that are covered, in order.
    pub fn within(&self, start: i64, end: i64) -> impl Iterator<Item = (i64, i64)> + '_ {
        let first = self.intervals.partition_point(|&(_, stop)| stop <= start);
        let rest = self.intervals.get(first..).unwrap_or_default().iter();
        rest.take_while(move |&&(begin, _)| begin < end)
            .map(move |&(begin, stop)| (begin.max(start), stop.min(end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(start: i64, end: i64) -> Place {
        Place { turn: 0, piece: 0, start, end, media: None }
    }

    #[test]
    fn small_holes_are_none() {
        let cover = Cover::of([place(0, 2000), place(3000, 5000), place(6001, 7000), place(500, 600)]);
        assert_eq!(cover.intervals, [(0, 5000), (6001, 7000)]);
        assert_eq!(cover.end_from(1500, 0), 5000);
        assert_eq!(cover.end_from(5000, 0), 5000);
        assert_eq!(cover.end_from(5500, 600), 7000);
        assert_eq!(cover.within(4000, 6500).collect::<Vec<_>>(), [(4000, 5000), (6001, 6500)]);
    }

    proptest! {
        #[test]
        fn a_point_is_covered_if_an_interval_has_it(
            added in prop::collection::vec((0i64..60, 0i64..12), 0..20),
        ) {
            let mut cover = Cover::default();
            for (start, length) in &added {
                cover.add(*start, start + length);
            }
            for point in 0..80 {
                let expected = added.iter().any(|(start, length)| (*start..start + length).contains(&point));
                prop_assert_eq!(cover.within(point, point + 1).next().is_some(), expected, "{}", point);
            }
            let apart = cover.intervals.windows(2).all(|pair| pair[0].1 < pair[1].0);
            prop_assert!(apart, "{:?}", cover);
        }
    }
}
