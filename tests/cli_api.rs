//! The REST API of real nodes: the calls of a client from acquiring to stopping, during a failover, and what is refused.

mod serve_support;
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use serve_support::{Centre, Node, signal};
use support::{Place, Said, block_on, skip, tool, until};
use tapeline::continuity::Phase;
use tempfile::TempDir;

const APP: &str = "0b5e7c4a9d";
const SECRET: &str = "customer:open-sesame";

/// Who calls.
struct Caller {
    http: reqwest::Client,
    secret: Option<String>,
}

impl Caller {
    fn new(secret: Option<&str>) -> Self {
        Self { http: reqwest::Client::new(), secret: secret.map(str::to_owned) }
    }

    /// Status and body of an answer.
    fn call(&self, node: &Node, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        block_on(async {
            let mut request = self.http.request(method, format!("http://{}{path}", address(node)));
            if let Some((name, password)) = self.secret.as_deref().and_then(|secret| secret.split_once(':')) {
                request = request.basic_auth(name, Some(password));
            }
            if let Some(body) = body {
                request = request.header("Content-Type", "application/json").body(body.to_string());
            }
            let response = request.send().await.expect("the node answers");
            let status = response.status().as_u16();
            let text = response.text().await.unwrap();
            (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
        })
    }

    fn post(&self, node: &Node, path: &str, body: Value) -> (u16, Value) {
        self.call(node, Method::POST, path, Some(body))
    }

    fn acquire(&self, node: &Node, cname: &str, uid: &str) -> String {
        let body = json!({ "cname": cname, "uid": uid, "clientRequest": {} });
        let (status, answer) = self.post(node, &format!("/v1/apps/{APP}/cloud_recording/acquire"), body);
        assert_eq!(status, 200, "{answer}");
        assert_eq!((&answer["cname"], &answer["uid"]), (&json!(cname), &json!(uid)));
        answer["resourceId"].as_str().unwrap().to_owned()
    }

    fn start(&self, node: &Node, rid: &str, cname: &str, uid: &str, request: Value) -> (u16, Value) {
        let body = json!({ "cname": cname, "uid": uid, "clientRequest": request });
        self.post(node, &format!("/v1/apps/{APP}/cloud_recording/resourceid/{rid}/mode/mix/start"), body)
    }

    fn query(&self, node: &Node, rid: &str, sid: &str) -> (u16, Value) {
        self.call(node, Method::GET, &of(rid, sid, "query"), None)
    }

    fn on(&self, node: &Node, rid: &str, sid: &str, call: &str, request: Value) -> (u16, Value) {
        let body = json!({ "cname": "lobby", "uid": "527841", "clientRequest": request });
        self.post(node, &of(rid, sid, call), body)
    }
}

fn of(rid: &str, sid: &str, call: &str) -> String {
    format!("/v1/apps/{APP}/cloud_recording/resourceid/{rid}/sid/{sid}/mode/mix/{call}")
}

/// Where the node's worker answers now.
fn address(node: &Node) -> SocketAddr {
    until("the API to answer", || {
        let log = node.log();
        let line = log.lines().rfind(|line| line.contains("the API answers at"))?;
        line.rsplit("://").next()?.parse().ok()
    })
}

/// Two nodes with an API, a source for all channels, and where their credentials are.
fn nodes() -> (Centre, [Node; 2], TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    std::fs::write(&file, format!("# the customer\n{SECRET}\n")).unwrap();
    let (live, place) = (serve_support::Live::start(), Place::folder());
    let source = live.url();
    let arguments = ["--api", "127.0.0.1:0", "--credentials", file.to_str().unwrap(), "--source", &source];
    let (centre, first) = Centre::of(live, place, &arguments);
    let second = Node::start(&centre.place, &arguments);
    (centre, [first, second], folder)
}

#[test]
fn a_client_acquires_starts_queries_lays_out_and_stops_and_hears_of_a_failover() {
    let (centre, nodes, _folder) = nodes();
    let caller = Caller::new(Some(SECRET));
    let rid = caller.acquire(&nodes[0], "lobby", "527841");
    let storage = json!({ "storageConfig": { "fileNamePrefix": ["show", "one"] } });
    // Any node takes what another has given.
    let (status, started) = caller.start(&nodes[1], &rid, "lobby", "527841", storage.clone());
    assert_eq!(status, 200, "{started}");
    let sid = started["sid"].as_str().unwrap().to_owned();
    assert_eq!(
        (&started["resourceId"], &started["cname"], &started["uid"]),
        (&json!(rid), &json!("lobby"), &json!("527841"))
    );
    let (status, again) = caller.start(&nodes[0], &rid, "lobby", "527841", storage.clone());
    assert_eq!((status, &again["code"]), (201, &json!(7)), "{again}");
    let other = caller.acquire(&nodes[0], "lobby", "527841");
    let (status, conflict) = caller.start(&nodes[0], &other, "lobby", "527841", storage);
    assert_eq!((status, &conflict["code"]), (400, &json!(53)), "{conflict}");

    for node in &nodes {
        let answer = until("the recording to be known", || {
            let (status, answer) = caller.query(node, &rid, &sid);
            assert!(status == 200 || status == 404 && answer["code"] == 404, "{status} {answer}");
            (status == 200 && answer["serverResponse"]["fileList"] != "").then_some(answer)
        });
        let response = &answer["serverResponse"];
        assert_eq!(response["status"], 5, "{answer}");
        assert_eq!(response["fileListMode"], "string");
        assert_eq!(response["fileList"], format!("show/one/{sid}_lobby.m3u8"));
        assert!(response["sliceStartTime"].as_i64().unwrap() > 1_600_000_000_000, "{answer}");
    }
    let layout = json!({ "mixedVideoLayout": 1 });
    let (status, refused) = caller.on(&nodes[0], &rid, &sid, "updateLayout", layout.clone());
    assert_eq!((status, &refused["code"]), (400, &json!(2)), "{refused}");
    assert!(refused["reason"].as_str().unwrap().contains("no layouts"), "{refused}");
    let (status, refused) = caller.on(&nodes[0], &rid, &sid, "update", json!({}));
    assert_eq!((status, &refused["code"]), (400, &json!(2)), "{refused}");

    // Its worker is killed: until another has it, nobody can say anything of it.
    let holder = centre.state(&sid).unwrap().holder;
    let victim = nodes.iter().find(|node| Some(node.worker().0) == holder.lease).unwrap();
    let other = nodes.iter().find(|node| Some(node.worker().0) != holder.lease).unwrap();
    signal("KILL", victim.worker().1);
    let mut refusals = 0;
    until("the recording to run again", || {
        let is_given_up = || other.ask(&["list"]).object()["recordings"][0]["state"] == "recovering";
        let before = is_given_up();
        let (status, answer) = caller.query(other, &rid, &sid);
        assert!(status == 404 || !before || !is_given_up(), "the node knows that it does not run: {answer}");
        if status == 404 {
            refusals += 1;
            assert!(answer["reason"].as_str().unwrap().contains("being recovered"), "{answer}");
            // Once, and at once: a stop that comes when it runs again ends it.
            for call in ["stop", "update"].into_iter().filter(|_| refusals == 1) {
                let (status, answer) = caller.on(other, &rid, &sid, call, json!({}));
                assert_eq!(status, 404, "{call}: {answer}");
            }
        }
        let files = answer["serverResponse"]["fileList"].as_array()?.len();
        (status == 200 && files == 2).then_some(())
    });
    assert!(refusals > 0, "the failover was seen");
    let state = centre.state(&sid).unwrap();
    assert_ne!(state.holder.uid, holder.uid);
    let (status, answer) = caller.query(other, &rid, &sid);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["serverResponse"]["fileListMode"], "json");
    let names: Vec<&str> = answer["serverResponse"]["fileList"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|file| file["fileName"].as_str())
        .collect();
    assert_eq!(names, [format!("show/one/{sid}_lobby.m3u8"), format!("show/one/bak0_{sid}_lobby.m3u8")]);

