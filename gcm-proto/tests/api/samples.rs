//! Every public type with values that hold the key and the tokens, where it can hold them.

use crate::parts;
use crate::probe::{KEY, LONG, MIDDLE, Shown};
use crate::replies;
use crate::shown;
use gcm_proto::legacy::{json, plaintext};
use gcm_proto::transport::{Addresses, Proxy, ProxyError, ProxyRefused, ProxyResponse};
use gcm_proto::*;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

pub(crate) fn route() -> legacy::Route {
    let endpoint = format!("https://push.example.org/gcm/send?key={KEY}");
    legacy::Route::new(endpoint.parse().unwrap(), KEY.parse().unwrap())
}

pub(crate) fn message() -> Message {
    Message::builder()
        .data("score", "4x8")
        .notification(Notification::new().title("Goal!"))
        .build()
        .unwrap()
}

fn plain_message() -> Message {
    Message::builder().data("score", "4x8").build().unwrap()
}

pub(crate) fn tokens() -> Vec<Token> {
    [LONG, MIDDLE].map(|text| Token::try_from(text).unwrap()).into()
}

pub(crate) fn targets() -> Vec<Target> {
    [LONG, MIDDLE]
        .into_iter()
        .flat_map(|text| {
            [
                Target::Token(Token::try_from(text).unwrap()),
                Target::Fid(Fid::try_from(text).unwrap()),
                Target::Group(GroupKey::try_from(text).unwrap()),
            ]
        })
        .chain([
            Target::Topic(Topic::try_from("news").unwrap()),
            Target::Condition("'news' in topics".parse().unwrap()),
        ])
        .collect()
}

/// Errors of every name, each about a text that holds a secret.
fn name_errors() -> Vec<NameError> {
    [KEY, LONG, MIDDLE]
        .into_iter()
        .flat_map(|secret| {
            [
                format!("{secret}\n"),
                format!(" {secret}"),
                format!("{secret} é"),
                format!("\"{secret}\""),
            ]
        })
        .flat_map(|text| {
            [
                Token::try_from(&*text).err(),
                Fid::try_from(&*text).err(),
                GroupKey::try_from(&*text).err(),
                Topic::try_from(&*text).err(),
                ProjectId::try_from(&*text).err(),
                ApiKey::try_from(&*text).err(),
                AccessToken::try_from(&*text).err(),
            ]
        })
        .flatten()
        .collect()
}

fn condition_errors() -> Vec<ConditionError> {
    [KEY, LONG, MIDDLE]
        .into_iter()
        .flat_map(|secret| {
            [
                secret.to_owned(),
                format!("'{secret} ' in topics"),
                format!("'{secret}"),
            ]
        })
        .filter_map(|text| text.parse::<Condition>().err())
        .collect()
}

fn endpoint_errors() -> Vec<EndpointError> {
    [
        format!("{KEY} {LONG}"),
        format!("http://push.example.org/{KEY}"),
        format!("https://user:{KEY}@push.example.org/"),
        format!("ftp://push.example.org/{KEY}"),
    ]
    .iter()
    .map(|url| url.parse::<Endpoint>().unwrap_err())
    .collect()
}

fn message_errors() -> Vec<MessageError> {
    vec![
        Message::builder()
            .time_to_live(Duration::from_secs(u64::MAX))
            .build()
            .unwrap_err(),
        Message::builder().data("from", KEY).build().unwrap_err(),
        Message::builder().data_json("x", &f64::NAN).build().unwrap_err(),
        Message::builder().raw_data(format!("{KEY}!")).build().unwrap_err(),
        Message::builder()
            .notification(Notification::new().body_loc_args([LONG]))
            .build()
            .unwrap_err(),
        Message::builder()
            .android(Android::new().data("from", KEY).analytics_label(LONG))
            .build()
            .unwrap_err(),
        Message::builder()
            .apns(Apns::new().live_activity_token(LONG).image(KEY))
            .build()
            .unwrap_err(),
        Message::builder()
            .android(Android::new())
            .android_v2(AndroidV2::new().collapse_key(KEY))
            .build()
            .unwrap_err(),
        Message::builder()
            .apns(Apns::new().custom("aps", KEY))
            .build()
            .unwrap_err(),
    ]
}

