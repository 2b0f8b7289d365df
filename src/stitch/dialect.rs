//! How recordings that have no control object are called: our own names, and those of the hosted services. Pure.
//!
//! | dialect | playlist |
//! |---|---|
//! | ours, Agora | `[bak<0-2>_]<sid>_<cname>[__uid_s_<uid>__uid_e_<type>].m3u8` |
//! | Agora, uploaded by the backup path | the same with `_<tick>_<index>` before the extension, in several versions: the largest is the whole one |
//! | Agora, index of a user | `..__uid_e_av.m3u8`: comments that name lists of audio and of video, which need not exist |
//! | Tencent | `[ha<1-3>_]<SdkAppId>_<RoomId>[__UserId_s_<UserId>__UserId_e_<MediaId>_<Type>].m3u8` |
//!
//! In: the names of a folder with their sizes. Out: [`Series`], the playlists of each output by generation.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::Generation;
use crate::naming::STITCHED;
use crate::time::WallTime;

const PLAYLIST: &str = ".m3u8";
/// What separates the parts of an individual output's name.
const USERS: [&str; 2] = ["__uid_s_", "__UserId_s_"];

/// The names of a folder, and the sizes of their objects.
pub type Names = BTreeMap<String, u64>;

/// The playlists of one output.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Series {
    /// By generation, the playlist's name without its folder.
    pub turns: BTreeMap<Generation, String>,
    /// Smaller versions that were passed over.
    pub older_versions: Vec<String>,
}

/// All outputs of a recording, by the names of their original playlists without the extension.
pub type Outputs = BTreeMap<String, Series>;

/// Splits a name into its generation and the rest, which is the same in all.
pub fn generation(name: &str) -> (Generation, &str) {
    let turns = [("bak0_", 1), ("bak1_", 2), ("bak2_", 3), ("ha1_", 1), ("ha2_", 2), ("ha3_", 3)];
    let found = turns
        .iter()
        .find_map(|(prefix, number)| Some((Generation::new(*number)?, name.strip_prefix(prefix)?)));
    found.unwrap_or((Generation::FIRST, name))
}

/// The recording that an output's base is of: `<sid>_<cname>`.
pub fn recording(base: &str) -> &str {
    USERS.iter().filter_map(|users| base.find(users)).min().and_then(|at| base.get(..at)).unwrap_or(base)
}

/// The date in the name of a segment, and what stands before it.
pub fn dated(name: &str) -> Option<(&str, WallTime)> {
    let (stem, _) = name.rsplit_once('.')?;
    let (base, digits) = stem.rsplit_once('_')?;
    Some((base, WallTime::parse_compact(digits)?))
}

/// All outputs in a folder, of whatever recording.
pub fn outputs(names: &Names) -> Outputs {
    let with_segments: BTreeSet<&str> = names.keys().filter_map(|name| Some(dated(name)?.0)).collect();
    let mut found: BTreeMap<(String, Generation), Vec<(u64, &String)>> = BTreeMap::new();
    for (name, size) in names {
        let Some(stem) = name.strip_suffix(PLAYLIST).filter(|stem| !stem.starts_with(STITCHED)) else {
            continue;
        };
        let (turn, rest) = generation(stem);
        if is_index(rest) || !rest.contains('_') {
            continue;
        }
        let front = stem.len() - rest.len();
        let version = without_version(stem).filter(|whole| {
            let known = with_segments.contains(whole) || names.contains_key(&format!("{whole}{PLAYLIST}"));
            known && !with_segments.contains(stem)
        });
        let base = version.and_then(|whole| whole.get(front..)).unwrap_or(rest);
        found.entry((base.to_owned(), turn)).or_default().push((*size, name));
    }
    let mut outputs = Outputs::new();
    for ((base, turn), mut versions) in found {
        versions.sort();
        let series = outputs.entry(base).or_default();
        if let Some((_, largest)) = versions.pop() {
            series.turns.insert(turn, largest.clone());
        }
        series.older_versions.extend(versions.into_iter().map(|(_, name)| name.clone()));
    }
    outputs
}

