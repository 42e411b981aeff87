//! What the machine does where its parts meet; the laws and the scenarios are tested from outside.

#![allow(clippy::unnecessary_wraps)] // responses are handed in as a transport has them

use super::{Delivery, Step, Ticket};
use crate::outcome::{Advice, Code, Outcome, Sent, Settled};
use crate::{
    AccessToken, AuthorizedUser, Credential, Duplicates, Gateway, Message, Now, RetryPolicy, Service, Token,
    TokenResponse, TokenSource, TransportError, legacy, v1,
};
use http::Response;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

const SECOND: Duration = Duration::from_secs(1);

fn now(seconds: u64) -> Now {
    Now {
        mono: Duration::from_secs(seconds),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds),
    }
}

fn gateway() -> Gateway {
    Gateway::legacy_json(legacy::Route::new(
        "https://push.example.org/gcm/send".parse().unwrap(),
        "AAAA-key".parse().unwrap(),
    ))
}

fn deliver(gateway: &Gateway, tokens: &[&str]) -> Delivery {
    let tokens: Vec<Token> = tokens.iter().map(|token| Token::try_from(*token).unwrap()).collect();
    let message = Message::builder().build().unwrap();
    gateway.prepare(&message).unwrap().deliver(tokens, now(0), 7)
}

/// The next request: its ticket and the tokens in it.
fn sent(delivery: &mut Delivery, at: Now) -> (Ticket, Vec<String>) {
    match delivery.poll(at) {
        Step::Send(call) => {
            let body: serde_json::Value = serde_json::from_slice(call.request.body()).unwrap();
            let ids = body["registration_ids"].as_array().unwrap();
            (
                call.ticket,
                ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect(),
            )
        }
        other => panic!("no request but {other:?}"),
    }
}

fn settled(delivery: &mut Delivery, at: Now) -> Settled {
    match delivery.poll(at) {
        Step::Settle(done) => done,
        other => panic!("no outcome but {other:?}"),
    }
}

fn waits(delivery: &mut Delivery, at: Now) -> Duration {
    match delivery.poll(at) {
        Step::Wait(Some(delay)) => delay,
        other => panic!("no wait but {other:?}"),
    }
}

fn status(code: u16) -> Result<Response<&'static str>, TransportError> {
    Ok(Response::builder().status(code).body("").unwrap())
}

fn results(items: &[&str]) -> Result<Response<String>, TransportError> {
    Ok(Response::new(format!("{{\"results\":[{}]}}", items.join(","))))
}

#[test]
fn what_was_not_sent_is_replayed_as_long_as_there_is_time_and_costs_no_attempt() {
    let mut delivery = deliver(&gateway(), &["A"]);
    let mut at = now(0);
    let mut sends = 0;
    let failure = loop {
        match delivery.poll(at) {
            Step::Send(call) => {
                sends += 1;
                delivery.handle::<Vec<u8>>(call.ticket, Err(TransportError::not_sent("refused")), at);
            }
            Step::Wait(delay) => at = at.after(delay.unwrap()),
            Step::Settle(done) => break done.outcome.failure().unwrap().clone(),
            Step::Finish => panic!("no outcome"),
        }
    };
    // 0.1 s doubling to 5 s, half as much again at most: ten minutes have room for 80 to 130.
    assert!((80..=130).contains(&sends), "{sends}");
    assert_eq!(
        (failure.attempts(), failure.unsent(), failure.sent()),
        (0, sends, Sent::NotSent)
    );
    // Nothing went well for ten minutes; what is found over is acted on a second later.
    let took = at.mono.as_secs();
    assert!((600..=607).contains(&took), "{took}");
    assert_eq!(failure.advice(), Advice::Retry(None));
}

#[test]
fn replays_can_be_limited() {
    let mut policy = RetryPolicy::LEGACY;
    policy.replays = 2;
    let mut delivery = deliver(&gateway().with_policy(policy), &["A"]);
    let mut at = now(0);
    for _ in 0..3 {
        let (ticket, _) = sent(&mut delivery, at);
        delivery.handle::<Vec<u8>>(ticket, Err(TransportError::not_sent("refused")), at);
        at = at.after(SECOND);
    }
    let failure = settled(&mut delivery, at).outcome.failure().unwrap().clone();
    assert_eq!(
        (failure.attempts(), failure.unsent(), failure.sent()),
        (0, 3, Sent::NotSent)
    );
}

