//! The program's clock (PCR), for units of the lead that show no time stamp.

use super::packet::Packet;
use crate::time::{MediaSpan, Pts33};

/// The clock, and how the lead lies to it.
#[derive(Debug, Default)]
pub(super) struct ProgramClock {
    latest: Option<Pts33>,
    /// How far the lead's decoding times are after the clock: 0 until one was seen.
    lag: MediaSpan,
}

impl ProgramClock {
    /// Looks at a packet of the PID that bears the clock.
    pub fn take(&mut self, packet: Packet<'_>) {
        self.latest = packet.pcr().or(self.latest);
    }

    /// The lead's decoding time: its own, else by the clock, as far after it as the latest one was.
    pub fn stamp(&mut self, dts: Option<Pts33>) -> Option<Pts33> {
        let Some(clock) = self.latest else { return dts };
        if let Some(dts) = dts {
            self.lag = dts.since(clock);
        }
        Some(clock + self.lag)
    }
}
