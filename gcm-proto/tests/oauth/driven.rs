//! When tokens are asked for, in virtual time: by a service account, at a scripted token endpoint.

use crate::FILE;
use crate::common::{message, token};
use gcm_proto::{AuthorizedUser, Code, Delivery, Gateway, MetadataServer, Now, ServiceAccount, v1};
use gcm_testkit::replies::reply;
use gcm_testkit::{Driver, Reply, Seen};
use http::Request;
use std::time::{Duration, UNIX_EPOCH};

fn gateway() -> Gateway {
    Gateway::v1(ServiceAccount::from_json(FILE).unwrap())
}

fn deliver(gateway: &Gateway, recipients: usize, now: Now) -> Delivery {
    let targets: Vec<_> = (0..recipients).map(|n| token(&format!("t{n}"))).collect();
    gateway.prepare(&message()).unwrap().deliver(targets, now, 7)
}

fn is_mint(request: &Request<Vec<u8>>) -> bool {
    request.uri().path() == "/token"
}

fn granted(seconds: u64) -> Reply {
    reply(
        200,
        &[],
        &format!(r#"{{"access_token":"ya29.x","expires_in":{seconds},"token_type":"Bearer"}}"#),
    )
}

fn accepted() -> Reply {
    reply(200, &[], r#"{"name":"projects/demo-project/messages/1"}"#)
}

/// When each mint left, in seconds after the first request.
fn mints(seen: &[Seen]) -> Vec<u64> {
    let start = seen[0].at.mono;
    let mints = seen.iter().filter(|seen| is_mint(&seen.request));
    mints
        .map(|seen| seen.at.mono.checked_sub(start).unwrap().as_secs())
        .collect()
}

/// The `iat` of the assertion in a request for a token.
fn issued(request: &Request<Vec<u8>>) -> u64 {
    let form = std::str::from_utf8(request.body()).unwrap();
    let claims = form.split("assertion=").nth(1).unwrap().split('.').nth(1).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&base64url(claims)).unwrap();
    claims["iat"].as_u64().unwrap()
}

/// RFC 4648 section 5, for the claims of these tests.
fn base64url(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bits, mut held, mut bytes) = (0u32, 0, Vec::new());
    for c in text.chars() {
        bits = bits << 6 | u32::try_from(ALPHABET.find(c).unwrap()).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    bytes
}

#[test]
fn v1_o03_a_token_is_refreshed_225_seconds_before_its_end() {
    let gateway = gateway();
    let mut minted = 0;
    let mut driver = Driver::new(move |request: &Request<Vec<u8>>, _| {
        if !is_mint(request) {
            return accepted();
        }
        minted += 1;
        // The first is granted; when it has to be refreshed, the endpoint is out of order.
        if minted == 1 {
            granted(3599)
        } else {
            reply(503, &[], "")
        }
    });
    let mut at = Duration::ZERO;
    let start = driver.now().mono;
    let mut sends = |driver: &mut Driver<_>, seconds: u64| {
        driver.pass(Duration::from_secs(seconds).checked_sub(at).unwrap());
        at = Duration::from_secs(seconds);
        let mut delivery = deliver(&gateway, 1, driver.now());
        let report = driver.run(&mut delivery);
        at = driver.now().mono.checked_sub(start).unwrap();
        report.accepted().count()
    };
    assert_eq!(sends(&mut driver, 0), 1);
    assert_eq!(sends(&mut driver, 3373), 1);
    assert_eq!(mints(driver.requests()), [0], "usable, and not yet to be refreshed");
    assert_eq!(sends(&mut driver, 3374), 1);
    assert_eq!(
        mints(driver.requests())[1],
        3374,
        "refreshed in time, and used while it lives"
    );
    assert_eq!(sends(&mut driver, 3598), 1, "it lives to the last second");
    assert_eq!(sends(&mut driver, 3700), 0, "and is dead after it");
}

/// With this reply to each, mints leave for the ten minutes of a delivery's patience: at once, after a second, and each wait is
/// twice the last, to thirty seconds, with a tenth more at most. No message does.
fn assert_tried_for_ten_minutes(status: u16, headers: &'static [(&'static str, &'static str)], body: &'static str) {
    let gateway = gateway();
    let mut driver = Driver::new(move |request: &Request<Vec<u8>>, _| {
        assert!(is_mint(request), "no message leaves without a token");
        reply(status, headers, body)
    });
    let mut delivery = deliver(&gateway, 2, driver.now());
    let report = driver.run(&mut delivery);
    let seen = driver.requests();
    let waits: Vec<Duration> = seen.iter().skip(1).map(|mint| mint.after).collect();
    let doubled = [1, 2, 4, 8, 16]
        .into_iter()
        .chain(std::iter::repeat(30))
        .map(Duration::from_secs);
    for (wait, least) in waits.iter().zip(doubled) {
        assert!(*wait >= least && *wait <= least + least / 10, "{waits:?}");
    }
    let took = waits.iter().sum::<Duration>() + driver.idle();
    assert_eq!(
        took,
        Duration::from_secs(601),
        "what is found over is acted on a second later"
    );
    assert!(driver.idle() <= Duration::from_secs(34), "to the end: {waits:?}");
    assert_eq!(report.failed().count(), 2);
    for (_, failure) in report.failed() {
        assert_eq!(
            (failure.code(), failure.cause()),
            (&Code::NotAttempted, Some(&Code::Unavailable))
        );
    }
}

#[test]
fn v1_o10_a_failure_that_passes_is_tried_again_from_a_second_for_ten_minutes() {
    let failure = r#"{"error":"internal_failure","error_description":"Backend Error"}"#;
    assert_tried_for_ten_minutes(400, &[], failure);
}

#[test]
fn v1_o11_an_outage_is_tried_again_from_a_second_for_ten_minutes() {
    let page = "<html><title>503</title></html>";
    assert_tried_for_ten_minutes(503, &[("content-type", "text/html")], page);
}

#[test]
fn a_clock_that_is_wrong_is_corrected_once_by_the_replys_date() {
    const SKEW: &str = r#"{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."}"#;
    // The clock here shows 23:57:59 when the test begins.
    const AHEAD: (&str, u64) = ("Fri, 31 Dec 1999 23:59:59 GMT", 946_684_799);
    const BEHIND: (&str, u64) = ("Fri, 31 Dec 1999 20:00:00 GMT", 946_670_400);
    for ((date, there), helps) in [(AHEAD, true), (BEHIND, true), (AHEAD, false)] {
        let gateway = gateway();
        let mut minted = 0;
        let mut driver = Driver::new(move |request: &Request<Vec<u8>>, _| {
            if !is_mint(request) {
                return accepted();
            }
            minted += 1;
            if helps && minted > 1 {
                granted(3599)
            } else {
                reply(400, &[("date", date)], SKEW)
            }
        });
        let mut delivery = deliver(&gateway, 1, driver.now());
        let report = driver.run(&mut delivery);
        assert_eq!(report.accepted().count(), usize::from(helps));
        let asked: Vec<u64> = driver
            .requests()
            .iter()
            .map(|seen| &seen.request)
            .filter(|r| is_mint(r))
            .map(issued)
            .collect();
        let here = driver.now().wall.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(asked, [here - 60, there - 60]);
        assert_eq!(mints(driver.requests()), [0, 0], "at once");
        if let Some((_, failure)) = report.failed().next() {
            assert_eq!(failure.cause(), Some(&Code::ClockSkew));
            assert_eq!(
                failure.message().unwrap().rsplit("; ").next(),
                Some("check the clock of this machine")
            );
        }
    }
}

/// The verdict of such a reply stands in its body, and may be about this device alone.
#[test]
fn a_v1_refusal_whose_body_was_lost_ends_nobody_elses_delivery() {
    const DEAD: &str = r#"{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND","details":[
        {"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"}]}}"#;
    let mut dead = 0;
    let mut driver = Driver::new(move |request: &Request<Vec<u8>>, _| {
        if is_mint(request) {
            return granted(3599);
        }
        if !String::from_utf8_lossy(request.body()).contains("t1") {
            return accepted();
        }
        dead += 1;
        let whole = reply(404, &[], DEAD)?;
        match whole {
            Ok(cut) if dead == 1 => {
                let (head, _) = cut.into_parts();
                Some(Err(gcm_proto::TransportError::body_lost(
                    head,
                    "the connection was closed",
                )))
            }
            whole => Some(whole),
        }
    });
    let report = driver.run(&mut deliver(&gateway(), 4, driver.now()));
    assert_eq!(report.accepted().count(), 3);
    let codes: Vec<&Code> = report.failed().map(|(_, failure)| failure.code()).collect();
    assert_eq!(codes, [&Code::NotRegistered]);
}