fn undeliverables() -> Vec<Undeliverable> {
    let tiny = {
        let mut limits = Limits::GCM_2012;
        limits.ids_per_request = 1;
        limits.topics_per_condition = 0;
        route().with_limits(limits)
    };
    let late = Message::builder().time_to_live(Duration::ZERO).build().unwrap();
    let large = Message::builder().data("k", "x".repeat(5000)).build().unwrap();
    vec![
        plaintext::Encoded::new(&route(), &message()).unwrap_err(),
        plaintext::Single::new(&route(), &plain_message(), GroupKey::try_from(LONG).unwrap()).unwrap_err(),
        json::Single::new(&route(), &message(), Fid::try_from(LONG).unwrap()).unwrap_err(),
        json::Multicast::new(&route(), &large, tokens()).unwrap_err(),
        json::Encoded::new(&tiny, &late).unwrap_err(),
        json::Multicast::new(&tiny, &message(), tokens()).unwrap_err(),
        json::Multicast::new(&tiny, &message(), Vec::new()).unwrap_err(),
        json::Single::new(&tiny, &message(), "'a' in topics".parse::<Condition>().unwrap()).unwrap_err(),
    ]
}

/// Proxies whose password is a secret.
fn proxies() -> Vec<Proxy> {
    [KEY, LONG, MIDDLE]
        .map(|secret| format!("http://anna:{secret}@proxy.example.org").parse().unwrap())
        .into()
}

/// What a proxy answers that repeats what it was shown.
fn refusals_of_a_proxy() -> Vec<ProxyRefused> {
    let answer = format!("HTTP/1.1 407 {KEY}\r\nProxy-Authenticate: {LONG}, NTLM {MIDDLE}\r\n\r\n");
    let read = |text: &str| {
        let mut answer = proxies()[0].answer();
        text.bytes().find_map(|byte| answer.read(byte).err())
    };
    [answer, format!("{KEY}\r\n\r\n")]
        .iter()
        .filter_map(|text| read(text))
        .collect()
}

/// Errors of a transport: their heads repeat a secret, and so may what stands in the peer's headers.
fn transport_errors() -> Vec<TransportError> {
    let cause = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let head = || {
        let reply = http::Response::builder()
            .status(503)
            .header("x-echo", KEY)
            .header("x-token", LONG);
        reply.body(()).unwrap().into_parts().0
    };
    vec![
        TransportError::not_sent(cause()).permanent(),
        TransportError::maybe_sent(cause()).pause(Duration::from_secs(1)),
        TransportError::body_lost(head(), cause()),
    ]
}

fn exchange_errors() -> Vec<ExchangeError> {
    let refusals = replies::refusals().into_iter().map(ExchangeError::from);
    let transport = transport_errors().into_iter().map(ExchangeError::from);
    refusals.chain(transport).collect()
}

fn accepted() -> Vec<Accepted> {
    let mut all: Vec<Accepted> = tokens()
        .into_iter()
        .map(|token| Accepted::new(Some("1:08")).with_canonical(token))
        .collect();
    all.extend(replies::receipts().into_iter().map(|receipt| receipt.accepted));
    all
}

fn reaches() -> Vec<Reach> {
    accepted()
        .iter()
        .filter_map(|accepted| accepted.reach().cloned())
        .collect()
}

fn outcomes() -> Vec<Outcome> {
    let accepted = accepted().into_iter().map(Outcome::Accepted);
    let failed = replies::failures().into_iter().map(Outcome::Failed);
    accepted.chain(failed).collect()
}

