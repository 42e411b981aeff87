//! Weather as data: which requests go wrong, when, and how.

use std::borrow::Cow;
use std::time::Duration;

/// What becomes of one request.
#[derive(Clone, Debug)]
pub enum Fate {
    /// The service takes it up, and its reply comes.
    Served,
    /// The service takes it up, and its reply comes after this time.
    Late(Duration),
    /// The service takes it up, and its reply is lost: the transport gives up after this time.
    ReplyLost(Duration),
    /// The service takes it up, and of its reply the head comes alone.
    BodyLost,
    /// The head of a reply with this status comes alone, and nothing is taken up.
    HeadAlone(u16),
    /// It reaches nobody who answers: the transport gives up after this time, and cannot know.
    Hangs(Duration),
    /// No connection after this time: not sent.
    Refused(Duration),
    /// A certificate that is refused after this time: not sent, and no retry helps where it came from.
    Distrusted(Duration),
    /// Given back unprocessed after this time, over a connection that stands.
    GivenBack(Duration),
    /// The call never comes back, and its place among the calls neither.
    Vanishes,
    /// The service answers so, and takes nothing up.
    Answered(Answer),
    /// A multicast in which every result is this error.
    EveryResult(&'static str),
}

/// A reply by hand.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Cow<'static, str>,
    pub(super) after: Option<Duration>,
}

impl Answer {
    /// This status, without a body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Cow::Borrowed(""),
            after: None,
        }
    }

    /// A refusal on today's wire: `google.rpc.Status`, with this status and no details.
    pub fn v1(status: u16, name: &str) -> Self {
        let body = format!(r#"{{"error":{{"code":{status},"message":"as asked for","status":"{name}"}}}}"#);
        Self::status(status).body(body)
    }

    /// A refusal on today's wire with a code of FCM's own.
    pub fn fcm(status: u16, name: &str, code: &str) -> Self {
        let kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
        let details = format!(r#""details":[{{"@type":"{kind}","errorCode":"{code}"}}]"#);
        let body = format!(r#"{{"error":{{"code":{status},"message":"as asked for","status":"{name}",{details}}}}}"#);
        Self::status(status).body(body)
    }

    /// A page of whatever stands in between.
    pub fn html(status: u16) -> Self {
        Self::status(status)
            .header("content-type", "text/html; charset=utf-8")
            .body("<!doctype html><html><head><title>Sign in</title></head><body>Welcome</body></html>")
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Cow<'static, str>>) -> Self {
        self.body = body.into();
        self
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Asking to wait for so many seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header("retry-after", seconds.to_string())
    }

    /// After this time instead of the service's latency.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.after = Some(time);
        self
    }
}

impl From<Answer> for Fate {
    fn from(answer: Answer) -> Self {
        Self::Answered(answer)
    }
}

/// Which requests a spell is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Those with messages.
    Messages,
    /// Those for access tokens.
    Mints,
    /// All.
    Everything,
}

/// How many of them meet it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Every one.
    All,
    /// So many of a thousand, by chance.
    PerMille(u16),
    /// Each n-th.
    EachNth(u64),
}

/// A time in which requests go wrong.
#[derive(Clone, Debug)]
pub struct Spell {
    pub(super) from: Duration,
    pub(super) until: Duration,
    pub(super) on: On,
    pub(super) share: Share,
    pub(super) fate: Fate,
}

impl Spell {
    /// For all messages and for ever, unless narrowed.
    pub fn of(fate: impl Into<Fate>) -> Self {
        Self {
            from: Duration::ZERO,
            until: Duration::MAX,
            on: On::Messages,
            share: Share::All,
            fate: fate.into(),
        }
    }

    /// From one time to another, since the start.
    #[must_use]
    pub fn between(mut self, from: Duration, until: Duration) -> Self {
        (self.from, self.until) = (from, until);
        self
    }

    /// For these requests.
    #[must_use]
    pub fn on(mut self, on: On) -> Self {
        self.on = on;
        self
    }

    /// For so many of them.
    #[must_use]
    pub fn share(mut self, share: Share) -> Self {
        self.share = share;
        self
    }

