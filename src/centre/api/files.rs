//! The playlists of a recording, as clients of the hosted services read lists of files: pure.

use serde_json::{Map, Value, json};

use crate::continuity::{OutputStatus, Status};
use crate::ids::{MediaKind, OutputName};
use crate::media::Container;

/// What an answer says of the playlists of all generations: `fileListMode`, `fileList` and `sliceStartTime`. One playlist of a
/// mixed stream is text, as those expect who ask for no more; others are a list of objects.
pub fn files(status: &Status) -> Map<String, Value> {
    let outputs = || status.generations.iter().flat_map(|generation| &generation.outputs);
    let names: Vec<Option<OutputName>> = outputs().map(OutputStatus::name).collect();
    let (mode, list) = match names.as_slice() {
        [] => ("string", json!("")),
        [Some(OutputName::Composite)] => ("string", json!(outputs().next().map(|output| &output.playlist))),
        _ => {
            let list: Vec<Value> = outputs()
                .zip(&names)
                .map(|(output, name)| {
                    let (uid, track) = match name {
                        Some(OutputName::Individual(uid, MediaKind::Audio)) => (uid.get(), "audio"),
                        Some(OutputName::Individual(uid, MediaKind::Video)) => (uid.get(), "video"),
                        Some(OutputName::Composite) | None => (0, "audio_and_video"),
                    };
                    json!({
                        "fileName": output.playlist,
                        "trackType": track,
                        "uid": uid.to_string(),
                        "mixedAllUser": uid == 0,
                        "isPlayable": output.container == Container::MpegTs,
                        "sliceStartTime": output.begin.millis(),
                    })
                })
                .collect();
            ("json", json!(list))
        }
    };
    let begin = outputs().map(|output| output.begin.millis()).min();
    let fields =
        [("fileListMode", json!(mode)), ("fileList", list), ("sliceStartTime", json!(begin.unwrap_or(0)))];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
