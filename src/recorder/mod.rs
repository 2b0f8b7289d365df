//! The session API that recorder workers call.
//!
//! A [`Recorder`] holds one recording while this worker records it; its [`Output`]s take the media, each
//! on its own. [`Recorder::stop`] ends all and says what was stored. Dropping a recorder without stopping it
//! is the same as a crash: what was committed stays, no playlist gets its end, and another worker may go on
//! with [`Recorder::resume`].
//!
//! ```
//! # async fn demo() -> tapeline::Result<()> {
//! use tapeline::ids::RecordingId;
//! use tapeline::media::Container;
//! use tapeline::recorder::{Options, OutputSpec, Recorder};
//! use tapeline::store::Store;
//!
//! let store = Store::open("memory:")?;
//! let id = RecordingId::new("38f8e3cfdc474cd56fc1ceba380d7e1a", "lobby")?;
//! let recorder = Recorder::start(&store, id, Options::default()).await?;
//! let video = recorder.output(OutputSpec::composite(Container::MpegTs))?;
//! let media = std::fs::read("fixtures/h264_aac.ts").expect("the fixture");
//! video.write_bytes(media.into()).await?;
//! let summary = recorder.stop().await?;
//! assert_eq!(summary.outputs[0].account.segments, 2);
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(demo()).unwrap();
//! ```

mod event;
mod feed;
mod left;
mod metrics;
mod options;
mod output;
mod place;
mod session;
mod summary;

pub use event::Event;
pub use feed::Feed;
pub use metrics::Metrics;
pub use options::{OnFull, Options, OutputSpec, Spool};
pub use output::Output;
pub use session::Recorder;
pub use summary::{Account, OutputSummary, Summary};
