//! Object names: format and parse.
