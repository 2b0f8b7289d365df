//! What the world sees of spools, and does to them: crashes that leave them behind, and in the end their salvage.

use super::super::history::{Millis, STRANGER, What};
use super::super::hosts::Host;
use super::super::scenario::{Launch, Reach};
use super::World;

/// How often all spools are salvaged in the end, where something stays.
pub const SWEEPS: u64 = 3;

impl World {
    /// What a worker that has just run has done to the spool of its host.
    pub(super) fn look_at_spool(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        let at = worker.now;
        for what in self.hosts[worker.host].look() {
            self.history.note(at, index, what);
        }
        let limit = self.setting.spool_limit;
        let shares = self.setting.room_limit.is_some();
        if let Some(bytes) = worker.overdrawn(limit).filter(|_| !shares) {
            self.history.note(at, index, What::Overdrawn { bytes });
        }
        if worker.ended_at == Some(at) && !std::mem::replace(&mut worker.accounted, true) {
            let bytes = (!shares).then(|| worker.room.used());
            self.history.note(at, index, What::RoomLeft { bytes });
            self.try_folders(at);
        }
    }

    /// What is left in the end.
    pub(super) fn look_at_hosts(&mut self) {
        for (host, its) in self.hosts.iter().enumerate() {
            let what = What::HostLeft { host, folders: its.folders().len() };
            self.history.note(self.now, STRANGER, what);
        }
    }

    /// Whether folders can be opened whose workers live, and those whose workers do not.
    pub(super) fn try_folders(&mut self, at: Millis) {
        for host in &mut self.hosts {
            let names: Vec<String> = host.folders().iter().cloned().collect();
            for name in names {
                // One that was free is left to those who may have it now.
                if self.tried.get(&name) == Some(&false) {
                    continue;
                }
                let left = host.open(&name);
                let held = left.is_none();
                if self.tried.insert(name.clone(), held) != Some(held) {
                    self.history.note(at, STRANGER, What::Tried { name, left });
                }
            }
        }
    }

    /// A worker crashes, and what else is in reach.
    pub(super) fn crash(&mut self, index: usize, reach: Reach) {
        let host = self.workers[index].host;
        for other in 0..self.workers.len() {
            let worker = &mut self.workers[other];
            let reached = other == index || reach != Reach::Recorder && worker.host == host;
            if reached && worker.runtime.take().is_some() {
                worker.paused = None;
                if worker.ended_at.is_none() {
                    self.history.note(self.now, other, What::Crashed);
                }
                self.network.forget(other);
            }
        }
        // Before anybody else can.
        self.try_folders(self.now);
        let its = &mut self.hosts[host];
        let bytes = match reach {
            Reach::Recorder => return,
            Reach::Process => its.restart(),
            Reach::Machine => {
                its.lose();
                0
            }
        };
        self.history.note(self.now, index, What::WentDown { host, reach, bytes });
    }

    /// Where a worker is launched: often where a dead one has left something.
    pub(super) fn place(&mut self, launch: Launch) -> usize {
        let left = |host: &Host| host.folders().iter().any(|name| self.tried.get(name) == Some(&false));
        let left: Vec<usize> = (0..self.hosts.len()).filter(|host| left(&self.hosts[*host])).collect();
        let often = if launch == Launch::Salvage { 900 } else { 600 };
        if !left.is_empty() && self.random.permille(often) {
            return self.random.pick(&left);
        }
        self.random.between(0, self.setting.hosts - 1) as usize
    }

    /// When all else is over, what is left in spools is salvaged, and then once more, as if it lay there still. False
    /// where there is nothing to do.
    pub(super) fn sweep(&mut self) -> bool {
        if !(self.now > self.calm_at && self.is_decided()) {
            return false;
        }
        let left: Vec<usize> =
            (0..self.hosts.len()).filter(|host| !self.hosts[*host].folders().is_empty()).collect();
        if !left.is_empty() && self.sweeps < SWEEPS {
            self.sweeps += 1;
            left.into_iter().for_each(|host| self.launch_on(host, Launch::Salvage));
            return true;
        }
        if left.is_empty() && !std::mem::replace(&mut self.swept_again, true) {
            let back: Vec<usize> =
                (0..self.hosts.len()).filter(|host| self.hosts[*host].put_back()).collect();
            back.iter().for_each(|host| self.launch_on(*host, Launch::SalvageAgain));
            return !back.is_empty();
        }
        false
    }
}
