//! Faults of access tokens: a made-up credential over a wire that takes them.

use crate::common::{ENDPOINT, message, token, tokens};
use gcm_proto::{
    AccessToken, Advice, Code, Credential, Delivery, Exchange, Failure, Gateway, Grant, Now, Outcome, Pace, Refusal,
    Report, RetryAfter, RetryPolicy, Route, Scope, Sent, Step,
};
use gcm_testkit::replies::reply;
use gcm_testkit::{Driver, Reply, Seen};
use http::{Request, StatusCode};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A token endpoint that answers with a token and its life in seconds. Whoever asks says his name.
#[derive(Clone)]
pub(crate) struct MadeUp {
    name: Arc<Mutex<&'static str>>,
}

struct Mint(&'static str);

impl MadeUp {
    pub(crate) fn named(name: &'static str) -> Self {
        Self {
            name: Arc::new(Mutex::new(name)),
        }
    }
}

impl Credential for MadeUp {
    fn mint(&self, _: SystemTime) -> Box<dyn Exchange<Reply = Grant> + Send + Sync> {
        Box::new(Mint(*self.name.lock().unwrap()))
    }
}

impl Exchange for Mint {
    type Reply = Grant;

    fn request(&self) -> Request<Vec<u8>> {
        Request::post("https://accounts.example.org/token")
            .body(self.0.into())
            .unwrap()
    }

    fn read(&self, head: &http::response::Parts, body: &[u8]) -> Result<Grant, Refusal> {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let granted = text.split_once(' ').and_then(|(token, life)| {
            let life = life.parse().ok().map(Duration::from_secs);
            Some(Grant::new(AccessToken::try_from(token).ok()?, life))
        });
        let mut refusal = match (head.status, granted) {
            (StatusCode::OK, Some(grant)) => return Ok(grant),
            (StatusCode::OK, None) => Refusal::unreadable(head.status, "a token and its life"),
            (StatusCode::TOO_MANY_REQUESTS, _) => Refusal::refused(head.status, Code::QuotaExceeded, Scope::Project),
            (status, _) if status.is_server_error() => Refusal::refused(status, Code::Unavailable, Scope::Project),
            (status, _) => Refusal::refused(status, Code::Unauthorized, Scope::Project),
        };
        if let Refusal::Refused(refused) = &mut refusal {
            refused.retry_after = RetryAfter::read(&head.headers);
        }
        Err(refusal)
    }
}

/// A plaintext gateway with a made-up credential.
pub(crate) fn gateway() -> Gateway {
    Gateway::plaintext(Route::without_key(ENDPOINT.parse().unwrap())).with_credential(MadeUp::named("first"))
}

pub(crate) fn deliver(gateway: &Gateway, recipients: usize, now: Now) -> Delivery {
    let targets: Vec<_> = (0..recipients).map(|n| token(&format!("t{n}"))).collect();
    gateway.prepare(&message()).unwrap().deliver(targets, now, 7)
}

pub(crate) fn is_mint(request: &Request<Vec<u8>>) -> bool {
    request.uri().path() == "/token"
}

/// `minted-N`, which lives so many seconds.
pub(crate) fn granted(number: usize, seconds: u64) -> Reply {
    reply(200, &[], &format!("minted-{number} {seconds}"))
}

pub(crate) fn accepted() -> Reply {
    reply(200, &[], "id=1:08\n")
}

fn unauthorized() -> Reply {
    reply(401, &[], "<HTML>Unauthorized</HTML>")
}

/// The token a message was sent with.
fn bearer(request: &Request<Vec<u8>>) -> &str {
    let header = request.headers()["authorization"].to_str().unwrap();
    header.strip_prefix("Bearer ").unwrap()
}

/// When each mint left, in seconds after the first request.
fn mints<'a>(seen: impl IntoIterator<Item = &'a Seen>) -> Vec<Duration> {
    let seen: Vec<_> = seen.into_iter().collect();
    let start = seen[0].at.mono;
    let mints = seen.iter().filter(|seen| is_mint(&seen.request));
    mints.map(|seen| seen.at.mono.saturating_sub(start)).collect()
}

