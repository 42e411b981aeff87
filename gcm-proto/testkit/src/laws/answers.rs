//! Replies of every kind, and what each is expected to do; and the credential whose tokens some are about.

use gcm_proto::{
    AccessToken, Code, Credential, CredentialError, Exchange, Minting, Refusal, Scope, TokenResponse, TransportError,
    Wire,
};
use http::{Request, Response, StatusCode};
use std::time::{Duration, SystemTime};

/// The policy's hold after a 429 that names no delay.
pub(super) const RATE_LIMITED: Duration = Duration::from_secs(3);

/// A reply, and what it is expected to do.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) name: &'static str,
    pub(super) result: Option<Result<Response<String>, TransportError>>,
    /// Whom it accepts, by their places in the request.
    pub(super) accepts: Vec<bool>,
    /// How long nobody may be sent to.
    pub(super) holds: Option<Duration>,
    /// How long those whom it is about may not be sent to.
    pub(super) asks: Option<Duration>,
    /// It costs no attempt.
    pub(super) free: bool,
    /// It is about the access token, where there is one.
    pub(super) unauthorized: bool,
    /// What it means for the retry budget.
    pub(super) budget: Budget,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Budget {
    /// Nothing.
    #[default]
    Same,
    /// A service that works may have said it: that earns.
    Earns,
    /// It may have been sent: whoever is tried again costs.
    Costs,
}

impl Answer {
    /// One of many kinds. A mild one is never about the project, the message or the key: such may end a delivery.
    pub(super) fn new(kind: u8, c: u8, recipients: usize, wire: Wire, mild: bool) -> Self {
        const KINDS: u8 = 22;
        let passing = |name, code: u16| Self::of(name, Ok(status(code, "")));
        let asked = Duration::from_secs(u64::from(c % 16));
        let delayed = |name, code: u16| Self {
            asks: Some(asked),
            ..Self::of(name, Ok(with_retry_after(code, asked)))
        };
        let legacy = wire != Wire::V1;
        let kind = match kind % KINDS {
            11..=13 | 18 if mild => 9,
            19 if mild => 14,
            kind => kind,
        };
        match kind {
            0..=4 => Self::results(u8::MAX, recipients, wire),
            5..=7 => Self::results(c, recipients, wire),
            8 => Self {
                budget: Budget::Costs,
                ..delayed("503 with a delay", 503)
            },
            9 => Self::unavailable(),
            10 if c % 2 == 0 || mild => Self {
                // On today's wire it names nothing, and is its recipient's affair unless others meet it too.
                holds: legacy.then_some(asked),
                ..delayed("429 with a delay", 429)
            },
            10 => Self {
                holds: legacy.then_some(RATE_LIMITED),
                ..passing("429", 429)
            },
            11 => Self {
                unauthorized: true,
                ..Self::of("401", Ok(status(401, "<HTML>Unauthorized</HTML>")))
            },
            12 => Self {
                budget: Budget::Earns,
                ..Self::of("400", Ok(status(400, "Missing \"registration_ids\" field\n")))
            },
            13 => Self::of("garbage", Ok(status(200, "\u{0}<html a=\"1\">"))),
            14 => Self::not_sent("not sent", TransportError::not_sent("refused")),
            15 => Self {
                budget: Budget::Costs,
                ..Self::of("maybe sent", Err(TransportError::maybe_sent("cut")))
            },
            16 => {
                let (head, ()) = status(if c % 2 == 0 { 200 } else { 503 }, ()).into_parts();
                Self {
                    // Today's wire accepts with the status alone, where the body was lost.
                    accepts: vec![!legacy && c % 2 == 0; recipients],
                    budget: if c % 2 == 0 { Budget::Earns } else { Budget::Same },
                    ..Self::of("body lost", Err(TransportError::body_lost(head, "cut")))
                }
            }
            17 => Self {
                free: true,
                ..passing("421", 421)
            },
            18 => Self::of("too few results", Ok(status(200, "{\"results\":[]}"))),
            19 if c % 4 == 0 => Self::of("404", Ok(status(404, "<HTML>Not Found</HTML>"))),
            19 if c % 4 == 1 => Self::not_sent("permanent", TransportError::not_sent("a certificate").permanent()),
            19 => Self {
                asks: Some(asked),
                ..Self::not_sent("asked to pause", TransportError::not_sent("calm").pause(asked))
            },
            20 => Self::not_sent("given back", TransportError::given_back("GOAWAY")),
            _ => {
                let mut reply = with_retry_after(429, asked);
                PROJECT_EXCEEDED.clone_into(reply.body_mut());
                Self {
                    holds: Some(asked),
                    asks: Some(asked),
                    ..Self::of("429 for the project", Ok(reply))
                }
            }
        }
    }

