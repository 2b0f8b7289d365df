//! Media: codecs and frames.