fn settled() -> Vec<Settled> {
    targets()
        .into_iter()
        .zip(outcomes())
        .map(|(target, outcome)| Settled::new(Position::new(0), target, outcome))
        .collect()
}

fn report() -> Report {
    let mut report = Report::new();
    report.extend(settled());
    report
}

fn gateways() -> Vec<Gateway> {
    vec![
        Gateway::legacy_json(route()).with_pace(Pace::per_minute(1)),
        Gateway::legacy_plaintext(route()),
    ]
}

fn latest() -> LatestMessage {
    let latest = LatestMessage::default();
    let _ = latest.prepare(&Gateway::legacy_json(route()), &message()).unwrap();
    latest
}

fn prepared() -> Vec<Prepared> {
    gateways()
        .iter()
        .map(|gateway| gateway.prepare(&plain_message()).unwrap())
        .collect()
}

fn now() -> Now {
    Now {
        mono: Duration::ZERO,
        wall: SystemTime::UNIX_EPOCH,
    }
}

fn deliveries() -> Vec<Delivery> {
    prepared()
        .iter()
        .map(|prepared| {
            let mut delivery = prepared.deliver(targets(), now(), 1);
            let _flying = delivery.poll(now());
            delivery
        })
        .collect()
}

/// Steps of deliveries of both wires, until nothing is left to do but wait.
fn steps() -> Vec<Step> {
    let mut steps = Vec::new();
    for prepared in prepared() {
        let mut delivery = prepared.deliver(targets(), now(), 1);
        loop {
            let step = delivery.poll(now());
            let ends = matches!(step, Step::Wait(_) | Step::Finish);
            steps.push(step);
            if ends {
                break;
            }
        }
    }
    steps.push(Step::Finish);
    steps
}

fn calls() -> Vec<Call> {
    let call = |step| match step {
        Step::Send(call) => Some(call),
        _ => None,
    };
    steps().into_iter().filter_map(call).collect()
}

fn progress() -> Vec<Progress> {
    deliveries()
        .iter()
        .map(|delivery| delivery.progress().clone())
        .collect()
}

struct Controllable(Mutex<Delivery>);

impl Controlled for Controllable {
    fn stop(&self) {
        self.0.lock().unwrap().stop();
    }

    fn cancel(&self) {
        self.0.lock().unwrap().cancel();
    }

    fn progress(&self) -> Progress {
        self.0.lock().unwrap().progress()
    }
}

fn watched() -> Vec<Watched> {
    let watch = |delivery| Stop::new().watch(&Arc::new(Controllable(Mutex::new(delivery))));
    deliveries().into_iter().map(watch).collect()
}

/// A handle that was used, and has watched deliveries.
fn used() -> Stop {
    let stop = Stop::new();
    for delivery in deliveries() {
        drop(stop.watch(&Arc::new(Controllable(Mutex::new(delivery)))));
    }
    stop.cancel();
    stop
}

/// What everybody waits for, with failures that hold a secret as the cause.
fn services() -> Vec<Service> {
    let (since, until, next_probe) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let with_cause = replies::failures().into_iter().flat_map(|cause| {
        let (held, down, missing) = (cause.clone(), cause.clone(), Some(cause));
        [
            Service::Held { until, cause: held },
            Service::Down {
                since,
                cause: down,
                next_probe,
            },
            Service::WithoutToken { since, cause: missing },
        ]
    });
    let without = [
        Service::Up,
        Service::Recovering,
        Service::Paced { until },
        Service::WithoutToken { since, cause: None },
    ];
    with_cause.chain(without).collect()
}

fn grants() -> Vec<TokenResponse> {
    vec![TokenResponse::new(KEY.parse_token(), Some(Duration::from_secs(3600)))]
}

trait ParseToken {
    fn parse_token(&self) -> AccessToken;
}

impl ParseToken for str {
    fn parse_token(&self) -> AccessToken {
        AccessToken::try_from(self).unwrap()
    }
}

