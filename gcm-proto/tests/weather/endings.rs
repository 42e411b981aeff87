//! Deliveries that are halted, stopped, cancelled, expired or dropped, and those who come after.

use crate::{GIVE_UP, MS, SECOND, assert_all_accepted, assert_took, unavailable, v1};
use gcm_proto::{Advice, Code, Delivery, Now, Step, Target, Wire};
use gcm_testkit::replies::reply;
use gcm_testkit::sim::{self, Act, Answer, Fate, Share, Sim, Spell};
use std::time::{Duration, SystemTime};

fn now() -> Now {
    Now {
        mono: Duration::from_secs(1000),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    }
}

/// Answers everything until the delivery waits; how many were settled.
fn run_dry(
    delivery: &mut Delivery,
    now: Now,
    mut answer: impl FnMut(bool) -> gcm_testkit::Reply,
) -> Vec<gcm_proto::Settled> {
    let mut settled = Vec::new();
    for _ in 0..10_000 {
        match delivery.poll(now) {
            Step::Send(call) => {
                let mint = call.request.uri().path() == "/token";
                let reply = answer(mint).expect("a reply");
                delivery.handle(call.ticket, reply, now);
            }
            Step::Settle(done) => settled.push(done),
            Step::Wait(_) | Step::Finish => return settled,
        }
    }
    panic!("it goes on for ever");
}

fn granted() -> gcm_testkit::Reply {
    reply(
        200,
        &[],
        r#"{"access_token":"minted-1","expires_in":3599,"token_type":"Bearer"}"#,
    )
}

/// Pushes three more: they get a place, and the outcome that the ending gives.
#[track_caller]
fn assert_settles_the_late(delivery: &mut Delivery, now: Now, first: u64, code: &Code, advice: &Advice) {
    for n in 0..3 {
        let position = delivery.push(sim::token(100), now).expect("a place");
        assert_eq!(position.get(), first + n);
    }
    let settled = run_dry(delivery, now, |_| panic!("nothing leaves after the end"));
    let places: Vec<u64> = settled.iter().map(|done| done.position.get()).collect();
    assert_eq!(places, [first, first + 1, first + 2]);
    for done in &settled {
        let failure = done.outcome.failure().expect("a failure");
        assert_eq!(
            (failure.code(), &failure.advice(), done.attempts),
            (code, advice, 0),
            "{failure}"
        );
    }
    let progress = delivery.progress();
    assert_eq!(progress.settled(), first + 3, "they are counted");
}

/// After a 401 that halts, `push` still took recipients; after other endings it gave them back, and the clients made up
/// outcomes, positions and counters of their own.
#[test]
fn trial_w26_whoever_is_pushed_after_a_halt_settles() {
    let now = now();
    let mut delivery = v1().open(now, 7);
    delivery.push(sim::token(0), now).unwrap();
    // The first token is refused, and the one that is minted then.
    let settled = run_dry(
        &mut delivery,
        now,
        |mint| if mint { granted() } else { reply(401, &[], "") },
    );
    assert_eq!(settled.len(), 1);
    assert_settles_the_late(&mut delivery, now, 1, &Code::NotAttempted, &Advice::FixCredentials);
}

#[test]
fn trial_w26_whoever_is_pushed_after_a_stop_settles() {
    for end in [Delivery::stop, Delivery::cancel] {
        let now = now();
        let mut delivery = v1().open(now, 7);
        delivery.push(sim::token(0), now).unwrap();
        end(&mut delivery);
        // Untried too, and handed out first.
        let Step::Settle(done) = delivery.poll(now) else {
            panic!("an outcome")
        };
        assert_eq!(done.position.get(), 0);
        let advice = done.outcome.advice();
        assert_settles_the_late(&mut delivery, now, 1, &Code::NotAttempted, &advice);
        assert!(
            !matches!(advice, Advice::Keep | Advice::Remove),
            "nothing was sent: {advice}"
        );
    }
}

#[test]
fn trial_w26_whoever_is_pushed_after_the_expiry_settles() {
    let mut delivery = v1().expires_after(5 * SECOND).open(now(), 7);
    let late = now().after(5 * SECOND);
    assert!(run_dry(&mut delivery, late, |_| panic!("nobody is there")).is_empty());
    // No deadline settles anybody at the poll that finds it over.
    let late = late.after(2 * SECOND);
    assert!(run_dry(&mut delivery, late, |_| panic!("nobody is there")).is_empty());
    let advice = gcm_proto::Failure::new(Code::Expired, gcm_proto::Sent::NotSent).advice();
    assert_settles_the_late(&mut delivery, late, 0, &Code::Expired, &advice);
}

