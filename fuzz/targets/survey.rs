//! Real streams, edited, through the survey. The input is the choice of a fixture and a list of edits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tapeline_fuzz::Case;

fuzz_target!(|case: Case| case.check_survey());