/// The times between them.
fn gaps(mints: &[Duration]) -> Vec<Duration> {
    mints.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect()
}

fn failures(report: &Report) -> Vec<&Failure> {
    report.failed().map(|(_, failure)| failure).collect()
}

/// All accepted, and at the first attempt.
#[track_caller]
fn assert_all_accepted(report: &Report) {
    let fine = |done: &gcm_proto::Settled| matches!(done.outcome, Outcome::Accepted(_)) && done.attempts == 1;
    let odd: Vec<_> = report.iter().filter(|done| !fine(done)).collect();
    assert!(odd.is_empty() && !report.is_empty(), "{odd:?}");
}

/// A push service that takes `minted-N` of the last mint only, or as long as it lives.
#[derive(Default)]
struct Service {
    minted: usize,
    dies_at: Duration,
    refused: usize,
}

impl Service {
    fn grant(&mut self, seconds: u64, now: Now) -> Reply {
        self.minted += 1;
        self.dies_at = now.mono + Duration::from_secs(seconds);
        granted(self.minted, seconds)
    }

    fn take(&mut self, request: &Request<Vec<u8>>, now: Now) -> Reply {
        let current = bearer(request) == format!("minted-{}", self.minted);
        if current && now.mono < self.dies_at {
            return accepted();
        }
        self.refused += 1;
        unauthorized()
    }
}

#[test]
fn fault_a3_a_401_about_the_token_is_one_mint_and_one_replay() {
    let mut minted = 0;
    let mut driver = Driver::new(|request: &Request<_>, _| match is_mint(request) {
        true => {
            minted += 1;
            granted(minted, 3600)
        }
        false if bearer(request) == "minted-1" => unauthorized(),
        false => accepted(),
    });
    let report = driver.run(&mut deliver(&gateway(), 1, driver.now()));
    assert_all_accepted(&report);
    let seen: Vec<bool> = driver.requests().iter().map(|seen| is_mint(&seen.request)).collect();
    assert_eq!(seen, [true, false, true, false]);
    assert!(
        driver.requests().iter().all(|seen| seen.after.is_zero()),
        "nothing waits for it"
    );
}

#[test]
fn fault_a3_a_401_for_ever_is_two_requests_and_one_refresh() {
    let mut minted = 0;
    let mut driver = Driver::new(|request: &Request<_>, _| {
        minted += usize::from(is_mint(request));
        if is_mint(request) {
            granted(minted, 3600)
        } else {
            unauthorized()
        }
    });
    let report = driver.run(&mut deliver(&gateway(), 3, driver.now()));
    assert_eq!(mints(driver.requests()).len(), 2);
    assert_eq!(driver.requests().len(), 4);
    let [refused, untried @ ..] = &failures(&report)[..] else {
        panic!("three failures")
    };
    assert_eq!((refused.code(), refused.attempts()), (&Code::Unauthorized, 1));
    for failure in untried {
        assert_eq!(
            (failure.code(), failure.cause()),
            (&Code::NotAttempted, Some(&Code::Unauthorized))
        );
        assert_eq!(failure.advice(), Advice::FixCredentials);
    }
}

#[test]
fn fault_g1_a_token_is_refreshed_before_its_end_and_what_flies_is_not_disturbed() {
    let mut service = Service::default();
    // A reply takes a while, and the old token stays good for those that fly with it.
    let mut lives = Vec::new();
    let mut driver = Driver::new(|request: &Request<_>, now: Now| {
        if is_mint(request) {
            let reply = service.grant(5, now);
            lives.push((service.minted, now.mono + 5 * SECOND));
            return reply;
        }
        let used = bearer(request);
        let life = lives
            .iter()
            .find(|(number, _)| used == format!("minted-{number}"))
            .unwrap();
        if now.mono < life.1 { accepted() } else { unauthorized() }
    })
    .calls(4)
    .latency(SECOND / 5);
    let gateway = gateway().with_pace(Pace::per_minute(60));
    let report = driver.run(&mut deliver(&gateway, 30, driver.now()));
    assert_all_accepted(&report);
    // A second for each recipient; half a life of five seconds at the earliest, and at the latest when one is needed.
    let mints = mints(driver.requests());
    assert!((7..=12).contains(&mints.len()), "{mints:?}");
    assert!(
        gaps(&mints).iter().all(|gap| *gap >= Duration::from_millis(2500)),
        "{mints:?}"
    );
    let messages = driver.requests().iter().filter(|seen| !is_mint(&seen.request)).count();
    assert_eq!(messages, 30, "nothing was sent twice");
}