fn names() -> Vec<Shown> {
    vec![
        shown!("names.rs" Token, Token, tokens()),
        shown!("names.rs" Fid, Fid, [LONG, MIDDLE].map(|text| Fid::try_from(text).unwrap())),
        shown!("names.rs" GroupKey, GroupKey, [LONG, MIDDLE].map(|text| GroupKey::try_from(text).unwrap())),
        shown!("names.rs" Topic, Topic, [Topic::try_from("news").unwrap()]),
        shown!("names.rs" ProjectId, ProjectId, [ProjectId::try_from("my-project").unwrap()]),
        shown!("names.rs" ApiKey, ApiKey, [ApiKey::try_from(KEY).unwrap()]),
        shown!("names/rule.rs" NameError, NameError, name_errors()),
        shown!("names/rule.rs" NameRule, NameRule, name_errors().iter().map(NameError::rule).collect::<Vec<_>>()),
        shown!("names/condition.rs" Condition, Condition, ["'a' in topics".parse().unwrap()]),
        shown!("names/condition.rs" ConditionError, ConditionError, condition_errors()),
        shown!("names/endpoint.rs" Endpoint, Endpoint, [route().endpoint().clone()]),
        shown!("names/endpoint.rs" EndpointError, EndpointError, endpoint_errors()),
        shown!("secret.rs" Secret, Secret, [Secret::new(KEY)]),
        shown!("names/access_token.rs" AccessToken, AccessToken, [KEY.parse_token()]),
        shown!("exchange/token_response.rs" TokenResponse, TokenResponse, grants()),
        shown!("credentials.rs" Minting, Minting, [minting()]),
        shown!("credentials.rs" CredentialError, CredentialError, [CredentialError::new("no token today")]),
        shown!("credentials/service_account.rs" ServiceAccount, ServiceAccount, accounts()),
        shown!("credentials/authorized_user.rs" AuthorizedUser, AuthorizedUser, [user()]),
        shown!("credentials/metadata_server.rs" MetadataServer, MetadataServer, [MetadataServer::new()]),
        shown!("credentials/signer.rs" SignError, SignError, [SignError::new("the HSM is away")]),
        shown!("credentials/key_file.rs" KeyFileError, KeyFileError, key_file_errors()),
        shown!("credentials.rs" TokenSource, TokenSource<Source>, [token_source()]),
    ]
}

fn values() -> Vec<Shown> {
    let kept = report();
    let over = message().payload_room(0).unwrap_err();
    vec![
        shown!("limits.rs" Limits, Limits, [Limits::LEGACY, Limits::GCM_2012, Limits::V1]),
        shown!("now.rs" Now, Now, [now()]),
        shown!("target.rs" Target, Target, targets()),
        shown!("transport.rs" TransportError, TransportError, transport_errors()),
        shown!("transport.rs" ExchangeError, ExchangeError, exchange_errors()),
        shown!("transport/addresses.rs" Addresses, Addresses, [Addresses::default()]),
        shown!("transport/proxy.rs" Proxy, Proxy, proxies()),
        shown!("transport/proxy.rs" ProxyResponse, ProxyResponse, proxies().iter().map(Proxy::answer).collect::<Vec<_>>()),
        shown!("transport/proxy.rs" ProxyError, ProxyError, [format!("socks5://{KEY}").parse::<Proxy>().unwrap_err()]),
        shown!("transport/proxy.rs" ProxyRefused, ProxyRefused, refusals_of_a_proxy()),
        shown!("message.rs" Message, Message, [message(), parts::message(LONG), parts::message(MIDDLE)]),
        shown!("message/builder.rs" MessageBuilder, MessageBuilder, [Message::builder().data_json("x", &f64::NAN)]),
        shown!("message/error.rs" MessageError, MessageError, message_errors()),
        shown!("message/payload.rs" PayloadTooLarge, PayloadTooLarge, [over]),
        shown!("message/priority.rs" Priority, Priority, [Priority::Normal, Priority::High]),
        shown!("message/notification.rs" Notification, Notification, [Notification::new().title("Goal!")]),
        shown!("outcome/accepted.rs" Accepted, Accepted, accepted()),
        shown!("outcome/advice.rs" Advice, Advice, outcomes().iter().map(Outcome::advice).collect::<Vec<_>>()),
        shown!("outcome/failure.rs" Failure, Failure, replies::failures()),
        shown!("outcome.rs" Outcome, Outcome, outcomes()),
        shown!("outcome/accepted.rs" Reach, Reach, reaches()),
        shown!("outcome.rs" Sent, Sent, [Sent::NotSent, Sent::MaybeSent, Sent::Responded]),
        shown!("outcome/code.rs" Code, Code, replies::refusals().iter().map(|one| one.code().clone()).collect::<Vec<_>>()),
        shown!("outcome/report.rs" Position, Position, [Position::new(7)]),
        shown!("outcome/report.rs" Settled, Settled, settled()),
        shown!("outcome/report.rs" Report, Report, [report()]),
        shown!("outcome/report.rs" ReportIter, ReportIter<'_>, [kept.iter()]),
        shown!("outcome/report.rs" ReportIntoIter, ReportIntoIter, [report().into_iter()]),
    ]
}

struct Keyed(&'static str);

impl Signer for Keyed {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.0.as_bytes().to_vec())
    }
}

