//! The playlists of playlists of individual mode: one for each user, which pairs that user's sound and pictures. Pure.
//!
//! `BANDWIDTH`, which players require, is the greatest of any segment whose size is known. `CODECS` is left out: nothing
//! read here knows them, and players look into the segments.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::naming::STITCHED;

/// Where no size is known.
const UNKNOWN_BANDWIDTH: u64 = 1_000_000;
/// What separates a user's part of a name, and which of two lists it is.
const PARTS: [(&str, &str); 2] = [("__uid_s_", "__uid_e_"), ("__UserId_s_", "__UserId_e_")];

/// A stitched output.
#[derive(Debug, Clone)]
pub struct Variant<'a> {
    /// Its name without prefix and extension.
    pub base: &'a str,
    /// By which its playlist is to be listed.
    pub uri: String,
    /// Bits a second of its heaviest segment; 0 where that is not known.
    pub bandwidth: u64,
}

/// The name up to the user's end, and whether the rest is sound.
fn user(base: &str) -> Option<(&str, bool)> {
    let (start, end) = PARTS.into_iter().find(|(start, _)| base.contains(start))?;
    let at = base.rfind(end).filter(|at| base.find(start).is_some_and(|start| start < *at))?;
    let kind = base.get(at + end.len()..)?;
    let sound = kind.ends_with("audio");
    (sound || kind.ends_with("video")).then_some((base.get(..at)?, sound))
}

/// For each user with sound or pictures, the list's name and text. Pictures of one user that come in several lists
/// (a camera and a screen) are variants of their own list each.
pub fn render(variants: &[Variant<'_>]) -> Vec<(String, String)> {
    let mut users: BTreeMap<&str, (Vec<&Variant<'_>>, Vec<&Variant<'_>>)> = BTreeMap::new();
    for variant in variants {
        if let Some((user, sound)) = user(variant.base) {
            let lists = users.entry(user).or_default();
            if sound { lists.0.push(variant) } else { lists.1.push(variant) }
        }
    }
    let lists = users.into_iter().map(|(user, (sound, pictures))| {
        (format!("{STITCHED}{user}__uid_e_av.m3u8"), list(&sound, &pictures))
    });
    lists.collect()
}

fn list(sound: &[&Variant<'_>], pictures: &[&Variant<'_>]) -> String {
    let mut text = "#EXTM3U\n#EXT-X-VERSION:4\n".to_owned();
    if pictures.is_empty() {
        for variant in sound {
            let _ = write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={}\n{}\n", bandwidth(variant), variant.uri);
        }
        return text;
    }
    for (number, variant) in sound.iter().enumerate() {
        let chosen = if number == 0 { "YES" } else { "NO" };
        let _ = writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"audio {}\",DEFAULT={chosen},AUTOSELECT=YES,URI=\"{}\"",
            number + 1,
            variant.uri,
        );
    }
    let heaviest = sound.iter().map(|variant| variant.bandwidth).max().unwrap_or(0);
    let group = if sound.is_empty() { "" } else { ",AUDIO=\"audio\"" };
    for variant in pictures {
        let sum = bandwidth(variant).saturating_add(heaviest);
        let _ = write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={sum}{group}\n{}\n", variant.uri);
    }
    text
}

fn bandwidth(variant: &Variant<'_>) -> u64 {
    if variant.bandwidth == 0 { UNKNOWN_BANDWIDTH } else { variant.bandwidth }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_sound_and_pictures_are_paired() {
        let variant =
            |base: &'static str, bandwidth| Variant { base, uri: format!("stitched_{base}.m3u8"), bandwidth };
        let variants = [
            variant("s_c", 9),
            variant("s_c__uid_s_5__uid_e_audio", 64_000),
            variant("s_c__uid_s_5__uid_e_video", 2_000_000),
            variant("s_c__uid_s_6__uid_e_audio", 0),
        ];
        let lists = render(&variants);
        let expected = [
            (
                "stitched_s_c__uid_s_5__uid_e_av.m3u8".to_owned(),
                "#EXTM3U\n#EXT-X-VERSION:4\n\
                 #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"audio 1\",DEFAULT=YES,AUTOSELECT=YES,\
                 URI=\"stitched_s_c__uid_s_5__uid_e_audio.m3u8\"\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=2064000,AUDIO=\"audio\"\n\
                 stitched_s_c__uid_s_5__uid_e_video.m3u8\n"
                    .to_owned(),
            ),
            (
                "stitched_s_c__uid_s_6__uid_e_av.m3u8".to_owned(),
                "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-STREAM-INF:BANDWIDTH=1000000\n\
                 stitched_s_c__uid_s_6__uid_e_audio.m3u8\n"
                    .to_owned(),
            ),
        ];
        assert_eq!(lists, expected);
    }
}
