//! What a recording asks of its store, and what that costs: `cargo bench --bench costs`.
//!
//! Days of recording under simulated time, so that the figures are the same on every machine.

#[path = "../tests/simulated_time/mod.rs"]
mod simulated_time;
#[path = "../tests/upload_support/mod.rs"]
mod upload_support;

use simulated_time::simulate;
use tapeline::continuity::Form;
use tapeline::ids::Sid;
use tapeline::spool::{Room, SpoolBase, SpoolFolder};
use upload_support::*;

/// Amazon S3 Standard in us-east-1, list price, 2026: dollars for 1000 requests. Other classes, regions and
/// makers have other prices.
const WRITE_PRICE: f64 = 0.005;
/// GET, HEAD. Deleting is free.
const READ_PRICE: f64 = 0.0004;
const WRITES: [Verb; 4] = [Verb::Create, Verb::Update, Verb::Put, Verb::List];
const READS: [Verb; 2] = [Verb::Get, Verb::Look];

const HOURS: u64 = 24;
const SEGMENTS: [u64; 2] = [15, 6];
const RATES: [u64; 4] = [64_000, 1_000_000, 2_500_000, 6_000_000];
/// The bit rate of the table of requests.
const USUAL: u64 = 2_500_000;

fn main() {
    once();
    per_hour();
    shares();
    many_outputs();
}

fn day(form: Form, segment: u64, bits_per_second: u64) -> (Recording, Report) {
    run(Recording { form, segment, bits_per_second, outputs: 1, part: HOUR, parts: HOURS })
}

fn run(recording: Recording) -> (Recording, Report) {
    let report = simulate(async {
        let sid = Sid::new("s1").unwrap();
        let spool =
            SpoolFolder::create(&SpoolBase::memory(), &sid, [0; 4], Room::new(1 << 30)).await.unwrap();
        record(&recording, spool, || ()).await
    });
    let complete = report.finished.outputs.iter().all(|output| output.complete);
    assert!(complete && report.finished.failure.is_none(), "{:?}", report.finished);
    (recording, report)
}

fn dollars(tally: &Tally) -> f64 {
    let [writes, reads] = [tally.requests(&WRITES), tally.requests(&READS)];
    (writes as f64 * WRITE_PRICE + reads as f64 * READ_PRICE) / 1000.0
}

/// Bytes that are not media.
fn overhead(tally: &Tally) -> u64 {
    [Kind::Playlist, Kind::Control, Kind::Seal].into_iter().map(|kind| tally.puts(kind).bytes).sum()
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}

fn once() {
    println!("Requests per recording, beside those of its hours\n");
    println!("| | register | writes | reads | lists | deletes (free) | dollars per 1000 recordings |");
    println!("|---|---|---|---|---|---|---|");
    for form in [Form::Update, Form::Numbered] {
        let [first, later] = simulate(start_requests(form));
        let stop = day(form, 15, USUAL).1.stop;
        for (name, tally) in [("first start on a store", first), ("start", later), ("stop", stop)] {
            let [lists, deletes] = [tally.requests(&[Verb::List]), tally.requests(&[Verb::Delete])];
            let [writes, reads] = [tally.requests(&Verb::PUTS), tally.requests(&READS)];
            let dollars = 1000.0 * dollars(&tally);
            println!("| {name} | {form} | {writes} | {reads} | {lists} | {deletes} | {dollars:.3} |");
        }
    }
}

fn per_hour() {
    println!("\nRequests per recording hour, one output of {:.1} Mb/s\n", USUAL as f64 / 1e6);
    println!(
        "| segments | register | hour | segments PUT | control PUT | control GET | playlist PUT | others | \
         dollars per 1000 hours |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for segment in SEGMENTS {
        for form in [Form::Update, Form::Numbered] {
            let (_, report) = day(form, segment, USUAL);
            let first = report.parts[0].tally;
            let last = report.parts[23].tally;
            for (name, tally, hours) in
                [("first", first, 1.0), ("last", last, 1.0), ("mean of 24", report.total(), HOURS as f64)]
            {
                let per_hour = |requests: u64| requests as f64 / hours;
                let figures = [
                    tally.puts(Kind::Segment).requests,
                    tally.puts(Kind::Control).requests,
                    tally.of(Kind::Control, Verb::Get).requests,
                    tally.puts(Kind::Playlist).requests,
                ];
                let others = tally.requests(&Verb::ALL) - figures.iter().sum::<u64>();
                let [segments, control, control_reads, playlists] = figures.map(per_hour);
                let dollars = 1000.0 * dollars(&tally) / hours;
                println!(
                    "| {segment} s | {form} | {name} | {segments:.0} | {control:.0} | {control_reads:.0} | \
                     {playlists:.0} | {:.0} | {dollars:.2} |",
                    per_hour(others)
                );
            }
        }
    }
}

fn shares() {
    println!("\nBytes of playlists and control objects in per cent of the media, one output, 24 hours\n");
    heading();
    for segment in SEGMENTS {
        for rate in RATES {
            let (recording, report) = day(Form::Update, segment, rate);
            row(&recording, &report);
        }
    }
}

/// Fewer hours: each of their seconds has a commit.
fn many_outputs() {
    println!("\nThe same for 34 outputs of that bit rate each, 6 hours\n");
    heading();
    for bits_per_second in [64_000, 1_000_000] {
        let (form, segment) = (Form::Update, 15);
        let (recording, report) =
            run(Recording { form, segment, bits_per_second, outputs: 34, part: HOUR, parts: 6 });
        row(&recording, &report);
    }
}

fn heading() {
    println!(
        "| segments | bit rate | all | playlists | control | last hour | control object, mean | largest | \
         listed after, last hour, mean | longest | dollars per 1000 hours |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
}

fn row(recording: &Recording, report: &Report) {
    let (total, media) = (report.total(), recording.part_bytes() * recording.parts);
    let last = report.parts.last().expect("hours");
    let control = total.puts(Kind::Control);
    println!(
        "| {} s | {:.3} Mb/s | {:.2} | {:.2} | {:.2} | {:.2} | {:.1} KB | {:.1} KB | {:.0} s | {:.0} s | {:.2} |",
        recording.segment,
        recording.bits_per_second as f64 / 1e6,
        percent(overhead(&total), media),
        percent(total.puts(Kind::Playlist).bytes, media),
        percent(control.bytes, media),
        percent(overhead(&last.tally), recording.part_bytes()),
        control.bytes as f64 / control.requests as f64 / 1e3,
        control.largest as f64 / 1e3,
        last.lag.mean().as_secs_f64(),
        last.lag.longest.as_secs_f64(),
        1000.0 * dollars(&total) / recording.parts as f64,
    );
}