    /// The service is overloaded, and does not say for how long.
    pub(super) fn unavailable() -> Self {
        Self {
            budget: Budget::Costs,
            ..Self::of("503", Ok(status(503, "")))
        }
    }

    /// A reply that accepts everybody.
    pub(super) fn good(recipients: usize, wire: Wire) -> Self {
        Self::results(u8::MAX, recipients, wire)
    }

    fn of(name: &'static str, result: Result<Response<String>, TransportError>) -> Self {
        Self {
            name,
            result: Some(result),
            ..Self::default()
        }
    }

    fn not_sent(name: &'static str, error: TransportError) -> Self {
        Self {
            free: true,
            ..Self::of(name, Err(error))
        }
    }

    /// A good reply; a bit of `pattern` that is not set fails its recipient in one of many ways.
    fn results(pattern: u8, recipients: usize, wire: Wire) -> Self {
        if wire == Wire::V1 {
            return Self::v1(pattern);
        }
        let plaintext = wire == Wire::Plaintext;
        let errors = ["Unavailable", "NotRegistered", "DeviceMessageRateExceeded", "DOH!"];
        let (mut parts, mut accepts) = (Vec::new(), Vec::new());
        for n in 0..recipients {
            let accepted = pattern & (1 << (n % 8)) != 0;
            let error = errors[(n + usize::from(pattern)) % errors.len()];
            accepts.push(accepted);
            parts.push(match (plaintext, accepted) {
                (true, true) => "id=1:08\n".to_owned(),
                (true, false) => format!("Error={error}\n"),
                (false, true) => format!("{{\"message_id\":\"1:{n}\"}}"),
                (false, false) => format!("{{\"error\":\"{error}\"}}"),
            });
        }
        let body = if plaintext {
            parts.concat()
        } else {
            format!("{{\"multicast_id\":{pattern},\"results\":[{}]}}", parts.join(","))
        };
        Self {
            accepts,
            budget: Budget::Earns,
            ..Self::of("results", Ok(status(200, &*body)))
        }
    }

    /// The reply to the one recipient of a request over v1.
    fn v1(pattern: u8) -> Self {
        let errors = [
            (503, "UNAVAILABLE"),
            (404, "UNREGISTERED"),
            (403, "SENDER_ID_MISMATCH"),
            (500, "DOH!"),
        ];
        let accepted = pattern & 1 != 0;
        let (code, error) = errors[usize::from(pattern >> 1) % errors.len()];
        let kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
        let result = if accepted {
            status(200, r#"{"name":"projects/demo-project/messages/0:1"}"#)
        } else {
            let body = format!(r#"{{"error":{{"details":[{{"@type":"{kind}","errorCode":"{error}"}}]}}}}"#);
            status(code, &*body)
        };
        Self {
            accepts: vec![accepted],
            budget: if accepted || code < 500 {
                Budget::Earns
            } else {
                Budget::Costs
            },
            ..Self::of("a verdict", Ok(result))
        }
    }
}

/// The project's limit, named. The body is made up after the documentation; the service's own is not known.
const PROJECT_EXCEEDED: &str = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[
    {"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"QUOTA_EXCEEDED"},
    {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[
        {"subject":"project:demo-project","description":"Message rate for the project exceeded."}]}]}}"#;

/// A credential whose token is its number, and whose reply is `number lifetime`.
pub(super) struct MadeUp;

struct MadeUpMint;

impl Credential for MadeUp {
    fn mint(&self, _: SystemTime) -> Result<Minting, CredentialError> {
        Ok(Minting::exchange(MadeUpMint))
    }
}

impl Exchange for MadeUpMint {
    type Response = TokenResponse;

    fn request(&self) -> Request<Vec<u8>> {
        Request::post("https://accounts.example.org/token")
            .body(Vec::new())
            .expect("a request")
    }

    fn read(&self, head: &http::response::Parts, body: &[u8]) -> Result<TokenResponse, Refusal> {
        let text = std::str::from_utf8(body).unwrap_or_default();
        match (head.status, text.split_once(' ')) {
            (StatusCode::OK, Some((number, lifetime))) => {
                let token = AccessToken::try_from(format!("minted-{number}")).expect("a token");
                Ok(TokenResponse::new(
                    token,
                    lifetime.parse().ok().map(Duration::from_secs),
                ))
            }
            (status, _) => Err(Refusal::refused(
                status,
                if status.is_server_error() {
                    Code::Unavailable
                } else {
                    Code::Unauthorized
                },
                Scope::Project,
            )),
        }
    }
}

pub(super) fn status<B: Into<C>, C>(code: u16, body: B) -> Response<C> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(code).expect("a status");
    response
}

fn with_retry_after(code: u16, time: Duration) -> Response<String> {
    let mut response = status(code, "");
    let value = time.as_secs().into();
    response.headers_mut().insert("retry-after", value);
    response
}
