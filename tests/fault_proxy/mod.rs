//! A proxy in front of an S3 server that does to requests what networks and servers do on bad days.
//!
//! It speaks HTTP/1.1 on a loopback port of its own and hands everything on as it came, byte for byte (a
//! signature covers the `Host`), body by body as a stream. What it does instead is a [`Script`] of rules, a line
//! or a `;` each, which may be replaced while it runs:
//!
//! ```text
//! put *.ts every 3: lose-reply                the third, sixth, ... PUT of a segment
//! *.m3u8 number 2-5: status 503               the second to the fifth request of a playlist
//! * from 8s to 16s: away                      nobody listens, and open connections are reset
//! * first 2s of 4s: away                      two seconds away, two seconds there
//! get * chance 10%: cut-reply 50%             drawn from the proxy's seed
//! *: rate 100kB/s                             together, in each direction
//! ```
//!
//! A rule is `[METHOD] PATTERN [CONDITION]... : FAULT`. The pattern stands for the whole path without its leading
//! `/`, so with the bucket; `*` is any characters, `/` too, `?` is one. Conditions, each at most once:
//!
//! | condition | the rule is for |
//! |---|---|
//! | `from TIME` `to TIME` | requests that begin in this time, counted from when the script was set |
//! | `first TIME of TIME` | the first part of each such period, from `from` on |
//! | `number N`, `number N-M`, `number N-` | of the requests that match so far: the Nth, to the Mth, or all from there |
//! | `every N` | of the same: each Nth |
//! | `chance N%` | of those, so many; the seed, the rule's place and the request's number decide, nothing else |
//!
//! | fault | what happens | the server acts |
//! |---|---|---|
//! | `away` | connections are refused, and open ones reset; only for `*` and times | |
//! | `drop` | the connection is reset when the request's head has come | no |
//! | `hang` | nothing, until the client gives up | no |
//! | `status N` | this answer | no |
//! | `cut-request AMOUNT` | the server gets so much of the body, never all, and both connections end | no |
//! | `lose-reply` | the connection is reset where the answer was to come | yes |
//! | `replace-reply N` | this answer in place of the server's | yes |
//! | `cut-reply AMOUNT` | the client gets so much of the body, never all | yes |
//! | `delay TIME` | the request waits before anything else | as without |
//! | `delay-reply TIME` | the answer waits | as without |
//! | `rate`, `rate-up`, `rate-down` `BYTES/s` | all that match together are no faster; they take turns; only with times | as without |
//!
//! The first rule that ends a request does; delays add up. Times are like `500ms` `8s` `10m`, amounts like `100kB`
//! `64KiB` `1MB` or `50%`.

#![allow(dead_code, unused_imports, reason = "each test that includes this uses its own part of it")]

mod exchange;
pub mod http;
mod pace;
mod record;
mod script;
mod serve;
mod text;

pub use pace::Pace;
pub use record::{Entry, Totals};
pub use script::{Amount, Asked, Course, Decision, Fault, Kind, Pattern, Rule, Script, Way, When};
pub use serve::{FaultProxy, Setup};
pub use text::ScriptError;
