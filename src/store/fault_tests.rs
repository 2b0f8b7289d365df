//! Which error of a client becomes which kind, by the servers' own words.

use super::*;

fn answered(status: u16, body: &str) -> Box<dyn StdError + Send + Sync> {
    // The wording of object_store's retry layer, which is all it lets out.
    format!(
        "Error performing PUT http://h/b/k in 1ms - Server returned non-2xx status code: {status} X: {body}"
    )
    .into()
}

fn generic(source: Box<dyn StdError + Send + Sync>) -> StoreError {
    StoreError::Generic { store: "S3", source }
}

fn code(code: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>why</Message></Error>")
}

#[test]
fn every_answer_says_what_to_do() {
    let path = || "k".to_owned();
    let denied =
        |name: &str| StoreError::PermissionDenied { path: path(), source: answered(403, &code(name)) };
    let missing = |name: &str| StoreError::NotFound { path: path(), source: answered(404, &code(name)) };
    let io = |kind: io::ErrorKind| generic(Box::new(io::Error::from(kind)));
    let cases = [
        (missing("NoSuchKey"), ErrorKind::NotFound, "no such object"),
        (missing("NoSuchBucket"), ErrorKind::InvalidInput, "bucket does not exist"),
        (denied("SignatureDoesNotMatch"), ErrorKind::InvalidInput, "AWS_SECRET_ACCESS_KEY"),
        (denied("InvalidAccessKeyId"), ErrorKind::InvalidInput, "AWS_ACCESS_KEY_ID"),
        (denied("RequestTimeTooSkewed"), ErrorKind::InvalidInput, "clock"),
        (denied("AccessDenied"), ErrorKind::InvalidInput, "refused"),
        (
            StoreError::AlreadyExists { path: path(), source: answered(412, &code("PreconditionFailed")) },
            ErrorKind::Conflict,
            "taken",
        ),
        (
            StoreError::AlreadyExists {
                path: path(),
                source: answered(409, &code("ConditionalRequestConflict")),
            },
            ErrorKind::Unavailable,
            "written elsewhere",
        ),
        (
            StoreError::AlreadyExists { path: path(), source: answered(409, &code("BlobAlreadyExists")) },
            ErrorKind::Conflict,
            "taken",
        ),
        (generic(answered(503, &code("SlowDown"))), ErrorKind::Unavailable, "overloaded"),
        (generic(answered(429, "")), ErrorKind::Unavailable, "busy"),
        (generic(answered(400, &code("EntityTooLarge"))), ErrorKind::InvalidInput, "refused the request"),
        (generic(answered(501, &code("NotImplemented"))), ErrorKind::InvalidInput, "does not have"),
        (generic(answered(400, &code("AuthorizationHeaderMalformed"))), ErrorKind::InvalidInput, "region"),
        (io(io::ErrorKind::ConnectionRefused), ErrorKind::Unavailable, "refused"),
        (io(io::ErrorKind::TimedOut), ErrorKind::Unavailable, "in time"),
        (io(io::ErrorKind::StorageFull), ErrorKind::Unavailable, "full"),
        (io(io::ErrorKind::PermissionDenied), ErrorKind::InvalidInput, "permission"),
        (generic("something new".into()), ErrorKind::Unavailable, "later"),
    ];
    for (error, kind, words) in cases {
        let shown = format!("{error:?}");
        let ours = classify(error, "store k in s3://b");
        assert_eq!(ours.kind(), kind, "{shown}");
        assert!(ours.message().starts_with("cannot store k in s3://b: "), "{ours}");
        assert!(ours.message().contains(words), "{ours}");
    }
}

#[test]
fn a_report_is_one_line_and_leaves_the_servers_document_out() {
    let body =
        format!("{}<StringToSign>AWS4\n{}</StringToSign>", code("SignatureDoesNotMatch"), "x".repeat(9000));
    let error = StoreError::PermissionDenied { path: "k".into(), source: answered(403, &body) };
    let report = classify(error, "store k").report();
    assert!(report.ends_with("the server answered 403 SignatureDoesNotMatch: why"), "{report}");
    let long = classify(generic("word\n".repeat(9000).into()), "store k").report();
    assert!(long.len() < 600 && !long.contains('\n'), "{long}");
}

#[test]
fn only_what_may_have_been_carried_out_is_undecided() {
    assert!(is_undecided(&generic(answered(500, ""))));
    assert!(is_undecided(&generic(Box::new(io::Error::from(io::ErrorKind::TimedOut)))));
    assert!(is_undecided(&StoreError::AlreadyExists { path: "k".into(), source: answered(409, "") }));
    assert!(!is_undecided(&generic(Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)))));
    assert!(!is_undecided(&generic(answered(400, ""))));
    assert!(!is_undecided(&StoreError::PermissionDenied { path: "k".into(), source: answered(403, "") }));
}

#[test]
fn what_asks_for_less_is_told_from_what_fails_and_from_what_serves() {
    let missing = StoreError::NotFound { path: "k".into(), source: answered(404, &code("NoSuchKey")) };
    let no_bucket = StoreError::NotFound { path: "k".into(), source: answered(404, &code("NoSuchBucket")) };
    let busy = StoreError::AlreadyExists {
        path: "k".into(),
        source: answered(409, &code("ConditionalRequestConflict")),
    };
    let denied = StoreError::PermissionDenied { path: "k".into(), source: answered(403, "") };
    // As it is worded where the status was 200.
    let in_body = generic(format!("Server returned error response: {}", code("SlowDown")).into());
    let cases = [
        (generic(answered(503, &code("SlowDown"))), Service::Throttled),
        (generic(answered(503, "")), Service::Throttled),
        (generic(answered(429, "")), Service::Throttled),
        (generic(answered(509, "")), Service::Throttled),
        (generic(answered(400, &code("RequestLimitExceeded"))), Service::Throttled),
        (generic(answered(400, &code("TooManyRequests"))), Service::Throttled),
        (generic(answered(500, &code("ServiceUnavailable"))), Service::Throttled),
        (generic(answered(500, &code("ServerBusy"))), Service::Throttled),
        (generic(answered(503, &code("SlowDownWrite"))), Service::Throttled),
        (in_body, Service::Throttled),
        (generic(answered(500, &code("InternalError"))), Service::Failed),
        (generic(answered(502, "")), Service::Failed),
        (generic(answered(504, "")), Service::Failed),
        (generic(Box::new(io::Error::from(io::ErrorKind::ConnectionRefused))), Service::Failed),
        (denied, Service::Failed),
        (no_bucket, Service::Failed),
        (missing, Service::Served),
        (busy, Service::Served),
    ];
    for (error, service) in cases {
        let shown = format!("{error:?}");
        if service == Service::Throttled {
            assert!(is_passing(&error), "{shown}");
        }
        assert_eq!(Service::of::<()>(&Err(error)), service, "{shown}");
    }
    assert_eq!(Service::of(&Ok(())), Service::Served);
}
