//! What a recorder worker does that gets encoded frames from a media server: it hands them to the library, one by one.
//!
//! cargo run --example frames -- fixtures/frames.mp4 recordings
//!
//! An MP4 file stands for the media server here: it holds the same things, access units with their times, and the
//! configuration of each codec. The crate `shiguredo_mp4` takes them out of it; that part is below, and yours is another.

use bytes::Bytes;
use shiguredo_mp4::boxes::SampleEntry;
use shiguredo_mp4::demux::{Input, Mp4FileDemuxer};
use shiguredo_mp4::{BoxHeader, Decode, Encode};
use tapeline::clock::random_bytes;
use tapeline::ids::{Cname, RecordingId, Sid};
use tapeline::media::{Container, Frame, Track, TrackCodec};
use tapeline::recorder::{Options, OutputSpec, Recorder};
use tapeline::slicer::SlicingRules;
use tapeline::store::Store;
use tapeline::time::{MediaSpan, MediaTime};

type Anything<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Anything<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(store)) = (arguments.next(), arguments.next()) else {
        return Err("usage: frames FILE.mp4 STORE".into());
    };
    let server = MediaServer::open(&file)?;

    // One recording, of a random id, in channel `lobby`. Segments of at least 4 s, each from a key frame on.
    let id = RecordingId { sid: Sid::from_random(random_bytes()?), cname: Cname::new("lobby")? };
    let target = MediaSpan::from_secs(4);
    let rules = SlicingRules { target, max_length: target + target, ..SlicingRules::default() };
    let recorder =
        Recorder::start(&Store::open(&store)?, id, Options { rules, ..Options::default() }).await?;

    // H.264 and AAC go into transport streams. A track's number is its place here, and frames name it.
    let mut spec = OutputSpec::composite(Container::MpegTs);
    for track in server.tracks {
        spec = spec.track(track);
    }
    let output = recorder.output(spec)?;

    // Frames of one track come in the order of their decoding. Those of several may be half a second apart: they are
    // brought into order.
    for frame in server.frames {
        // This never waits for the store, only for the local disk.
        output.write_frame(frame).await?;
    }

    // Without this the recording would stay open, as after a crash, and another worker could go on with it.
    let summary = recorder.stop().await?;
    let output = &summary.outputs[0];
    let playlist = output.playlist.as_deref().unwrap_or("nothing");
    println!("{playlist}: {} segments, {} ms", output.account.segments, output.account.duration_millis);
    Ok(())
}

/// Stands for the media server.
struct MediaServer {
    tracks: Vec<Track>,
    frames: Vec<Frame>,
}

impl MediaServer {
    fn open(file: &str) -> Anything<Self> {
        let bytes = Bytes::from(std::fs::read(file)?);
        let mut demuxer = Mp4FileDemuxer::new();
        demuxer.handle_input(Input { position: 0, data: &bytes });
        let ids: Vec<u32> = demuxer.tracks()?.iter().map(|track| track.track_id).collect();
        let mut tracks = vec![None; ids.len()];
        let mut frames = Vec::new();
        while let Some(sample) = demuxer.next_sample()? {
            let track = ids
                .iter()
                .position(|id| *id == sample.track.track_id)
                .ok_or("a track that is not announced")?;
            if let Some(entry) = sample.sample_entry {
                tracks[track] = Some(described(entry)?);
            }
            // Times are ticks of 90 kHz here, whatever they were.
            let ticks =
                |time: i64| MediaTime::from_ticks(time * 90_000 / i64::from(sample.track.timescale.get()));
            let decoded = i64::try_from(sample.timestamp)?;
            let begin = usize::try_from(sample.data_offset)?;
            frames.push(Frame {
                track,
                pts: Some(ticks(decoded + sample.composition_time_offset.unwrap_or(0))),
                dts: Some(ticks(decoded)),
                key: sample.keyframe,
                // A slice of the file: nothing is copied.
                data: bytes.slice(begin..begin + sample.data_size),
            });
        }
        let tracks = tracks.into_iter().collect::<Option<Vec<Track>>>().ok_or("a track without a frame")?;
        Ok(Self { tracks, frames })
    }
}

/// A track with its codec and the configuration that its frames need.
fn described(entry: &SampleEntry) -> Anything<Track> {
    match entry {
        SampleEntry::Avc1(avc1) => {
            // `avcC`, without the header of its box.
            let record = avc1.avcc_box.encode_to_vec()?;
            let (_, header) = BoxHeader::decode(&record)?;
            Ok(Track::new(TrackCodec::H264).configuration(Bytes::copy_from_slice(&record[header..])))
        }
        SampleEntry::Mp4a(mp4a) => {
            let specific = mp4a.esds_box.es.dec_config_descr.dec_specific_info.as_ref();
            let specific = specific.ok_or("AAC without its configuration")?;
            Ok(Track::new(TrackCodec::Aac).configuration(Bytes::copy_from_slice(&specific.payload)))
        }
        other => Err(format!("this example reads H.264 and AAC, not {other:?}").into()),
    }
}