    let (status, stopped) = caller.on(other, &rid, &sid, "stop", json!({}));
    assert_eq!(status, 200, "{stopped}");
    assert_eq!(stopped["serverResponse"]["uploadingStatus"], "uploaded");
    assert_eq!(centre.state(&sid).unwrap().phase, Phase::Stopped);
    for node in &nodes {
        until("all nodes to know", || {
            let (status, answer) = caller.on(node, &rid, &sid, "stop", json!({}));
            assert!(status == 404 || status == 400 && answer["code"] == 49, "{status} {answer}");
            (status == 404).then_some(())
        });
    }
    let report = centre.place.run("stitch", ["--sid", &sid, "--json", "--out", "-"]);
    assert_eq!(report.code, Some(0), "{}", report.stderr);
}

#[test]
fn without_credentials_nothing_is_told_or_changed() {
    let (centre, nodes, _folder) = nodes();
    let caller = Caller::new(Some(SECRET));
    let rid = caller.acquire(&nodes[0], "lobby", "527841");
    let before = centre.place.objects();
    // Four guesses are answered; whoever goes on guessing hears nothing of them.
    for secret in [None, Some("customer:open"), Some("customer:"), Some("other:open-sesame")] {
        let stranger = Caller::new(secret);
        let (status, answer) = stranger.start(&nodes[0], &rid, "lobby", "527841", json!({}));
        assert_eq!(status, 401, "{secret:?}: {answer}");
        assert!(answer["message"].is_string() && answer["code"].is_null(), "{answer}");
    }
    for path in ["/v1/apps/x/cloud_recording/acquire", "/metrics", "/", &of(&rid, "x", "query")] {
        let (status, _) = Caller::new(None).call(&nodes[0], Method::GET, path, None);
        assert!(status == 401 || status == 429, "{path}: {status}");
    }
    let asked = |objects: &support::Objects| objects.keys().filter(|key| key.contains("requests")).count();
    assert_eq!(asked(&before), asked(&centre.place.objects()));
    let (status, _) = Caller::new(None).call(&nodes[1], Method::GET, "/healthz", None);
    assert_eq!(status, 200);
    let log = nodes[0].log();
    assert!(!log.contains("open-sesame"), "{log}");
}

