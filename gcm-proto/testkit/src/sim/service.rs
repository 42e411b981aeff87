//! The simulated service: its quota, its latency, the tokens it has minted, and what it has accepted.

use super::count::{Bits, Counts};
use super::weather::{Answer, Fate, Share, Spell};
use super::{Number, Reply};
use gcm_proto::{TransportError, Wire};
use http::{HeaderValue, Request, Response, StatusCode};
use std::borrow::Cow;
use std::time::Duration;

/// A request as a script sees it.
#[derive(Debug)]
pub struct Ask<'a> {
    /// When, since the start.
    pub at: Duration,
    /// Whether it asks for an access token.
    pub mint: bool,
    /// The how many-th of its kind it is, from 1.
    pub number: u64,
    /// Whom it is for.
    pub to: &'a [Number],
    /// The access token it came with, or nothing.
    pub bearer: &'a str,
    /// The request, whole.
    pub request: &'a Request<Vec<u8>>,
}

/// Decides the fate of a request; `None` leaves it to the weather.
pub type Script<'a> = Box<dyn FnMut(&Ask<'_>) -> Option<Fate> + 'a>;

/// Lives of access tokens in seconds, as the token endpoint gives them.
const LIFE: u64 = 3599;

pub(super) struct Service<'a> {
    pub(super) wire: Wire,
    pub(super) script: Option<Script<'a>>,
    pub(super) spells: Vec<Spell>,
    pub(super) quota: Option<u32>,
    pub(super) quota_says_when: bool,
    /// So many of a thousand are not registered any more.
    pub(super) dead: u64,
    pub(super) latency: Duration,
    pub(super) spread: Duration,
    pub(super) token_life: u64,
    pub(super) random: Random,
    /// Whom it has accepted.
    pub(super) taken: Bits,
    /// Requests that each spell could have met.
    could: Vec<u64>,
    window: Option<(Duration, u32)>,
    /// When each token that was minted dies.
    tokens: Vec<Duration>,
    to: Vec<Number>,
}

