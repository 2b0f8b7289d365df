//! The names that a segment may get in the store: its own, or where that is taken by other bytes, the next free
//! millisecond. Whoever stores a segment goes the same way, so that the same bytes end up under the same name.

use crate::error::{Error, ErrorKind};
use crate::naming::{NameKind, ObjectName};

/// How often a segment's name may be taken before something is wrong.
const MAX_NAMES: usize = 1000;

/// Names for a segment, in the order in which to try them.
pub fn names(first: &ObjectName) -> impl Iterator<Item = ObjectName> + use<> {
    std::iter::successors(Some(first.clone()), |name| {
        let NameKind::Segment { start, container } = name.kind else { return None };
        Some(ObjectName { kind: NameKind::Segment { start: start.next_milli(), container }, ..name.clone() })
    })
    .take(MAX_NAMES)
}

/// The error where all are taken.
pub fn all_taken(first: &ObjectName) -> Error {
    let message = format!("cannot store {first}: the next {MAX_NAMES} names are taken; choose another --sid");
    Error::new(ErrorKind::Conflict, message)
}
