//! What verifying finds: a severity, a stable code, a place, and words. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::playlist;
use crate::severity::{Severity, kinds};
use crate::ts::Fault;
use crate::webm::WebmFault;

kinds! {
    /// What is checked of a recording as a whole. Playlists have their own rules ([`playlist::Rule`], with `playlist-`
    /// before their codes), and so have transport streams ([`FaultKind`](crate::ts::FaultKind)).
    Check:

    /// The control object can be read.
    ControlUnreadable = "control-unreadable", Error;
    /// Each older generation has its seal.
    SealMissing = "seal-missing", Error;
    /// A seal is what the control object says of it.
    SealDamaged = "seal-damaged", Error;
    /// Records of what was salvaged can be read.
    SalvageUnreadable = "salvage-unreadable", Error;
    /// The recording can be stitched.
    Unstitchable = "unstitchable", Error;
    /// There is a control object; else only names and playlists tell what the recording is.
    Unsealed = "unsealed", Note;
    /// The recording has ended; else what is said is of the time of reading.
    Open = "open", Note;

    /// A playlist that was seen published is there.
    ListMissing = "list-missing", Error;
    /// Nothing of an output was published yet; its entries are in the control object.
    Unpublished = "list-unpublished", Note;
    /// A playlist can be read as one.
    ListUnreadable = "list-unreadable", Error;
    /// A playlist has every entry that it was seen to have.
    ListShort = "list-short", Error;
    /// A playlist lists nothing that is not committed.
    ListLong = "list-long", Error;
    /// A playlist is what was committed, by its hash.
    ListChanged = "list-changed", Error;
    /// Committed entries that the published playlist does not have; stitching has them.
    ListBehind = "list-behind", Note;
    /// The last playlist of a recording that was stopped has its end; who stops it for a dead worker cannot write that.
    EndMissing = "list-end-missing", Note;
    /// No other playlist has one.
    EndEarly = "list-end-early", Error;

    /// What is listed is stored.
    SegmentMissing = "segment-missing", Error;
    /// No segment is empty.
    SegmentEmpty = "segment-empty", Error;
    /// A segment is as large as when it was committed.
    SegmentSize = "segment-size", Error;
    /// A segment holds the bytes that were committed, by its checksum.
    SegmentHash = "segment-hash", Error;
    /// The segments of an output are together as large as committed.
    TotalSize = "segments-total", Error;
    /// No segment is listed twice.
    ListedTwice = "segment-twice", Error;
    /// A playlist lists segments of its own output alone.
    WrongName = "segment-name", Warning;
    /// The date in a segment's name is that of its entry.
    NameDate = "segment-date", Warning;
    /// Media times of one clock go on by the lengths of the entries.
    MediaTime = "media-time", Error;
    /// Another media clock comes with a discontinuity.
    ClockUnmarked = "clock-unmarked", Error;
    /// The recorder gave a segment up, and says so.
    Lost = "segment-lost", Note;
    /// A segment that this program cannot look into, or that is in no store.
    Unchecked = "segment-unchecked", Note;

    /// Decoding can begin at a segment's first picture.
    KeyFrame = "segment-key-frame", Warning;
    /// The same, where no key frame came in time and the segment had to end.
    ForcedCut = "segment-forced-cut", Note;
    /// A segment begins at the media time that its entry tells.
    StartTime = "segment-start", Error;
    /// A segment is as long as its entry says.
    Duration = "segment-duration", Warning;
    /// Time stamps go on from segment to segment where no discontinuity is marked.
    BreakUnmarked = "break-unmarked", Error;
    /// Streams and their formats stay the same where no discontinuity is marked.
    TracksUnmarked = "tracks-unmarked", Error;
    /// Sound and pictures begin together.
    AvOffset = "av-offset", Warning;

    /// Time that nothing covers.
    Gap = "gap", Note;
    /// Time that two generations cover.
    Overlap = "overlap", Note;
    /// A salvaged segment that no playlist lists.
    Salvaged = "salvaged", Note;
    /// A stored segment of which nothing tells.
    Unlisted = "unlisted", Note;
    /// A stitched playlist is what stitching makes now.
    StitchedStale = "stitched-stale", Note;
    /// What a stitched playlist lists is stored.
    StitchedMissing = "stitched-missing", Error;
}

/// One thing that is not as it should be, or that is worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, for programs.
    pub code: String,
    /// The object's key.
    pub key: String,
    /// Where in it: a line, a packet, or a byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What it is, for people, and what can be done about it.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.key)?;
        if let Some(at) = &self.at {
            write!(f, ", {at}")?;
        }
        write!(f, ": {}: {}", self.code, self.message)
    }
}

/// Findings of one code that are kept; more are counted.
const KEPT: u64 = 200;

/// Findings in the order in which they were made, each code's first ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Those that are kept.
    pub kept: Vec<Finding>,
    /// How many there are of each code.
    pub counts: BTreeMap<String, u64>,
}

impl Findings {
    /// Adds one of a recording's.
    pub(super) fn add(&mut self, check: Check, key: &str, message: impl fmt::Display) {
        self.push(Finding {
            severity: check.severity(),
            code: check.code().to_owned(),
            key: key.to_owned(),
            at: None,
            message: message.to_string(),
        });
    }

    /// Adds one of a playlist's.
    pub(super) fn add_rule(&mut self, key: &str, finding: &playlist::Finding) {
        self.push(Finding {
            severity: finding.rule.severity(),
            code: format!("playlist-{}", finding.rule.code()),
            key: key.to_owned(),
            at: Some(format!("line {}", finding.line)),
            message: finding.message.clone(),
        });
    }

    /// Adds one of a transport stream's.
    pub(super) fn add_fault(&mut self, key: &str, fault: &Fault) {
        let pid = fault.pid.map(|pid| format!(", PID {pid}")).unwrap_or_default();
        self.push(Finding {
            severity: fault.kind.severity(),
            code: fault.kind.code().to_owned(),
            key: key.to_owned(),
            at: Some(format!("packet {}{pid}", fault.packet)),
            message: fault.message.clone(),
        });
    }

    /// Adds one of a WebM file's.
    pub(super) fn add_webm_fault(&mut self, key: &str, fault: &WebmFault) {
        self.push(Finding {
            severity: fault.kind.severity(),
            code: fault.kind.code().to_owned(),
            key: key.to_owned(),
            at: Some(format!("byte {}", fault.offset)),
            message: fault.message.clone(),
        });
    }

    fn push(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.code.clone()).or_default();
        *count += 1;
        if *count <= KEPT {
            self.kept.push(finding);
        }
    }

    /// The worst of them.
    pub fn worst(&self) -> Option<Severity> {
        self.kept.iter().map(|finding| finding.severity).max()
    }
}
