//! What the parts of the gate mean for one another.

use super::{Admission, Gate, Service, VisitStatus};
use crate::gateway::{Bad, Departed, Gateway, Limit, Sign, TokenStep, Visit};
use crate::outcome::{Code, Failure, Sent};
use crate::{Pace, legacy};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

const SECOND: fn(u64) -> Duration = Duration::from_secs;
const GOOD: Sign = Sign::Good {
    proves: true,
    generation: None,
};

fn gateway() -> Gateway {
    Gateway::legacy_json(legacy::Route::new(
        "https://push.example.org/gcm/send".parse().unwrap(),
        "AAAA-key".parse().unwrap(),
    ))
}

fn gate() -> Gate {
    Gate::new(&gateway().settings().policy, None)
}

fn failure(code: Code) -> Failure {
    Failure::new(code, Sent::Responded)
}

fn bad(code: Code) -> Sign {
    Sign::Bad(Bad {
        cause: failure(code),
        asked: None,
        verdict: false,
    })
}

fn limited(of: Limit, asked: Option<u64>) -> Sign {
    Sign::Limited {
        cause: failure(Code::QuotaExceeded),
        asked: asked.map(SECOND),
        of,
    }
}

impl Gate {
    fn leaves(&mut self, visit: &mut Visit, at: Duration) -> Departed {
        assert!(matches!(self.admit(at), Admission::Go(_)), "may leave");
        self.depart(visit, at, 1, false)
    }

    fn round(&mut self, visit: &mut Visit, sign: Sign, at: Duration) {
        let departed = self.leaves(visit, at);
        self.land(visit, departed, sign, at, 0);
    }

    /// When the next request may leave; `at` when now.
    fn next(&mut self, at: Duration) -> Duration {
        match self.admit(at) {
            Admission::Go(_) => at,
            Admission::Wait(next) => next,
        }
    }

    fn halts(&mut self, visit: &mut Visit, at: Duration) -> bool {
        matches!(self.check(visit, at), VisitStatus::Halted(_))
    }
}

#[test]
fn a_verdict_before_anything_worked_stops_admission_and_halts_when_the_last_has_landed() {
    let mut gate = gate();
    let mut visit = gate.enter(SECOND(0));
    let first = gate.leaves(&mut visit, SECOND(0));
    let second = gate.leaves(&mut visit, SECOND(0));
    gate.land(
        &mut visit,
        first,
        Sign::Verdict(failure(Code::EndpointGone), None),
        SECOND(0),
        0,
    );
    assert!(gate.next(SECOND(0)) > SECOND(0));
    assert!(!gate.halts(&mut visit, SECOND(0)));
    gate.land(&mut visit, second, bad(Code::Connection), SECOND(0), 0);
    assert!(gate.halts(&mut visit, SECOND(0)));
    let mut later = gate.enter(SECOND(0));
    assert!(!gate.halts(&mut later, SECOND(0)));
}

#[test]
fn a_verdict_before_anything_worked_is_forgotten_when_one_in_flight_is_accepted() {
    let mut gate = gate();
    let mut visit = gate.enter(SECOND(0));
    let first = gate.leaves(&mut visit, SECOND(0));
    let second = gate.leaves(&mut visit, SECOND(0));
    gate.land(
        &mut visit,
        first,
        Sign::Verdict(failure(Code::EndpointGone), None),
        SECOND(0),
        0,
    );
    gate.land(&mut visit, second, GOOD, SECOND(0), 0);
    assert_eq!(gate.next(SECOND(0)), SECOND(0));
    // From now on it is a bad sign like any other.
    gate.round(&mut visit, Sign::Verdict(failure(Code::EndpointGone), None), SECOND(0));
    assert_eq!(gate.next(SECOND(0)), SECOND(0));
    assert!(!gate.halts(&mut visit, SECOND(0)));
}

#[test]
fn the_time_of_recipients_stands_still_in_an_outage_and_in_a_hold() {
    let mut gate = gate();
    let mut visit = gate.enter(SECOND(10));
    for _ in 0..8 {
        gate.round(&mut visit, bad(Code::Unavailable), SECOND(10));
    }
    assert_eq!(gate.counted(SECOND(100)), SECOND(10));
    let probe = gate.leaves(&mut visit, SECOND(100));
    gate.land(&mut visit, probe, GOOD, SECOND(100), 0);
    assert_eq!(gate.counted(SECOND(105)), SECOND(15));
    gate.round(&mut visit, limited(Limit::Project, Some(60)), SECOND(105));
    assert_eq!(gate.counted(SECOND(165)), SECOND(15));
}

#[test]
fn the_time_of_recipients_stands_still_while_nobody_has_a_token() {
    let mut gate = gate();
    let TokenStep::Mint { session, .. } = gate.token(SECOND(10)) else {
        panic!("a mint")
    };
    assert!(matches!(gate.token(SECOND(10)), TokenStep::Wait(_)));
    assert_eq!(gate.counted(SECOND(15)), SECOND(10));
    let token = crate::AccessToken::try_from("ya29.c").unwrap();
    gate.granted(
        crate::TokenResponse::new(token, None),
        Some(session),
        SECOND(10),
        SECOND(15),
    );
    assert_eq!(gate.counted(SECOND(20)), SECOND(15));
}

