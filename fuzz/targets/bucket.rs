//! A recording's bucket with small damage: stitching ends, its report adds up, its playlist keeps the rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tapeline_fuzz::{Bucket, record_bucket};

fuzz_target!(init: record_bucket(), |bucket: Bucket| bucket.check());