#[test]
fn tricks_in_paths_and_bodies_are_refused_and_bounded() {
    let (_centre, nodes, _folder) = nodes();
    let caller = Caller::new(Some(SECRET));
    let node = &nodes[0];
    let rid = caller.acquire(node, "lobby", "527841");
    for (path, expected) in [
        (of(&rid, "..", "query"), 404),
        (of(&rid, "%2e%2e", "query"), 404),
        (of(&rid, "%2e%2e%2f%2e%2e%2fetc", "query"), 400),
        (of(&rid, "a%2fb", "query"), 400),
        (of(&rid, "%00", "query"), 400),
        (of(&rid, "%ff", "query"), 400),
        (of("..%2f..", "x", "query"), 400),
        (of(&"a".repeat(5000), "x", "query"), 400),
        (of(&rid, "38f8e3cfdc474cd56fc1ceba380d7e1a", "query"), 400),
    ] {
        let (status, answer) = caller.call(node, Method::GET, &path, None);
        assert_eq!(status, expected, "{path}: {answer}");
    }
    for (cname, uid) in [
        ("../lobby", "1"),
        ("a/b", "1"),
        ("lobby", "-1"),
        ("lobby", "1e3"),
        ("", "1"),
        (&"x".repeat(65), "1"),
    ] {
        let body = json!({ "cname": cname, "uid": uid, "clientRequest": {} });
        let (status, answer) = caller.post(node, &format!("/v1/apps/{APP}/cloud_recording/acquire"), body);
        assert_eq!((status, &answer["code"]), (400, &json!(2)), "{cname} {uid}: {answer}");
    }
    for request in [
        json!({ "storageConfig": { "fileNamePrefix": ["..", ".."] } }),
        json!({ "storageConfig": { "fileNamePrefix": ["a/../../b"] } }),
        json!({ "storageConfig": { "vendor": 1, "bucket": "theirs", "accessKey": "k", "secretKey": "s" } }),
        json!({ "sourceUrl": "file:///etc/passwd" }),
        json!({ "sourceUrl": "http://169.254.169.254/latest/meta-data" }),
    ] {
        let (status, answer) = caller.start(node, &rid, "lobby", "527841", request.clone());
        assert_eq!((status, &answer["code"]), (400, &json!(2)), "{request}: {answer}");
    }
    let (status, answer) = caller.start(node, &rid, "lobby", "1", json!({}));
    assert_eq!(status, 400, "another user's: {answer}");
    let (status, _) = caller.post(
        node,
        &format!("/v1/apps/{APP}/cloud_recording/acquire"),
        json!({ "cname": "x".repeat(100_000) }),
    );
    assert_eq!(status, 413);
    let (status, _) = caller.call(node, Method::DELETE, &of(&rid, "x", "query"), None);
    assert_eq!(status, 405);
}

