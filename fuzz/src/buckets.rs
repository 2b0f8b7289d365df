//! A recording of three turns, as the objects of its bucket, with small damage; and what must hold of stitching it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use arbitrary::Arbitrary;
use bytes::Bytes;
use futures_util::TryStreamExt;
use tapeline::ids::{RecordingId, Sid};
use tapeline::media::Container;
use tapeline::playlist::check;
use tapeline::recorder::{Options, OutputSpec, Recorder};
use tapeline::stitch::{GapMode, MissingMode, StitchOptions, Stitched, stitch, stitch_playlists, stitchable};
use tapeline::store::{ObjectKind, Store};
use tapeline::time::{MediaSpan, WallTime};
use tokio::runtime::Runtime;

use crate::fixture::piece;

/// An object never grows beyond this.
const MAX_LEN: usize = 100_000;

type Objects = BTreeMap<String, Bytes>;

/// Damage to a bucket, and how it is stitched then.
#[derive(Debug, Arbitrary)]
pub struct Bucket {
    /// Only playlists and segments are left.
    foreign: bool,
    tagged: bool,
    rewrite: bool,
    fail: bool,
    sealed_only: bool,
    damage: Vec<Damage>,
}

/// One damage. Objects are counted in the order of their keys, and wrapped, as places in them are.
#[derive(Debug, Arbitrary)]
enum Damage {
    Remove {
        object: u8,
    },
    Truncate {
        object: u8,
        at: u16,
    },
    Flip {
        object: u8,
        at: u16,
        bits: u8,
    },
    /// Another digit in the place of one: a date, a length, a counter, a name.
    Digit {
        object: u8,
        at: u16,
        digit: u8,
    },
    /// The text from one quote to the next.
    Word {
        object: u8,
        at: u16,
        text: String,
    },
    Insert {
        object: u8,
        at: u16,
        bytes: Vec<u8>,
    },
    RemoveLine {
        object: u8,
        line: u8,
    },
    RepeatLine {
        object: u8,
        line: u8,
    },
    MoveLine {
        object: u8,
        line: u8,
        to: u8,
    },
    Swap {
        one: u8,
        other: u8,
    },
    Copy {
        object: u8,
        to: u8,
    },
    /// Another digit in its name.
    Rename {
        object: u8,
        at: u8,
        digit: u8,
    },
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
    })
}

/// Makes the recording, which takes some seconds: a newcomer waits for the worker before it.
pub fn record_bucket() {
    recorded();
}

/// Three turns: a gap, an overlap, the last one stopped.
fn recorded() -> &'static Objects {
    static RECORDED: OnceLock<Objects> = OnceLock::new();
    RECORDED.get_or_init(|| runtime().block_on(record()).expect("a recording"))
}

async fn record() -> tapeline::Result<Objects> {
    let store = Store::open("memory:")?;
    let id = RecordingId::new("s1", "main")?;
    let mut options = Options::default();
    options.rules.target = MediaSpan::from_secs(1);
    for (turn, begin) in [(0, 0), (1, 2500), (2, 20_000)] {
        let recorder = match turn {
            0 => Recorder::start(&store, id.clone(), options.clone()).await?,
            _ => Recorder::resume(&store, &id.sid, None, options.clone()).await?,
        };
        let date = WallTime::from_millis(1_795_395_600_000 + begin);
        let output = recorder.output(OutputSpec::composite(Container::MpegTs).start_time(date))?;
        output.write_bytes(Bytes::from_static(piece(0))).await?;
        if turn == 2 {
            recorder.stop().await?;
        } else {
            recorder.orphan().await?;
        }
    }
    let keys: Vec<_> = store.list("").try_collect().await?;
    let mut objects = Objects::new();
    for object in keys {
        objects.insert(object.key.clone(), store.get(&object.key, 1 << 20).await?);
    }
    Ok(objects)
}

