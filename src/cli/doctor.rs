//! `tapeline doctor`: whether a store can hold recordings.

use clap::Args;
use serde_json::json;

use super::place::Place;
use super::terminal::print;
use crate::clock::{SystemClock, random_bytes};
use crate::continuity::probe::{self, Outcome, Report};
use crate::continuity::{Form, StoreForm};
use crate::error::Result;

/// Examine whether a store keeps the promises that recordings depend on
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub place: Place,
}

/// Examines the store in full, says what was seen, and writes its form down unless somebody did before.
pub async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { place } = arguments;
    let store = place.store()?;
    // Says in fewer words than any check what is wrong with a bucket, credentials or an address.
    store.check_access(StoreForm::KEY).await?;
    let clock = SystemClock::shared();
    let report = probe::examine(&store, &clock, random_bytes()?).await?;
    if !place.json {
        print(table(&report));
    }
    let known = probe::write_down(&store, &clock, &report).await;
    match &known {
        _ if place.json => print(json!({
            "event": "report",
            "store": report.store,
            "checks": report.checks,
            "verdict": report.verdict,
            "written_down": known.as_ref().ok(),
        })),
        Ok(known) => print(verdict(known)),
        Err(_) => {}
    }
    known.map(drop)
}

fn table(report: &Report) -> String {
    let mut text = format!("{}\n", report.store);
    for check in &report.checks {
        let outcome = match check.outcome {
            // A store without updates is none the worse for it.
            Outcome::Failed if check.guarantee.is_of_updates() => "missing",
            outcome => outcome.as_str(),
        };
        let name = check.guarantee.name();
        text.push_str(&format!("\n{outcome:<13} {name:<18} {}\n{:33}{}\n", check.test, "", check.seen));
    }
    text
}

fn verdict(known: &StoreForm) -> String {
    let means = match known.form {
        Form::Update => "one object for each recording, updated on condition",
        Form::Numbered => "a new object for each version, which needs no updates",
    };
    let StoreForm { form, found, by, .. } = known;
    let key = StoreForm::KEY;
    format!(
        "The store can hold recordings, in the form {form}: {means}.\n{key} says so since {found} (version {by})."
    )
}
