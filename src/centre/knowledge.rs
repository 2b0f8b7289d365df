//! What a worker knows of the recordings that were asked for, and of which it must look at the control object again: pure.
//!
//! That is those that are new, that somebody's lease has handed on, whose holder does not live, and its own until they are seen to be
//! its own; not those that simply run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::lease::{Lease, RENEWAL, Standing};
use super::policy::{Control, Known};
use super::request::{Request, Wanted};
use super::watch::{Verdict, Watch};
use crate::continuity::Phase;
use crate::ids::Sid;

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    asked: BTreeMap<Sid, Request>,
    known: BTreeMap<Sid, Known>,
    /// When what is known of a recording was read.
    read_at: BTreeMap<Sid, Duration>,
    /// How many of the recordings that a lease hands on were heeded.
    heeded: BTreeMap<String, usize>,
}

impl Knowledge {
    /// These recordings are asked for, and no others.
    pub fn ask(&mut self, requests: Vec<Request>) {
        self.asked = requests.into_iter().map(|request| (request.sid.clone(), request)).collect();
        self.known.retain(|sid, _| self.asked.contains_key(sid));
        self.read_at.retain(|sid, _| self.asked.contains_key(sid));
        for (sid, known) in &mut self.known {
            if let Some(request) = self.asked.get(sid) {
                known.wanted = request.wanted;
            }
        }
    }

    /// What was asked for.
    pub fn request(&self, sid: &Sid) -> Option<&Request> {
        self.asked.get(sid)
    }

    /// Whether a recording is to end.
    pub fn is_to_end(&self, sid: &Sid) -> bool {
        self.request(sid).is_some_and(|request| request.wanted == Wanted::Stop)
    }

    /// All that is known.
    pub fn known(&self) -> impl Iterator<Item = (&Sid, &Known)> {
        self.known.iter()
    }

    /// The control object of a recording, where it has begun.
    pub fn control(&self, sid: &Sid) -> Option<&Control> {
        self.known.get(sid)?.control.as_ref()
    }

    /// A control object was read; `None`: there is none.
    pub fn learn(&mut self, sid: Sid, control: Option<Control>, now: Duration) {
        self.read_at.insert(sid.clone(), now);
        let Some(request) = self.asked.get(&sid) else { return };
        let same = self.known.get(&sid).filter(|known| known.control == control);
        let since = same.map_or(now, |known| known.since);
        self.known.insert(sid, Known { wanted: request.wanted, control, since });
    }

    /// What was known of a recording is no longer so.
    pub fn outdate(&mut self, sid: &Sid) {
        self.read_at.remove(sid);
        self.known.remove(sid);
    }

    /// Those to look at now, by the worker of that lease, which holds those that are `held`.
    pub fn stale(&self, me: &Lease, held: impl Fn(&Sid) -> bool, watch: &Watch, now: Duration) -> Vec<Sid> {
        let is_stale = |sid: &&Sid| {
            let is_old = self.read_at.get(*sid).is_none_or(|at| now.saturating_sub(*at) >= RENEWAL);
            let changed =
                || if held(sid) { !self.is_settled(sid, me) } else { self.has_changed(sid, watch, now) };
            !self.known.contains_key(*sid) || is_old && changed()
        };
        self.asked.keys().filter(is_stale).cloned().collect()
    }

    /// Whether an own recording is seen to be that, and need not be looked at.
    fn is_settled(&self, sid: &Sid, me: &Lease) -> bool {
        let is_ours = |control: &Control| {
            control.worker.as_ref() == Some(&me.worker) && control.phase == Phase::Recording
        };
        me.standing != Standing::Draining && self.control(sid).is_some_and(is_ours)
    }

    /// Whether somebody else may have done something to a recording since it was read.
    fn has_changed(&self, sid: &Sid, watch: &Watch, now: Duration) -> bool {
        let handed = |lease: &Lease| {
            let heeded = self.heeded.get(&lease.worker).copied().unwrap_or(0);
            lease.handed.iter().skip(heeded).any(|handed| handed == sid)
        };
        if watch.leases().any(handed) {
            return true;
        }
        match self.control(sid) {
            None => true,
            Some(control) if control.phase.is_final() => false,
            // Its holder has been told, and ends it.
            Some(_) if self.is_to_end(sid) => true,
            Some(Control { worker: Some(worker), phase, .. }) => {
                *phase != Phase::Recording || watch.verdict(worker, now) != Verdict::Alive
            }
            Some(Control { worker: None, .. }) => false,
        }
    }