impl Service<'_> {
    pub(super) fn new(wire: Wire, seed: u64) -> Self {
        Self {
            wire,
            script: None,
            spells: Vec::new(),
            quota: None,
            quota_says_when: true,
            dead: 0,
            latency: Duration::from_millis(50),
            spread: Duration::ZERO,
            token_life: LIFE,
            random: Random(seed),
            taken: Bits::default(),
            could: Vec::new(),
            window: None,
            tokens: Vec::new(),
            to: Vec::new(),
        }
    }

    /// What a request brings back, and after what time; `None` when that is nothing, ever.
    pub(super) fn take(
        &mut self,
        request: &Request<Vec<u8>>,
        at: Duration,
        counts: &mut Counts,
    ) -> Option<(Duration, Reply)> {
        let mint = request.uri().path() == "/token";
        let mut to = std::mem::take(&mut self.to);
        to.clear();
        counts.second(at).requests += 1;
        if mint {
            counts.mints += 1;
            if counts.mint_times.len() < 1000 {
                counts.mint_times.push(at);
            }
        } else {
            counts.requests += 1;
            numbers(request.body(), &mut to);
            assert!(!to.is_empty(), "a request for nobody");
        }
        let fate = self.fate(request, mint, &to, at, counts);
        let back = self.meet(&fate, request, mint, &to, at, counts);
        self.to = to;
        back
    }

    fn fate(
        &mut self,
        request: &Request<Vec<u8>>,
        mint: bool,
        to: &[Number],
        at: Duration,
        counts: &mut Counts,
    ) -> Fate {
        counts.met.resize(self.spells.len(), 0);
        counts.during.resize(self.spells.len(), 0);
        self.could.resize(self.spells.len(), 0);
        let mut fate = None;
        if let Some(script) = &mut self.script {
            let number = if mint { counts.mints } else { counts.requests };
            let bearer = bearer(request);
            fate = script(&Ask {
                at,
                mint,
                number,
                to,
                bearer,
                request,
            });
        }
        for (n, spell) in self.spells.iter().enumerate() {
            if !spell.meets(at, mint) {
                continue;
            }
            counts.during[n] += 1;
            self.could[n] += 1;
            let hit = match spell.share {
                Share::All => true,
                Share::PerMille(share) => self.random.draw() % 1000 < u64::from(share),
                Share::EachNth(nth) => self.could[n] % nth == 0,
            };
            if hit && fate.is_none() {
                counts.met[n] += 1;
                fate = Some(spell.fate.clone());
            }
        }
        fate.unwrap_or(Fate::Served)
    }

    fn meet(
        &mut self,
        fate: &Fate,
        request: &Request<Vec<u8>>,
        mint: bool,
        to: &[Number],
        at: Duration,
        counts: &mut Counts,
    ) -> Option<(Duration, Reply)> {
        let latency = self.latency();
        let refused = || TransportError::not_sent("connection refused");
        Some(match fate {
            Fate::Served => (latency, Ok(self.serve(request, mint, to, at, counts))),
            Fate::Late(after) => (*after, Ok(self.serve(request, mint, to, at, counts))),
            Fate::ReplyLost(after) => {
                self.serve(request, mint, to, at, counts);
                (*after, Err(TransportError::maybe_sent("connection reset by peer")))
            }
            Fate::BodyLost => {
                let (head, _) = self.serve(request, mint, to, at, counts).into_parts();
                (
                    latency,
                    Err(TransportError::body_lost(head, "connection reset by peer")),
                )
            }
            Fate::HeadAlone(status) => {
                let (head, _) = respond(&Answer::status(*status)).into_parts();
                (
                    latency,
                    Err(TransportError::body_lost(head, "connection reset by peer")),
                )
            }
            Fate::Hangs(after) => (*after, Err(TransportError::maybe_sent("no reply in time"))),
            Fate::Refused(after) => (*after, Err(refused())),
            Fate::Distrusted(after) => {
                let error = TransportError::not_sent("invalid peer certificate: UnknownIssuer").permanent();
                (*after, Err(error))
            }
            Fate::GivenBack(after) => (*after, Err(TransportError::given_back("GOAWAY: no error"))),
            Fate::Vanishes => return None,
            Fate::Answered(answer) => (answer.after.unwrap_or(latency), Ok(respond(answer))),
            Fate::EveryResult(error) => (latency, Ok(results(to.len(), |_| Some(error)))),
        })
    }

    fn serve(
        &mut self,
        request: &Request<Vec<u8>>,
        mint: bool,
        to: &[Number],
        at: Duration,
        counts: &mut Counts,
    ) -> Response<Cow<'static, str>> {
        if mint {
            return self.mint(at);
        }
        if let Some(number) = bearer(request).strip_prefix("minted-") {
            let number: usize = number.parse().expect("a token of this service");
            if self.tokens.get(number - 1).is_none_or(|dies| *dies <= at) {
                return respond(&Answer::v1(401, "UNAUTHENTICATED"));
            }
        }
        if let Err(wait) = self.take_quota(to.len(), at) {
            let answer = match self.wire {
                Wire::V1 => Answer::fcm(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
                _ => Answer::status(429),
            };
            return respond(&match wait {
                Some(wait) => answer.retry_after(wait.as_secs() + 1),
                None => answer,
            });
        }
        if self.wire == Wire::V1 && contains(request.body(), b"\"validate_only\":true") {
            counts.validations += 1;
            return accepted(Wire::V1);
        }
        let dead = |number: Number| Random(u64::from(number)).draw() % 1000 < self.dead;
        for number in to.iter().copied().filter(|number| !dead(*number)) {
            counts.acceptances += 1;
            counts.duplicates += u64::from(self.taken.set(number));
        }
        match (self.wire, to) {
            (Wire::V1, [one]) if dead(*one) => respond(&Answer::fcm(404, "NOT_FOUND", "UNREGISTERED")),
            (Wire::Plaintext, [one]) if dead(*one) => respond(&Answer::status(200).body("Error=NotRegistered\n")),
            (Wire::Json, _) => results(to.len(), |n| dead(to[n]).then_some("NotRegistered")),
            (wire, _) => accepted(wire),
        }
    }

    fn mint(&mut self, at: Duration) -> Response<Cow<'static, str>> {
        self.tokens
            .push(at.saturating_add(Duration::from_secs(self.token_life)));
        let (number, life) = (self.tokens.len(), self.token_life);
        let token = format!(r#"{{"access_token":"minted-{number}","expires_in":{life},"token_type":"Bearer"}}"#);
        respond(
            &Answer::status(200)
                .body(token)
                .header("content-type", "application/json"),
        )
    }

    /// Counts recipients against the quota. Where it is used up: how long there is none left, if the service says so.
    fn take_quota(&mut self, recipients: usize, at: Duration) -> Result<(), Option<Duration>> {
        const MINUTE: Duration = Duration::from_secs(60);
        let Some(quota) = self.quota else { return Ok(()) };
        let (since, used) = self.window.filter(|(since, _)| at < *since + MINUTE).unwrap_or((at, 0));
        let more = used.saturating_add(u32::try_from(recipients).unwrap_or(u32::MAX));
        if more > quota {
            let left = (since + MINUTE).saturating_sub(at);
            return Err(self.quota_says_when.then_some(left));
        }
        self.window = Some((since, more));
        Ok(())
    }

    fn latency(&mut self) -> Duration {
        let spread = u64::try_from(self.spread.as_micros()).unwrap_or(u64::MAX);
        let more = if spread == 0 { 0 } else { self.random.draw() % spread };
        self.latency + Duration::from_micros(more)
    }
}