/// One that was closed takes nobody: its caller said so himself.
#[test]
fn trial_w26_a_closed_delivery_gives_a_target_back() {
    let mut delivery = v1().open(now(), 7);
    delivery.close();
    let Err(target) = delivery.push(sim::token(0), now()) else {
        panic!("given back")
    };
    assert!(matches!(target, Target::Token(_)));
}

/// Two deliveries on one gate; the first is dropped at many times, in a mint, in flight, in an outage and among its probes. The
/// other is served as if it had been alone.
#[test]
fn a_delivery_that_is_dropped_anywhere_changes_nothing_for_another() {
    let outages: [Fate; 3] = [
        Fate::Refused(MS),
        unavailable().within(20 * MS).into(),
        Fate::GivenBack(MS),
    ];
    for fate in outages {
        for at in [1, 40, 60, 150, 250, 1000, 2100, 3000, 4000, 5000, 5040] {
            let prepared = v1();
            let outage = Spell::of(fate.clone()).between(200 * MS, 5000 * MS);
            let counts = Sim::new(Wire::V1, 7)
                .calls(16)
                .spell(outage)
                .deliver(&prepared, 2000, 1)
                .deliver(&prepared, 1000, 2)
                .act(at * MS, 0, Act::Drop)
                .run();
            assert!(counts.ended, "{}", counts.line());
            assert!(counts.accepted >= 1000, "at {at} ms: {}", counts.line());
            assert_eq!(counts.failures(), 0, "at {at} ms: {}", counts.line());
            assert!(counts.took <= 30 * SECOND, "at {at} ms: {}", counts.line());
        }
    }
}

/// The same with calls that do not come back before it is dropped: what it had in flight is nobody's business.
#[test]
fn a_delivery_that_is_dropped_with_its_calls_in_flight_changes_nothing_for_another() {
    let prepared = v1();
    let counts = Sim::new(Wire::V1, 7)
        .calls(64)
        // Half of what leaves first is never answered.
        .script(|ask| (!ask.mint && ask.number <= 32 && ask.to[0] < 1000).then_some(Fate::Vanishes))
        .spell(Spell::of(unavailable().within(MS)).between(60 * MS, 3000 * MS))
        .deliver(&prepared, 1000, 1)
        .deliver(&prepared, 1000, 2)
        .act(500 * MS, 0, Act::Drop)
        .run();
    assert!(counts.ended, "{}", counts.line());
    assert_eq!(counts.failures(), 0, "{}", counts.line());
    assert!(counts.accepted >= 1000, "{}", counts.line());
    assert_took(&counts, 3 * SECOND, 30 * SECOND);
}

/// Whoever stops in an outage is not kept waiting, and is told whom he can send to again.
#[test]
fn a_stop_in_an_outage_ends_at_once() {
    for act in [Act::Stop, Act::Cancel] {
        let counts = Sim::new(Wire::V1, 7)
            .spell(Spell::of(Fate::Refused(MS)).between(100 * MS, GIVE_UP))
            .deliver(&v1(), 20_000, 7)
            .act(10 * SECOND, 0, act)
            .run();
        assert!(counts.ended && counts.denied == 0, "{}", counts.line());
        assert_took(&counts, 10 * SECOND, 11 * SECOND);
        let kept = counts
            .failed
            .keys()
            .filter(|(_, _, advice)| *advice == "keep" || *advice == "remove");
        assert_eq!(kept.count(), 0, "{}", counts.line());
    }
}

/// An odd reply for one delivery ends none of the others.
#[test]
fn deliveries_on_one_gate_do_not_end_each_other() {
    let prepared = v1();
    let mut sim = Sim::new(Wire::V1, 7)
        .calls(32)
        .spell(Spell::of(Answer::html(404)).share(Share::PerMille(20)));
    for seed in 0..50 {
        sim = sim.deliver(&prepared, 40, seed);
    }
    let counts = sim.run();
    assert_all_accepted(&counts, 2000);
}
