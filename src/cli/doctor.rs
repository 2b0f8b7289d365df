//! `tapeline doctor`: whether a store can hold recordings.

use clap::Args;
use serde_json::json;

use super::terminal::print;
use crate::clock::{SystemClock, random_bytes};
use crate::continuity::probe::{self, Report};
use crate::continuity::{Form, StoreForm};
use crate::error::Result;
use crate::store::{Store, StoreOptions};

/// Examine whether a store keeps the promises that recordings depend on
#[derive(Debug, Args)]
pub struct Arguments {
    /// A folder that exists, or a URL: file:///path, s3://bucket/prefix, gs://, az:// (credentials from the
    /// environment)
    store: String,
    /// The store's server, https://host:port, if not where its maker's is
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The report as one JSON object, on standard output
    #[arg(long)]
    pub json: bool,
}

/// Examines the store in full, says what was seen, and writes its form down unless somebody did before.
pub async fn run(arguments: Arguments) -> Result<()> {
    // A mistyped folder must not be made.
    let options =
        StoreOptions { endpoint: arguments.endpoint, create_folder: false, ..StoreOptions::default() };
    let store = Store::open_with(&arguments.store, &options)?;
    // Says in fewer words than any check what is wrong with a bucket, credentials or an address.
    store.check_access(StoreForm::KEY).await?;
    let clock = SystemClock::shared();
    let report = probe::examine(&store, &clock, random_bytes()?).await?;
    if !arguments.json {
        print(table(&report));
    }
    let known = probe::write_down(&store, &clock, &report).await;
    match &known {
        _ if arguments.json => print(json!({
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
        let (outcome, name) = (check.outcome.as_str(), check.guarantee.name());
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
