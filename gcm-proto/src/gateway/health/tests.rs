//! The states of a service's health, each rule by itself.

use super::{Departed, Health, Leave};
use crate::gateway::sign::Bad;
use crate::outcome::{Code, Failure, Sent};
use std::time::Duration;

const MS: fn(u64) -> Duration = Duration::from_millis;
const SECOND: fn(u64) -> Duration = Duration::from_secs;

fn bad(code: Code, sent: Sent) -> Bad {
    Bad {
        cause: Failure::new(code, sent),
        asked: None,
        verdict: false,
    }
}

fn unavailable() -> Bad {
    bad(Code::Unavailable, Sent::Responded)
}

fn refused() -> Bad {
    bad(Code::Connection, Sent::NotSent)
}

impl Health {
    fn leave(&mut self, at: Duration) -> Departed {
        assert!(!matches!(self.admit(at), Leave::Wait(_)), "may leave");
        self.depart(at, false)
    }

    fn lands_bad(&mut self, departed: Departed, bad: Bad, at: Duration) -> bool {
        self.arrive(departed);
        self.bad(departed, bad, at, 0)
    }

    fn lands_well(&mut self, departed: Departed, at: Duration) {
        self.arrive(departed);
        self.good(departed, at);
    }

    /// How many leave until no more may.
    fn fill(&mut self, at: Duration) -> Vec<Departed> {
        let mut left = Vec::new();
        while left.len() < 1000 && !matches!(self.admit(at), Leave::Wait(_)) {
            left.push(self.depart(at, false));
        }
        left
    }
}

/// Down at `at`, with nothing in flight.
fn down(at: Duration) -> Health {
    let mut health = Health::new();
    for _ in 0..8 {
        let departed = health.leave(at);
        health.lands_bad(departed, unavailable(), at);
    }
    assert!(health.shut().is_some());
    health
}

#[test]
fn eight_bad_signs_in_a_row_are_an_outage_and_seven_are_none() {
    let mut health = Health::new();
    for _ in 0..3 {
        for _ in 0..7 {
            let departed = health.leave(SECOND(1));
            health.lands_bad(departed, unavailable(), SECOND(1));
        }
        assert!(health.shut().is_none());
        let departed = health.leave(SECOND(1));
        health.lands_well(departed, SECOND(1));
    }
    assert!(down(SECOND(1)).shut().is_some());
}

#[test]
fn half_of_what_was_in_flight_when_the_row_began_makes_an_outage_and_nobody_takes_their_places() {
    let mut health = Health::new();
    let mut in_flight: Vec<Departed> = (0..400).map(|_| health.leave(MS(100))).collect();
    for n in 0..200 {
        assert!(health.shut().is_none(), "{n}");
        let departed = in_flight.pop().unwrap();
        health.lands_bad(departed, unavailable(), MS(120));
        assert!(matches!(health.admit(MS(120)), Leave::Wait(_)));
    }
    assert!(health.shut().is_some());
    // What left before says nothing more.
    for departed in in_flight {
        health.lands_bad(departed, unavailable(), MS(130));
    }
    assert_eq!(health.shut().unwrap().probe_at, MS(120 + 250));
}

#[test]
fn good_replies_to_what_left_before_the_row_do_not_end_it() {
    let mut health = Health::new();
    let slow: Vec<Departed> = (0..8).map(|_| health.leave(MS(100))).collect();
    for old in slow {
        let departed = health.leave(MS(150));
        health.lands_bad(departed, unavailable(), MS(151));
        health.lands_well(old, MS(151));
    }
    assert!(health.shut().is_some());
}

#[test]
fn a_good_sign_gives_back_the_place_that_a_bad_one_took() {
    let mut health = Health::new();
    let mut in_flight: Vec<Departed> = (0..20).map(|_| health.leave(MS(100))).collect();
    health.lands_bad(in_flight.pop().unwrap(), unavailable(), MS(110));
    health.lands_bad(in_flight.pop().unwrap(), unavailable(), MS(110));
    assert_eq!(health.free(MS(110)), 0, "18 in flight, 18 places");
    health.lands_well(in_flight.pop().unwrap(), MS(110));
    assert_eq!(health.free(MS(110)), 2, "17 in flight, 19 places");
    health.lands_well(in_flight.pop().unwrap(), MS(110));
    assert_eq!(health.free(MS(110)), usize::MAX);
}

/// Of a service whose failures come sooner than its responses, most good signs left before the row began.
#[test]
fn a_good_sign_gives_back_a_place_although_the_row_goes_on() {
    let mut health = Health::new();
    let mut slow: Vec<Departed> = (0..20).map(|_| health.leave(MS(100))).collect();
    let quick = health.leave(MS(150));
    health.lands_bad(quick, unavailable(), MS(151));
    assert_eq!(health.free(MS(151)), 0, "20 in flight, 20 places");
    health.lands_well(slow.pop().unwrap(), MS(152));
    assert_eq!(health.free(MS(152)), usize::MAX);
}