    /// What it does to those who meet it.
    pub fn fate(&self) -> &Fate {
        &self.fate
    }

    /// How long it lasts.
    pub fn length(&self) -> Duration {
        self.until.saturating_sub(self.from)
    }

    /// Whether every message meets it.
    pub fn is_total(&self) -> bool {
        self.share == Share::All && self.on != On::Mints
    }

    pub(super) fn meets(&self, at: Duration, mint: bool) -> bool {
        let on = match self.on {
            On::Messages => !mint,
            On::Mints => mint,
            On::Everything => true,
        };
        on && self.from <= at && at < self.until
    }
}

/// A campaign's weather, with what can be asked of whoever sends in it.
#[derive(Clone, Debug)]
pub struct Weather {
    /// Its name.
    pub name: &'static str,
    /// What goes wrong.
    pub spells: Vec<Spell>,
    /// Recipients a minute, from the first on; more are refused with 429.
    pub quota: Option<u32>,
    /// How long nothing could be had.
    pub outage: Duration,
    /// Whether it ends, so that everybody can be reached.
    pub ends: bool,
}

impl Weather {
    /// The names of those that are known.
    pub const NAMES: [&'static str; 10] = [
        "calm",
        "refused-10s",
        "503-30s",
        "503-30pct",
        "quota",
        "one-of-four",
        "no-tokens-5min",
        "goaway",
        "down-503",
        "down-refused",
    ];

    /// One of them, for so many recipients.
    pub fn named(name: &str, recipients: u32) -> Option<Self> {
        const MS: Duration = Duration::from_millis(1);
        const SECOND: Duration = Duration::from_secs(1);
        let name = Self::NAMES.into_iter().find(|known| *known == name)?;
        let mut weather = Self {
            name,
            spells: Vec::new(),
            quota: None,
            outage: Duration::ZERO,
            ends: true,
        };
        let unavailable = || Answer::fcm(503, "UNAVAILABLE", "UNAVAILABLE");
        match name {
            "refused-10s" => {
                weather.outage = 10 * SECOND;
                weather.spells = vec![Spell::of(Fate::Refused(MS)).between(SECOND, 11 * SECOND)];
            }
            "503-30s" => {
                weather.outage = 30 * SECOND;
                weather.spells = vec![Spell::of(unavailable().within(MS)).between(SECOND, 31 * SECOND)];
            }
            "503-30pct" => {
                weather.spells = vec![Spell::of(unavailable()).share(Share::PerMille(300))];
            }
            // Four minutes' worth, and half of what four hundred calls of 50 ms could send.
            "quota" => weather.quota = Some((recipients / 4).clamp(1, 240_000)),
            "one-of-four" => {
                weather.spells = vec![Spell::of(Fate::Distrusted(20 * MS)).share(Share::PerMille(250))];
            }
            "no-tokens-5min" => {
                weather.outage = 300 * SECOND;
                let dead = Spell::of(Fate::Refused(MS)).on(On::Mints);
                weather.spells = vec![dead.between(Duration::ZERO, 300 * SECOND)];
            }
            "goaway" => {
                weather.spells = vec![Spell::of(Fate::GivenBack(MS)).share(Share::EachNth(10))];
            }
            "down-503" => {
                weather.ends = false;
                weather.spells = vec![Spell::of(unavailable().within(MS))];
            }
            "down-refused" => {
                weather.ends = false;
                weather.spells = vec![Spell::of(Fate::Refused(MS))];
            }
            _ => {}
        }
        Some(weather)
    }

    /// The time that nobody can beat with so many calls of so long each.
    pub fn best(&self, recipients: u32, calls: usize, latency: Duration) -> Duration {
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        let seconds = |recipients: u32| latency.as_secs_f64() * f64::from(recipients) / calls as f64;
        let seconds = match self.quota {
            // All but the last minutes' worth wait for a minute each.
            Some(quota) => {
                let minutes = recipients.saturating_sub(1) / quota;
                60.0 * f64::from(minutes) + seconds(recipients - minutes * quota)
            }
            None => seconds(recipients),
        };
        Duration::from_secs_f64(seconds).max(latency)
    }
}
