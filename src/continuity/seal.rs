//! A seal: what a generation came to, frozen when the next one was claimed or the recording ended.
//!
//! It is a pure function of the version of the control object it was made from, and its name holds that
//! version's counter. So two claimants that read the same version write the same bytes under the same name,
//! and two that read different versions write under different names: a seal never changes. The one that
//! counts is named, with its hash, by the control object.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::control::{
    ControlObject, HolderName, InvalidDocument, OutputState, check_outputs, decode, encode,
};
use crate::checksum::Sha256;
use crate::ids::{Cname, Generation, Sid};
use crate::naming::Prefix;

/// What a generation came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Version of this form.
    pub schema: u32,
    /// The recording.
    pub sid: Sid,
    /// Its channel.
    pub cname: Cname,
    /// Folders before the recording's names in the store.
    pub prefix: Prefix,
    /// The generation.
    pub generation: Generation,
    /// The epoch in which it was written.
    pub epoch: u64,
    /// The counter of the version that this was made from.
    pub counter: u64,
    /// Who wrote it.
    pub holder: HolderName,
    /// All that was committed.
    pub outputs: Vec<OutputState>,
    /// Fields of a later program.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Seal {
    /// The seal of the current generation of `state`.
    pub fn of(state: &ControlObject) -> Self {
        Self {
            schema: state.schema,
            sid: state.sid.clone(),
            cname: state.cname.clone(),
            prefix: state.prefix.clone(),
            generation: state.generation,
            epoch: state.epoch,
            counter: state.counter,
            holder: state.holder.clone(),
            outputs: state.outputs.clone(),
            unknown: Map::new(),
        }
    }

    /// Its name in the recording's folder of control objects.
    pub fn name(&self) -> String {
        format!("seal-{}-{}.json", self.generation, self.counter)
    }

    /// Another name, where that one is taken by other bytes.
    pub fn name_by_hash(&self, sha256: Sha256) -> String {
        let hash = sha256.to_string();
        format!("seal-{}-{}-{}.json", self.generation, self.counter, hash.get(..8).unwrap_or(&hash))
    }

    /// The document's text.
    pub fn encode(&self) -> Bytes {
        encode(self)
    }

    /// Reads and checks a document.
    ///
    /// # Errors
    /// Where it is no JSON, of another schema, or says what cannot be.
    pub fn decode(text: &[u8]) -> Result<Self, InvalidDocument> {
        let read: Self = decode(text)?;
        check_outputs(&read.outputs, &read.sid, &read.cname, read.generation)?;
        Ok(read)
    }
}
