//! Exports into buckets: what anyone who reads one gets, and uploads that are cut off and go on.

mod export_support;
mod support;

use std::fs;
use std::process::{Command, Stdio};

use bytes::Bytes;
use export_support::exported;
use object_store::{Attribute, ObjectStoreExt};
use support::{Place, block_on, fixture_bytes, until};
use tapeline::export::{ExportFormat, ExportOptions, Target, export};
use tapeline::ids::Sid;
use tapeline::store::{Lane, ObjectKind, Store};

/// 160 segments of some 370 KB: an object of five to seven parts.
async fn long_list() -> Store {
    let store = Store::open("memory:").unwrap();
    let mut list = String::from("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:24\n");
    for number in 0..160 {
        let bytes = vec![Bytes::from(fixture_bytes("h264_aac"))];
        let key = format!("s1_main_{number:03}.ts");
        store.put(&key, bytes, ObjectKind::TsSegment).await.unwrap();
        list.push_str(&format!("#EXT-X-DISCONTINUITY\n#EXTINF:24.000,\n{key}\n"));
    }
    list.push_str("#EXT-X-ENDLIST\n");
    let list = vec![Bytes::from(list)];
    store.put("s1_main.m3u8", list, ObjectKind::Playlist).await.unwrap();
    store
}

#[tokio::test]
async fn an_upload_that_was_cut_off_goes_on_where_it_was() {
    let store = long_list().await;
    let folder = tempfile::tempdir().unwrap();
    for (format, name) in [(ExportFormat::TransportStream, "whole.ts"), (ExportFormat::Mp4, "whole.mp4")] {
        let to = || Target::Object { store: store.clone(), key: name.to_owned() };
        let document = format!("{name}.part.json");
        let reached = tokio::sync::Notify::new();
        let options = ExportOptions { format, ..ExportOptions::default() };
        let sid = Sid::new("s1").unwrap();
        let progress = |done: usize, _: usize| {
            if done == 150 {
                reached.notify_one();
            }
        };
        {
            let cut_off = export(&store, &sid, &options, to(), &progress);
            tokio::select! {
                biased;
                () = reached.notified() => {}
                done = cut_off => panic!("{done:?} before it was cut off"),
            }
        }
        assert_eq!(store.find(name, 1 << 30).await.unwrap(), None);
        let text = store.get(&document, 1 << 20).await.unwrap();
        let known: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let told = exported(&store, format, to()).await.unwrap();
        let sent = known["parts"].as_object().unwrap().len() as u64 * known["part_len"].as_u64().unwrap();
        assert!(sent > 0, "{known}");
        assert_eq!(told.resumed_bytes, sent, "{name}");
        let object = store.get(name, 1 << 30).await.unwrap();
        assert_eq!(told.bytes, object.len() as u64);
        assert_eq!(store.find(&document, 1 << 20).await.unwrap(), None);
        // The same bytes as those of a file.
        let path = folder.path().join(name);
        exported(&store, format, Target::File(path.clone())).await.unwrap();
        assert!(fs::read(&path).unwrap() == object, "{name}");
    }
}

/// A folder whose list names one segment of 370 KB so often that the export takes a while.
fn heavy_folder(entries: usize) -> Place {
    let place = Place::folder();
    let mut list = String::from("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:24\n");
    for _ in 0..entries {
        list.push_str("#EXT-X-DISCONTINUITY\n#EXTINF:24.000,\ns1_main_0.ts\n");
    }
    fs::write(format!("{}/s1_main.m3u8", place.url()), list + "#EXT-X-ENDLIST\n").unwrap();
    fs::write(format!("{}/s1_main_0.ts", place.url()), fixture_bytes("h264_aac")).unwrap();
    place
}

#[test]
fn a_program_killed_in_mid_upload_goes_on_when_it_is_called_again() {
    let Some(bucket) = Place::bucket() else { return };
    let source = heavy_folder(600);
    let file = tempfile::tempdir().unwrap();
    for name in ["whole.ts", "whole.mp4"] {
        let url = format!("{}/exports/{name}", bucket.url());
        let mut command = Command::new(env!("CARGO_BIN_EXE_tapeline"));
        command.args(["export", source.url(), "--sid", "s1", "--out", &url]);
        let mut killed = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let document = format!("exports/{name}.part.json");
        let store = bucket.store();
        let sent = until("some parts are sent", || {
            let known = block_on(store.find(&document, 1 << 20)).unwrap()?;
            let known: serde_json::Value = serde_json::from_slice(&known).unwrap();
            let parts = known["parts"].as_object().unwrap().len() as u64;
            (parts >= 3).then(|| parts * known["part_len"].as_u64().unwrap())
        });
        assert!(killed.try_wait().unwrap().is_none(), "it ended before it was killed");
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert_eq!(block_on(store.find(&format!("exports/{name}"), 1 << 30)).unwrap(), None);
        let said = source.run("export", ["--sid", "s1", "--out", &url, "--json"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let told = said.object();
        assert!(told["resumed_bytes"].as_u64().unwrap() >= sent, "{sent} {told}");
        let path = file.path().join(name);
        let said = source.run("export", ["--sid", "s1", "--out", path.to_str().unwrap()]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let object = block_on(store.get(&format!("exports/{name}"), 1 << 30)).unwrap();
        assert!(fs::read(&path).unwrap() == object, "{name} is another than the file");
        assert_eq!(block_on(store.find(&document, 1 << 20)).unwrap(), None);
    }
}

#[test]
fn a_bucket_takes_all_forms_and_anyone_who_reads_it_gets_their_type() {
    let Some(place) = Place::bucket() else { return };
    let record = place.record(support::fixture("h264_aac")).args(["--segment", "4s", "--cname", "main"]);
    record.args(["--start-time", "2026-01-02T03:04:05Z"]).succeed();
    let folder = tempfile::tempdir().unwrap();
    for name in ["whole.ts", "whole.mp4"] {
        let url = format!("{}/exports/{name}", place.url());
        let said = place.run("export", ["--sid", "s1", "--out", &url]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let again = place.run("export", ["--sid", "s1", "--out", &url]);
        again.assert_error(6, &[&format!("{name} is there already")]);
        let store = place.store();
        let path = store.path(&format!("exports/{name}")).unwrap();
        let attributes = block_on(store.client(Lane::Bulk).get(&path)).unwrap().attributes;
        let kind = if name.ends_with("ts") { "video/mp2t" } else { "video/mp4" };
        assert_eq!(attributes.get(&Attribute::ContentType).map(AsRef::as_ref), Some(kind));
        let file = folder.path().join(name);
        place.run("export", ["--sid", "s1", "--out", file.to_str().unwrap()]);
        assert!(place.objects()[&format!("exports/{name}")] == fs::read(&file).unwrap());
    }
    let url = format!("{}/hls/", place.url());
    assert_eq!(place.run("export", ["--sid", "s1", "--out", &url]).code, Some(0));
    let objects = place.objects();
    let fragments = objects.keys().filter(|key| key.starts_with("hls/") && key.ends_with(".m4s")).count();
    assert_eq!(fragments, 6);
    assert!(
        objects.contains_key("hls/s1_main.m3u8") && !objects.keys().any(|key| key.ends_with(".part.json"))
    );
}
