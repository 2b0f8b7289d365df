//! Many writers of one key at once.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Barrier;

use super::place::{Answer, Came, Place};
use super::verdict::{Ending, Finding, Left, Round, judge_race};
use crate::error::Result;
use crate::store::{Condition, Lane};

/// How many write at once.
const RACERS: usize = 16;
/// Rounds that show one winner, where they are quick.
const ROUNDS: u32 = 3;
/// After this long one such round is enough: some servers take seconds to tell the racers apart.
const LONG: Duration = Duration::from_secs(2);
/// Rounds in all, those included that show nothing.
const MOST_ROUNDS: u32 = 6;

/// What they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contest {
    Creates,
    Updates,
}

impl Contest {
    const fn name(self) -> &'static str {
        match self {
            Self::Creates => "creates",
            Self::Updates => "updates",
        }
    }
}

/// Holds races until they have shown enough.
///
/// # Errors
/// As [`Place::read`].
pub(super) async fn races(place: &Place<'_>, contest: Contest) -> Result<Finding> {
    let began = place.clock.monotonic();
    let (mut good, mut unclear) = (0, String::new());
    for number in 0..MOST_ROUNDS {
        let name = format!("{}-{number}", contest.name());
        let condition = match contest {
            Contest::Creates => Condition::Absent,
            Contest::Updates => {
                let body = place.body(&format!("{name}-base"));
                match place.must_be_done(&place.key(&name), &body, Condition::Absent).await? {
                    Came::Right(Some(version)) => Condition::Unchanged(version),
                    Came::Right(None) => continue,
                    Came::Wrong(seen) => return Ok(Finding::failed(seen)),
                    Came::Unclear(seen) => return Ok(Finding::inconclusive(seen)),
                    Came::Impossible(error) => return Err(error),
                }
            }
        };
        match race(place, &name, condition).await? {
            Round::OneWinner => good += 1,
            Round::Wrong(seen) => return Ok(Finding::failed(seen)),
            Round::Unclear(seen) => unclear = seen,
        }
        if good == ROUNDS || (good > 0 && place.clock.monotonic() >= began + LONG) {
            break;
        }
    }
    Ok(match good {
        0 => Finding::inconclusive(unclear),
        1 => Finding::passed(format!("one of {RACERS} succeeded")),
        _ => Finding::passed(format!("one of {RACERS} succeeded, in each of {good} rounds")),
    })
}

/// One round, on a key of its own.
async fn race(place: &Place<'_>, name: &str, condition: Condition) -> Result<Round> {
    let key = place.key(name);
    let bodies: Vec<_> = (0..RACERS).map(|racer| place.body(&format!("{name}-{racer}"))).collect();
    let start = Barrier::new(RACERS);
    let racers = bodies.iter().enumerate().map(|(racer, body)| {
        let (key, start, condition) = (&key, &start, &condition);
        async move {
            // Opens its connection, so that the writes arrive together.
            let _ = place.store.get_versioned(Lane::Probe, key, 0).await;
            start.wait().await;
            let mut repeats = place.repeats(racer);
            loop {
                let error = match place.send(key, body, condition.clone()).await {
                    Answer::Done(_) => return Ok(Ending::Won),
                    Answer::Refused(_) => return Ok(Ending::Lost),
                    Answer::Impossible(error) => return Err(error),
                    Answer::Busy(error) | Answer::Silent(error) => error,
                };
                if !repeats.again().await {
                    return Ok(Ending::Unknown(error.report()));
                }
            }
        }
    });
    let endings = join_all(racers).await.into_iter().collect::<Result<Vec<_>>>()?;
    let found = place.read(&key).await?;
    let holder = found.and_then(|(found, _)| bodies.iter().position(|body| *body == found));
    Ok(judge_race(&endings, holder.map_or(Left::Before, Left::Of)))
}
