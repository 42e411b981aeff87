//! Faults of an access token that lives: its end, its refresh, clocks that jump or stand still.

use crate::common::ENDPOINT;
use crate::credentials::{
    HOUR, SECOND, Service, accepted, assert_all_accepted, bearer, deliver, failures, gaps, gateway, granted, is_mint,
    mints, unauthorized,
};
use gcm_proto::{AccessToken, Advice, Code, Gateway, Now, Pace, TokenResponse, legacy};
use gcm_testkit::Driver;
use gcm_testkit::replies::reply;
use http::Request;
use std::time::{Duration, SystemTime};

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
    // A second doubled to thirty, a tenth more at most, and then the next message is due within a second.
    let waits = [1, 2, 4, 8, 16]
        .into_iter()
        .chain(std::iter::repeat(30))
        .map(|seconds| seconds * SECOND);
    let gaps = gaps(&mints[1..]);
    for (gap, wait) in gaps.iter().zip(waits) {
        assert!(*gap >= wait && *gap <= wait + wait / 10 + SECOND, "{gaps:?}");
    }
    assert!(
        mints[mints.len() - 1] > Duration::from_secs(570 - 35),
        "it goes on trying: {mints:?}"
    );
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
fn fault_g11_a_token_that_was_good_for_a_dead_device_is_good() {
    let gateway = gateway();
    let mut minted = 0;
    // It sleeps before the first message and before the last. Nobody is accepted in between: the one device is dead.
    for (newest, answer) in [(2, reply(200, &[], "Error=NotRegistered")), (3, accepted())] {
        let mut answer = Some(answer);
        let mut driver = Driver::new(|request: &Request<_>, _| {
            minted += usize::from(is_mint(request));
            match is_mint(request) {
                true => granted(minted, 3600),
                false if bearer(request) == format!("minted-{newest}") => answer.take().unwrap(),
                false => unauthorized(),
            }
        });
        let report = driver.run(&mut deliver(&gateway, 1, driver.now()));
        let settled = report.iter().next().unwrap();
        let code = settled.outcome.failure().map(gcm_proto::Failure::code);
        assert_ne!(code, Some(&Code::Unauthorized), "minted-{newest}");
    }
    assert_eq!(minted, 3);
}

#[test]
fn a_token_that_was_handed_in_is_used_while_it_lives() {
    let gateway = Gateway::legacy_plaintext(legacy::Route::without_key(ENDPOINT.parse().unwrap()));
    let mut driver = Driver::new(|request: &Request<_>, _| match request.headers().get("authorization") {
        Some(_) => accepted(),
        None => unauthorized(),
    });
    let token = AccessToken::try_from("ya29.elsewhere").unwrap();
    gateway.set_access_token(TokenResponse::new(token, Some(600 * SECOND)), driver.now());
    assert_all_accepted(&driver.run(&mut deliver(&gateway, 2, driver.now())));
    assert_eq!(bearer(&driver.requests()[1].request), "ya29.elsewhere");
    driver.pass(600 * SECOND);
    // Once something has worked, a 401 is tried again as a 5xx is: another token may be handed in meanwhile.
    let report = driver.run(&mut deliver(&gateway, 1, driver.now()));
    let failure = failures(&report)[0];
    assert_eq!((failure.code(), failure.attempts()), (&Code::Unauthorized, 5));
    assert!(matches!(failure.advice(), Advice::Retry(_)));
    assert_eq!(driver.requests().len(), 2 + 5);
}
