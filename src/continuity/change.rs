//! One change of the control object, from the first try until it is known how it ended: pure.
//!
//! A lost answer or an inner repeat makes our own success look like a conflict, and some servers say
//! "conflict" for a write that they then carry out, or for nothing at all. So after any answer but a clean
//! success the object is read back and its nonce compared. A change that is not there, while nothing else
//! has changed either, is tried again with the *same body*: with another nonce, our own first try could
//! not be told from somebody else's.

use bytes::Bytes;

use super::control::ControlObject;

/// So many times in a row an object that was there may be found to be gone.
pub(super) const ABSENCES: u8 = 4;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<V> {
    /// Swap the body in, on this version; `None` where there is to be no object yet.
    Swap(Option<V>, Bytes),
    /// Read the object.
    Read,
    /// Wait a little, for the store did not serve, and go on.
    Pause,
    /// The change was made; this is the version it made.
    Won(V),
    /// Somebody else's change came first: the object as it is now, which may be gone.
    Lost(Option<Box<(ControlObject, V)>>),
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard<V> {
    /// The swap was made.
    Swapped(V),
    /// The store refused the swap, or did not answer.
    NotSwapped,
    /// The object as it was read.
    Found(Option<Box<(ControlObject, V)>>),
    /// It could not be read.
    NotRead,
    /// The pause is over.
    Paused,
}

/// A change on its way. `V` names versions of the object.
#[derive(Debug, Clone)]
pub struct Change<V> {
    /// Counter and nonce of the version the change is based on; `None` where there is no object yet.
    base: Option<(u64, String)>,
    nonce: String,
    body: Bytes,
    /// How often the object was found to be gone.
    absences: u8,
    next: Next<V>,
    /// What follows the pause.
    after: Next<V>,
}

impl<V: Clone> Change<V> {
    /// From the state `base` in that version, if there is one, to the state `proposal`.
    pub fn new(base: Option<(&ControlObject, &V)>, proposal: &ControlObject) -> Self {
        let body = proposal.encode();
        let next = Next::Swap(base.map(|(_, version)| version.clone()), body.clone());
        let base = base.map(|(base, _)| (base.counter, base.nonce.clone()));
        let nonce = proposal.nonce.clone();
        Self { base, nonce, next, body, absences: 0, after: Next::Read }
    }

    /// What to do now. The same until something is heard.
    pub fn next(&self) -> Next<V> {
        self.next.clone()
    }

    /// Takes what came of it.
    pub fn hear(&mut self, heard: Heard<V>) {
        self.next = match heard {
            Heard::Swapped(version) => Next::Won(version),
            Heard::NotSwapped => Next::Read,
            Heard::NotRead => self.pause_before(Next::Read),
            Heard::Found(found) => self.judge(found),
            Heard::Paused => self.after.clone(),
        };
    }

    fn judge(&mut self, found: Option<Box<(ControlObject, V)>>) -> Next<V> {
        match (&found, &self.base) {
            (Some(found), _) if found.0.nonce == self.nonce => Next::Won(found.1.clone()),
            (Some(found), Some((counter, nonce)))
                if (found.0.counter, &found.0.nonce) == (*counter, nonce) =>
            {
                // The version read: somebody may have copied the object in place, which changes no state.
                self.pause_before(Next::Swap(Some(found.1.clone()), self.body.clone()))
            }
            (None, None) => self.pause_before(Next::Swap(None, self.body.clone())),
            // A folder that is not mounted, a replica that lags: one look is not enough to give up.
            (None, Some(_)) if self.absences < ABSENCES => {
                self.absences += 1;
                self.pause_before(Next::Read)
            }
            _ => Next::Lost(found),
        }
    }

    fn pause_before(&mut self, next: Next<V>) -> Next<V> {
        self.after = next;
        Next::Pause
    }
}
