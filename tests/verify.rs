//! Every kind of damage is found, by its name, and nothing is found where nothing is wrong.

mod verify_support;

use std::collections::BTreeSet;

use tapeline::ids::Sid;
use tapeline::severity::Severity;
use tapeline::stitch::{StitchOptions, stitch};
use tapeline::store::Store;
use tapeline::ts::{FaultKind, PACKET_LEN};
use tapeline::verify::{Check, Depth, Finding, Verified, VerifyOptions, verify};
use tapeline::webm::WebmFaultKind;
use verify_support::{AUDIO, Bucket, VIDEO, has_clock, is_table, nth, payload, pid, restamp, starts};

async fn verified(store: &Store, depth: Depth) -> Verified {
    let options = VerifyOptions { depth, ..VerifyOptions::default() };
    verify(store, &Sid::new("s1").unwrap(), &options, &|_, _| {}).await.unwrap()
}

fn bad(verified: &Verified) -> Vec<&Finding> {
    verified.findings.kept.iter().filter(|finding| finding.severity > Severity::Note).collect()
}

/// What is planted, and the codes of all errors and warnings that it leads to.
struct Damage {
    what: &'static str,
    plant: fn(&mut Bucket),
    codes: &'static [&'static str],
}

/// A segment in the middle of the first generation.
fn middle(bucket: &Bucket) -> String {
    bucket.segments(0)[2].clone()
}

/// One whose size and checksum are in a tail.
fn promised(bucket: &Bucket) -> String {
    bucket.segments(2).pop().unwrap()
}

fn in_middle(bucket: &mut Bucket, change: impl FnOnce(&mut Vec<[u8; PACKET_LEN]>)) {
    let key = middle(bucket);
    bucket.packets(&key, change);
}