impl Damage {
    fn apply(&self, objects: &mut Objects) {
        let key = |object: u8| objects.keys().nth(usize::from(object) % objects.len().max(1)).cloned();
        match self {
            Self::Remove { object } => {
                if let Some(key) = key(*object) {
                    objects.remove(&key);
                }
            }
            Self::Swap { one, other } => {
                let (Some(one), Some(other)) = (key(*one), key(*other)) else { return };
                let (first, second) = (objects[&one].clone(), objects[&other].clone());
                objects.insert(one, second);
                objects.insert(other, first);
            }
            Self::Copy { object, to } => {
                let (Some(object), Some(to)) = (key(*object), key(*to)) else { return };
                let body = objects[&object].clone();
                objects.insert(to, body);
            }
            Self::Rename { object, at, digit } => {
                let Some(key) = key(*object) else { return };
                let digits: Vec<usize> =
                    key.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at).collect();
                let Some(at) = digits.get(usize::from(*at) % digits.len().max(1)) else { return };
                let mut named = key.clone();
                named.replace_range(at..&(at + 1), &(digit % 10).to_string());
                if let Some(body) = objects.remove(&key) {
                    objects.insert(named, body);
                }
            }
            Self::Truncate { object, .. }
            | Self::Flip { object, .. }
            | Self::Digit { object, .. }
            | Self::Word { object, .. }
            | Self::Insert { object, .. }
            | Self::RemoveLine { object, .. }
            | Self::RepeatLine { object, .. }
            | Self::MoveLine { object, .. } => {
                let Some(key) = key(*object) else { return };
                let mut body = objects[&key].to_vec();
                self.change(&mut body);
                body.truncate(MAX_LEN);
                objects.insert(key, Bytes::from(body));
            }
        }
    }

    fn change(&self, body: &mut Vec<u8>) {
        let place = |at: u16| usize::from(at) % body.len().max(1);
        match self {
            Self::Truncate { at, .. } => body.truncate(place(*at)),
            Self::Flip { at, bits, .. } => {
                let at = place(*at);
                body.get_mut(at).into_iter().for_each(|byte| *byte ^= bits);
            }
            Self::Digit { at, digit, .. } => {
                let from = place(*at);
                let found = body.iter_mut().skip(from).find(|byte| byte.is_ascii_digit());
                found.into_iter().for_each(|byte| *byte = b'0' + digit % 10);
            }
            Self::Word { at, text, .. } => {
                let mut quotes = (place(*at)..body.len()).filter(|at| body[*at] == b'"');
                if let (Some(from), Some(to)) = (quotes.next(), quotes.next()) {
                    drop(quotes);
                    body.splice(from + 1..to, text.bytes().take(100));
                }
            }
            Self::Insert { at, bytes, .. } => {
                let at = place(*at);
                body.splice(at..at, bytes.iter().copied());
            }
            Self::RemoveLine { line, .. } => lines(body, |lines, at| drop(lines.remove(at)), *line),
            Self::RepeatLine { line, .. } => {
                lines(body, |lines, at| lines.insert(at, lines[at].clone()), *line)
            }
            Self::MoveLine { line, to, .. } => {
                let moved = |lines: &mut Vec<Vec<u8>>, at: usize| {
                    let line = lines.remove(at);
                    let to = usize::from(*to) % (lines.len() + 1);
                    lines.insert(to, line);
                };
                lines(body, moved, *line);
            }
            Self::Remove { .. } | Self::Swap { .. } | Self::Copy { .. } | Self::Rename { .. } => {}
        }
    }
}

fn lines(body: &mut Vec<u8>, change: impl Fn(&mut Vec<Vec<u8>>, usize), line: u8) {
    let mut lines: Vec<Vec<u8>> = body.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if !lines.is_empty() {
        let at = usize::from(line) % lines.len();
        change(&mut lines, at);
        *body = lines.concat();
    }
}

impl Bucket {
    /// Damages a bucket and stitches it, as a recording and as bare playlists.
    ///
    /// # Panics
    /// Where a report does not add up, a playlist breaks a rule, or stitching it twice gives other bytes.
    pub fn check(&self) {
        let mut objects = recorded().clone();
        if self.foreign {
            objects.retain(|key, _| !key.starts_with(".tapeline/"));
        }
        self.damage.iter().take(16).for_each(|damage| damage.apply(&mut objects));
        runtime().block_on(self.stitched(&objects));
    }

    async fn stitched(&self, objects: &Objects) {
        let store = Store::open("memory:").expect("a store");
        for (key, body) in objects {
            // Some names are no keys any more.
            let _ = store.put(key, vec![body.clone()], ObjectKind::Control).await;
        }
        let options = StitchOptions {
            gap: if self.tagged { GapMode::Tag } else { GapMode::Collapse },
            rewrite: self.rewrite,
            missing: if self.fail { MissingMode::Fail } else { MissingMode::Gap },
            sealed_only: self.sealed_only,
            ..StitchOptions::default()
        };
        let _ = stitchable(&store).await;
        let sid = Sid::new("s1").expect("an id");
        let lists: Vec<String> = objects.keys().filter(|key| key.ends_with(".m3u8")).cloned().collect();
        if let Ok(made) = stitch(&store, &sid, &options).await {
            adds_up(&made);
            let again = stitch(&store, &sid, &options).await.expect("the same");
            assert_eq!(again.outputs[0].playlist, made.outputs[0].playlist);
            // What lies there under such a name may be damaged; writing beside it never panics.
            let _ = made.store(&store).await;
        }
        if let Ok(made) = stitch_playlists(&store, &lists, &options).await {
            adds_up(&made);
        }
    }
}

fn adds_up(made: &Stitched) {
    for output in &made.outputs {
        let report = &output.report;
        assert_eq!(report.covered_millis + report.uncovered_millis, report.span_millis, "{report}");
        let played = i64::try_from(report.duration_millis).expect("a length");
        assert_eq!(played, report.covered_millis + report.repeated_millis, "{report}");
        let findings = check(output.playlist.as_bytes());
        assert!(findings.is_empty(), "{findings:?}\n{}", output.playlist);
    }
}