#[test]
fn patience_runs_from_the_first_trouble_and_a_good_sign_ends_it() {
    let mut gate = gate();
    let mut visit = gate.enter(SECOND(10));
    assert!(matches!(
        gate.check(&mut visit, SECOND(5000)),
        VisitStatus::Continues(None)
    ));
    gate.round(&mut visit, bad(Code::Unavailable), SECOND(5000));
    let VisitStatus::Continues(until) = gate.check(&mut visit, SECOND(5001)) else {
        panic!("patient")
    };
    assert_eq!(until, Some(SECOND(5600)));
    gate.round(&mut visit, GOOD, SECOND(5100));
    assert!(matches!(
        gate.check(&mut visit, SECOND(5101)),
        VisitStatus::Continues(None)
    ));
    gate.round(&mut visit, limited(Limit::Recipient, None), SECOND(5200));
    // Found over, and acted on a second later: responses may wait in the sockets.
    assert!(matches!(
        gate.check(&mut visit, SECOND(9000)),
        VisitStatus::Continues(_)
    ));
    assert!(matches!(gate.check(&mut visit, SECOND(9001)), VisitStatus::GivenUp(..)));
}

#[test]
fn a_delivery_is_not_impatient_for_what_was_before_it() {
    let mut gate = gate();
    let mut visit = gate.enter(SECOND(10));
    gate.round(&mut visit, bad(Code::Unavailable), SECOND(10));
    let mut late = gate.enter(SECOND(600));
    assert!(matches!(
        gate.check(&mut late, SECOND(605)),
        VisitStatus::Continues(None)
    ));
    gate.round(&mut late, bad(Code::Unavailable), SECOND(606));
    let VisitStatus::Continues(until) = gate.check(&mut late, SECOND(606)) else {
        panic!("patient")
    };
    assert_eq!(until, Some(SECOND(1206)));
}

#[test]
fn a_limit_of_the_project_holds_all_and_one_of_a_device_nobody_else() {
    let mut gate = gate();
    let mut visit = gate.enter(SECOND(0));
    gate.round(&mut visit, limited(Limit::Recipient, Some(60)), SECOND(1));
    gate.round(&mut visit, limited(Limit::Unnamed(1), None), SECOND(1));
    gate.round(&mut visit, limited(Limit::Unnamed(2), None), SECOND(1));
    assert_eq!(gate.next(SECOND(1)), SECOND(1));
    gate.round(&mut visit, limited(Limit::Unnamed(3), None), SECOND(2));
    assert_eq!(gate.next(SECOND(2)), SECOND(62), "the policy's minute");
    assert!(matches!(gate.service(SECOND(2)), Service::Held { until, .. } if until == SECOND(62)));
}

#[test]
fn a_hold_longer_than_the_patience_gives_up_when_it_is_said_again() {
    let mut gate = gate();
    let mut visit = gate.enter(SECOND(0));
    let first = gate.leaves(&mut visit, SECOND(0));
    let second = gate.leaves(&mut visit, SECOND(0));
    gate.land(&mut visit, first, limited(Limit::Project, Some(700)), SECOND(1), 0);
    assert!(matches!(
        gate.check(&mut visit, SECOND(1)),
        VisitStatus::Continues(Some(_))
    ));
    gate.land(&mut visit, second, limited(Limit::Project, Some(700)), SECOND(2), 0);
    let VisitStatus::GivenUp(_, delay) = gate.check(&mut visit, SECOND(2)) else {
        panic!("given up")
    };
    assert_eq!(delay, Some(SECOND(700)));
}

#[test]
fn the_pace_ramps_up_after_a_hold() {
    let settings = gateway().with_pace(Pace::per_minute(60_000));
    let mut gate = Gate::new(&settings.settings().policy, settings.settings().pace);
    let mut visit = gate.enter(SECOND(0));
    gate.round(&mut visit, limited(Limit::Project, Some(10)), SECOND(1));
    let probe = gate.leaves(&mut visit, SECOND(11));
    gate.land(&mut visit, probe, GOOD, SECOND(11), 0);
    assert!(matches!(gate.admit(SECOND(12)), Admission::Go(_)));
    gate.depart(&mut visit, SECOND(12), 100, false);
    // 100 take a tenth of a second at the whole pace, and nearly ten times as long in the second second of a ramp.
    let next = gate.next(SECOND(12));
    assert!(next > Duration::from_millis(12_700) && next < SECOND(13), "{next:?}");
}

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_token_wakes_all_who_wait_for_it_once() {
    let gateway = gateway();
    let bell = Arc::new(Bell::default());
    let mut visits: Vec<Visit> = gateway.gate(|gate| (0..1000).map(|_| gate.enter(SECOND(0))).collect());
    for visit in &mut visits {
        visit.set_waker(Waker::from(Arc::clone(&bell)));
        gateway.gate(|gate| gate.wait(visit, SECOND(10), SECOND(0)));
    }
    let token = crate::AccessToken::try_from("ya29.c").unwrap();
    gateway.set_access_token(crate::TokenResponse::new(token, None), now());
    assert_eq!(bell.0.load(Ordering::Relaxed), 1000);
}