#[test]
fn fault_g2_a_thousand_deliveries_mint_once() {
    let mut service = Service::default();
    let mut driver = Driver::new(|request: &Request<_>, now| {
        if is_mint(request) {
            service.grant(3600, now)
        } else {
            service.take(request, now)
        }
    })
    .calls(2000)
    .latency(SECOND);
    let gateway = gateway();
    let now = driver.now();
    let mut deliveries: Vec<_> = (0..1000).map(|_| deliver(&gateway.clone(), 1, now)).collect();
    let reports = driver.run_all(&mut deliveries);
    reports.iter().for_each(assert_all_accepted);
    assert_eq!(mints(driver.requests()).len(), 1);
    assert_eq!(driver.requests().len(), 1001);
}

#[test]
fn fault_g3_a_refresh_that_fails_in_passing_leaves_the_old_token_in_use() {
    let mut service = Service::default();
    let mut asked = 0;
    let mut driver = Driver::new(|request: &Request<_>, now| {
        if !is_mint(request) {
            return service.take(request, now);
        }
        asked += 1;
        if asked == 1 {
            service.grant(600, now)
        } else {
            reply(503, &[], "")
        }
    });
    // One a second, for nine minutes and a half of the ten that the token lives.
    let gateway = gateway().with_pace(Pace::per_minute(60));
    let report = driver.run(&mut deliver(&gateway, 570, driver.now()));
    assert_all_accepted(&report);
    let mints = mints(driver.requests());
    assert!(
        mints[1] >= Duration::from_secs(600 - 225),
        "refreshed 225 seconds before the end: {mints:?}"
    );
    // Three tries from a second, then ten seconds at least before it is tried again.
    let gaps = gaps(&mints[1..]);
    assert!(gaps.len() > 30, "it goes on trying: {mints:?}");
    for (n, gap) in gaps.iter().enumerate() {
        let least = [1, 2, 10][n % 3] * SECOND;
        assert!(*gap >= least && *gap <= least + SECOND, "{gaps:?}");
    }
}

#[test]
fn fault_g4_a_failed_mint_is_not_remembered() {
    let mut minted = 0;
    let mut driver = Driver::new(|request: &Request<_>, _| {
        minted += usize::from(is_mint(request));
        match is_mint(request) {
            true if minted <= 3 => reply(503, &[], ""),
            true => granted(minted, 3600),
            false => accepted(),
        }
    });
    let gateway = gateway();
    let report = driver.run(&mut deliver(&gateway, 2, driver.now()));
    assert_eq!(mints(driver.requests()), [Duration::ZERO, SECOND, 3 * SECOND]);
    for failure in failures(&report) {
        assert_eq!(
            (failure.code(), failure.cause()),
            (&Code::NotAttempted, Some(&Code::Unavailable))
        );
        assert_eq!((failure.sent(), failure.attempts()), (Sent::NotSent, 0));
        assert!(failure.is_retriable());
    }
    assert_all_accepted(&driver.run(&mut deliver(&gateway, 2, driver.now())));
    assert_eq!(mints(driver.requests()).len(), 4);
}

#[test]
fn fault_g5_a_mint_refused_for_good_ends_all_who_wait_for_it_and_no_loop_begins() {
    let mut driver = Driver::new(|request: &Request<_>, _| {
        assert!(is_mint(request), "no message without a token");
        reply(400, &[], "invalid_grant")
    })
    .calls(100)
    .latency(SECOND / 10);
    let gateway = gateway();
    let now = driver.now();
    let mut deliveries: Vec<_> = (0..10).map(|_| deliver(&gateway, 2, now)).collect();
    for report in driver.run_all(&mut deliveries) {
        assert_eq!(report.len(), 2);
        for failure in failures(&report) {
            assert_eq!(
                (failure.code(), failure.cause()),
                (&Code::NotAttempted, Some(&Code::Unauthorized))
            );
            assert_eq!(failure.advice(), Advice::FixCredentials);
        }
    }
    assert_eq!(driver.requests().len(), 1);
}

