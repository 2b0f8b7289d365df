//! `tapeline doctor`: what it says, what it writes down, and how it ends.
#![cfg(all(feature = "cli", feature = "aws"))]

mod s3_double;

use std::process::{Command, Output};
use std::time::Duration;

use s3_double::{Kept, Manners, S3Double, Throttled, Trouble, When, Which};
use serde_json::Value;
use tapeline::continuity::{Form, StoreForm};

const HONEST: Manners = Manners::HONEST;

fn doctor(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapeline"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_") || name == "TAPELINE_LOG") {
        command.env_remove(name);
    }
    command
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_REGION", "us-east-1");
    command.arg("doctor").args(arguments).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Its exit code, standard output and standard error, on a server.
fn on(server: &S3Double, more: &[&str]) -> (i32, String, String) {
    let arguments = [&["s3://rec", "--endpoint", server.endpoint()], more].concat();
    let output = doctor(&arguments);
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_folder_is_fit_and_gets_its_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let first = doctor(&[path]);
    let said = text(&first.stdout);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert!(said.contains("passed        racing creates") && said.contains("in the form numbered"), "{said}");
    let written = std::fs::read(folder.path().join(StoreForm::KEY)).unwrap();
    assert_eq!(StoreForm::decode(&written).unwrap().form, Form::Numbered);

    let again = doctor(&[path, "--json"]);
    let report: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(report["event"], "report");
    assert_eq!(report["verdict"]["usable"], "numbered");
    assert_eq!(report["written_down"], serde_json::from_slice::<Value>(&written).unwrap());
    assert_eq!(report["checks"].as_array().unwrap().len(), 7);
    assert_eq!(report["checks"][1]["outcome"], "passed");
    assert_eq!(std::fs::read(folder.path().join(StoreForm::KEY)).unwrap(), written);
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("typo");
    let output = doctor(&[missing.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(!missing.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_judged_as_it_behaves() {
    let server = S3Double::start(HONEST).await;
    let (code, said, errors) = on(&server, &[]);
    assert_eq!((code, errors.as_str()), (0, ""), "{said}");
    assert!(said.contains("in the form update") && !said.contains("failed"), "{said}");
    assert_eq!(server.keys(), [StoreForm::KEY]);

    // What is written down does not hold any more.
    server.behave(Manners { update: Kept::Ignored, ..HONEST });
    let (code, said, errors) = on(&server, &[]);
    assert_eq!(code, 2, "{said}{errors}");
    assert!(
        said.contains("missing       stale update") && errors.contains("no longer has"),
        "{said}{errors}"
    );

    let ignores = Manners { create: Kept::Ignored, ..HONEST };
    let server = S3Double::start(ignores).await;
    let (code, said, errors) = on(&server, &[]);
    let seen = "the store ignores If-None-Match: a second create of the same key answered success and replaced \
                the object";
    assert_eq!(code, 2, "{said}{errors}");
    assert!(said.contains("failed        create once") && said.contains(seen), "{said}");
    assert!(errors.contains("lacks the guarantee") && errors.contains(seen), "{errors}");
    assert_eq!(server.keys(), [""; 0]);
    let (code, said, _) = on(&server, &["--json"]);
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(code, 2);
    assert_eq!(lines[0]["verdict"]["refused"], "create-once");
    assert_eq!(lines[0]["written_down"], Value::Null);
    assert_eq!(lines[1]["event"], "error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_let_itself_be_judged_is_unavailable() {
    let trouble = (Trouble::Status(503), When::Before, Which::First(u32::MAX));
    let server = S3Double::start(Manners { trouble, ..HONEST }).await;
    let (code, said, errors) = on(&server, &[]);
    assert_eq!(code, 5, "{said}{errors}");
    assert!(said.contains("inconclusive  read after write") && errors.contains("503"), "{said}{errors}");
    assert_eq!(server.keys(), [""; 0]);

    let denied = S3Double::start(Manners { denied: true, ..HONEST }).await;
    let (code, said, errors) = on(&denied, &[]);
    assert_eq!((code, said.as_str()), (2, ""), "{errors}");
    assert!(errors.contains("credentials are refused"), "{errors}");

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = doctor(&["s3://rec", "--endpoint", &format!("http://{closed}")]);
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_for_less_is_left_alone_for_as_long_as_it_says() {
    // Each 503 is heard: none is repeated inside a client.
    let throttled = Manners { throttled: Throttled::First(u32::MAX), ..HONEST };
    let server = S3Double::start(throttled).await;
    let (code, said, errors) = on(&server, &[]);
    assert_eq!((code, said.as_str()), (5, ""), "{errors}");
    assert!(errors.contains("503 SlowDown"), "{errors}");
    assert_eq!(server.take_requests(), vec![format!("GET {}", StoreForm::KEY); 4]);

    let throttled = Manners { throttled: Throttled::First(2), retry_after: Some(1), ..HONEST };
    let server = S3Double::start(throttled).await;
    let (code, said, errors) = on(&server, &[]);
    assert_eq!((code, errors.as_str()), (0, ""), "{said}");
    let requests = server.take_throttled();
    for pair in requests.windows(2).take(2) {
        let ((asked, throttled), (next, _)) = (pair[0], pair[1]);
        assert!(throttled && next - asked >= Duration::from_secs(1), "{:?}", next - asked);
    }
    assert!(requests.iter().skip(2).all(|(_, throttled)| !throttled), "{requests:?}");
}