/// Of whom the lines of refusals speak: what the key file says, and the URL of each.
const ACCOUNT: &str = "push@demo-project.iam.gserviceaccount.com (key id test-key-id)";
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token was asked as ";
const SEND_URL: &str = "https://fcm.googleapis.com/v1/projects/demo-project/messages:send was asked as ";

/// The line of a failure of who gets this reply to his message, or to what `is_mint` says.
fn line(gateway: &Gateway, to_mint: bool, status: u16, body: &'static str) -> String {
    let mut driver = Driver::new(move |request: &Request<Vec<u8>>, _| {
        let is_token = request.uri().host() != Some("fcm.googleapis.com");
        match (is_token, to_mint) {
            (true, false) => {
                let token = r#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#;
                reply(200, &[("metadata-flavor", "Google")], token)
            }
            _ => reply(status, &[], body),
        }
    });
    let report = driver.run(&mut deliver(gateway, 1, driver.now()));
    let (_, failure) = report.failed().next().unwrap();
    failure.to_string()
}

/// The replies are Google's: those of the token endpoint recorded in 2026, those of the service from its reference of errors.
#[test]
fn trial_v20_the_line_of_a_refusal_names_the_account_the_key_and_the_url() {
    const REVOKED: &str = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
    const DELETED: &str = r#"{"error":"invalid_grant","error_description":"Invalid grant: account not found"}"#;
    const CLIENT: &str = r#"{"error":"unauthorized_client","error_description":"Client is unauthorized"}"#;
    const DENIED: &str = r#"{"error":"access_denied","error_description":"Account restricted"}"#;
    const UNKNOWN: &str = r#"{"error":"org_internal","error_description":"x"}"#;
    const PERMISSION: &str = r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"Permission 'cloudmessaging.messages.create' denied",
        "details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"IAM_PERMISSION_DENIED","domain":"googleapis.com"}]}}"#;
    const DISABLED: &str = r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"It is disabled.",
        "details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED","domain":"googleapis.com"}]}}"#;
    const UNAUTHENTICATED: &str = r#"{"error":{"code":401,"status":"UNAUTHENTICATED","message":"Request had invalid authentication credentials."}}"#;
    const SENDER: &str = r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"SenderId mismatch",
        "details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"SENDER_ID_MISMATCH"}]}}"#;
    const PAGE: &str = "<!DOCTYPE html><title>Error 403 (Forbidden)!!1</title>";
    const GONE: &str = "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>";
    for (to_mint, status, body, url) in [
        (true, 400, REVOKED, TOKEN_URL),
        (true, 400, DELETED, TOKEN_URL),
        (true, 401, CLIENT, TOKEN_URL),
        (true, 403, DENIED, TOKEN_URL),
        (false, 403, PERMISSION, SEND_URL),
        (false, 403, DISABLED, SEND_URL),
        (false, 401, UNAUTHENTICATED, SEND_URL),
        (false, 403, SENDER, SEND_URL),
        (false, 403, PAGE, SEND_URL),
        (false, 403, "", SEND_URL),
        (false, 404, GONE, SEND_URL),
    ] {
        let line = line(&gateway(), to_mint, status, body);
        assert!(line.ends_with(&format!("{url}{ACCOUNT}")), "{line}");
        assert_eq!(line.matches(url).count(), 1, "{line}");
        assert!(
            !line.contains(['\n', '<']) && !line.contains("PRIVATE KEY") && !line.contains("ya29"),
            "{line}"
        );
    }
    // What may pass is tried for ten minutes, and then says it too.
    let line = line(&gateway(), true, 400, UNKNOWN);
    assert!(line.ends_with(&format!("{TOKEN_URL}{ACCOUNT}")), "{line}");
}