    /// What leases hand on was looked at.
    pub fn heed(&mut self, watch: &Watch) {
        self.heeded = watch.leases().map(|lease| (lease.worker.clone(), lease.handed.len())).collect();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::ids::Cname;
    use crate::naming::Prefix;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn sid(name: &str) -> Sid {
        Sid::new(name).unwrap()
    }

    fn request(name: &str) -> Request {
        Request {
            schema: Request::SCHEMA,
            sid: sid(name),
            cname: Cname::new("main").unwrap(),
            prefix: Prefix::default(),
            source: "udp://127.0.0.1:5000".to_owned(),
            segment_millis: 15_000,
            wanted: Wanted::Record,
            client: None,
            unknown: Map::new(),
        }
    }

    fn control(phase: Phase, worker: &str) -> Option<Control> {
        Some(Control { phase, epoch: 1, worker: Some(worker.to_owned()) })
    }

    fn lease(worker: &str, standing: Standing, handed: &[&str]) -> Lease {
        let handed = handed.iter().map(|name| sid(name)).collect();
        Lease { standing, handed, ..Lease::new(worker, "host", 1, 10) }
    }

    #[test]
    fn only_what_may_have_changed_is_looked_at_again() {
        let (me, mut watch) = (lease("me", Standing::Serving, &[]), Watch::default());
        let others = |handed: &[&str]| {
            vec![lease("alive", Standing::Serving, handed), lease("dead", Standing::Gone, &[])]
        };
        watch.read(secs(0), others(&[]));
        let mut knowledge = Knowledge::default();
        let names = ["begun", "ended", "lost", "new", "ours", "taken"];
        knowledge.ask(names.map(request).into());
        let held = |of: &Sid| *of == sid("ours") || *of == sid("taken");
        let stale = |knowledge: &Knowledge, watch: &Watch, me: &Lease, at| -> Vec<String> {
            knowledge.stale(me, held, watch, secs(at)).iter().map(ToString::to_string).collect()
        };
        assert_eq!(stale(&knowledge, &watch, &me, 0), names, "all are new");
        for (name, control) in [
            ("begun", control(Phase::Recording, "alive")),
            ("ended", control(Phase::Stopped, "dead")),
            ("lost", control(Phase::Recording, "dead")),
            ("new", None),
            ("ours", control(Phase::Recording, "me")),
            ("taken", control(Phase::Recovering, "me")),
        ] {
            knowledge.learn(sid(name), control, secs(0));
        }
        assert_eq!(stale(&knowledge, &watch, &me, 1), Vec::<String>::new(), "they were just looked at");
        assert_eq!(stale(&knowledge, &watch, &me, 3), ["lost", "new", "taken"]);
        // Handed on by one who lives: once.
        watch.read(secs(3), others(&["begun"]));
        assert_eq!(stale(&knowledge, &watch, &me, 3), ["begun", "lost", "new", "taken"]);
        knowledge.heed(&watch);
        assert_eq!(stale(&knowledge, &watch, &me, 3), ["lost", "new", "taken"]);
        // Who drains must see what becomes of its own.
        let draining = Lease { standing: Standing::Draining, ..me };
        assert_eq!(stale(&knowledge, &watch, &draining, 3), ["lost", "new", "ours", "taken"]);
        // What is to end is looked at until it has.
        let stops = |name| {
            let wanted = if name == "begun" || name == "ended" { Wanted::Stop } else { Wanted::Record };
            Request { wanted, ..request(name) }
        };
        knowledge.ask(names.map(stops).into());
        assert_eq!(stale(&knowledge, &watch, &draining, 3), ["begun", "lost", "new", "ours", "taken"]);
        knowledge.outdate(&sid("ended"));
        assert!(stale(&knowledge, &watch, &draining, 3).contains(&"ended".to_owned()));
    }

    #[test]
    fn what_nobody_asks_for_any_more_is_forgotten() {
        let mut knowledge = Knowledge::default();
        knowledge.ask(vec![request("a"), request("b")]);
        knowledge.learn(sid("a"), None, secs(0));
        knowledge.learn(sid("b"), None, secs(5));
        knowledge.learn(sid("b"), None, secs(9));
        assert_eq!(knowledge.known().map(|(_, known)| known.since).collect::<Vec<_>>(), [secs(0), secs(5)]);
        knowledge.ask(vec![Request { wanted: Wanted::Stop, ..request("b") }]);
        let known: Vec<_> = knowledge.known().map(|(sid, known)| (sid.clone(), known.wanted)).collect();
        assert_eq!(known, [(sid("b"), Wanted::Stop)]);
        assert!(knowledge.is_to_end(&sid("b")) && !knowledge.is_to_end(&sid("a")));
        assert!(knowledge.read_at.len() == 1);
    }
}
