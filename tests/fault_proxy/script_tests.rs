//! The pure parts of the fault proxy: scripts, what they decide, limits, and the framing of messages.

use std::time::Duration;

use proptest::prelude::*;

use super::fault_proxy::http::{Body, Chunks, Head};
use super::fault_proxy::{Amount, Asked, Course, Fault, Kind, Pace, Pattern, Rule, Script, Way, When};

fn script(text: &str) -> Script {
    text.parse().unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn scripts_are_read_as_they_are_written() {
    let text = "put *.ts every 3: lose-reply\n*.m3u8 number 2-5: status 503\n* from 8s to 16s: away\n\
                * first 2s of 4s: away\nget a/*/b? chance 10%: cut-reply 50%\n*: rate 100kB/s\n\
                post * number 7-: cut-request 64KiB\ndelete * number 4: replace-reply 500\n*: delay 1500ms\n\
                head *: delay-reply 2m\nput *: rate-up 1MiB/s\n*: rate-down 300B/s\n*: drop\n*: hang";
    assert_eq!(script(text).to_string(), text);
    assert_eq!(script(""), Script::default());
    assert_eq!(script(" ;\n; "), Script::default());
    // Spaces, cases and separators are free.
    assert_eq!(script("PUT *.ts  every 3 : lose-reply;"), script("put *.ts every 3: lose-reply"));
}

prop_compose! {
    fn time()(unit in prop::sample::select(&[1_000, 1_000_000, 1_000_000_000, 60_000_000_000][..]), n in 1_u64..10_000)
        -> Duration { Duration::from_nanos(n * unit) }
}

prop_compose! {
    fn when()(
        from in prop::option::of(time()), length in prop::option::of(time()),
        part in prop::option::of((time(), time())), every in prop::option::of(1_u64..100),
        number in prop::option::of((1_u64..100, prop::option::of(0_u64..100))),
        chance in prop::option::of(0_u64..=100),
    ) -> When {
        When {
            to: length.map(|length| from.unwrap_or_default() + length),
            first_of: part.map(|(part, rest)| (part, part + rest)),
            number: number.map(|(first, more)| (first, more.map(|more| first + more))),
            from, every, chance,
        }
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    let amount = || {
        prop_oneof![(0..u64::from(u32::MAX)).prop_map(Amount::Bytes), (0_u64..=100).prop_map(Amount::Percent)]
    };
    prop_oneof![
        Just(Fault::Drop),
        Just(Fault::Hang),
        Just(Fault::LoseReply),
        (200_u16..600).prop_map(Fault::Status),
        (200_u16..600).prop_map(Fault::ReplaceReply),
        amount().prop_map(Fault::CutRequest),
        amount().prop_map(Fault::CutReply),
        time().prop_map(Fault::Delay),
        time().prop_map(Fault::DelayReply),
    ]
}

prop_compose! {
    fn rule()(
        method in prop::option::of(prop::sample::select(&["GET", "PUT", "HEAD", "POST", "DELETE"][..])),
        pattern in "[a-z0-9*?./%é-]{0,12}[*]", when in when(), fault in fault(), rate in 1_u64..u64::from(u32::MAX),
        way in prop::option::of(prop::sample::select(&[Way::Up, Way::Down][..])), kind in 0..10,
    ) -> Rule {
        let (method, pattern) = (method.map(str::to_owned), Pattern(pattern));
        let times = When { number: None, every: None, chance: None, ..when };
        match kind {
            0 => Rule { method: None, pattern: Pattern("*".to_owned()), when: times, fault: Fault::Away },
            1 => Rule { method, pattern, when: times, fault: Fault::Rate(rate, way) },
            _ => Rule { method, pattern, when, fault },
        }
    }
}

proptest! {
    #[test]
    fn any_script_is_read_as_it_is_written(rules in prop::collection::vec(rule(), 0..5)) {
        let wanted = Script { rules };
        prop_assert_eq!(script(&wanted.to_string()), wanted);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z0-9*:;%/. \n-]{0,60}") {
        let _ = text.parse::<Script>();
    }
}

#[test]
fn what_is_no_script_is_refused_where_it_goes_wrong() {
    for (text, line, column, part) in [
        ("*", 1, 2, "a : and what is to happen is missing"),
        ("*:", 1, 3, "what is to happen is missing"),
        (": drop", 1, 1, "a pattern is missing"),
        ("put", 1, 4, "a pattern is missing"),
        ("*: drop; put *: lose-repl", 1, 17, "\"lose-repl\" is no fault; there are away, drop"),
        ("*: drop\n*.ts evry 3: drop", 2, 6, "\"evry\" is no condition; there are from"),
        ("*: drop\n\n é* every 0: drop", 3, 11, "\"0\" is not a number from 1 on"),
        ("* from 8: drop", 1, 8, "\"8\" is not a time"),
        ("* from 8s to 8s: drop", 1, 11, "it ends before it begins"),
        ("* from 8s from 9s: drop", 1, 11, "from is there twice"),
        ("* first 2s in 4s: away", 1, 12, "\"in\" is not of"),
        ("* first 4s of 4s: away", 1, 15, "\"4s\" is not a time longer"),
        ("* number 5-2: drop", 1, 10, "\"5-2\" is not numbers"),
        ("* chance 101%: drop", 1, 10, "\"101%\" is not a part"),
        ("*: status 99", 1, 11, "\"99\" is not a status"),
        ("*: status", 1, 10, "a status from 200 to 599 is missing"),
        ("*: cut-reply half", 1, 14, "\"half\" is not an amount"),
        ("*: rate 100kB", 1, 9, "\"100kB\" is not a rate"),
        ("*: rate 0B/s", 1, 9, "\"0B/s\" is not a rate"),
        ("*: drop it", 1, 9, "\"it\" is too much"),
        ("put *: away", 1, 8, "away is for all"),
        ("* every 2: away", 1, 12, "away is for all"),
        ("*.ts: away", 1, 7, "away is for all"),
        ("* chance 5%: rate 1B/s", 1, 14, "a rate takes"),
        ("*: delay 99999999999999999999s", 1, 10, "is not a time"),
    ] {
        let error = text.parse::<Script>().expect_err(text);
        assert_eq!((error.line, error.column), (line, column), "{text:?}: {error}");
        assert!(error.to_string().contains(part), "{text:?}: {error}");
    }
}

#[test]
fn a_pattern_stands_for_whole_keys() {
    for (pattern, key, wanted) in [
        ("*", "", true),
        ("*", "rec/a/b.ts", true),
        ("*.ts", "rec/a/b.ts", true),
        ("*.ts", "rec/a/b.ts2", false),
        ("rec/*.ts", "other/rec/b.ts", false),
        ("rec/?.ts", "rec/é.ts", true),
        ("rec/?.ts", "rec/.ts", false),
        ("*a*b*", "xxaxxbxx", true),
        ("*a*b", "xxbxxa", false),
        ("*aab", "aaab", true),
        ("", "a", false),
    ] {
        assert_eq!(Pattern(pattern.to_owned()).matches(key), wanted, "{pattern:?} {key:?}");
    }
}

fn asked(method: &str, key: &str) -> Asked {
    Asked { method: method.to_owned(), key: key.to_owned() }
}

/// Which of so many requests a script ends, at the times they come.
fn ended(text: &str, seed: u64, requests: impl IntoIterator<Item = (Duration, Asked)>) -> Vec<usize> {
    let mut course = Course::new(script(text), seed);
    let decisions = requests.into_iter().map(|(at, asked)| course.decide(&asked, at).end.is_some());
    (1..).zip(decisions).filter(|(_, ended)| *ended).map(|(number, _)| number).collect()
}

/// One a second.
fn puts(count: u64) -> impl Iterator<Item = (Duration, Asked)> {
    (0..count).map(|second| (Duration::from_secs(second), asked("PUT", "rec/a.ts")))
}

#[test]
fn conditions_choose_requests() {
    for (text, wanted) in [
        ("*: drop", vec![1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("get *: drop", vec![]),
        ("put *.ts every 3: drop", vec![3, 6, 9]),
        ("* number 2-5: drop", vec![2, 3, 4, 5]),
        ("* number 4: drop", vec![4]),
        ("* number 8-: drop", vec![8, 9]),
        ("* number 4- every 3: drop", vec![6, 9]),
        ("* from 2s to 4s: drop", vec![3, 4]),
        ("* from 4s number 2: drop", vec![6]),
        ("* first 2s of 4s: drop", vec![1, 2, 5, 6, 9]),
        ("* from 1s first 1s of 3s: drop", vec![2, 5, 8]),
        ("* chance 0%: drop", vec![]),
        ("* chance 100% every 4: drop", vec![4, 8]),
    ] {
        assert_eq!(ended(text, 0, puts(9)), wanted, "{text}");
    }
    // Others do not count.
    let mixed = ["PUT", "GET", "PUT", "GET", "PUT", "GET"].map(|method| (Duration::ZERO, asked(method, "a")));
    assert_eq!(ended("put * every 2: drop", 0, mixed), [3]);
    // The first rule that ends a request does, and delays add up.
    let mut course = Course::new(script("*: delay 1s\n*: hang\n*: drop\n*: delay 2s"), 0);
    let decision = course.decide(&asked("GET", "a"), Duration::ZERO);
    assert_eq!((decision.delay, decision.end), (Duration::from_secs(3), Some(Fault::Hang)));
    assert_eq!(decision.kinds, [Kind::Delay, Kind::Hang, Kind::Delay]);
}

#[test]
fn a_seed_decides_by_the_number_of_a_request_alone() {
    let text = "* chance 30%: drop";
    let first = ended(text, 1, puts(1000));
    let late = puts(1000).map(|(at, asked)| (at * 2, asked));
    assert_eq!(first, ended(text, 1, late), "whenever they come");
    assert_ne!(first, ended(text, 2, puts(1000)));
    assert!((250..350).contains(&first.len()), "{}", first.len());
    // Two rules draw apart.
    let second = ended("get *: drop; * chance 30%: drop", 1, puts(1000));
    assert_ne!(first, second);
}

#[test]
fn an_absence_begins_and_ends_on_time() {
    let course = Course::new(script("* from 8s to 16s: away; * from 20s first 2s of 4s: away"), 0);
    let seconds = Duration::from_secs;
    for (at, away, change) in
        [(0, false, 8), (8, true, 16), (16, false, 20), (20, true, 22), (22, false, 24), (25, true, 26)]
    {
        assert_eq!(course.away(seconds(at)), (away, Some(seconds(change))), "at {at} s");
    }
    assert_eq!(Course::new(script("*: away"), 0).away(seconds(5)), (true, None));
}

#[test]
fn a_pace_gives_turns_no_faster_than_its_rate() {
    let mut pace = Pace::new(100_000);
    assert_eq!(pace.piece(), 2000);
    let mut now = Duration::from_secs(100);
    let begin = now;
    for _ in 0..50 {
        now = pace.turn(now, 2000);
    }
    assert_eq!(now - begin, Duration::from_millis(950), "a second, less what may be made up for");
    // Who comes late has at most that to make up for, and two who share take turns.
    now += Duration::from_secs(10);
    let turns = [pace.turn(now, 2000), pace.turn(now, 100), pace.turn(now, 2000)];
    assert_eq!(turns.map(|turn| (turn + Duration::from_millis(50) - now).as_millis()), [20, 21, 41]);
}

fn head(text: &str) -> Head {
    Head::take(&mut text.as_bytes().to_vec()).unwrap().expect("a whole head")
}

#[test]
fn a_body_ends_where_its_head_says() {
    let put = head(
        "PUT /rec/a%20b.ts?x=1 HTTP/1.1\r\nHost: h\r\nCONTENT-LENGTH: 5\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!((put.method(), put.path().as_str(), put.query()), ("PUT", "/rec/a b.ts", "x=1"));
    assert_eq!((put.header("host"), put.expects_continue(), put.stays()), (Some("h"), true, true));
    assert_eq!(put.request_body(), Ok(Body::Length(5)));
    assert_eq!(head("GET / HTTP/1.1\r\n\r\n").request_body(), Ok(Body::Length(0)));
    for (text, method, wanted) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "GET", Body::Length(7)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HEAD", Body::Length(0)),
        ("HTTP/1.1 204 None\r\n\r\n", "DELETE", Body::Length(0)),
        ("HTTP/1.1 304 Same\r\nContent-Length: 7\r\n\r\n", "GET", Body::Length(0)),
        ("HTTP/1.1 200\r\n\r\n", "GET", Body::UntilClose),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n",
            "GET",
            Body::Chunked(Chunks::Size { size: 0, known: false }),
        ),
    ] {
        assert_eq!(head(text).response_body(method), Ok(wanted), "{text}");
    }
    assert!(!head("HTTP/1.0 200 OK\r\n\r\n").stays());
    assert!(!head("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").stays());
    assert!(head("PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n").request_body().is_err());
    assert!(Head::take(&mut b"nonsense\r\n\r\n".to_vec()).is_err());
    assert!(Head::take(&mut vec![b'a'; 100_000]).is_err());
    assert_eq!(Head::take(&mut b"GET / HTTP/1.1\r\n".to_vec()), Ok(None));
}

#[test]
fn chunks_end_where_they_end_however_they_are_read() {
    let body = b"5;name=\"value\"\r\nhello\r\n1A\r\n0123456789\r\n0\r\n\r\nabcdefghi\r\n0\r\nx-checksum: abc\r\n\r\n";
    let next = b"HTTP/1.1 200 OK\r\n";
    let all = [&body[..], next].concat();
    for piece in 1..=all.len() {
        let mut framing = Body::Chunked(Chunks::Size { size: 0, known: false });
        let mut at = 0;
        while !framing.is_whole() {
            let end = all.len().min(at + piece);
            at += framing.take(&all[at..end]).unwrap();
        }
        assert_eq!(at, body.len(), "in pieces of {piece}");
    }
    let mut framing = Body::Chunked(Chunks::Size { size: 0, known: false });
    assert!(framing.take(b"fffffffffffffffff\r\n").is_err());
}
