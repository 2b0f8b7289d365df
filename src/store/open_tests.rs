//! Which URLs open which store, and what is said about the others.

use super::*;

fn refusal(url: &str) -> String {
    let error = Store::open(url).expect_err(url);
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}: {error}");
    error.report()
}

#[test]
fn a_folder_is_named_by_path_or_url_and_made_if_missing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let path = root.join("a b/c#d");
    let by_path = Store::open(path.to_str().unwrap()).unwrap();
    assert_eq!(by_path.local_root(), Some(path.as_path()));
    let url = format!("file://{}/a%20b/c%23d", root.display());
    assert_eq!(Store::open(&url).unwrap().local_root(), Some(path.as_path()));

    let reader = StoreOptions { create_folder: false, ..StoreOptions::default() };
    let absent = root.join("absent");
    let error = Store::open_with(absent.to_str().unwrap(), &reader).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(!absent.exists());

    std::fs::write(root.join("file"), "").unwrap();
    assert!(Store::open(root.join("file").to_str().unwrap()).is_err());
    assert!(Store::open(root.join("file/x").to_str().unwrap()).is_err());
}

#[test]
fn what_names_no_store_is_refused_with_the_way_to_write_it() {
    for (url, advice) in [
        ("", "empty"),
        ("ftp://host/x", "s3:"),
        ("rec:2026", "./"),
        ("memory:x", "memory:"),
        ("file:x", "file:///path"),
        ("file:///x#1", "file:///path"),
        ("file:///x?y", "file:///path"),
        ("s3:bucket", "s3://BUCKET/PREFIX"),
        ("s3://", "s3://BUCKET/PREFIX"),
        ("s3://b/a//b", "prefix"),
        ("s3://b/../b", "prefix"),
    ] {
        let said = refusal(url);
        assert!(said.contains(advice), "{url}: {said}");
    }
    assert_eq!(Store::open("memory:").unwrap().to_string(), "memory:");
}

#[test]
fn credentials_in_a_url_are_refused_and_not_repeated() {
    let said = refusal("s3://AKIA:hunter2@bucket/prefix");
    assert!(said.contains("environment") && !said.contains("hunter2"), "{said}");
}

#[cfg(not(feature = "gcp"))]
#[test]
fn a_store_left_out_of_the_build_names_its_feature() {
    let said = refusal("gs://bucket/prefix");
    assert!(said.contains("--features gcp"), "{said}");
}

#[cfg(feature = "aws")]
#[test]
fn an_endpoint_is_an_address_and_unsigned_bodies_need_tls() {
    let open = |endpoint: &str, unsigned_payload| {
        let endpoint = Some(endpoint.to_owned());
        Store::open_with(
            "s3://bucket/a%20b",
            &StoreOptions { endpoint, unsigned_payload, ..StoreOptions::default() },
        )
    };
    assert_eq!(open("http://127.0.0.1:9", false).unwrap().to_string(), "s3://bucket/a%20b");
    assert!(open("https://127.0.0.1:9", true).is_ok());
    for (endpoint, unsigned) in [("http://127.0.0.1:9", true), ("127.0.0.1:9", false), ("", false)] {
        assert_eq!(open(endpoint, unsigned).unwrap_err().kind(), ErrorKind::InvalidInput, "{endpoint}");
    }
    let error = open("http://user:hunter2@127.0.0.1:9", false).unwrap_err();
    assert!(!error.report().contains("hunter2"), "{}", error.report());
}
