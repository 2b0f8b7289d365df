//! From what a source gives to a recording's outputs: they are opened as their media comes.

use std::collections::BTreeMap;

use super::options::OutputSpec;
use super::output::Output;
use super::session::Recorder;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::OutputName;
use crate::input::{Media, Stream};
use crate::media::Container;
use crate::time::WallTime;

/// The outputs that a source has begun.
#[derive(Debug)]
pub struct Feed {
    /// What the composite stream is to become.
    wanted: OutputSpec,
    outputs: BTreeMap<OutputName, Output>,
}

impl Feed {
    /// Nothing has begun. What the source gives as the composite stream is to become `wanted`, but for its container and tracks,
    /// which are those of the source.
    pub fn new(wanted: OutputSpec) -> Self {
        Self { wanted, outputs: BTreeMap::new() }
    }

    /// Whether no output has begun.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }

    /// Writes what a source has given. Must not be dropped while it waits: who cannot wait calls [`ready`](Self::ready) before.
    ///
    /// # Errors
    /// `InvalidInput` for frames of an output that has not begun; else as [`Recorder::output`], [`Output::write_bytes`] and
    /// [`Output::write_frame`].
    pub async fn write(&mut self, recorder: &Recorder, media: Media) -> Result<()> {
        match media {
            Media::Bytes(chunk) => {
                let name = OutputName::Composite;
                let output = match self.outputs.get(&name) {
                    Some(output) => output.clone(),
                    None => {
                        let container = Container::of_stream(&chunk.bytes);
                        self.open(recorder, Stream { name, container, tracks: Vec::new() })?
                    }
                };
                output.write_bytes_arrived(chunk.bytes, chunk.arrived).await
            }
            Media::Begin(stream) => {
                if let Some(output) = self.outputs.get(&stream.name) {
                    match output.finish().await {
                        // There was nothing in it, which is no fault of what comes next.
                        Err(error) if error.kind() == ErrorKind::Malformed => {}
                        ended => ended?,
                    }
                }
                self.open(recorder, stream).map(drop)
            }
            Media::Frame(name, frame, arrived) => self.begun(name)?.write_frame_arrived(frame, arrived).await,
            Media::End(name) => self.begun(name)?.finish().await,
        }
    }

    fn open(&mut self, recorder: &Recorder, stream: Stream) -> Result<Output> {
        let wanted = match stream.name {
            OutputName::Composite => self.wanted.clone(),
            OutputName::Individual(uid, kind) => OutputSpec::individual(uid, kind, stream.container),
        };
        let spec = OutputSpec { container: stream.container, tracks: stream.tracks, ..wanted };
        let output = recorder.output(spec)?;
        self.outputs.insert(stream.name, output.clone());
        Ok(output)
    }

    fn begun(&self, name: OutputName) -> Result<&Output> {
        self.outputs.get(&name).ok_or_else(|| {
            let message = format!("the source gives frames of {name:?}, which it has not begun");
            Error::new(ErrorKind::InvalidInput, message)
        })
    }

    /// Waits until every output may be written, as [`Output::ready`] does.
    pub async fn ready(&self) {
        for output in self.outputs.values() {
            output.ready().await;
        }
    }

    /// The date of the latest frame of all outputs.
    pub async fn now(&self) -> Option<WallTime> {
        let mut latest = None;
        for output in self.outputs.values() {
            latest = latest.max(output.now().await);
        }
        latest
    }

    /// The source is silent, or lost: what comes next does not follow what came before.
    ///
    /// # Errors
    /// As [`Output::interrupt`].
    pub async fn interrupt(&self) -> Result<()> {
        for output in self.outputs.values() {
            output.interrupt().await?;
        }
        Ok(())
    }

    /// Ends all outputs.
    ///
    /// # Errors
    /// As [`Output::finish`]: the first one, when all have ended.
    pub async fn finish(&self) -> Result<()> {
        let mut ended = Ok(());
        for output in self.outputs.values() {
            ended = ended.and(output.finish().await);
        }
        ended
    }
}