#[test]
fn a_lost_ticket_ends_ten_minutes_after_it_left_and_frees_its_place() {
    let mut delivery = deliver(&gateway(), &["A"]);
    let (ticket, _) = sent(&mut delivery, now(0));
    drop(ticket);
    assert_eq!(waits(&mut delivery, now(0)), Duration::from_secs(600));
    // After a sleep its response might wait in a socket.
    assert_eq!(waits(&mut delivery, now(600)), SECOND);
    assert_eq!(delivery.in_flight.len(), 1);
    let failure = settled(&mut delivery, now(601)).outcome.failure().unwrap().clone();
    assert_eq!((failure.code(), failure.sent()), (&Code::Connection, Sent::MaybeSent));
    assert_eq!(delivery.in_flight.len(), 0);
    assert!(matches!(delivery.poll(now(601)), Step::Finish));
}

#[test]
fn a_flight_is_not_cut_short_by_the_time_of_its_recipients() {
    let mut policy = RetryPolicy::LEGACY;
    policy.give_up_after = 10 * SECOND;
    let mut delivery = deliver(&gateway().with_policy(policy), &["A"]);
    let (ticket, _) = sent(&mut delivery, now(0));
    delivery.handle(ticket, status(503), now(0));
    let second = now(0).after(waits(&mut delivery, now(0)));
    let (ticket, _) = sent(&mut delivery, second);
    // Its time was over at 10 s; the request left at about 1 s, and its ticket is taken for lost a second after 11.
    assert!(matches!(delivery.poll(now(11)), Step::Wait(_)));
    delivery.handle(ticket, results(&["{\"message_id\":\"1\"}"]), now(11));
    assert!(settled(&mut delivery, now(11)).outcome.accepted().is_some());
}

#[test]
fn a_deadline_that_was_found_over_and_settled_leaves_no_wait_of_nothing() {
    let unavailable = |seconds: u64| {
        Ok(Response::builder()
            .status(503)
            .header("retry-after", seconds)
            .body("")
            .unwrap())
    };
    let mut policy = RetryPolicy::LEGACY;
    policy.give_up_after = 20 * SECOND;
    let gateway = gateway().with_batch(1).with_policy(policy);
    let message = Message::builder().build().unwrap();
    let mut delivery = gateway.prepare(&message).unwrap().open(now(0), 7);
    delivery.push(Token::try_from("A").unwrap(), now(0)).unwrap();
    let (ticket, _) = sent(&mut delivery, now(0));
    delivery.handle(ticket, unavailable(15), now(0));
    delivery.push(Token::try_from("B").unwrap(), now(10)).unwrap();
    let (other, tokens) = sent(&mut delivery, now(10));
    assert_eq!(tokens, ["B"]);
    // A's time is found over, after a sleep perhaps, and it leaves all the same, with a good end.
    let (ticket, tokens) = sent(&mut delivery, now(20));
    assert_eq!(tokens, ["A"]);
    delivery.handle(ticket, results(&["{\"message_id\":\"1\"}"]), now(20));
    assert!(settled(&mut delivery, now(20)).outcome.accepted().is_some());
    delivery.handle(other, unavailable(5), now(20));
    assert!(waits(&mut delivery, now(22)) > 2 * SECOND, "B is due after 25");
}

#[test]
fn whoever_is_pushed_after_an_ending_gets_its_outcome_at_once() {
    let message = Message::builder().build().unwrap();
    let mut delivery = gateway().prepare(&message).unwrap().open(now(0), 7);
    delivery.stop();
    assert_eq!(delivery.room(), 0);
    let position = delivery.push(Token::try_from("late").unwrap(), now(0)).unwrap();
    let done = settled(&mut delivery, now(0));
    assert_eq!(done.position, position);
    assert_eq!(done.outcome.advice(), Advice::Retry(None));
    assert!(matches!(delivery.poll(now(0)), Step::Finish));
}