#[test]
fn lost_tickets_leave_one_request_a_second() {
    let mut health = Health::new();
    let mut in_flight = health.fill(SECOND(1));
    in_flight.truncate(20);
    let mut health = Health::new();
    let mut in_flight: Vec<Departed> = in_flight.iter().map(|_| health.leave(SECOND(1))).collect();
    health.lands_bad(in_flight.pop().unwrap(), unavailable(), MS(1500));
    assert_eq!(health.admit(MS(1500)), Leave::Wait(SECOND(2)));
    assert_eq!(health.admit(SECOND(2)), Leave::Go);
    health.depart(SECOND(2), false);
    assert_eq!(health.admit(MS(2999)), Leave::Wait(SECOND(3)));
}

#[test]
fn in_an_outage_one_probe_at_a_time_leaves_after_a_pause_that_grows_to_fifteen_seconds() {
    let mut health = down(SECOND(1));
    let mut at = SECOND(1);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let Leave::Wait(next) = health.admit(at) else {
            panic!("a pause")
        };
        pauses.push(next.checked_sub(at).unwrap().as_millis());
        at = next;
        assert!(matches!(health.admit(at), Leave::Probe { .. }));
        let probe = health.depart(at, false);
        assert!(matches!(health.admit(at), Leave::Wait(_)), "one at a time");
        health.lands_bad(probe, unavailable(), at);
    }
    assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
}

#[test]
fn the_pause_grows_to_five_seconds_while_nothing_is_sent() {
    let mut health = down(SECOND(1));
    let mut at = SECOND(1);
    let mut last = Duration::ZERO;
    for _ in 0..9 {
        let Leave::Wait(next) = health.admit(at) else {
            panic!("a pause")
        };
        last = next.checked_sub(at).unwrap();
        at = next;
        let probe = health.depart(at, false);
        health.lands_bad(probe, refused(), at);
    }
    assert_eq!(last, SECOND(5));
}

#[test]
fn a_turn_is_taken_over_after_a_minute_and_a_turn_given_back_is_free_at_once() {
    let mut health = down(SECOND(1));
    let probe = health.leave(SECOND(2));
    assert_eq!(health.admit(SECOND(3)), Leave::Wait(SECOND(62)));
    assert_eq!(health.admit(SECOND(62)), Leave::Probe { tried: false });
    health.arrive(probe);
    health.untold(probe, SECOND(4), true);
    assert_eq!(health.admit(SECOND(4)), Leave::Probe { tried: false });
}

#[test]
fn a_good_probe_begins_a_recovery_that_doubles_to_sixty_four_and_ends_with_as_many() {
    let mut health = down(SECOND(1));
    let probe = health.leave(SECOND(2));
    health.lands_well(probe, SECOND(2));
    let mut places = Vec::new();
    let mut good = 0;
    while health.is_recovering() {
        let left = health.fill(SECOND(2));
        places.push(left.len());
        // One more for each that lands; all of them, before more leave.
        good += left.len();
        for departed in left {
            health.lands_well(departed, SECOND(2));
        }
    }
    assert_eq!(places, [2, 8, 64]);
    assert!(good >= 64);
    assert_eq!(health.admit(SECOND(2)), Leave::Go);
}

#[test]
fn a_recovery_counts_only_what_left_since_it_began() {
    let mut health = Health::new();
    let hanging: Vec<Departed> = (0..100).map(|_| health.leave(SECOND(1))).collect();
    let failing: Vec<Departed> = (0..100).map(|_| health.leave(SECOND(1))).collect();
    for departed in failing {
        health.lands_bad(departed, unavailable(), SECOND(1));
    }
    let probe = health.leave(SECOND(10));
    health.lands_well(probe, SECOND(10));
    assert_eq!(health.fill(SECOND(10)).len(), 2);
    assert_eq!(hanging.len(), 100);
}

#[test]
fn one_bad_reply_does_not_end_a_recovery_and_eight_in_a_row_do() {
    let mut health = down(SECOND(1));
    let probe = health.leave(SECOND(2));
    health.lands_well(probe, SECOND(2));
    for _ in 0..8 {
        assert!(health.is_recovering());
        let departed = health.leave(SECOND(2));
        health.lands_bad(departed, unavailable(), SECOND(2));
    }
    assert!(health.shut().is_some());
}

#[test]
fn each_good_sign_of_a_recovery_halves_the_pause() {
    let mut health = down(SECOND(1));
    for at in [2, 10, 20] {
        let probe = health.leave(SECOND(at));
        health.lands_bad(probe, unavailable(), SECOND(at));
    }
    assert_eq!(health.admit(SECOND(20)), Leave::Wait(SECOND(22)));
    // The probe ends the outage, and two more halve it to half a second.
    for _ in 0..3 {
        let departed = health.leave(SECOND(22));
        health.lands_well(departed, SECOND(22));
    }
    for _ in 0..8 {
        let departed = health.leave(SECOND(23));
        health.lands_bad(departed, unavailable(), SECOND(23));
    }
    assert_eq!(health.shut().unwrap().probe_at, MS(23_500));
}

