//! I2, I4, and I3 of what is listed: everything in the store beside the control object.

use bytes::Bytes;
use tapeline::continuity::{Phase, StoreForm};
use tapeline::naming::{NameKind, ObjectName, decode_uri, key};
use tapeline::playlist::{self, parse};

use super::super::history::{Millis, Request};
use super::super::network::{Mode, Operation};
use super::Check;

const END: &str = "#EXT-X-ENDLIST\n";
/// How old the word of the store may be to which a worker writes a playlist.
const FRESH: Millis = 9_000;

impl Check<'_> {
    pub(super) fn object(
        &mut self,
        at: Millis,
        writer: usize,
        written: &str,
        mode: &Mode,
        body: &Bytes,
        request: &Request,
    ) {
        if written.starts_with(".tapeline/probe/") {
            return;
        }
        let again = self.objects.contains_key(written);
        if written == StoreForm::KEY {
            if again {
                self.wrong(at, format!("w{writer} wrote {written} again"));
            }
            return;
        }
        if written.starts_with(".tapeline/recordings/s1/seal-") {
            return self.seal(at, writer, written, body);
        }
        if Self::is_record(written) {
            return self.record(at, writer, written, mode, body, request);
        }
        let name = written.strip_prefix(self.prefix.as_str()).map(|rest| rest.trim_start_matches('/'));
        let Some(name) = name.and_then(|name| name.parse::<ObjectName>().ok()) else {
            return self.wrong(at, format!("I2: w{writer} wrote {written}, which is no name of ours"));
        };
        let claimant = self.claimants.get(&name.generation.get()) == Some(&writer);
        let segment = matches!(name.kind, NameKind::Segment { .. });
        let salvage = || self.may_salvage(writer, name.generation.get(), request);
        match (claimant, segment) {
            (true, _) => {}
            (false, true) => {
                if let Err(why) = salvage() {
                    self.wrong(at, format!("I2: w{writer} wrote {written}: {why}"));
                }
            }
            (false, false) => {
                self.wrong(at, format!("I2: w{writer} wrote {written}, and has not claimed its generation"));
            }
        }
        match name.kind {
            NameKind::Playlist => self.playlist(at, writer, &name, body, request.at),
            NameKind::Segment { .. } if again || *mode != Mode::Create => {
                self.wrong(at, format!("w{writer} wrote {written} over what may have been there"));
            }
            NameKind::Segment { .. } => {}
        }
    }

    /// A version of a playlist.
    fn playlist(&mut self, at: Millis, writer: usize, name: &ObjectName, body: &Bytes, sent: Millis) {
        let found = self.look_at_playlist(writer, name, body, sent);
        for what in found {
            self.wrong(at, format!("{name} by w{writer}: {what}"));
        }
    }

    fn look_at_playlist(
        &mut self,
        writer: usize,
        name: &ObjectName,
        body: &Bytes,
        sent: Millis,
    ) -> Vec<String> {
        let mut found = Vec::new();
        let Ok(text) = std::str::from_utf8(body) else { return vec!["it is no text".to_owned()] };
        for finding in playlist::check(body) {
            found.push(format!("it is not legal: {finding:?}"));
        }
        let (text, ended) = match text.strip_suffix(END) {
            Some(text) => (text, true),
            None => (text, false),
        };
        let last = self.versions.last();
        let stopped = last.is_some_and(|version| {
            version.state.phase == Phase::Stopped
                && version.writer == writer
                && version.state.generation == name.generation
        });
        let updates = self.updates;
        let Some(track) = self.tracks.get_mut(&(name.generation.get(), name.to_string())) else {
            found.push("I4: it was published before anything was committed".to_owned());
            return found;
        };
        let committed = track.entries.len();
        let listed = track.lengths.iter().position(|length| *length == text.len());
        let Some(listed) = listed.filter(|_| track.text.starts_with(text)) else {
            found.push("I4: it is no begin of what is committed".to_owned());
            return found;
        };
        if ended && !(stopped && listed == committed) {
            found.push(format!(
                "I4: it has its end, with {listed} of {committed} entries, stopped: {stopped}"
            ));
        }
        let shorter = listed < track.listed || track.ended && !ended;
        // In the numbered form a request that was sent before may be carried out after another.
        if shorter && (updates || sent > track.version_sent) {
            found.push(format!("I4: it has {listed} entries after {}", track.listed));
        }
        (track.listed, track.ended, track.version_sent) = (listed, ended, sent);
        track.most_listed = track.most_listed.max(listed);
        let entries = track.entries.clone();
        match parse(body) {
            Err(error) => found.push(format!("it cannot be read: {error:?}")),
            Ok(parsed) => {
                if parsed.segments.len() != listed {
                    found.push(format!("{} entries are read of {listed}", parsed.segments.len()));
                }
                for (segment, entry) in parsed.segments.iter().zip(&entries) {
                    let stored = decode_uri(&segment.uri).map(|name| key(self.prefix, &name));
                    if !segment.gap && !stored.is_some_and(|key| self.objects.contains_key(&key)) {
                        found.push(format!("I3: {} is listed and not stored", segment.uri));
                    }
                    let told = (
                        segment.date,
                        segment.media,
                        segment.duration_millis,
                        segment.discontinuity,
                        segment.gap,
                    );
                    let meant = (
                        Some(entry.date),
                        Some((entry.start, entry.clock)),
                        entry.millis,
                        entry.discontinuity,
                        entry.gap,
                    );
                    if told != meant {
                        found.push(format!(
                            "{} is listed as {told:?} and committed as {meant:?}",
                            segment.uri
                        ));
                    }
                }
            }
        }
        found
    }

    /// A worker that has lost its recording sends no playlist once it can know.
    pub(super) fn playlist_in_time(&mut self, at: Millis, worker: usize, request: &Request) {
        let Operation::Put { key, .. } = &request.operation else { return };
        let name = key.strip_prefix(self.prefix.as_str()).map(|rest| rest.trim_start_matches('/'));
        let Some(Ok(name)) = name.map(str::parse::<ObjectName>) else { return };
        if name.kind != NameKind::Playlist {
            return;
        }
        if let Some(taken) = self.taken_at(name.generation.get())
            && at >= taken + FRESH
        {
            let ago = at - taken;
            self.wrong(at, format!("w{worker} sends {key} {ago} ms after it lost the recording"));
        }
    }
}
