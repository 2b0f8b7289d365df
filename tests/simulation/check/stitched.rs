//! I7 and I8 of what comes of a recording in the end: it is stitched, and all that was committed or salvaged plays, or is
//! told of.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tapeline::ErrorKind;
use tapeline::ids::Sid;
use tapeline::media::Container;
use tapeline::naming::{NameKind, ObjectName, key};
use tapeline::stitch::{Fate, StitchOptions, Stitched, stitch};
use tapeline::store::{ObjectKind, Store};

use super::Check;

impl Check<'_> {
    /// What lies in the store in the end is stitched.
    pub(super) fn all_is_stitched(&mut self, objects: &BTreeMap<String, Bytes>) {
        if self.tracks.is_empty() {
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let stitched = |objects: &BTreeMap<String, Bytes>, sealed_only: bool| {
            let options = StitchOptions { sealed_only, ..StitchOptions::default() };
            runtime.block_on(async {
                let store = Store::open("memory:")?;
                for (key, body) in objects {
                    store.put(key, vec![body.clone()], ObjectKind::Control).await?;
                }
                stitch(&store, &Sid::new("s1").unwrap(), &options).await
            })
        };
        let committed = self.committed();
        let is_segment = |key: &str| {
            let name = key.rsplit('/').next().and_then(|name| name.parse::<ObjectName>().ok());
            name.is_some_and(|name| matches!(name.kind, NameKind::Segment { .. }))
        };
        let found = match stitched(objects, false) {
            Ok(stitched) => self.plays_or_is_told(&stitched, &committed),
            // Where the store was away until all of it was given up, nothing plays.
            Err(error)
                if error.kind() == ErrorKind::NotFound && !objects.keys().any(|key| is_segment(key)) =>
            {
                Vec::new()
            }
            Err(error) => vec![format!("it cannot be stitched: {}", error.report())],
        };
        let at = self.history.records.last().map_or(0, |record| record.at);
        found.into_iter().for_each(|what| self.wrong(at, what));
        // What nobody committed is of no account to what is sealed.
        let sealed = objects
            .iter()
            .filter(|(key, _)| committed.contains(*key) || !is_segment(key) && !Self::is_record(key));
        let sealed = sealed.map(|(key, body)| (key.clone(), body.clone())).collect();
        let texts = |objects| {
            stitched(objects, true).map_or_else(
                |error| vec![error.report()],
                |stitched: Stitched| stitched.outputs.into_iter().map(|output| output.playlist).collect(),
            )
        };
        if texts(objects) != texts(&sealed) {
            self.wrong(at, "I7: what is sealed is stitched in another way where more lies beside it");
        }
    }

    /// The keys of all segments that are committed.
    fn committed(&self) -> BTreeSet<String> {
        let of_track = |(place, track): (&(u8, String), &super::Track)| {
            let playlist: Option<ObjectName> = place.1.parse().ok();
            let entries = track.entries.iter().filter(|entry| !entry.gap);
            let name = |playlist: &ObjectName| {
                entries.map(|entry| key(self.prefix, &entry.name(playlist, Container::MpegTs))).collect()
            };
            playlist.as_ref().map(name).unwrap_or_default()
        };
        self.tracks.iter().flat_map(|entry| -> Vec<String> { of_track(entry) }).collect()
    }

    fn plays_or_is_told(&self, stitched: &Stitched, committed: &BTreeSet<String>) -> Vec<String> {
        let mut found = Vec::new();
        let mut plays = BTreeSet::new();
        let mut told = BTreeMap::new();
        for output in &stitched.outputs {
            let names = output.playlist.lines().filter(|line| !line.starts_with('#'));
            plays.extend(names.map(|uri| uri.rsplit('/').next().unwrap_or_default().to_owned()));
            told.extend(output.report.decisions.iter().map(|decision| (&decision.segment, &decision.fate)));
            let report = &output.report;
            if report.covered_millis + report.uncovered_millis != report.span_millis {
                found.push(format!("I8: the report of {} does not add up: {report:?}", output.key));
            }
        }
        let salvaged = self.salvaged().map(|segment| &segment.key);
        for key in committed.iter().chain(salvaged) {
            let name = key.rsplit('/').next().unwrap_or_default();
            match told.get(key) {
                Some(Fate::Missing) => found.push(format!("I8: {key} is missing in what is stitched")),
                None if !plays.contains(name) => {
                    found.push(format!("I8: {key} does not play, and nothing says why"));
                }
                _ => {}
            }
        }
        found
    }
}