#[test]
fn fault_g5_a_good_old_token_is_used_to_its_end_after_a_refresh_was_refused() {
    let mut service = Service::default();
    let mut driver = Driver::new(|request: &Request<_>, now| match is_mint(request) {
        true if service.minted == 0 => service.grant(600, now),
        true => reply(400, &[], "invalid_grant"),
        false => service.take(request, now),
    });
    let gateway = gateway().with_pace(Pace::per_minute(6));
    let report = driver.run(&mut deliver(&gateway, 90, driver.now()));
    // One in ten seconds while the token lives, from the first to the last.
    assert_eq!(report.accepted().count(), 61);
    assert_eq!(failures(&report).len(), 29);
    assert!(
        failures(&report)
            .iter()
            .all(|failure| failure.cause() == Some(&Code::Unauthorized))
    );
    let mints = mints(driver.requests());
    // The first, one in ten seconds for the last 225 of its life, and the last.
    assert!(mints.len() <= 1 + 23 + 1, "{mints:?}");
    assert!(gaps(&mints[1..]).iter().all(|gap| *gap >= 10 * SECOND), "{mints:?}");
    drop(driver);
    assert_eq!(service.refused, 0);
}

#[test]
fn fault_g6_whoever_goes_away_does_not_take_the_token_with_him() {
    let driver = Driver::new(|_: &Request<_>, _| accepted());
    let now = driver.now();
    let gateway = gateway();
    let [mut minter, mut waiter, mut gone] = [1, 2, 3].map(|recipients| deliver(&gateway, recipients, now));
    let Step::Send(mint) = minter.poll(now) else {
        panic!("a mint")
    };
    assert!(is_mint(&mint.request));
    for delivery in [&mut waiter, &mut gone] {
        let Step::Wait(Some(look)) = delivery.poll(now) else {
            panic!("a wait")
        };
        assert!(look <= SECOND / 20, "it looks again soon: {look:?}");
    }
    // One that waits goes away: the mint goes on for the other.
    drop(gone);
    let reply = http::Response::new("minted-1 3600");
    let later = now.after(SECOND);
    minter.handle(mint.ticket, Ok(reply), later);
    for delivery in [&mut minter, &mut waiter] {
        let Step::Send(call) = delivery.poll(later) else {
            panic!("a message")
        };
        assert_eq!(bearer(&call.request), "minted-1");
    }
}

#[test]
fn fault_g6_when_the_one_that_mints_goes_away_another_mints_at_once() {
    let driver = Driver::new(|_: &Request<_>, _| accepted());
    let now = driver.now();
    let gateway = gateway();
    let mut waiter = deliver(&gateway, 1, now);
    for cancel in [false, true] {
        let mut minter = deliver(&gateway, 1, now);
        let Step::Send(mint) = minter.poll(now) else {
            panic!("a mint")
        };
        assert!(matches!(waiter.poll(now), Step::Wait(_)));
        if cancel {
            minter.cancel();
            while !matches!(minter.poll(now), Step::Finish) {}
            drop(mint);
        } else {
            drop(minter);
        }
        let mut other = deliver(&gateway, 1, now);
        let Step::Send(mint) = other.poll(now) else {
            panic!("a mint, cancelled: {cancel}")
        };
        assert!(is_mint(&mint.request));
    }
}

