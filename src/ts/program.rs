//! The chosen program: its tracks, which of them leads, and where each PID's packets go.
//!
//! Tracks that a new map leaves out are retired, not gone: their packets belong to the segment that is
//! open, until the next one begins.

use super::packet::{Packet, Pid};
use super::pmt::Pmt;
use super::stream_type::StreamKind;
use super::track::{Track, TrackKind};
use crate::media::VideoCodec;

/// PIDs of one program that are followed; more are dropped.
const MAX_TRACKS: usize = 0xf0;

/// Where a PID's packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Foreign,
    Null,
    Pat,
    Pmt,
    /// Place in [`Program::tracks`].
    Track(u8),
}

#[derive(Debug)]
pub(super) struct Program {
    pub tracks: Vec<Track>,
    routes: Box<[Route; Pid::COUNT]>,
    /// The track whose units decide.
    lead: Option<usize>,
    map_pid: Option<Pid>,
    pcr_pid: Option<Pid>,
}

impl Program {
    pub fn new() -> Self {
        let routes = Box::new([Route::Foreign; Pid::COUNT]);
        let mut program = Self { tracks: Vec::new(), routes, lead: None, map_pid: None, pcr_pid: None };
        program.lay_routes();
        program
    }

    #[inline]
    pub fn route(&self, pid: Pid) -> Route {
        self.routes[pid.index()]
    }

    /// The track that takes the packets of `pid`.
    #[inline]
    pub fn track(&mut self, pid: Pid) -> Option<&mut Track> {
        let Route::Track(index) = self.routes[pid.index()] else { return None };
        self.tracks.get_mut(usize::from(index))
    }

    /// Whether the units on `pid` decide.
    pub fn leads(&self, pid: Pid) -> bool {
        let Route::Track(index) = self.route(pid) else { return false };
        self.lead == Some(usize::from(index))
    }

    /// The codec of the lead, where it is one whose access units are understood.
    pub fn lead_codec(&self) -> Option<VideoCodec> {
        match self.tracks.get(self.lead?)?.kind {
            TrackKind::Pes(StreamKind::Video(codec)) => codec,
            _ => None,
        }
    }

    /// Whether `pid` bears the program's clock.
    pub fn is_clock(&self, pid: Pid) -> bool {
        self.pcr_pid == Some(pid)
    }

    /// The PAT says where the map is.
    pub fn map_at(&mut self, pid: Option<Pid>) {
        self.map_pid = pid;
        self.lay_routes();
    }

    /// Follows a new map. `ahead`: new tracks begin with the next segment.
    pub fn adopt(&mut self, pmt: &Pmt, ahead: bool) {
        self.pcr_pid = pmt.pcr_pid;
        let mut wanted: Vec<(Pid, TrackKind)> = pmt
            .streams
            .iter()
            .map(|stream| match stream.kind {
                StreamKind::Sections => (stream.pid, TrackKind::Sections),
                kind => (stream.pid, TrackKind::Pes(kind)),
            })
            .collect();
        let clock = pmt.pcr_pid.map(|pid| (pid, TrackKind::Clock));
        for (pid, kind) in clock.into_iter().chain([(Pid::SDT, TrackKind::Sections)]) {
            if !wanted.iter().any(|&(known, _)| known == pid) {
                wanted.push((pid, kind));
            }
        }
        for track in &mut self.tracks {
            track.retired = !wanted.contains(&(track.pid, track.kind));
        }
        for (pid, kind) in wanted {
            let known = self.tracks.iter().any(|track| (track.pid, track.kind) == (pid, kind));
            if !known && self.tracks.len() < MAX_TRACKS {
                let mut track = Track::new(pid, kind);
                track.ahead = ahead;
                self.tracks.push(track);
            }
        }
        // A kind that comes back goes on behind what the kind between left for the next segment.
        let overtaken: Vec<Pid> = {
            let between = self.tracks.iter().filter(|track| track.retired && track.ahead && track.started);
            between.map(|track| track.pid).collect()
        };
        for track in self.tracks.iter_mut().filter(|track| !track.retired) {
            track.ahead |= overtaken.contains(&track.pid);
        }
        self.choose_lead();
        self.lay_routes();
    }

    /// Forgets the tracks that the map no longer has.
    pub fn drop_retired(&mut self) {
        self.tracks.retain(|track| !track.retired);
        self.choose_lead();
        self.lay_routes();
    }

    /// A PID that has changed its kind belongs to its newer track from this packet on, if a unit begins
    /// in it.
    pub fn hand_over(&mut self, packet: Packet<'_>) {
        let pid = packet.pid();
        if packet.unit_start() && self.track(pid).is_some_and(|track| track.retired) {
            let newer = (0u8..).zip(&self.tracks).find(|(_, track)| track.pid == pid && !track.retired);
            if let Some((index, _)) = newer {
                self.routes[pid.index()] = Route::Track(index);
            }
        }
    }

    fn choose_lead(&mut self) {
        let rank = |track: &Track| match track.kind {
            TrackKind::Pes(StreamKind::Video(_)) => 0,
            TrackKind::Pes(StreamKind::Audio(_)) => 1,
            TrackKind::Pes(StreamKind::Data) => 2,
            TrackKind::Pes(StreamKind::Sections) | TrackKind::Sections | TrackKind::Clock => 3,
        };
        let live = self.tracks.iter().enumerate().filter(|(_, track)| !track.retired && rank(track) < 3);
        self.lead = live.min_by_key(|(_, track)| rank(track)).map(|(index, _)| index);
    }

    fn lay_routes(&mut self) {
        self.routes.fill(Route::Foreign);
        for (index, track) in (0u8..).zip(&self.tracks) {
            // A PID that changed its kind belongs to the newer track once the unit under way has ended.
            let under_way = match self.routes[track.pid.index()] {
                Route::Track(older) => self.tracks.get(usize::from(older)).is_some_and(Track::is_open),
                _ => false,
            };
            if !under_way {
                self.routes[track.pid.index()] = Route::Track(index);
            }
        }
        self.routes[Pid::NULL.index()] = Route::Null;
        if let Some(pid) = self.map_pid {
            self.routes[pid.index()] = Route::Pmt;
        }
        self.routes[Pid::PAT.index()] = Route::Pat;
    }
}