/// Whether a playlist's stem is that of an index of a user's lists.
fn is_index(stem: &str) -> bool {
    stem.ends_with("__uid_e_av")
}

/// The indexes of a recording's users.
pub fn indexes<'a>(names: &'a Names, base: &'a str) -> impl Iterator<Item = &'a String> {
    let is = move |name: &&String| {
        let Some(stem) = name.strip_suffix(PLAYLIST).filter(|stem| !stem.starts_with(STITCHED)) else {
            return false;
        };
        let rest = generation(stem).1;
        is_index(rest) && recording(rest) == base
    };
    names.keys().filter(is)
}

/// The lists that an index names.
pub fn children(index: &str) -> impl Iterator<Item = &str> {
    let words = index.lines().flat_map(|line| line.trim_start_matches('#').split([' ', '"', ',', '=']));
    words.map(str::trim).filter(|word| word.ends_with(PLAYLIST))
}

/// A stem without `_<tick>_<index>` at its end.
fn without_version(stem: &str) -> Option<&str> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, index) = stem.rsplit_once('_')?;
    let (rest, tick) = rest.rsplit_once('_')?;
    (number(index) && number(tick)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[(&str, u64)]) -> Names {
        names.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
    }

    fn turns(outputs: &Outputs, base: &str) -> Vec<(u8, String)> {
        let series = outputs.get(base).unwrap_or_else(|| panic!("{base} in {outputs:?}"));
        series.turns.iter().map(|(turn, name)| (turn.get(), name.clone())).collect()
    }

    #[test]
    fn generations_are_told_by_either_prefix() {
        let outputs = outputs(&names(&[
            ("s_c.m3u8", 1),
            ("bak0_s_c.m3u8", 1),
            ("bak2_s_c.m3u8", 1),
            ("bak3_s_c.m3u8", 1),
            ("ha1_1400_9.m3u8", 1),
            ("1400_9.m3u8", 1),
            ("stitched_s_c.m3u8", 1),
            ("s_c__uid_s_5__uid_e_av.m3u8", 1),
            ("plain.m3u8", 1),
        ]));
        let of = |base| turns(&outputs, base).into_iter().map(|(turn, _)| turn).collect::<Vec<_>>();
        assert_eq!(of("s_c"), [0, 1, 3]);
        assert_eq!(of("1400_9"), [0, 1]);
        assert_eq!(outputs.keys().collect::<Vec<_>>(), ["1400_9", "bak3_s_c", "s_c"]);
    }

    #[test]
    fn of_several_versions_the_largest_counts() {
        let outputs = outputs(&names(&[
            ("bak0_s_c_20261123010203456.ts", 9),
            ("bak0_s_c_1700000000_0.m3u8", 10),
            ("bak0_s_c_1700000000_1.m3u8", 30),
            ("bak0_s_c_1700000001_0.m3u8", 20),
            // A channel name may look like that, and then has segments of its own.
            ("s_room_1_2.m3u8", 5),
            ("s_room_1_2_20261123010203456.ts", 5),
        ]));
        assert_eq!(turns(&outputs, "s_c"), [(1, "bak0_s_c_1700000000_1.m3u8".to_owned())]);
        assert_eq!(outputs["s_c"].older_versions.len(), 2);
        assert_eq!(turns(&outputs, "s_room_1_2"), [(0, "s_room_1_2.m3u8".to_owned())]);
    }

    #[test]
    fn an_index_names_its_lists() {
        let index =
            "#EXTM3U\n# Audio\n#s_c__uid_s_5__uid_e_audio.m3u8\n# Video\ns_c__uid_s_5__uid_e_video.m3u8\n";
        let found: Vec<_> = children(index).collect();
        assert_eq!(found, ["s_c__uid_s_5__uid_e_audio.m3u8", "s_c__uid_s_5__uid_e_video.m3u8"]);
        assert_eq!(recording("s_c__uid_s_5__uid_e_audio"), "s_c");
        assert_eq!(recording("1400_9__UserId_s_bob__UserId_e_main_video"), "1400_9");
    }
}
