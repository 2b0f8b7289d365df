//! Records a transport stream into a folder, and says what happens meanwhile.
//!
//! cargo run --example record_file -- fixtures/h264_aac.ts recordings

use tapeline::clock::{SystemClock, random_bytes};
use tapeline::ids::{Cname, RecordingId, Sid};
use tapeline::input;
use tapeline::media::Container;
use tapeline::recorder::{Event, Options, OutputSpec, Recorder};
use tapeline::slicer::SlicingRules;
use tapeline::store::Store;
use tapeline::time::MediaSpan;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: record_file INPUT STORE".into());
    };
    let mut source = input::open(&file, SystemClock::shared()).await?;
    let store = Store::open(&folder)?;

    let id = RecordingId { sid: Sid::from_random(random_bytes()?), cname: Cname::new("example")? };
    let target = MediaSpan::from_secs(4);
    let rules = SlicingRules { target, max_length: target + target, ..SlicingRules::default() };
    let recorder = Recorder::start(&store, id, Options { rules, ..Options::default() }).await?;

    let mut events = recorder.events();
    let listener = tokio::spawn(async move {
        // Ends with the recorder. A listener that falls behind would get an error here for what it missed.
        while let Ok(event) = events.recv().await {
            match event {
                Event::SegmentStored { name, duration_millis, .. } => {
                    println!("{name}: {duration_millis} ms")
                }
                Event::SegmentListed { segments, .. } => println!("the playlist lists {segments}"),
                _ => {}
            }
        }
    });

    let mut spec = OutputSpec::composite(Container::MpegTs);
    // Media that was recorded earlier has a date of its own; without one, dates come from arrival.
    if let Some(date) = source.file_time() {
        spec = spec.start_time(date);
    }
    let output = recorder.output(spec)?;
    while let Some(chunk) = source.next().await? {
        output.write_bytes_arrived(chunk.bytes, chunk.arrived).await?;
    }
    let summary = recorder.stop().await?;
    listener.await?;
    println!("{summary:#?}");
    Ok(())
}
