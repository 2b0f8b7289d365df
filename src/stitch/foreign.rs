//! The sources of recordings without a control object, by the names in a folder; and of playlists given by name.

use futures_util::{StreamExt, TryStreamExt};

use super::dialect::{self, Names, Outputs};
use super::location::{folder, inside};
use super::options::StitchOptions;
use super::source::{PLAYLIST_LIMIT, Source, Sources, unsealed};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Generation;
use crate::store::Store;

/// Playlists read at once.
const READS: usize = 8;

/// Reads a recording by the names in a folder.
///
/// # Errors
/// `NotFound` where there is none; `InvalidInput` where several channels have one of that id.
pub(super) async fn read(
    store: &Store,
    names: &Names,
    sid: &str,
    options: &StitchOptions,
) -> Result<Sources> {
    let outputs = dialect::outputs(names);
    let mut recordings: Vec<&str> = outputs.keys().map(|base| dialect::recording(base)).collect();
    recordings.dedup();
    let of_sid = |recording: &&&str| recording.strip_prefix(sid).is_some_and(|rest| rest.starts_with('_'));
    let mut found: Vec<&str> = recordings.iter().filter(of_sid).copied().collect();
    if let Some(cname) = &options.cname {
        found.retain(|recording| *recording == format!("{sid}_{cname}"));
    }
    let recording = match found.as_slice() {
        [one] => (*one).to_owned(),
        [] => {
            let message = format!("there is no recording {sid} in {store}, and no playlist of one");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        several => {
            let message = format!(
                "several channels have a recording {sid} in {store}: {}; choose one by --cname",
                several.join(", ")
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
    };
    let mut sources = Sources::default();
    sources.notes.push(format!("{recording} has no control object: unsealed, as its playlists are"));
    for index in dialect::indexes(names, &recording) {
        let text = store.get(index, PLAYLIST_LIMIT).await?;
        let text = String::from_utf8_lossy(&text);
        let absent = dialect::children(&text).filter(|child| !names.contains_key(*child));
        sources.notes.extend(absent.map(|child| format!("{index} names {child}, which is not there")));
    }
    add(store, &outputs, &mut sources, |base, _| dialect::recording(base) == recording).await?;
    sources.scanned = (0..=Generation::LAST.get()).filter_map(Generation::new).collect();
    Ok(sources)
}

/// Adds the turns that `wanted` picks by the output's base and the generation, from the playlists of a folder.
pub(super) async fn add(
    store: &Store,
    outputs: &Outputs,
    sources: &mut Sources,
    wanted: impl Fn(&str, Generation) -> bool,
) -> Result<()> {
    let mut lists = Vec::new();
    for (base, series) in outputs {
        for (generation, name) in &series.turns {
            if wanted(base, *generation) {
                lists.push((base.clone(), *generation, inside(&sources.folder, name)));
            }
        }
        if series.turns.keys().any(|generation| wanted(base, *generation)) {
            let passed = |name: &String| format!("{name} is a smaller version of a playlist, passed over");
            sources.notes.extend(series.older_versions.iter().map(passed));
        }
    }
    let to = sources.folder.clone();
    let read = lists.into_iter().map(|(base, generation, key)| {
        let to = &to;
        async move {
            let text = store.get(&key, PLAYLIST_LIMIT).await?;
            let turn = unsealed(&text, &key, Some(generation), to)?;
            Ok::<_, Error>((base, turn))
        }
    });
    let turns: Vec<_> = futures_util::stream::iter(read).buffered(READS).try_collect().await?;
    for (base, (turn, notes)) in turns {
        sources.notes.extend(notes);
        let source = sources.outputs.entry(base).or_default();
        let place = source.turns.partition_point(|other| other.generation <= turn.generation);
        source.turns.insert(place, turn);
    }
    Ok(())
}

/// Reads playlists given by name: one output, later ones win.
///
/// # Errors
/// `NotFound`; `Malformed` for what is no media playlist.
pub(super) async fn by_name(store: &Store, keys: &[String]) -> Result<Sources> {
    let Some(first) = keys.first() else {
        return Err(Error::new(ErrorKind::InvalidInput, "no playlist was named"));
    };
    let mut sources = Sources { folder: folder(first).to_owned(), ..Sources::default() };
    let mut source = Source::default();
    for key in keys {
        let text = store.get(key, PLAYLIST_LIMIT).await?;
        let (turn, notes) = unsealed(&text, key, None, &sources.folder)?;
        sources.notes.extend(notes);
        source.turns.push(turn);
    }
    let name = first.rsplit('/').next().unwrap_or(first);
    let base = name.strip_suffix(".m3u8").unwrap_or(name).to_owned();
    sources.outputs.insert(base, source);
    Ok(sources)
}