#[test]
fn a_late_good_sign_makes_the_next_probe_due_and_does_not_end_the_outage() {
    let mut health = Health::new();
    let late = health.leave(SECOND(1));
    for _ in 0..8 {
        let departed = health.leave(SECOND(1));
        health.lands_bad(departed, unavailable(), SECOND(1));
    }
    assert!(matches!(health.admit(SECOND(1)), Leave::Wait(_)));
    health.lands_well(late, SECOND(1));
    assert_eq!(health.admit(SECOND(1)), Leave::Probe { tried: true });
}

/// The service failed no sooner for being asked sooner: a probe that a late response brings forward leaves the pause as it is.
#[test]
fn a_probe_that_a_late_good_sign_brings_forward_does_not_lengthen_the_pause() {
    let mut health = Health::new();
    let late: Vec<Departed> = (0..3).map(|_| health.leave(SECOND(1))).collect();
    for _ in 0..8 {
        let departed = health.leave(SECOND(1));
        health.lands_bad(departed, unavailable(), SECOND(1));
    }
    assert_eq!(health.admit(SECOND(1)), Leave::Wait(MS(1250)));
    for (n, late) in (0..).zip(late) {
        let at = MS(1010 + 10 * n);
        health.lands_well(late, at);
        let probe = health.leave(at);
        // A turn that is given back with nothing told is as early for whoever takes it.
        health.arrive(probe);
        health.untold(probe, at, true);
        let probe = health.leave(at);
        health.lands_bad(probe, unavailable(), at);
        assert_eq!(health.admit(at), Leave::Wait(at + MS(250)));
    }
    // The next one is in its time, and the pause grows with it.
    let probe = health.leave(MS(1280));
    health.lands_bad(probe, unavailable(), MS(1280));
    assert_eq!(health.admit(MS(1280)), Leave::Wait(MS(1280 + 500)));
}

#[test]
fn what_one_probe_is_asked_to_wait_holds_a_minute_and_what_two_are_asked_holds_whole() {
    let mut health = down(SECOND(1));
    let asked = || Bad {
        asked: Some(SECOND(300)),
        ..unavailable()
    };
    let probe = health.leave(SECOND(2));
    health.lands_bad(probe, asked(), SECOND(2));
    assert_eq!(health.admit(SECOND(2)), Leave::Wait(SECOND(62)));
    let probe = health.leave(SECOND(62));
    health.lands_bad(probe, asked(), SECOND(62));
    assert_eq!(health.admit(SECOND(62)), Leave::Wait(SECOND(362)));
}

#[test]
fn three_probes_over_ten_seconds_that_end_in_one_verdict_are_believed() {
    let verdict = |code| Bad {
        verdict: true,
        ..bad(code, Sent::Responded)
    };
    let mut health = down(SECOND(1));
    let believed: Vec<bool> = [5, 10, 14, 20]
        .into_iter()
        .map(|at| {
            let probe = health.depart(SECOND(at), false);
            health.lands_bad(probe, verdict(Code::Forbidden), SECOND(at))
        })
        .collect();
    assert_eq!(believed, [false, false, false, true]);

    let mut health = down(SECOND(1));
    for (at, code) in [(5, Code::Forbidden), (10, Code::EndpointGone), (16, Code::Forbidden)] {
        let probe = health.depart(SECOND(at), false);
        assert!(!health.lands_bad(probe, verdict(code), SECOND(at)));
    }
}

#[test]
fn a_hold_ends_with_a_probe_and_goes_on_in_a_recovery() {
    let mut health = Health::new();
    let others: Vec<Departed> = (0..3).map(|_| health.leave(SECOND(1))).collect();
    health.hold(
        Failure::new(Code::QuotaExceeded, Sent::Responded),
        SECOND(60),
        SECOND(1),
        0,
    );
    // A good response to what left before does not end it.
    health.lands_well(others[0], SECOND(2));
    assert_eq!(health.admit(SECOND(2)), Leave::Wait(SECOND(61)));
    // A shorter one does not shorten it.
    health.hold(
        Failure::new(Code::QuotaExceeded, Sent::Responded),
        SECOND(5),
        SECOND(2),
        0,
    );
    assert_eq!(health.admit(SECOND(60)), Leave::Wait(SECOND(61)));
    let probe = health.leave(SECOND(61));
    assert!(matches!(health.admit(SECOND(61)), Leave::Wait(_)));
    health.lands_well(probe, SECOND(62));
    assert!(health.is_recovering());
}

#[test]
fn the_end_of_a_hold_is_spread_and_never_early() {
    for draw in [0, 1, 7_499, 7_500, u64::MAX] {
        let mut health = Health::new();
        health.hold(
            Failure::new(Code::QuotaExceeded, Sent::Responded),
            SECOND(60),
            SECOND(1),
            draw,
        );
        let Leave::Wait(at) = health.admit(SECOND(1)) else {
            panic!("held")
        };
        assert!(at >= SECOND(61) && at < MS(61_000 + 7_500), "{at:?}");
    }
}