/// What an acceptance of one recipient looks like on a wire.
fn accepted(wire: Wire) -> Response<Cow<'static, str>> {
    Response::new(Cow::Borrowed(match wire {
        Wire::V1 => "{\n  \"name\": \"projects/demo-project/messages/0:1700000000000000%31bd1c9631bd1c96\"\n}\n",
        Wire::Plaintext => "id=0:1700000000000000%31bd1c9631bd1c96\n",
        _ => r#"{"multicast_id":1,"results":[{"message_id":"1:08"}]}"#,
    }))
}

/// A multicast's results, each the error that is named for it or an acceptance.
fn results<'e>(recipients: usize, error: impl Fn(usize) -> Option<&'e str>) -> Response<Cow<'static, str>> {
    let mut body = String::with_capacity(32 + 24 * recipients);
    body.push_str(r#"{"multicast_id":1,"results":["#);
    for n in 0..recipients {
        if n > 0 {
            body.push(',');
        }
        match error(n) {
            Some(error) => {
                body.push_str(r#"{"error":""#);
                body.push_str(error);
                body.push_str(r#""}"#);
            }
            None => body.push_str(r#"{"message_id":"1:08"}"#),
        }
    }
    body.push_str("]}");
    Response::new(Cow::Owned(body))
}

fn respond(answer: &Answer) -> Response<Cow<'static, str>> {
    let mut response = Response::new(answer.body.clone());
    *response.status_mut() = StatusCode::from_u16(answer.status).expect("a status");
    for (name, value) in &answer.headers {
        let value = HeaderValue::try_from(value).expect("a header's value");
        response.headers_mut().append(*name, value);
    }
    response
}

fn bearer(request: &Request<Vec<u8>>) -> &str {
    let header = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    header
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default()
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len()).any(|window| window == text)
}

/// The numbers of a request's recipients, read off its body by other means than the encoder's: each is a `t`, at the start
/// of a JSON text or of a form's value, with digits behind it.
fn numbers(body: &[u8], to: &mut Vec<Number>) {
    let mut at = 0;
    while let Some(next) = body[at..].iter().position(|&c| c == b't') {
        let start = at + next + 1;
        at = start;
        let starts = start >= 2 && matches!(body[start - 2], b'"' | b'=');
        if !starts {
            continue;
        }
        let mut number: Option<Number> = None;
        while let Some(digit) = body.get(at).filter(|c| c.is_ascii_digit()) {
            number = Some(number.unwrap_or(0) * 10 + Number::from(digit - b'0'));
            at += 1;
        }
        to.extend(number);
    }
}

/// Random numbers from a seed: `SplitMix64`.
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
