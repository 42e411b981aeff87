//! Faults of the mint: a refused token, a refused or lost mint, and those who wait for one.

use crate::common::ENDPOINT;
use crate::credentials::{
    MadeUp, SECOND, Service, accepted, assert_all_accepted, bearer, deliver, failures, gateway, granted, is_mint,
    mints, unauthorized,
};
use gcm_proto::{Advice, Code, Gateway, Sent, Step, TransportError, legacy};
use gcm_testkit::Driver;
use gcm_testkit::replies::reply;
use http::Request;
use std::sync::Arc;
use std::time::Duration;

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
    // Whoever is ready already goes before the one that was refused: each token was refused for another recipient.
    let [first, second, untried] = &failures(&report)[..] else {
        panic!("three failures")
    };
    for refused in [first, second] {
        assert_eq!((refused.code(), refused.attempts()), (&Code::Unauthorized, 1));
    }
    assert_eq!(
        (untried.code(), untried.cause()),
        (&Code::NotAttempted, Some(&Code::Unauthorized))
    );
    assert!(
        failures(&report)
            .iter()
            .all(|failure| failure.advice() == Advice::FixCredentials)
    );
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
fn fault_g4_a_failed_mint_is_not_remembered() {
    let mut minted = 0;
    let mut driver = Driver::new(|request: &Request<_>, _| {
        minted += usize::from(is_mint(request));
        match is_mint(request) {
            // A page that stays for twenty-four mints, which take twelve minutes, and one that comes again later.
            true if minted <= 24 || minted == 26 => reply(503, &[], ""),
            true => granted(minted, 3600),
            false => accepted(),
        }
    });
    let gateway = gateway();
    let report = driver.run(&mut deliver(&gateway, 2, driver.now()));
    for failure in failures(&report) {
        assert_eq!(
            (failure.code(), failure.cause()),
            (&Code::NotAttempted, Some(&Code::Unavailable))
        );
        assert_eq!((failure.sent(), failure.attempts()), (Sent::NotSent, 0));
        assert!(failure.is_retriable());
    }
    assert_eq!(failures(&report).len(), 2);
    // Whoever comes later is patient anew, and waits for what is left of the last wait at most.
    let before = driver.requests().len();
    assert_all_accepted(&driver.run(&mut deliver(&gateway, 2, driver.now())));
    let later = mints(&driver.requests()[before..]);
    assert_eq!(before + later.len(), 25, "{later:?}");
    // A mint that went well ends the row of those that failed: the next wait is a second again.
    driver.pass(3600 * SECOND);
    let before = driver.requests().len();
    assert_all_accepted(&driver.run(&mut deliver(&gateway, 2, driver.now())));
    let [first, second] = mints(&driver.requests()[before..])[..] else {
        panic!("two mints")
    };
    assert!(
        first.is_zero() && second >= SECOND && second <= SECOND + SECOND / 10,
        "{second:?}"
    );
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
fn fault_g6_when_the_one_that_mints_is_dropped_or_cancelled_another_mints_at_once() {
    let driver = Driver::new(|_: &Request<_>, _| accepted());
    let now = driver.now();
    for cancel in [false, true] {
        let gateway = gateway();
        let mut waiter = deliver(&gateway, 1, now);
        let mut minter = deliver(&gateway, 1, now);
        let Step::Send(mint) = minter.poll(now) else {
            panic!("a mint")
        };
        assert!(matches!(waiter.poll(now), Step::Wait(_)));
        drop(mint);
        if cancel {
            // It may be kept for its outcomes, and nobody waits for that.
            minter.cancel();
        } else {
            drop(minter);
        }
        let Step::Send(mint) = waiter.poll(now) else {
            panic!("a mint, cancelled: {cancel}")
        };
        assert!(is_mint(&mint.request));
    }
}

#[test]
fn fault_g8_a_token_endpoint_that_is_final_ends_the_delivery_with_a_failure() {
    let mut answer = Some(reply(400, &[], r#"{"error":"invalid_grant"}"#));
    let mut driver = Driver::new(move |_: &Request<_>, _| answer.take().expect("one mint"));
    let report = driver.run(&mut deliver(&gateway(), 1, driver.now()));
    let failures = failures(&report);
    assert_eq!(
        (failures[0].code(), failures[0].cause()),
        (&Code::NotAttempted, Some(&Code::Unauthorized))
    );
    assert!(driver.idle().is_zero());
}

#[test]
fn fault_g8_a_certificate_refused_once_ends_a_delivery_only_where_nothing_has_worked() {
    for proven in [false, true] {
        let mut asked = 0;
        let mut driver = Driver::new(|request: &Request<_>, _| {
            asked += usize::from(is_mint(request));
            match is_mint(request) {
                true if asked == 1 + usize::from(proven) => {
                    let refused = TransportError::not_sent("the certificate was refused");
                    Some(Err(refused.permanent()))
                }
                true => granted(asked, 3600),
                false => accepted(),
            }
        });
        let gateway = gateway();
        if proven {
            assert_all_accepted(&driver.run(&mut deliver(&gateway, 1, driver.now())));
            driver.pass(3600 * SECOND);
        }
        let report = driver.run(&mut deliver(&gateway, 2, driver.now()));
        if proven {
            assert_all_accepted(&report);
            let wait = driver.requests()[3].after;
            assert!(wait >= SECOND && wait <= SECOND + SECOND / 10, "{wait:?}");
        } else {
            assert_eq!(failures(&report)[0].cause(), Some(&Code::Unreachable));
            assert_eq!(failures(&report)[0].advice(), Advice::FixCredentials);
            assert!(driver.idle().is_zero());
        }
    }
}

#[test]
fn fault_g8_whoever_is_not_sent_to_for_a_busy_token_endpoint_is_told_how_long_it_is_busy() {
    // Longer than the ten minutes of patience, and longer than any that is waited for: an hour.
    for (asked, seconds) in [("602", 602), ("7200", 3600)] {
        let mut driver = Driver::new(move |_: &Request<_>, _| reply(429, &[("retry-after", asked)], ""));
        let report = driver.run(&mut deliver(&gateway(), 2, driver.now()));
        assert_eq!(mints(driver.requests()).len(), 1, "it is left alone");
        assert_eq!(driver.idle(), 601 * SECOND, "all the patience there is, and a second");
        for failure in failures(&report) {
            assert_eq!(failure.cause(), Some(&Code::QuotaExceeded));
            assert_eq!(failure.advice(), Advice::Retry(Some(Duration::from_secs(seconds))));
        }
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
fn fault_g8_a_token_endpoint_that_hangs_is_asked_again_after_ten_seconds() {
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
    assert_eq!(mints(driver.requests()), [Duration::ZERO, 10 * SECOND]);
    // For ever: it ends all the same.
    let mut driver = Driver::new(|_: &Request<_>, _| None);
    let report = driver.run(&mut deliver(&gateway(), 1, driver.now()));
    let failures = failures(&report);
    assert_eq!(failures[0].code(), &Code::NotAttempted);
    // The first is found without an answer after ten seconds; from there ten minutes of patience, of ten seconds each.
    assert_eq!(mints(driver.requests()).len(), 1 + 61);
    let said =
        "NotAttempted because of Connection, not sent: no access token from accounts.example.org: no answer in time";
    assert_eq!(failures[0].to_string(), said);
    assert_eq!(failures[0].advice(), Advice::Retry(None));
}

#[test]
fn fault_g8_those_who_wait_for_a_token_until_their_time_is_over_say_so() {
    let gateway = gateway();
    let mut driver = Driver::new(|_: &Request<_>, _| None);
    let now = driver.now();
    let mut deliveries: Vec<_> = (0..3).map(|_| deliver(&gateway, 2, now)).collect();
    for report in driver.run_all(&mut deliveries) {
        let failures = failures(&report);
        assert_eq!(failures.len(), 2);
        for failure in failures {
            assert_eq!(
                (failure.code(), failure.cause()),
                (&Code::NotAttempted, Some(&Code::Connection))
            );
            let detail = failure.message().unwrap();
            assert!(detail.starts_with("no access token"), "{detail}");
        }
    }
}

#[test]
fn fault_g8_a_message_that_expires_before_there_is_a_token_says_so_of_each_recipient() {
    let mut minted = 0;
    let mut driver = Driver::new(|request: &Request<_>, _| {
        assert!(is_mint(request), "no message without a token");
        minted += 1;
        reply(503, &[("retry-after", "300")], "")
    });
    let gateway = gateway().with_window(1);
    let targets = ["t0", "t1", "t2"].map(crate::common::token);
    let prepared = gateway.prepare(&crate::common::message()).unwrap();
    let mut delivery = prepared.expires_after(60 * SECOND).deliver(targets, driver.now(), 7);
    let report = driver.run(&mut delivery);
    let failures = failures(&report);
    assert_eq!(failures.len(), 3);
    for failure in failures {
        assert_eq!(
            (failure.code(), failure.cause()),
            (&Code::Expired, Some(&Code::Unavailable))
        );
        assert_eq!((failure.sent(), failure.advice()), (Sent::NotSent, Advice::Keep));
        let detail = failure.message().unwrap();
        assert!(
            detail.starts_with("no access token from accounts.example.org"),
            "{detail}"
        );
    }
    assert_eq!(minted, 1);
}

#[test]
fn a_token_that_came_is_no_excuse_for_what_was_not_sent_after_it() {
    let driver = Driver::new(|_: &Request<_>, _| accepted());
    let now = driver.now();
    let gateway = gateway();
    let mut delivery = gateway
        .prepare(&crate::common::message())
        .unwrap()
        .expires_after(60 * SECOND)
        .deliver([crate::common::token("t0")], now, 7);
    let Step::Send(mint) = delivery.poll(now) else {
        panic!("a mint")
    };
    delivery.handle(mint.ticket, Ok(http::Response::new("minted-1 3600")), now);
    let Step::Settle(done) = delivery.poll(now.after(60 * SECOND)) else {
        panic!("an outcome")
    };
    let failure = done.outcome.failure().unwrap();
    assert_eq!((failure.code(), failure.message()), (&Code::Expired, None));
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
    let gateway =
        Gateway::legacy_plaintext(legacy::Route::without_key(ENDPOINT.parse().unwrap())).with_credential(credential);
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