fn on_list(bucket: &mut Bucket, from: &str, to: &str) {
    bucket.replace("s1_main.m3u8", from, to);
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn damages() -> Vec<Damage> {
    vec![
        // Documents.
        Damage {
            what: "the control object is garbage",
            plant: |bucket| drop(bucket.0.insert(bucket.control(), "{".into())),
            codes: &["control-unreadable", "unstitchable"],
        },
        Damage {
            what: "a seal is gone",
            plant: |bucket| drop(bucket.0.remove(&bucket.seal(0))),
            codes: &["seal-missing"],
        },
        Damage {
            what: "a seal was changed",
            plant: |bucket| bucket.replace(&bucket.seal(0), "\"epoch\":1", "\"epoch\":9"),
            codes: &["seal-damaged"],
        },
        Damage {
            what: "a salvage record is garbage",
            plant: |bucket| drop(bucket.0.insert(bucket.find("salvage-1-"), "[]".into())),
            codes: &["salvage-unreadable"],
        },
        Damage {
            what: "a salvaged segment is gone",
            plant: |bucket| drop(bucket.0.remove(&bucket.find("bak0_s1_main_20261123010050"))),
            codes: &["segment-missing"],
        },
        Damage {
            what: "a salvaged segment is another one",
            plant: |bucket| {
                let key = bucket.find("bak0_s1_main_20261123010050");
                bucket.change(&key, |mut body| {
                    body[5000] ^= 1;
                    body
                });
            },
            codes: &["segment-hash"],
        },
        // Playlists.
        Damage {
            what: "a playlist is gone",
            plant: |bucket| drop(bucket.0.remove("s1_main.m3u8")),
            codes: &["list-missing"],
        },
        Damage {
            what: "the last entry is gone",
            plant: |bucket| {
                bucket.change("s1_main.m3u8", |body| {
                    let text = String::from_utf8(body).unwrap();
                    let at = text.rfind("#EXT-X-PROGRAM-DATE-TIME").unwrap();
                    text.as_bytes()[..at].to_vec()
                });
            },
            codes: &["list-changed", "list-short"],
        },
        Damage {
            what: "an entry that nobody committed",
            plant: |bucket| {
                bucket.change("s1_main.m3u8", |body| {
                    [&body[..], b"#EXTINF:1.000,\ns1_main_20261123020000000.ts\n"].concat()
                });
            },
            codes: &["list-long"],
        },
        Damage {
            what: "a playlist is something else",
            plant: |bucket| drop(bucket.0.insert("s1_main.m3u8".to_owned(), "<html>\n<body>\n".into())),
            codes: &["list-unreadable", "unstitchable"],
        },
        Damage {
            what: "a date was changed",
            plant: |bucket| on_list(bucket, "01:00:08.000Z", "01:00:18.000Z"),
            codes: &["list-changed", "playlist-date-drift", "playlist-date-order", "segment-date"],
        },
        Damage {
            what: "a length was changed",
            plant: |bucket| on_list(bucket, "#EXTINF:4.000,", "#EXTINF:3.000,"),
            codes: &["break-unmarked", "list-changed", "media-time", "segment-duration"],
        },
        Damage {
            what: "an end in the middle of a recording",
            plant: |bucket| {
                bucket.change("s1_main.m3u8", |body| [&body[..], b"#EXT-X-ENDLIST\n"].concat());
            },
            codes: &["list-end-early"],
        },
        Damage {
            what: "a target that the segments exceed",
            plant: |bucket| on_list(bucket, "TARGETDURATION:30", "TARGETDURATION:3"),
            codes: &["list-changed", "playlist-target-exceeded"],
        },
        Damage {
            what: "a byte order mark",
            plant: |bucket| on_list(bucket, "#EXTM3U", "\u{feff}#EXTM3U"),
            codes: &["list-changed", "playlist-byte-order-mark"],
        },
        Damage {
            what: "a URI that is none",
            plant: |bucket| on_list(bucket, "s1_main_20261123010008", "s1 main_20261123010008"),
            codes: &["list-changed", "playlist-uri", "segment-missing", "segment-name"],
        },
        Damage {
            what: "another media time",
            plant: |bucket| {
                let text = String::from_utf8(bucket.0["s1_main.m3u8"].to_vec()).unwrap();
                let start = text.split("START=").nth(2).unwrap().split(',').next().unwrap();
                let other = start.parse::<i64>().unwrap() + 180_000;
                on_list(bucket, &format!("START={start}"), &format!("START={other}"));
            },
            codes: &["list-changed", "media-time", "segment-start"],
        },
        Damage {
            what: "another media clock",
            plant: |bucket| {
                bucket.change("s1_main.m3u8", |body| {
                    let text = String::from_utf8(body).unwrap();
                    let at = text.rfind("CLOCK=").unwrap();
                    format!("{}CLOCK=99{}", &text[..at], &text[at + 7..]).into_bytes()
                });
            },
            codes: &["clock-unmarked", "list-changed"],
        },
        Damage {
            what: "a discontinuity that nothing marks",
            plant: |bucket| bucket.replace("bak1_s1_main.m3u8", "#EXT-X-DISCONTINUITY\n", ""),
            codes: &["break-unmarked", "clock-unmarked", "list-changed"],
        },
        Damage {
            what: "an entry names the segment of the one before",
            plant: |bucket| on_list(bucket, "s1_main_20261123010008000.ts", "s1_main_20261123010004000.ts"),
            codes: &[
                "break-unmarked",
                "list-changed",
                "segment-date",
                "segment-start",
                "segment-twice",
                "segments-total",
            ],
        },
        Damage {
            what: "an entry names a segment of another recording",
            plant: |bucket| {
                let body = bucket.0["s1_main_20261123010008000.ts"].clone();
                bucket.0.insert("s2_main_20261123010008000.ts".to_owned(), body);
                on_list(bucket, "s1_main_20261123010008000.ts", "s2_main_20261123010008000.ts");
            },
            codes: &["list-changed", "segment-name"],
        },
        // Segments.
        Damage {
            what: "a segment is gone",
            plant: |bucket| drop(bucket.0.remove(&middle(bucket))),
            codes: &["segment-missing"],
        },
        Damage {
            what: "a segment is empty",
            plant: |bucket| drop(bucket.0.insert(middle(bucket), "".into())),
            codes: &["segment-empty", "segments-total", "ts-none"],
        },
        Damage {
            what: "a segment was cut off in a packet",
            plant: |bucket| {
                let key = middle(bucket);
                bucket.change(&key, |body| body[..body.len() / 2 + 50].to_vec());
            },
            codes: &["segment-duration", "segments-total", "ts-garbage"],
        },
        Damage {
            what: "a bit of a picture",
            plant: |bucket| {
                let key = promised(bucket);
                bucket.packets(&key, |packets| {
                    let at = nth(packets, VIDEO, false, 0);
                    packets[at][100] ^= 1;
                });
            },
            codes: &["segment-hash"],
        },
        Damage {
            what: "a packet more than was committed",
            plant: |bucket| {
                let key = promised(bucket);
                bucket.packets(&key, |packets| {
                    let mut null = [0xff; PACKET_LEN];
                    null[..4].copy_from_slice(&[0x47, 0x1f, 0xff, 0x10]);
                    packets.push(null);
                });
            },
            codes: &["segment-hash", "segment-size", "segments-total"],
        },
        Damage {
            what: "a segment of the same recording in the place of another",
            plant: |bucket| {
                let other = bucket.0[&bucket.segments(0)[3]].clone();
                bucket.0.insert(middle(bucket), other);
            },
            codes: &["break-unmarked", "segment-start"],
        },
        Damage {
            what: "something that is no transport stream",
            plant: |bucket| {
                let key = middle(bucket);
                bucket.change(&key, |body| body.iter().map(|byte| byte ^ 0x55).collect());
            },
            codes: &["ts-none"],
        },
        Damage {
            what: "a packet without its sync byte",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let at = nth(packets, VIDEO, false, 20);
                    packets[at][0] = 0;
                });
            },
            codes: &["ts-continuity", "ts-garbage"],
        },
        Damage {
            what: "a packet is missing",
            plant: |bucket| {
                in_middle(bucket, |packets| _ = packets.remove(nth(packets, VIDEO, false, 1)));
            },
            codes: &["segments-total", "ts-continuity"],
        },
        Damage {
            what: "another packet with the counter of the one before, as when fifteen are missing",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let at = nth(packets, VIDEO, false, 1);
                    let mut other = packets[at];
                    other[100] ^= 1;
                    packets.insert(at + 1, other);
                });
            },
            codes: &["segments-total", "ts-continuity"],
        },
        Damage {
            what: "no program association table",
            plant: |bucket| in_middle(bucket, |packets| packets.retain(|packet| pid(packet) != 0)),
            codes: &["segments-total", "ts-pat-missing"],
        },
        Damage {
            what: "no program map",
            plant: |bucket| in_middle(bucket, |packets| packets.retain(|packet| pid(packet) != 0x1000)),
            codes: &["segments-total", "ts-pmt-missing"],
        },
        Damage {
            what: "a table with a wrong byte",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let at = packets.iter().rposition(|packet| pid(packet) == 0x1000).unwrap();
                    packets[at][12] ^= 4;
                });
            },
            codes: &["ts-table-damaged"],
        },
        Damage {
            what: "tables behind the first pictures",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let tables: Vec<_> = packets.iter().take(2).copied().collect();
                    assert!(tables.iter().all(is_table));
                    packets.drain(..2);
                    packets.splice(3..3, tables);
                });
            },
            codes: &["segment-key-frame", "ts-begins-in-pes", "ts-tables-late"],
        },
        Damage {
            what: "a packet that a receiver marked",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let at = nth(packets, VIDEO, false, 1);
                    packets[at][1] |= 0x80;
                });
            },
            codes: &["ts-transport-error"],
        },
        Damage {
            what: "scrambled sound",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let at = nth(packets, AUDIO, false, 3);
                    packets[at][3] |= 0x80;
                });
            },
            codes: &["ts-pes-short", "ts-scrambled"],
        },
        Damage {
            what: "an adaptation field that leads out of its packet",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let at = nth(packets, AUDIO, false, 3);
                    packets[at][3] |= 0x20;
                    packets[at][4] = 250;
                });
            },
            codes: &["ts-adaptation-field", "ts-pes-short"],
        },
        Damage {
            what: "a PES packet without its start code",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let at = nth(packets, AUDIO, true, 2);
                    let begin = payload(&packets[at]);
                    packets[at][begin + 2] = 7;
                });
            },
            codes: &["ts-pes-header"],
        },
        Damage {
            what: "a PES packet that says it is longer",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let at = nth(packets, AUDIO, true, 2);
                    let begin = payload(&packets[at]);
                    packets[at][begin + 4] += 1;
                });
            },
            codes: &["ts-pes-short"],
        },
        Damage {
            what: "a PES packet that says it is shorter",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let at = nth(packets, AUDIO, true, 2);
                    let begin = payload(&packets[at]);
                    packets[at][begin + 4] -= 1;
                });
            },
            codes: &["ts-pes-long"],
        },
        Damage {
            what: "sound that begins without a time stamp",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let at = nth(packets, AUDIO, true, 0);
                    let begin = payload(&packets[at]);
                    packets[at][begin + 7] &= 0x3f;
                });
            },
            codes: &["ts-pts-missing"],
        },
        Damage {
            what: "a picture that is shown before it is decoded",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let at = nth(packets, VIDEO, true, 4);
                    restamp(&mut packets[at], -45_000, 0);
                });
            },
            codes: &["ts-pts-before-dts"],
        },
        Damage {
            what: "a picture that is decoded before the one before it",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let at = nth(packets, VIDEO, true, 4);
                    restamp(&mut packets[at], 0, -45_000);
                });
            },
            codes: &["ts-dts-back"],
        },
        Damage {
            what: "time stamps that jump inside a segment",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let from = nth(packets, VIDEO, true, 50);
                    for packet in packets.iter_mut().skip(from).filter(|packet| starts(packet)) {
                        if matches!(pid(packet), VIDEO | AUDIO) {
                            restamp(packet, 20 * 90_000, 20 * 90_000);
                        }
                    }
                });
            },
            codes: &["ts-time-jump"],
        },
        Damage {
            what: "no clock",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    packets
                        .iter_mut()
                        .filter(|packet| has_clock(packet))
                        .for_each(|packet| packet[5] &= !0x10);
                });
            },
            codes: &["ts-pcr-missing"],
        },
        Damage {
            what: "a clock that runs back",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let at: Vec<usize> = (0..packets.len()).filter(|at| has_clock(&packets[*at])).collect();
                    let early: [u8; 6] = packets[at[0]][6..12].try_into().unwrap();
                    packets[at[8]][6..12].copy_from_slice(&early);
                });
            },
            codes: &["ts-pcr-back"],
        },
        Damage {
            what: "a segment that begins in the middle of a picture",
            plant: |bucket| {
                in_middle(bucket, |packets| _ = packets.remove(nth(packets, VIDEO, true, 0)));
            },
            codes: &["segment-key-frame", "segments-total", "ts-begins-in-pes"],
        },
        Damage {
            what: "a segment whose first pictures are missing",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let until = nth(packets, VIDEO, true, 5);
                    let mut index = 0;
                    packets.retain(|packet| {
                        index += 1;
                        pid(packet) != VIDEO || index > until
                    });
                });
            },
            codes: &["segment-key-frame", "segments-total"],
        },
        Damage {
            what: "a segment of another time",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    for packet in packets.iter_mut().filter(|packet| starts(packet)) {
                        if matches!(pid(packet), VIDEO | AUDIO) {
                            restamp(packet, 5 * 90_000, 5 * 90_000);
                        }
                    }
                });
            },
            codes: &["break-unmarked", "segment-start"],
        },
        Damage {
            what: "sound that comes two seconds later",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    for packet in packets.iter_mut().filter(|packet| starts(packet) && pid(packet) == AUDIO) {
                        restamp(packet, 2 * 90_000, 2 * 90_000);
                    }
                });
            },
            codes: &["av-offset"],
        },
        Damage {
            what: "half of the pictures are missing",
            plant: |bucket| {
                in_middle(bucket, |packets| {
                    let from = nth(packets, VIDEO, true, 50);
                    let mut index = 0;
                    packets.retain(|packet| {
                        index += 1;
                        pid(packet) != VIDEO || index <= from
                    });
                });
            },
            codes: &["segment-duration", "segments-total"],
        },
        Damage {
            what: "pictures of another size",
            plant: |bucket| {
                let other = bucket.0[&bucket.segments(2)[1]].clone();
                bucket.0.insert(middle(bucket), other);
            },
            codes: &["break-unmarked", "segment-start", "segments-total", "tracks-unmarked"],
        },
        // What was stitched.
        Damage {
            what: "what a stitched playlist lists is gone",
            plant: |bucket| {
                let key = bucket.0.keys().find(|key| key.starts_with("stitched_") && key.ends_with(".ts"));
                let key = key.unwrap().clone();
                bucket.0.remove(&key);
            },
            codes: &["stitched-missing"],
        },
        Damage {
            what: "a stitched playlist that breaks a rule",
            plant: |bucket| bucket.replace("stitched_s1_main.m3u8", "#EXT-X-TARGETDURATION:30\n", ""),
            codes: &["playlist-target-missing"],
        },
    ]
}