#[test]
fn a_backoff_that_would_end_after_the_deadline_is_not_begun() {
    let mut policy = RetryPolicy::LEGACY;
    policy.give_up_after = Duration::from_secs(1);
    policy.initial = Duration::from_secs(4);
    let mut delivery = deliver(&gateway().with_policy(policy), &["A"]);
    let (ticket, _) = sent(&mut delivery, now(0));
    delivery.handle(ticket, status(503), now(0));
    let done = settled(&mut delivery, now(0));
    assert!(matches!(done.outcome.advice(), Advice::Retry(Some(delay)) if delay >= 2 * SECOND));
}

#[test]
fn those_who_failed_together_stay_together() {
    let mut delivery = deliver(&gateway().with_batch(3), &["A", "B", "C", "D", "E", "F", "G"]);
    let (first, tokens) = sent(&mut delivery, now(0));
    assert_eq!(tokens, ["A", "B", "C"]);
    let (second, tokens) = sent(&mut delivery, now(0));
    assert_eq!(tokens, ["D", "E", "F"]);
    let unavailable = "{\"error\":\"Unavailable\"}";
    let ok = "{\"message_id\":\"1\"}";
    delivery.handle(first, results(&[unavailable, ok, unavailable]), now(0));
    delivery.handle(second, results(&[unavailable, unavailable, ok]), now(0));
    for _ in 0..2 {
        settled(&mut delivery, now(0));
    }
    let (_, tokens) = sent(&mut delivery, now(0));
    assert_eq!(tokens, ["G"]);
    // Both groups are due; three fit, and the second group is not cut for it.
    let (_, tokens) = sent(&mut delivery, now(5));
    assert_eq!(tokens.len(), 2);
    let (_, other) = sent(&mut delivery, now(5));
    let mut groups = [tokens, other];
    groups.sort();
    assert_eq!(groups, [["A", "C"], ["D", "E"]]);
}

#[test]
fn what_was_not_sent_and_what_a_limit_refused_is_tried_again_for_nothing() {
    let tries_again = |response: fn() -> Result<Response<&'static str>, TransportError>| {
        let mut delivery = deliver(&gateway(), &["A"]);
        let (ticket, _) = sent(&mut delivery, now(0));
        delivery.handle(ticket, response(), now(0));
        let at = now(0).after(waits(&mut delivery, now(0)));
        let (ticket, _) = sent(&mut delivery, at);
        drop(ticket);
        delivery.progress().retries_left
    };
    assert_eq!(tries_again(|| status(503)), 999, "a retry");
    assert_eq!(tries_again(|| Err(TransportError::not_sent("refused"))), 1000);
    assert_eq!(tries_again(|| status(429)), 1000);
}

#[test]
fn a_retry_whose_time_is_half_over_passes_before_those_not_tried() {
    for (asked, next) in [(310, "A"), (290, "B")] {
        let message = Message::builder().build().unwrap();
        let mut delivery = gateway().with_batch(1).prepare(&message).unwrap().open(now(0), 7);
        for token in ["A", "B", "C"] {
            delivery.push(Token::try_from(token).unwrap(), now(0)).unwrap();
        }
        let (ticket, tokens) = sent(&mut delivery, now(0));
        assert_eq!(tokens, ["A"]);
        let response = Response::builder().status(503).header("retry-after", asked);
        delivery.handle(ticket, Ok(response.body("").unwrap()), now(0));
        let (_ticket, tokens) = sent(&mut delivery, now(asked + 2));
        assert_eq!(tokens, [next], "after {asked} s of 600");
    }
}

#[test]
fn a_probe_is_nobodys_last_attempt_while_another_may_go() {
    let mut policy = RetryPolicy::LEGACY;
    policy.attempts = 2;
    policy.initial = Duration::from_millis(10);
    let gateway = gateway().with_batch(1).with_policy(policy);
    let names = ["A", "B", "C", "D", "E", "F", "G", "H", "I"];
    let mut delivery = deliver(&gateway, &names);
    let tickets: Vec<Ticket> = (0..8).map(|_| sent(&mut delivery, now(0)).0).collect();
    for ticket in tickets {
        delivery.handle(ticket, status(503), now(0));
    }
    // An outage. Whoever was tried has one attempt left, and is ready.
    let (ticket, tokens) = sent(&mut delivery, now(1));
    assert_eq!(tokens, ["I"]);
    delivery.handle(ticket, status(503), now(1));
    let (_ticket, tokens) = sent(&mut delivery, now(3));
    assert_eq!(tokens.len(), 1, "nobody has more than one left: one of them goes");
}

