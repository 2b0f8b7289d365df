//! I9 of folders in spools: whose they are, and when that worker was gone.
//!
//! Workers of one machine share its memory at once, though their times are apart by moments. So this goes by the order
//! in which things were done, not by the times.

use std::collections::{BTreeMap, BTreeSet};

use super::super::history::{Ended, History, Record, What};
use super::Check;

/// The folders of a history.
#[derive(Debug, Default)]
pub struct Folders {
    /// Who made each.
    owners: BTreeMap<String, usize>,
    /// From when on each worker held nothing any more.
    gone: BTreeMap<usize, usize>,
    hosts: BTreeMap<usize, usize>,
    ended_well: BTreeSet<usize>,
}

impl Folders {
    pub fn new(history: &History) -> Self {
        let mut folders = Self::default();
        for Record { order, worker, what, .. } in &history.records {
            match what {
                What::Launched { host, .. } => drop(folders.hosts.insert(*worker, *host)),
                What::FolderMade { name } => drop(folders.owners.insert(name.clone(), *worker)),
                What::Ended(Ended::Well(_)) => drop(folders.ended_well.insert(*worker)),
                _ => {}
            }
            if matches!(what, What::Crashed | What::LetGo | What::Ended(_)) {
                let gone = folders.gone.entry(*worker).or_insert(*order);
                *gone = (*gone).min(*order);
            }
        }
        folders
    }

    /// Who made a folder.
    pub fn owner(&self, folder: &str) -> Option<usize> {
        self.owners.get(folder).copied()
    }

    /// Whether a worker was gone when something was done.
    pub fn was_gone(&self, worker: usize, order: usize) -> bool {
        self.gone.get(&worker).is_some_and(|gone| *gone < order)
    }

    /// Whether two workers run, or ran, on the same machine.
    pub fn same_host(&self, one: usize, other: usize) -> bool {
        self.hosts.get(&one) == self.hosts.get(&other)
    }

    /// The folders that workers of a machine have made, and will make.
    pub fn of_host(&self, host: usize) -> BTreeSet<String> {
        let of_host = |owner: &usize| self.hosts.get(owner) == Some(&host);
        self.owners.iter().filter(|(_, owner)| of_host(owner)).map(|(name, _)| name.clone()).collect()
    }
}

impl Check<'_> {
    /// A folder is removed by its worker, or after that was gone.
    pub(super) fn folder_is_gone(&mut self, record: &Record, name: &str) {
        let Record { at, worker, order, .. } = record;
        let owner = self.folders.owner(name);
        if owner != Some(*worker) && !owner.is_some_and(|owner| self.folders.was_gone(owner, *order)) {
            self.wrong(*at, format!("I9: w{worker} removed the folder {name} of {owner:?}, which lives"));
        }
    }

    /// A folder can be opened if, and only if, its worker is no more; it is there only if that had something to leave.
    pub(super) fn folder_was_tried(&mut self, record: &Record, name: &str, held: bool) {
        let Some(owner) = self.folders.owner(name) else {
            return self.wrong(record.at, format!("I9: nobody has made the folder {name}"));
        };
        let lives = !self.folders.was_gone(owner, record.order);
        if lives != held {
            let what = format!("I9: the folder {name}: held {held}, and its worker w{owner} lives {lives}");
            self.wrong(record.at, what);
        }
        if !lives && self.folders.ended_well.contains(&owner) {
            self.wrong(record.at, format!("I9: w{owner} ended well, and its folder {name} is still there"));
        }
    }
}
