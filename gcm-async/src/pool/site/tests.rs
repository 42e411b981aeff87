//! What no peer shows: who is in the queue, and when a connection is looked at.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::Site;
use crate::dial::{Dial, Target};
use crate::pool::Taking;
use crate::settings::Settings;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A host that a connection is being made to, for ever.
fn site(settings: Settings) -> Arc<Site> {
    let target = Target::of(&"http://127.0.0.1:1/".parse().unwrap()).unwrap();
    let dial = Arc::new(Dial::new(&settings));
    let site = Site::new(target, Arc::new(settings), dial);
    site.lock().dialing.push((0, Instant::now()));
    site
}

#[tokio::test]
async fn those_who_leave_the_queue_do_not_make_it_grow() {
    let site = site(Settings::default());
    let first = site.take();
    for _ in 0..10_000 {
        drop(site.take());
    }
    let last = site.take();
    assert!(site.lock().waiting.len() <= 130);
    assert!(matches!((&first, &last), (Taking::Later(_), Taking::Later(_))));
    let still_there = site.lock().waiting.iter().filter(|seat| !seat.is_left()).count();
    assert_eq!(still_there, 2);
}

#[tokio::test]
async fn a_connection_in_use_is_not_looked_at_all_the_time_whatever_the_idle_time() {
    let site = site(Settings {
        idle: Duration::ZERO,
        ..Settings::default()
    });
    site.lock().busy = 1;
    let now = Instant::now();
    assert!(site.tend(1, now).unwrap() >= now + Duration::from_secs(1));
}