#[test]
fn slow_and_oversized_heads_cost_a_connection_for_seconds_at_most() {
    let (_centre, nodes, _folder) = nodes();
    let address = address(&nodes[0]);
    let connect = || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        stream
    };
    let mut slow = connect();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nX-Slow: ").unwrap();
    let mut long = connect();
    let head = [b"GET /healthz HTTP/1.1\r\nX-Long: ".as_slice(), &vec![b'a'; 1 << 20], b"\r\n\r\n"].concat();
    // It may be cut off while it is sent.
    let _ = long.write_all(&head);
    let mut many = connect();
    let lines: String = (0..1000).map(|number| format!("X-{number}: 1\r\n")).collect();
    many.write_all(format!("GET /healthz HTTP/1.1\r\n{lines}\r\n").as_bytes()).unwrap();
    for (name, mut stream) in [("long", long), ("many", many), ("slow", slow)] {
        let mut answer = Vec::new();
        // Reset, or closed with an answer: not left open.
        let read = stream.read_to_end(&mut answer);
        let timed_out = read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!timed_out, "{name} was left open");
        assert!(!String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 200"), "{name}");
    }
    let (status, _) = Caller::new(None).call(&nodes[0], Method::GET, "/healthz", None);
    assert_eq!(status, 200);
}

#[test]
fn without_credentials_only_this_machine_may_call() {
    let place = Place::folder();
    let said = Said::of("serve", ["--store", place.url(), "--api", "0.0.0.0:0", "--no-auth"]);
    said.assert_error(2, &["only this machine may call"]);
}

#[test]
fn a_published_client_records_with_nothing_changed_but_the_address() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/cache/venv/bin/python");
    let has = Command::new(&python).args(["-c", "import agora_rest_client"]).stderr(Stdio::null()).status();
    let Some(openssl) = tool("openssl") else { return };
    if !has.is_ok_and(|status| status.success()) {
        return skip("a client of the API (pip: agora-rest-client, in .ci/cache/venv)");
    }
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key, credentials] =
        ["certificate.pem", "key.pem", "credentials"].map(|name| folder.path().join(name));
    let mut make = Command::new(openssl);
    make.args([
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
        "-addext",
    ]);
    make.args(["subjectAltName=IP:127.0.0.1", "-keyout"]).arg(&key).arg("-out").arg(&certificate);
    assert!(make.stderr(Stdio::null()).status().unwrap().success());
    std::fs::write(&credentials, SECRET).unwrap();
    let (live, place) = (serve_support::Live::start(), Place::folder());
    let source = live.url();
    let [certificate, key, credentials] =
        [certificate, key, credentials].map(|path| path.to_str().unwrap().to_owned());
    let arguments = ["--api", "127.0.0.1:0", "--credentials", &credentials, "--source", &source];
    let tls = ["--tls-certificate", &certificate, "--tls-key", &key, "--accept-bucket", "theirs"];
    let (centre, node) = Centre::of(live, place, &[&arguments[..], &tls[..]].concat());
    let (name, secret) = SECRET.split_once(':').unwrap();
    let mut client = Command::new(python);
    client.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/api_client.py"));
    client
        .args([&address(&node).to_string(), name, secret, "theirs"])
        .env("REQUESTS_CA_BUNDLE", &certificate);
    let output = client.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let got: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let sid = got["sid"].as_str().unwrap();
    assert!(got["refusals"].as_array().unwrap().iter().all(|refusal| *refusal == json!([404, 404])), "{got}");
    assert_eq!((&got["status"], &got["uploadingStatus"]), (&json!(5), &json!("uploaded")), "{got}");
    let playlist = format!("show/{sid}_lobby.m3u8");
    assert_eq!((&got["queried"], &got["stopped"]), (&json!(playlist), &json!(playlist)), "{got}");
    assert_eq!((&got["layout"][0], &got["layout"][1]), (&json!(400), &json!(2)), "{got}");
    assert_eq!(centre.state(sid).unwrap().phase, Phase::Stopped);
}
