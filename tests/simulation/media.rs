//! A stream of few bytes: two pictures a second, a key frame each second, and a little sound.

use bytes::Bytes;

use super::mux::{self, AV, Mux, PMT_PID, Pes};
use super::random::Random;

/// What one [`chunk`](Media::chunk) lasts, in milliseconds.
pub const CHUNK: u64 = 500;

#[derive(Debug)]
pub struct Media {
    mux: Mux,
    random: Random,
    /// Of the next picture, in ticks of 90 kHz.
    pts: i64,
    chunks: u64,
}

impl Media {
    pub fn new(mut random: Random) -> Self {
        // The stamps of some wrap soon.
        let pts = random.pick(&[90_000, 1 << 30, (1 << 33) - 20 * 90_000]);
        Self { mux: Mux::default(), random, pts, chunks: 0 }
    }

    /// The media clock jumps.
    pub fn jump(&mut self) {
        self.pts += 3_600 * 90_000 + self.random.between(0, 1 << 30) as i64;
    }

    /// So much of the stream is lost on the way.
    pub fn skip(&mut self, millis: u64) {
        self.pts += millis as i64 * 90;
    }

    /// The next half second.
    pub fn chunk(&mut self) -> Bytes {
        let fill = self.random.between(0, 150) as usize;
        let key = self.chunks.is_multiple_of(2);
        if key {
            self.mux.pat(&[(1, PMT_PID)]);
            self.mux.pmt(PMT_PID, 0, AV);
        }
        let picture = if key { mux::key(0, fill) } else { mux::picture(fill) };
        self.mux.pes(&Pes::video(self.pts, picture));
        self.mux.pes(&Pes::audio(self.pts, mux::adts(3, 7 + self.random.between(0, 90))));
        self.chunks += 1;
        self.pts += CHUNK as i64 * 90;
        std::mem::take(&mut self.mux.packets).concat().into()
    }
}
