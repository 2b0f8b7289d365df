//! What playlists cost must not grow faster than they do.
//!
//! Counted in bytes allocated, which every copy and every rendering of text goes through; a clock
//! would say more about the machine. One test only, since the count is the process's.

mod playlist_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use playlist_support::*;
use tapeline::playlist::{Header, Renderer, check, parse};

struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocated<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATED.load(Ordering::Relaxed);
    let result = work();
    (ALLOCATED.load(Ordering::Relaxed) - before, result)
}

#[test]
fn costs_grow_no_faster_than_the_list() {
    let mut renderer = Renderer::new(&Header { target_duration: TARGET });
    let fill = |renderer: &mut Renderer, from: usize, to: usize| {
        for number in from..to {
            renderer.append(&entry(&format!("{number:08}.ts"))).unwrap();
        }
    };
    let (first, ()) = allocated(|| fill(&mut renderer, 0, 5000));
    let small = text(&renderer);
    let (second, ()) = allocated(|| fill(&mut renderer, 5000, 10_000));
    let (third, ()) = allocated(|| fill(&mut renderer, 10_000, 20_000));
    assert!(second < first * 11 / 10, "appending 5000 more: {first}, then {second}");
    assert!(third < second * 22 / 10, "appending 10000 more: {second}, then {third}");

    let large = text(&renderer);
    let mut taken = Renderer::new(&Header { target_duration: TARGET });
    let (a_day, length) = allocated(|| {
        let entry = entry("segment.ts");
        (0..5760).map(|_| (taken.append(&entry), taken.take().len()).1).max().unwrap()
    });
    assert!(a_day < 5760 * 4 * length, "{a_day} bytes for 5760 entries of {length}");

    let times = large.len() as f64 / small.len() as f64;
    let linear = |name: &str, small: usize, large: usize| {
        // Growing vectors double, so that a step may fall on either side.
        assert!((large as f64) < small as f64 * times * 1.6, "{name}: {small}, then {large}");
    };
    let (of_small, _) = allocated(|| parse(&small).unwrap());
    let (of_large, read) = allocated(|| parse(&large).unwrap());
    assert_eq!(read.segments.len(), 20_000);
    linear("parse", of_small, of_large);
    let (of_small, _) = allocated(|| check(&small));
    let (of_large, found) = allocated(|| check(&large));
    linear("check", of_small, of_large);
    // The entries all have one date, so that every segment but the first is found: the dear case.
    assert_eq!(found.len(), 19_999);
}