#[test]
fn trial_v20_a_login_and_a_machine_are_named_by_what_they_are() {
    const FILE: &str = r#"{"type":"authorized_user","client_id":"764-x.apps.googleusercontent.com","client_secret":"d-FL95Q19q7MQ",
        "refresh_token":"1//0gRefresh","quota_project_id":"payer"}"#;
    const REVOKED: &str = r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
    const DENIED: &str = r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"Caller does not have required permission to use project payer.",
        "details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"USER_PROJECT_DENIED","domain":"googleapis.com"}]}}"#;
    let route = || v1::Route::new("demo-project".parse().unwrap());
    let user = AuthorizedUser::from_json(FILE).unwrap();
    let route_of_user = route().with_quota_project(user.quota_project().unwrap());
    let user = Gateway::v1_with(route_of_user, user);
    let client = "the login by the OAuth client 764-x.apps.googleusercontent.com";
    let refused = line(&user, true, 400, REVOKED);
    assert!(refused.ends_with(&format!("{TOKEN_URL}{client}")), "{refused}");
    assert!(!refused.contains("d-FL95") && !refused.contains("1//0g"), "{refused}");
    let refused = line(&user, false, 403, DENIED);
    assert!(refused.ends_with(&format!("{SEND_URL}{client}")), "{refused}");
    let header =
        "roles/serviceusage.serviceUsageConsumer in the project payer, which the header x-goog-user-project names";
    assert!(refused.contains(header), "{refused}");
    let machine = Gateway::v1_with(route(), MetadataServer::new());
    let refused = line(&machine, false, 403, DENIED);
    assert!(
        refused.ends_with(&format!("{SEND_URL}the service account of this machine")),
        "{refused}"
    );
}

#[test]
fn trial_v20_an_account_is_named_on_one_line_however_it_is_written() {
    let mut file: serde_json::Value = serde_json::from_str(FILE).unwrap();
    file["client_email"] = format!("push\n\u{1b}[31m{}@x", "é".repeat(300)).into();
    file["private_key_id"] = "0123456789abcdef0123456789abcdef01234567".into();
    let gateway = Gateway::v1(ServiceAccount::from_json(file.to_string()).unwrap());
    let line = line(&gateway, false, 403, "");
    assert!(
        line.contains("(key id 0123456789abcdef0123456789abcdef01234567)"),
        "{line}"
    );
    assert!(line.len() < 512 && !line.contains(char::is_control), "{line}");
}