/// The good recording, stitched.
async fn good() -> Bucket {
    let bucket = Bucket::recorded().await;
    let store = bucket.store().await;
    let stitched = stitch(&store, &Sid::new("s1").unwrap(), &StitchOptions::default()).await.unwrap();
    stitched.store(&store).await.unwrap();
    Bucket::of(&store).await
}

#[tokio::test]
async fn a_good_recording_has_nothing_but_notes() {
    let bucket = good().await;
    for depth in [Depth::Sample, Depth::Deep] {
        let verified = verified(&bucket.store().await, depth).await;
        assert!(bad(&verified).is_empty(), "{:#?}", bad(&verified));
        let notes: BTreeSet<&str> = verified.findings.counts.keys().map(String::as_str).collect();
        assert_eq!(notes, BTreeSet::from(["gap", "overlap", "salvaged"]), "{:#?}", verified.findings.kept);
        assert_eq!((verified.playlists, verified.segments), (3, 19));
    }
}

#[tokio::test]
async fn each_kind_of_damage_is_found_by_its_name_and_nothing_else() {
    let whole = good().await;
    let damages = damages();
    assert!(damages.len() >= 40, "{}", damages.len());
    let mut wrong = Vec::new();
    for Damage { what, plant, codes } in damages {
        let mut bucket = whole.clone();
        plant(&mut bucket);
        let verified = verified(&bucket.store().await, Depth::Deep).await;
        let found: BTreeSet<&str> = bad(&verified).iter().map(|finding| finding.code.as_str()).collect();
        if found != codes.iter().copied().collect() {
            wrong.push(format!("{what}: {:#?}\nexpected {codes:?}\n", bad(&verified)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn the_readme_names_every_check() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let checks = Check::ALL.iter().map(|check| check.code());
    let streams = FaultKind::ALL.iter().map(|kind| kind.code());
    let files = WebmFaultKind::ALL.iter().map(|kind| kind.code());
    for code in checks.chain(streams).chain(files) {
        assert!(readme.contains(&format!("`{code}`")), "{code}");
    }
}
