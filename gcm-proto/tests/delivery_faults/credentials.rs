//! A made-up credential over a wire that takes access tokens, and a service that looks at them.

use crate::common::{ENDPOINT, message, token};
use gcm_proto::{
    AccessToken, Code, Credential, CredentialError, Delivery, Exchange, Failure, Gateway, Minting, Now, Outcome,
    Refusal, Report, RetryAfter, Scope, TokenResponse, legacy,
};
use gcm_testkit::replies::reply;
use gcm_testkit::{Reply, Seen};
use http::{Request, StatusCode};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A token endpoint that answers with a token and its life in seconds. Whoever asks says his name.
#[derive(Clone)]
pub(crate) struct MadeUp {
    pub(crate) name: Arc<Mutex<&'static str>>,
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
    fn mint(&self, _: SystemTime) -> Result<Minting, CredentialError> {
        Ok(Minting::exchange(Mint(*self.name.lock().unwrap())))
    }
}

impl Exchange for Mint {
    type Response = TokenResponse;

    fn request(&self) -> Request<Vec<u8>> {
        Request::post("https://accounts.example.org/token")
            .body(self.0.into())
            .unwrap()
    }

    fn read(&self, head: &http::response::Parts, body: &[u8]) -> Result<TokenResponse, Refusal> {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let granted = text.split_once(' ').and_then(|(token, life)| {
            let life = life.parse().ok().map(Duration::from_secs);
            Some(TokenResponse::new(AccessToken::try_from(token).ok()?, life))
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
    Gateway::legacy_plaintext(legacy::Route::without_key(ENDPOINT.parse().unwrap()))
        .with_credential(MadeUp::named("first"))
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

pub(crate) fn unauthorized() -> Reply {
    reply(401, &[], "<HTML>Unauthorized</HTML>")
}

/// The token a message was sent with.
pub(crate) fn bearer(request: &Request<Vec<u8>>) -> &str {
    let header = request.headers()["authorization"].to_str().unwrap();
    header.strip_prefix("Bearer ").unwrap()
}

/// When each mint left, in seconds after the first request.
pub(crate) fn mints<'a>(seen: impl IntoIterator<Item = &'a Seen>) -> Vec<Duration> {
    let seen: Vec<_> = seen.into_iter().collect();
    let start = seen[0].at.mono;
    let mints = seen.iter().filter(|seen| is_mint(&seen.request));
    mints.map(|seen| seen.at.mono.saturating_sub(start)).collect()
}

/// The times between them.
pub(crate) fn gaps(mints: &[Duration]) -> Vec<Duration> {
    mints.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect()
}

pub(crate) fn failures(report: &Report) -> Vec<&Failure> {
    report.failed().map(|(_, failure)| failure).collect()
}

/// All accepted, and at the first attempt.
#[track_caller]
pub(crate) fn assert_all_accepted(report: &Report) {
    let fine = |done: &gcm_proto::Settled| matches!(done.outcome, Outcome::Accepted(_)) && done.attempts == 1;
    let odd: Vec<_> = report.iter().filter(|done| !fine(done)).collect();
    assert!(odd.is_empty() && !report.is_empty(), "{odd:?}");
}

/// A push service that takes `minted-N` of the last mint only, or as long as it lives.
#[derive(Default)]
pub(crate) struct Service {
    pub(crate) minted: usize,
    pub(crate) dies_at: Duration,
    pub(crate) refused: usize,
}

impl Service {
    pub(crate) fn grant(&mut self, seconds: u64, now: Now) -> Reply {
        self.minted += 1;
        self.dies_at = now.mono + Duration::from_secs(seconds);
        granted(self.minted, seconds)
    }

    pub(crate) fn take(&mut self, request: &Request<Vec<u8>>, now: Now) -> Reply {
        let current = bearer(request) == format!("minted-{}", self.minted);
        if current && now.mono < self.dies_at {
            return accepted();
        }
        self.refused += 1;
        unauthorized()
    }
}
