//! An export as fragments with a playlist (RFC 8216), in a folder of a store.
//!
//! Names tell what is exported: those of the same export are the same, and what of them is stored already is not sent again;
//! another export never replaces what somebody may be playing. The playlist comes last.

use std::collections::BTreeMap;
use std::fmt::Write;

use bytes::Bytes;

use super::mp4::{Fragment, Fragments};
use super::part::Part;
use super::uploads::Uploads;
use crate::error::{Error, ErrorKind, Result};
use crate::naming::encode_uri;
use crate::stitch::inside;
use crate::store::{ObjectKind, Store};
use crate::time::{MediaSpan, WallTime};

/// Fragments on their way into a folder.
pub(super) struct HlsFolder {
    store: Store,
    folder: String,
    base: String,
    fingerprint: String,
    fragments: Fragments,
    /// Sizes of what is stored, by name.
    stored: BTreeMap<String, u64>,
    under_way: Uploads<()>,
    listed: Vec<Listed>,
    initializations: usize,
    /// The date of the first part, and of each that does not simply go on.
    dates: BTreeMap<u64, WallTime>,
    parts: u64,
    pub bytes: u64,
}

/// A fragment in the playlist.
struct Listed {
    name: String,
    initialization: Option<String>,
    length: MediaSpan,
    date: Option<WallTime>,
    key: bool,
}

impl HlsFolder {
    /// Into a folder, where some of it may be stored.
    ///
    /// # Errors
    /// Whatever listing gives.
    pub async fn begin(
        store: Store,
        folder: String,
        base: String,
        fingerprint: &str,
        begin: Option<WallTime>,
    ) -> Result<Self> {
        let listed = store.list_folder(&folder).await?;
        let name = |key: &str| key.rsplit('/').next().unwrap_or(key).to_owned();
        let stored = listed.objects.iter().map(|object| (name(&object.key), object.size)).collect();
        Ok(Self {
            store,
            folder,
            base,
            fingerprint: fingerprint.chars().take(8).collect(),
            fragments: Fragments::new(begin),
            stored,
            under_way: Uploads::default(),
            listed: Vec::new(),
            initializations: 0,
            dates: BTreeMap::new(),
            parts: 0,
            bytes: 0,
        })
    }

    /// The playlist's name.
    pub fn playlist(&self) -> String {
        format!("{}.m3u8", self.base)
    }

    /// Whether there was a playlist of that name when the folder was listed.
    pub fn has_playlist(&self) -> bool {
        self.stored.contains_key(&self.playlist())
    }

    /// Takes the next part.
    ///
    /// # Errors
    /// Whatever making fragments and storing them gives.
    pub async fn part(&mut self, part: Part) -> Result<()> {
        let key = part.key.clone();
        self.parts += 1;
        self.dates
            .extend(part.date.filter(|_| !part.continues || self.parts == 1).map(|date| (self.parts, date)));
        let fragments = self.fragments.part(part).map_err(|error| unfit(&key, &error))?;
        self.store_all(fragments).await
    }

    /// Stores the last fragments and the playlist. Gives what people should know.
    ///
    /// # Errors
    /// As [`part`](Self::part).
    pub async fn finish(mut self) -> Result<(u64, Vec<String>)> {
        let fragments = std::mem::replace(&mut self.fragments, Fragments::new(None));
        let (last, notes) = fragments.finish().map_err(|error| unfit(&self.base, &error))?;
        self.store_all(last).await?;
        while let Some(done) = self.under_way.next().await {
            done?;
        }
        let text = render(&self.listed);
        self.bytes += text.len() as u64;
        self.store
            .put(&inside(&self.folder, &self.playlist()), vec![Bytes::from(text)], ObjectKind::Playlist)
            .await?;
        Ok((self.bytes, notes))
    }

    async fn store_all(&mut self, fragments: Vec<Fragment>) -> Result<()> {
        for fragment in fragments {
            let mut initialization = None;
            if let Some(bytes) = fragment.initialization {
                let name = format!("{}_{}_init{}.mp4", self.base, self.fingerprint, self.initializations);
                self.initializations += 1;
                self.put(&name, bytes).await?;
                initialization = Some(name);
            }
            let name = format!("{}_{}_{:05}.m4s", self.base, self.fingerprint, self.listed.len());
            self.put(&name, fragment.bytes).await?;
            let Fragment { length, part, key, .. } = fragment;
            let date = self.dates.remove(&part);
            self.listed.push(Listed { name, initialization, length, date, key });
        }
        Ok(())
    }

    async fn put(&mut self, name: &str, bytes: Vec<u8>) -> Result<()> {
        self.bytes += bytes.len() as u64;
        if self.stored.get(name) == Some(&(bytes.len() as u64)) {
            return Ok(());
        }
        while let Some(done) = self.under_way.room().await {
            done?;
        }
        let (store, key) = (self.store.clone(), inside(&self.folder, name));
        self.under_way.begin(async move {
            store.put(&key, vec![Bytes::from(bytes)], ObjectKind::Mp4Export).await.map(drop)
        });
        Ok(())
    }
}

pub(super) fn unfit(key: &str, error: &super::mp4::Mp4Error) -> Error {
    Error::new(ErrorKind::Malformed, format!("cannot export {key} as MP4: {error}"))
}

fn render(listed: &[Listed]) -> String {
    let longest = listed.iter().map(|fragment| fragment.length.millis()).max().unwrap_or(0);
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-PLAYLIST-TYPE:VOD\n");
    if listed.iter().all(|fragment| fragment.key) {
        text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "#EXT-X-TARGETDURATION:{}", (longest + 500) / 1000);
    for (number, fragment) in listed.iter().enumerate() {
        if let Some(name) = &fragment.initialization {
            if number > 0 {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            let _ = writeln!(text, "#EXT-X-MAP:URI=\"{}\"", encode_uri(name));
        }
        if let Some(date) = fragment.date {
            let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{date}");
        }
        let millis = fragment.length.millis();
        let _ = writeln!(text, "#EXTINF:{}.{:03},", millis / 1000, millis % 1000);
        let _ = writeln!(text, "{}", encode_uri(&fragment.name));
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}