#[test]
fn fault_g7_a_life_of_any_length_makes_no_loop_of_mints() {
    let day = 24 * HOUR;
    for (seconds, mints_after_half_a_day, mints_after_two) in [("1000000000000", 1, 2), ("soon", 1, 1)] {
        let mut minted = 0;
        let mut driver = Driver::new(|request: &Request<_>, _| {
            minted += usize::from(is_mint(request));
            if is_mint(request) {
                reply(200, &[], &format!("minted-{minted} {seconds}"))
            } else {
                accepted()
            }
        });
        let gateway = gateway();
        for (later, expected) in [
            (Duration::ZERO, 1),
            (day / 2, mints_after_half_a_day),
            (day + day / 2, mints_after_two),
        ] {
            driver.pass(later);
            assert_all_accepted(&driver.run(&mut deliver(&gateway, 5, driver.now())));
            assert_eq!(mints(driver.requests()).len(), expected, "{seconds}");
        }
    }
}

#[test]
fn fault_g7_a_life_of_nothing_is_enough_for_what_waits_and_makes_no_loop() {
    for latency in [Duration::ZERO, SECOND / 10, 3 * SECOND] {
        let mut minted = 0;
        let mut driver = Driver::new(|request: &Request<_>, _| {
            minted += usize::from(is_mint(request));
            if is_mint(request) {
                granted(minted, 0)
            } else {
                accepted()
            }
        })
        .latency(latency);
        // All at once; then with another gate, one a second for twenty seconds.
        assert_all_accepted(&driver.run(&mut deliver(&gateway(), 5, driver.now())));
        let before = driver.requests().len();
        let slowly = gateway().with_pace(Pace::per_minute(60));
        assert_all_accepted(&driver.run(&mut deliver(&slowly, 20, driver.now())));
        let mints = mints(&driver.requests()[before..]);
        assert!(gaps(&mints).iter().all(|gap| *gap >= SECOND), "{mints:?}");
    }
}

#[test]
fn fault_g8_a_token_endpoint_that_answers_nonsense_ends_the_delivery_with_a_failure() {
    for (answer, cause) in [
        (reply(200, &[], "<html></html>"), Code::Unreadable),
        (reply(200, &[], ""), Code::Unreadable),
        (reply(429, &[("retry-after", "7200")], ""), Code::QuotaExceeded),
    ] {
        let mut answer = Some(answer);
        let mut driver = Driver::new(move |_: &Request<_>, _| answer.take().expect("one mint"));
        let report = driver.run(&mut deliver(&gateway(), 1, driver.now()));
        let failures = failures(&report);
        assert_eq!(
            (failures[0].code(), failures[0].cause()),
            (&Code::NotAttempted, Some(&cause))
        );
        assert!(driver.idle().is_zero());
    }
}

#[test]
fn fault_g8_a_token_endpoint_that_is_busy_is_left_alone_for_as_long_as_it_says() {
    let mut asked = 0;
    let mut driver = Driver::new(|request: &Request<_>, _| {
        asked += usize::from(is_mint(request));
        match is_mint(request) {
            true if asked == 1 => reply(429, &[("retry-after", "20")], ""),
            true => granted(asked, 3600),
            false => accepted(),
        }
    });
    assert_all_accepted(&driver.run(&mut deliver(&gateway(), 1, driver.now())));
    assert_eq!(mints(driver.requests()), [Duration::ZERO, 20 * SECOND]);
}

#[test]
fn fault_g8_a_token_endpoint_that_hangs_is_asked_again_after_half_a_minute() {
    let mut asked = 0;
    let mut driver = Driver::new(|request: &Request<_>, _| {
        asked += usize::from(is_mint(request));
        match is_mint(request) {
            true if asked == 1 => None,
            true => granted(asked, 3600),
            false => accepted(),
        }
    });
    assert_all_accepted(&driver.run(&mut deliver(&gateway(), 1, driver.now())));
    assert_eq!(mints(driver.requests()), [Duration::ZERO, 30 * SECOND]);
    // For ever: it ends all the same.
    let mut driver = Driver::new(|_: &Request<_>, _| None);
    let report = driver.run(&mut deliver(&gateway(), 1, driver.now()));
    assert_eq!(failures(&report)[0].code(), &Code::NotAttempted);
    assert_eq!(mints(driver.requests()).len(), 20, "ten minutes of half a minute each");
}

