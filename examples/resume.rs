//! A worker that goes on with a recording whose own worker has died.
//!
//! timeout -s KILL 10 tapeline record fixtures/h264_aac.ts --to recordings --sid again --segment 4s --realtime
//! cargo run --example resume -- fixtures/h264_aac.ts recordings again
//!
//! That the old worker is gone is the caller's word: nothing here looks for signs of its life. Where the word is
//! wrong, nothing is damaged. The old worker is fenced: it finds out, ends, and its playlist stays as it was.

use tapeline::clock::SystemClock;
use tapeline::ids::Sid;
use tapeline::input::{self, Input};
use tapeline::media::Container;
use tapeline::recorder::{Options, Output, OutputSpec, Recorder};
use tapeline::store::{Store, StoreOptions};
use tapeline::{ErrorKind, Result};

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(folder), Some(sid)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: resume INPUT STORE SID".into());
    };
    let mut source = input::open(&file, SystemClock::shared()).await?;
    // Whoever resumes expects that there is something; a mistyped folder is not to be made.
    let store = Store::open_with(&folder, &StoreOptions { create_folder: false, ..StoreOptions::default() })?;

    // The claim: from here on the recording is ours, and nobody else's. Channel, prefix and the names of the
    // next generation (bak0_...) come out of the recording's control object.
    let resumed = Recorder::resume(&store, &Sid::new(&sid)?, None, Options::default()).await;
    let recorder = match resumed {
        Ok(recorder) => recorder,
        Err(error) => {
            let advice = match error.kind() {
                ErrorKind::NotFound => "there is nothing to resume; Recorder::start would begin it",
                ErrorKind::Conflict => "it has ended, or another worker was first; leave it alone",
                ErrorKind::Abandoned => "three failovers are all there are; begin a recording of another sid",
                _ => "nothing was claimed as far as is known; it may be tried again",
            };
            return Err(format!("{advice}: {}", error.report()).into());
        }
    };
    println!("generation {} of {}, as uid {}", recorder.generation(), recorder.id(), recorder.uid());

    // Each generation opens its outputs anew.
    let output = recorder.output(OutputSpec::composite(Container::MpegTs))?;
    let summary = match feed(&mut source, &output).await {
        // Stopping is for good. A channel that may come back is left open instead, for any worker to claim.
        Ok(()) => recorder.stop().await,
        Err(error) if error.kind() == ErrorKind::Unavailable => recorder.orphan().await,
        Err(_) => recorder.stop().await,
    };
    match summary {
        Ok(summary) => println!("{summary:#?}"),
        // Another worker has it now. What is not stored is in the spool, whose place the message tells.
        Err(error) if error.kind() == ErrorKind::Fenced => println!("fenced: {}", error.report()),
        Err(error) => return Err(error.report().into()),
    }
    Ok(())
}

async fn feed(source: &mut Input, output: &Output) -> Result<()> {
    while let Some(chunk) = source.next().await? {
        output.write_bytes_arrived(chunk.bytes, chunk.arrived).await?;
    }
    Ok(())
}