#[test]
fn a_probe_has_one_recipient() {
    let names: Vec<String> = (0..20).map(|n| format!("t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut delivery = deliver(&gateway().with_batch(2), &names);
    for _ in 0..8 {
        let (ticket, tokens) = sent(&mut delivery, now(0));
        assert_eq!(tokens.len(), 2);
        delivery.handle(ticket, status(503), now(0));
    }
    let (_ticket, tokens) = sent(&mut delivery, now(2));
    assert_eq!(tokens.len(), 1);
}

#[test]
fn what_a_peer_gives_back_once_is_no_outage() {
    let names: Vec<String> = (0..12).map(|n| format!("t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut delivery = deliver(&gateway().with_batch(1), &names);
    for _ in 0..12 {
        let (ticket, _) = sent(&mut delivery, now(0));
        delivery.handle::<Vec<u8>>(ticket, Err(TransportError::given_back("GOAWAY")), now(0));
    }
    assert_eq!(delivery.progress().service, Service::Up);
}

#[test]
fn what_may_have_been_sent_is_not_sent_again_where_duplicates_are_avoided() {
    let mut policy = RetryPolicy::LEGACY;
    policy.duplicates = Duplicates::Avoid;
    let mut delivery = deliver(&gateway().with_policy(policy), &["A"]);
    let (ticket, _) = sent(&mut delivery, now(0));
    delivery.handle(ticket, status(503), now(0));
    let failure = settled(&mut delivery, now(0)).outcome.failure().unwrap().clone();
    assert_eq!((failure.code(), failure.attempts()), (&Code::Unavailable, 1));
}

#[test]
fn a_delivery_that_is_dropped_gives_back_its_places_and_its_turn() {
    let gateway = gateway().with_batch(1);
    let names: Vec<String> = (0..40).map(|n| format!("t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut dropped = deliver(&gateway, &names);
    let tickets: Vec<Ticket> = (0..40).map(|_| sent(&mut dropped, now(0)).0).collect();
    drop((dropped, tickets));

    // With these in flight still, eight of a row were too few.
    let mut delivery = deliver(&gateway, &names[..8]);
    for _ in 0..8 {
        let (ticket, _) = sent(&mut delivery, now(0));
        delivery.handle(ticket, status(503), now(0));
    }
    assert!(matches!(delivery.progress().service, Service::Down { .. }));

    let mut prober = deliver(&gateway, &["A"]);
    let (_ticket, _) = sent(&mut prober, now(2));
    waits(&mut delivery, now(2));
    drop(prober);
    let _ = sent(&mut delivery, now(2));
}

#[test]
fn a_part_batch_lingers_while_others_fly_and_company_may_come() {
    let message = Message::builder().build().unwrap();
    let mut delivery = gateway().with_batch(2).prepare(&message).unwrap().open(now(0), 7);
    for token in ["A", "B", "C"] {
        delivery.push(Token::try_from(token).unwrap(), now(0)).unwrap();
    }
    let (_in_the_air, tokens) = sent(&mut delivery, now(0));
    assert_eq!(tokens, ["A", "B"]);
    assert_eq!(waits(&mut delivery, now(0)), Gateway::LINGER);
    let (_, tokens) = sent(&mut delivery, now(0).after(Gateway::LINGER));
    assert_eq!(tokens, ["C"]);
}

#[test]
fn a_project_verdict_settles_all_with_its_cause_and_blames_no_token() {
    let mut delivery = deliver(&gateway().with_batch(1), &["A", "B", "C"]);
    let (ticket, _) = sent(&mut delivery, now(0));
    let (in_flight, _) = sent(&mut delivery, now(0));
    delivery.handle(ticket, status(404), now(0));
    // What is in flight may show that the project is good: nothing new leaves until it has landed.
    assert!(matches!(delivery.poll(now(0)), Step::Wait(_)));
    delivery.handle(in_flight, status(503), now(0));
    let outcomes: Vec<_> = (0..3).map(|_| settled(&mut delivery, now(0))).collect();
    assert_eq!(outcomes[0].outcome.advice(), Advice::ServiceGone);
    assert!(matches!(outcomes[1].outcome.advice(), Advice::Retry(_)));
    let untried = &outcomes[2];
    let failure = untried.outcome.failure().unwrap();
    assert_eq!((untried.position.get(), failure.code()), (2, &Code::NotAttempted));
    assert_eq!((failure.cause(), failure.attempts()), (Some(&Code::EndpointGone), 0));
    assert_eq!(untried.outcome.advice(), Advice::ServiceGone);
    assert!(matches!(delivery.poll(now(0)), Step::Finish));
}

#[test]
fn a_project_verdict_against_what_is_accepted_halts_nobody() {
    let mut delivery = deliver(&gateway().with_batch(1), &["A", "B", "C"]);
    let (ticket, _) = sent(&mut delivery, now(0));
    let (in_flight, _) = sent(&mut delivery, now(0));
    delivery.handle(ticket, status(404), now(0));
    delivery.handle(in_flight, results(&["{\"message_id\":\"1\"}"]), now(0));
    assert_eq!(settled(&mut delivery, now(0)).position.get(), 1);
    let (_, tokens) = sent(&mut delivery, now(0));
    assert_eq!(tokens, ["C"]);
    let (_, tokens) = sent(&mut delivery, now(2));
    assert_eq!(tokens, ["A"], "tried again as after a 5xx");
    // Whoever is given back meanwhile is told to send again: the project is known to work.
    delivery.cancel();
    let failure = settled(&mut delivery, now(2)).outcome.failure().unwrap().clone();
    assert!(matches!(failure.advice(), Advice::Retry(_)), "{failure:?}");
}

#[test]
fn a_message_that_was_accepted_once_is_not_blamed_again() {
    let mut delivery = deliver(&gateway().with_batch(1), &["A", "B", "C"]);
    let (ticket, _) = sent(&mut delivery, now(0));
    delivery.handle(ticket, results(&["{\"message_id\":\"1\"}"]), now(0));
    assert!(matches!(settled(&mut delivery, now(0)).outcome, Outcome::Accepted(_)));
    let (ticket, _) = sent(&mut delivery, now(0));
    delivery.handle(ticket, status(400), now(0));
    assert_eq!(settled(&mut delivery, now(0)).outcome.advice(), Advice::FixRequest);
    let (_, tokens) = sent(&mut delivery, now(0));
    assert_eq!(tokens, ["C"]);
}

#[test]
fn five_strangers_in_a_row_halt_where_nothing_has_worked() {
    let stranger = || Ok(Response::new("<html>Welcome to our hotel</html>"));
    let mut delivery = deliver(&gateway().with_batch(1), &["A", "B", "C", "D", "E", "F"]);
    for _ in 0..5 {
        let (ticket, _) = sent(&mut delivery, now(0));
        delivery.handle(ticket, stranger(), now(0));
    }
    for position in 0..5 {
        let done = settled(&mut delivery, now(0));
        assert_eq!(
            (done.position.get(), done.outcome.failure().unwrap().sent()),
            (position, Sent::MaybeSent)
        );
        assert!(matches!(done.outcome.advice(), Advice::Retry(_)));
    }
    let untried = settled(&mut delivery, now(0)).outcome;
    assert_eq!(untried.failure().unwrap().cause(), Some(&Code::Unreadable));
    assert!(
        matches!(untried.advice(), Advice::Retry(_)),
        "never keep: nothing was sent"
    );
}

#[test]
fn who_waits_when_it_is_stopped_is_told_the_delay_that_was_asked() {
    let mut delivery = deliver(&gateway(), &["A"]);
    let (ticket, _) = sent(&mut delivery, now(0));
    let response = Response::builder()
        .header("retry-after", "25")
        .body(r#"{"results":[{"error":"Unavailable"}]}"#);
    delivery.handle(ticket, Ok(response.unwrap()), now(0));
    assert!(waits(&mut delivery, now(0)) >= 25 * SECOND);
    delivery.stop();
    let advice = settled(&mut delivery, now(1)).outcome.advice();
    assert_eq!(advice, Advice::Retry(Some(25 * SECOND)));
}

#[test]
fn stop_lets_flights_land_and_cancel_does_not() {
    for cancel in [false, true] {
        let mut delivery = deliver(&gateway().with_batch(1), &["A", "B"]);
        let (ticket, _) = sent(&mut delivery, now(0));
        if cancel {
            delivery.cancel();
        } else {
            delivery.stop();
        }
        let response = results(&["{\"message_id\":\"1\"}"]);
        delivery.handle(ticket, response, now(0));
        let mut outcomes = [settled(&mut delivery, now(0)), settled(&mut delivery, now(0))];
        outcomes.sort_by_key(|done| done.position);
        let [flown, ready] = &outcomes[..] else { panic!("two") };
        if cancel {
            let failure = flown.outcome.failure().unwrap();
            assert_eq!((failure.code(), failure.sent()), (&Code::Cancelled, Sent::MaybeSent));
        } else {
            assert!(flown.outcome.accepted().is_some());
        }
        let failure = ready.outcome.failure().unwrap();
        assert_eq!((failure.code(), failure.attempts()), (&Code::NotAttempted, 0));
        assert_eq!(ready.outcome.advice(), Advice::Retry(None));
        assert!(matches!(delivery.poll(now(0)), Step::Finish));
        assert_eq!(delivery.room(), 0);
    }
}

/// Google's own login file, with made-up values.
fn login() -> AuthorizedUser {
    let file = r#"{"type":"authorized_user","client_id":"7","client_secret":"d","refresh_token":"1"}"#;
    AuthorizedUser::from_json(file).unwrap()
}

fn over_v1(credential: impl Credential + 'static) -> Gateway {
    Gateway::v1_with(v1::Route::new("demo-project".parse().unwrap()), credential)
}

/// The next request's ticket and its access token; none for a mint.
fn sent_with(delivery: &mut Delivery, at: Now) -> (Ticket, Option<String>) {
    match delivery.poll(at) {
        Step::Send(call) => {
            let header = call.request.headers().get("authorization");
            let token = header.map(|value| value.to_str().unwrap().to_owned());
            (call.ticket, token)
        }
        other => panic!("no request but {other:?}"),
    }
}

#[test]
fn whoever_is_cancelled_or_has_finished_keeps_nobody_from_minting() {
    for is_stop in [false, true] {
        let gateway = over_v1(login());
        let (mut first, mut second) = (deliver(&gateway, &["A"]), deliver(&gateway, &["B"]));
        let (late, token) = sent_with(&mut first, now(0));
        assert_eq!(token, None);
        waits(&mut second, now(0));
        if is_stop {
            first.stop();
            settled(&mut first, now(0));
            assert!(matches!(first.poll(now(0)), Step::Finish));
        } else {
            first.cancel();
        }
        let (_ticket, token) = sent_with(&mut second, now(0));
        assert_eq!(token, None, "a mint of its own");
        // The first one's token is as good, and comes sooner.
        let granted = r#"{"access_token":"of-the-first","expires_in":3599,"token_type":"Bearer"}"#;
        first.handle(late, Ok(Response::new(granted)), now(0));
        let (_ticket, token) = sent_with(&mut second, now(0));
        assert_eq!(token.as_deref(), Some("Bearer of-the-first"));
    }
}

#[test]
fn whoever_waits_for_a_token_leaves_with_the_one_that_is_granted_at_once() {
    let granted = AtomicU32::new(0);
    let gateway = over_v1(TokenSource::new(move |_| {
        let number = granted.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(TokenResponse::new(
            AccessToken::try_from(format!("token-{number}"))?,
            None,
        ))
    }));
    let mut delivery = deliver(&gateway, &["A"]);
    let (ticket, token) = sent_with(&mut delivery, now(0));
    assert_eq!(token.as_deref(), Some("Bearer token-1"));
    delivery.handle(ticket, status(401), now(0));
    // In the same step that has it minted: no time passes, and nothing else would end the wait.
    let (_ticket, token) = sent_with(&mut delivery, now(0));
    assert_eq!(token.as_deref(), Some("Bearer token-2"));
}

#[test]
fn a_message_past_its_time_is_expired_for_all() {
    let message = Message::builder().build().unwrap();
    let prepared = gateway()
        .with_batch(1)
        .prepare(&message)
        .unwrap()
        .expires_after(5 * SECOND);
    let tokens = ["A", "B"].map(|token| Token::try_from(token).unwrap());
    let mut delivery = prepared.deliver(tokens, now(0), 7);
    let (_ticket, _) = sent(&mut delivery, now(0));
    for sent in [Sent::MaybeSent, Sent::NotSent] {
        let failure = settled(&mut delivery, now(5)).outcome.failure().unwrap().clone();
        assert_eq!(
            (failure.code(), failure.sent(), failure.advice()),
            (&Code::Expired, sent, Advice::Keep)
        );
    }
    assert!(matches!(delivery.poll(now(5)), Step::Finish));
}

#[test]
fn a_reply_that_comes_after_the_messages_time_sends_nobody_again() {
    let message = Message::builder().build().unwrap();
    let prepared = gateway().prepare(&message).unwrap().expires_after(5 * SECOND);
    let mut delivery = prepared.deliver([Token::try_from("A").unwrap()], now(0), 7);
    let (ticket, _) = sent(&mut delivery, now(0));
    delivery.handle::<Vec<u8>>(ticket, Err(TransportError::maybe_sent("cut")), now(6));
    let failure = settled(&mut delivery, now(6)).outcome.failure().unwrap().clone();
    assert_eq!(
        (failure.code(), failure.sent(), failure.advice()),
        (&Code::Expired, Sent::MaybeSent, Advice::Keep)
    );
}

#[test]
fn trial_w17_a_delay_longer_than_the_patience_hands_back_whom_it_concerns() {
    let gateway = gateway().with_batch(1);
    let mut delivery = deliver(&gateway, &["A", "B"]);
    let (ticket, _) = sent(&mut delivery, now(0));
    let response = Response::builder()
        .status(503)
        .header("retry-after", "601")
        .body("")
        .unwrap();
    delivery.handle(ticket, Ok(response), now(0));
    let done = settled(&mut delivery, now(0));
    assert_eq!(done.outcome.failure().unwrap().code(), &Code::Unavailable);
    assert_eq!(done.outcome.advice(), Advice::Retry(Some(601 * SECOND)));
    let (_, tokens) = sent(&mut delivery, now(0));
    assert_eq!(tokens, ["B"]);
}

#[test]
fn a_target_that_the_wire_does_not_have_is_refused_by_name_and_the_others_go() {
    let message = Message::builder().build().unwrap();
    let gateway = gateway();
    let prepared = gateway.prepare(&message).unwrap();
    let fid = crate::Target::Fid("fid-of-a-phone".parse().unwrap());
    let token = crate::Target::Token("A".parse().unwrap());
    let mut delivery = prepared.deliver([fid, token], now(0), 7);
    let failure = settled(&mut delivery, now(0)).outcome.failure().unwrap().clone();
    assert_eq!((failure.code(), failure.attempts()), (&Code::Undeliverable, 0));
    assert_eq!(failure.message(), Some("the legacy JSON wire cannot send to a fid"));
    let (_, tokens) = sent(&mut delivery, now(0));
    assert_eq!(tokens, ["A"]);
}

#[test]
fn a_transport_that_cannot_work_halts_and_says_why() {
    let mut delivery = deliver(&gateway().with_batch(1), &["A", "B"]);
    let (ticket, _) = sent(&mut delivery, now(0));
    let error = TransportError::not_sent("certificate not trusted\n").permanent();
    delivery.handle::<Vec<u8>>(ticket, Err(error), now(0));
    for code in [Code::Unreachable, Code::NotAttempted] {
        let failure = settled(&mut delivery, now(0)).outcome.failure().unwrap().clone();
        assert_eq!((failure.code(), failure.advice()), (&code, Advice::FixCredentials));
        assert_eq!(
            failure.message(),
            Some("the request was not sent: certificate not trusted\\n")
        );
    }
}