#[test]
fn fault_g9_a_wall_clock_that_jumps_changes_no_life() {
    let mut service = Service::default();
    let mut driver = Driver::new(|request: &Request<_>, now| {
        if is_mint(request) {
            service.grant(3600, now)
        } else {
            service.take(request, now)
        }
    });
    let gateway = gateway();
    let wall = driver.now().wall;
    for jumped in [wall, wall + 2 * HOUR, wall - 2 * HOUR, SystemTime::UNIX_EPOCH] {
        driver.set_wall(jumped);
        assert_all_accepted(&driver.run(&mut deliver(&gateway, 2, driver.now())));
        driver.pass(SECOND);
    }
    assert_eq!(mints(driver.requests()).len(), 1);
}

#[test]
fn fault_g11_a_machine_that_slept_finds_its_token_dead_and_mints() {
    // The clock stood still, the service's did not.
    let mut slept = false;
    let mut minted = 0;
    let gateway = gateway();
    for sleeps in [false, true] {
        slept |= sleeps;
        let mut driver = Driver::new(|request: &Request<_>, _| {
            minted += usize::from(is_mint(request));
            match is_mint(request) {
                true => granted(minted, 3600),
                false if slept && bearer(request) == "minted-1" => unauthorized(),
                false => accepted(),
            }
        });
        assert_all_accepted(&driver.run(&mut deliver(&gateway, 3, driver.now())));
    }
    assert_eq!(minted, 2);
}

#[test]
fn fault_g12_a_hundred_401s_in_the_air_are_one_refresh() {
    let mut service = Service::default();
    let mut driver = Driver::new(|request: &Request<_>, now| match is_mint(request) {
        true => service.grant(3600, now),
        false if bearer(request) == "minted-1" => unauthorized(),
        false => service.take(request, now),
    })
    .calls(200)
    .latency(SECOND / 10);
    let gateway = gateway();
    let now = driver.now();
    let mut deliveries = vec![deliver(&gateway, 60, now), deliver(&gateway, 40, now)];
    for report in driver.run_all(&mut deliveries) {
        assert_all_accepted(&report);
    }
    assert_eq!(mints(driver.requests()).len(), 2);
    assert_eq!(driver.requests().len(), 2 + 100 + 100);
}

#[test]
fn fault_g13_a_key_that_was_rotated_is_found_at_the_next_mint() {
    let credential = MadeUp::named("old key");
    let name = Arc::clone(&credential.name);
    let gateway = Gateway::plaintext(Route::without_key(ENDPOINT.parse().unwrap())).with_credential(credential);
    let mut asked = Vec::new();
    let mut driver = Driver::new(|request: &Request<_>, _| {
        if is_mint(request) {
            asked.push(String::from_utf8(request.body().clone()).unwrap());
            return granted(asked.len(), 3600);
        }
        match bearer(request) {
            // The old key is revoked while its token is in use.
            "minted-1" => {
                *name.lock().unwrap() = "new key";
                unauthorized()
            }
            _ => accepted(),
        }
    });
    assert_all_accepted(&driver.run(&mut deliver(&gateway, 2, driver.now())));
    drop(driver);
    assert_eq!(asked, ["old key", "new key"]);
}

#[test]
fn fault_g14_no_policy_spins_and_none_overflows() {
    let busy = || reply(503, &[("retry-after", "0")], "");
    let mut nothing = RetryPolicy::LEGACY;
    (nothing.initial, nothing.max, nothing.rate_limit_initial) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    nothing.replay_delay = Duration::ZERO;
    let mut endless = RetryPolicy::LEGACY;
    (endless.initial, endless.max, endless.give_up_after) = (Duration::MAX, Duration::MAX, Duration::MAX);
    endless.retry_after_cap = Duration::MAX;
    for (policy, requests) in [(nothing, 5), (endless, 1)] {
        let mut driver = Driver::new(|_: &Request<_>, _| busy());
        let gateway = Gateway::plaintext(crate::common::route()).with_policy(policy);
        let prepared = gateway.prepare(&message()).unwrap();
        let report = driver.run(&mut prepared.deliver(tokens(&["A"]), driver.now(), 7));
        assert_eq!(driver.requests().len(), requests);
        assert!(failures(&report)[0].is_retriable());
    }
}