fn accounts() -> Vec<ServiceAccount> {
    let endpoint = format!("https://oauth2.googleapis.com/token?key={KEY}")
        .parse()
        .unwrap();
    let account = ServiceAccount::new("my-project".parse().unwrap(), "push@example.org", Keyed(KEY));
    vec![account.clone(), account.with_token_endpoint(endpoint)]
}

fn user() -> AuthorizedUser {
    let file = format!(r#"{{"client_id": "a", "client_secret": "{KEY}", "refresh_token": "{LONG}"}}"#);
    AuthorizedUser::from_json(file).unwrap()
}

fn key_file_errors() -> Vec<KeyFileError> {
    let files = [
        format!(r#""{KEY}""#),
        format!(r#"{{"client_id": "{KEY}""#),
        format!(r#"{{"client_id": ["{KEY}"]}}"#),
        format!(r#"{{"type": "{KEY}"}}"#),
        format!(r#"{{"quota_project_id": "{KEY}/"}}"#),
        format!(
            r#"{{"client_id": "a", "client_secret": "b", "refresh_token": "c", "token_uri": "https://{MIDDLE}@{KEY}"}}"#
        ),
        format!(
            r#"{{"client_id": "a", "client_secret": "b", "refresh_token": "c", "token_uri": "https://example.org/{KEY}"}}"#
        ),
    ];
    files
        .iter()
        .map(|file| AuthorizedUser::from_json(file).unwrap_err())
        .collect()
}

type Source = fn(SystemTime) -> Result<TokenResponse, Box<dyn std::error::Error + Send + Sync>>;

fn token_source() -> TokenSource<Source> {
    TokenSource::new(|_| Ok(TokenResponse::new(KEY.parse_token(), None)))
}

fn minting() -> Minting {
    Minting::Token(TokenResponse::new(KEY.parse_token(), None))
}

fn mints() -> Vec<oauth::Mint> {
    let endpoint = || Endpoint::try_from(format!("https://oauth2.googleapis.com/token?key={KEY}").as_str()).unwrap();
    vec![
        oauth::Mint::assertion(endpoint(), Secret::new(KEY)),
        oauth::Mint::refresh(endpoint(), "id", Secret::new(KEY), Secret::new(LONG)),
        oauth::Mint::metadata(endpoint()),
    ]
}

fn exchanges() -> Vec<Shown> {
    let encoded = plaintext::Encoded::new(&route(), &plain_message()).unwrap();
    let forms: Vec<_> = tokens()
        .into_iter()
        .map(|token| encoded.single(token).unwrap())
        .collect();
    let reachable = targets().into_iter().filter(|target| target.kind() != "fid");
    let singles: Vec<_> = reachable
        .map(|target| json::Single::new(&route(), &message(), target).unwrap())
        .collect();
    let (refused, unreadable) = replies::refused_and_unreadable();
    let ids = replies::results()
        .iter()
        .filter_map(|results| results.multicast_id().cloned())
        .collect::<Vec<_>>();
    vec![
        shown!("exchange/legacy/route.rs" Route, legacy::Route, [route(), legacy::Route::without_key(route().endpoint().clone())]),
        shown!("exchange/undeliverable.rs" Wire, Wire, [Wire::Json, Wire::Plaintext, Wire::V1]),
        shown!("exchange/undeliverable.rs" Undeliverable, Undeliverable, undeliverables()),
        shown!("exchange/legacy/plaintext.rs" Encoded, plaintext::Encoded, [encoded]),
        shown!("exchange/legacy/plaintext.rs" Single, plaintext::Single, forms),
        shown!("exchange/legacy/json.rs" Encoded, json::Encoded, [json::Encoded::new(&route(), &message()).unwrap()]),
        shown!("exchange/legacy/json.rs" Multicast, json::Multicast, [json::Multicast::new(&route(), &message(), tokens()).unwrap()]),
        shown!("exchange/legacy/json.rs" Single, json::Single, singles),
        shown!("exchange/legacy/json.rs" Results, json::Results, replies::results()),
        shown!("exchange/receipt.rs" Receipt, Receipt, replies::receipts()),
        shown!("outcome/multicast_id.rs" MulticastId, MulticastId, ids),
        shown!("exchange/oauth.rs" Mint, oauth::Mint, mints()),
        shown!("exchange/refusal.rs" Refusal, Refusal, [replies::refusals(), parts::refusals()].concat()),
        shown!("exchange/refusal.rs" Refused, Refused, refused),
        shown!("exchange/refusal.rs" Unreadable, Unreadable, unreadable),
        shown!("exchange/refusal.rs" Scope, Scope, [Scope::Recipient, Scope::Message, Scope::Project]),
        shown!("exchange/retry_after.rs" RetryAfter, RetryAfter, [RetryAfter::In(Duration::from_secs(1))]),
    ]
}

fn machine() -> Vec<Shown> {
    vec![
        shown!("policy.rs" RetryPolicy, RetryPolicy, [RetryPolicy::LEGACY]),
        shown!("policy.rs" Jitter, Jitter, [Jitter::Around, Jitter::Above]),
        shown!("policy.rs" Duplicates, Duplicates, [Duplicates::Allow, Duplicates::Avoid]),
        shown!("policy.rs" RetryBudget, RetryBudget, [RetryBudget::DEFAULT]),
        shown!("policy.rs" Pace, Pace, [Pace::per_minute(600)]),
        shown!("gateway.rs" Gateway, Gateway, gateways()),
        shown!("gateway/service.rs" Service, Service, services()),
        shown!("delivery/prepared.rs" Prepared, Prepared, prepared()),
        shown!("delivery/latest_message.rs" LatestMessage, LatestMessage, [latest()]),
        shown!("delivery.rs" Delivery, Delivery, deliveries()),
        shown!("delivery/step.rs" Step, Step, steps()),
        shown!("delivery/step.rs" Call, Call, calls()),
        shown!("delivery/control.rs" Stop, Stop, [Stop::new(), used()]),
        shown!("delivery/control.rs" Watched, Watched, watched()),
        shown!("delivery/in_flight.rs" Ticket, Ticket, calls().into_iter().map(|call| call.ticket).collect::<Vec<_>>()),
        shown!("delivery/progress.rs" Progress, Progress, progress()),
    ]
}

/// All of them.
pub(crate) fn all() -> Vec<Shown> {
    [names(), values(), parts::all(), exchanges(), machine()]
        .into_iter()
        .flatten()
        .collect()
}