fn now() -> crate::Now {
    crate::Now {
        mono: SECOND(1),
        wall: std::time::SystemTime::UNIX_EPOCH,
    }
}

#[test]
fn who_was_woken_and_goes_passes_it_on() {
    let gateway = gateway();
    let bells: Vec<Arc<Bell>> = (0..3).map(|_| Arc::default()).collect();
    let mut visits: Vec<Visit> = gateway.gate(|gate| (0..3).map(|_| gate.enter(SECOND(0))).collect());
    for (visit, bell) in visits.iter_mut().zip(&bells) {
        visit.set_waker(Waker::from(Arc::clone(bell)));
        let until = gateway.gate(|gate| gate.wait(visit, SECOND(10), SECOND(0)));
        let first = Arc::ptr_eq(bell, &bells[0]);
        assert_eq!(
            until,
            if first { SECOND(10) } else { SECOND(15) },
            "the oldest looks first"
        );
    }
    let rung = || {
        bells
            .iter()
            .map(|bell| bell.0.load(Ordering::Relaxed))
            .collect::<Vec<_>>()
    };
    gateway.gate(|gate| gate.leave(&mut visits[0]));
    assert_eq!(rung(), [0, 1, 0], "another is the oldest now");
    gateway.gate(|gate| gate.leave(&mut visits[1]));
    assert_eq!(rung(), [0, 1, 1], "it was woken, and has not sent");
}

#[test]
fn what_everybody_waits_for_is_said_in_one_line() {
    let refused = |detail: &str| Failure::new(Code::Connection, Sent::NotSent).with_message(detail);
    let now = SECOND(100);
    let said = |service: Service| service.describe(now).unwrap_or_default();
    let down = |cause| Service::Down {
        since: SECOND(88),
        cause,
        next_probe: Duration::from_millis(102_300),
    };
    for (detail, words) in [
        // As both clients say it, on Linux and on Windows.
        (
            "the request was not sent: the server is not running, or its address is wrong: Connection refused (os error 111)",
            "connection refused",
        ),
        (
            "the request was not sent: No connection could be made because the target machine actively refused it. (os error \
             10061)",
            "no connection could be made because the target machine actively refused it",
        ),
        (
            "no response came, the request may have been sent: timed out while waiting for the response",
            "timed out while waiting for the response",
        ),
        ("no answer", "no answer"),
        ("TLS is off (os error 5)", "TLS is off"),
        ("É (os error 5)", "É"),
        (" (os error ", ""),
    ] {
        let expected = format!("service down for 12 s: {words}; next try in 3 s");
        assert_eq!(said(down(refused(detail))), expected);
    }
    let answered = failure(Code::Unavailable).with_status(http::StatusCode::SERVICE_UNAVAILABLE);
    let late = Service::Down {
        since: SECOND(88),
        cause: answered.clone(),
        next_probe: SECOND(99),
    };
    assert_eq!(
        said(late),
        "service down for 12 s: Unavailable (HTTP 503); next try now"
    );
    let silent = Failure::new(Code::Connection, Sent::MaybeSent);
    assert_eq!(said(down(silent)), "service down for 12 s: Connection; next try in 3 s");

    let held = |until| Service::Held {
        until,
        cause: failure(Code::QuotaExceeded),
    };
    assert_eq!(said(held(SECOND(148))), "held for 48 s by the service (QuotaExceeded)");
    // The end of a hold is a probe, whose response is still awaited.
    assert_eq!(said(held(SECOND(99))), "held for 0 s by the service (QuotaExceeded)");

    let without = |cause| Service::WithoutToken {
        since: Duration::from_millis(90_800),
        cause,
    };
    assert_eq!(said(without(None)), "no access token for 9 s");
    let cause =
        refused("no access token from oauth2.googleapis.com: the request was not sent: the host has no address");
    assert_eq!(
        said(without(Some(cause))),
        "no access token for 9 s: the host has no address"
    );
    assert_eq!(
        said(without(Some(answered))),
        "no access token for 9 s: Unavailable (HTTP 503)"
    );
    assert_eq!(said(Service::Recovering), "recovering");
    assert_eq!(said(Service::Paced { until: SECOND(101) }), "paced");
    assert_eq!(Service::Up.describe(now), None);
    // A clock that a caller reads late.
    let never = held(Duration::MAX).describe(SECOND(0));
    assert_eq!(
        never.as_deref(),
        Some("held for 18446744073709551615 s by the service (QuotaExceeded)")
    );
}
