//! The settings of one sender at one service, and the state that all its deliveries share.

mod budget;
mod gate;
mod health;
mod pace;
mod proof;
mod quota;
mod row;
mod service;
mod sign;
mod standing_clock;
mod tokens;
mod visit;

pub(crate) use gate::{Admission, Leaving, VisitStatus};
pub(crate) use health::Departed;
pub use service::Service;
pub(crate) use service::{in_brief, next_try};
pub(crate) use sign::{Bad, Limit, Sign};
pub(crate) use tokens::{REFUSED_EVERY, TokenStep};
pub(crate) use visit::{Grace, Visit};

use crate::credentials::{Credential, ServiceAccount};
use crate::exchange::TokenResponse;
use crate::exchange::{Wire, legacy, v1};
use crate::names::Endpoint;
use crate::now::Now;
use crate::policy::{Pace, RetryPolicy};
use gate::Gate;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// One service as one sender sees it: endpoint, wire, credentials, policy. Cheap to clone.
///
/// Clones share one gate: what the service taught one delivery (a hold, the pace, an access token, the state of the retry
/// budget), all know. Use one gateway a project, and clone it. The `with_…` methods make another gateway, with a gate of
/// its own.
///
/// ```
/// use gcm_proto::{Gateway, Message, Now, Report, legacy, Step, Token};
/// use std::time::{Duration, SystemTime};
///
/// let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// let gateway = Gateway::legacy_json(route);
/// let message = Message::builder().data("score", "4x8").build()?;
/// let now = || Now { mono: Duration::ZERO, wall: SystemTime::UNIX_EPOCH };
/// # let transport = |_request| Ok(http::Response::new(r#"{"results":[{"message_id":"1:08"}]}"#));
/// # let sleep = |_: Duration| {};
///
/// let mut delivery = gateway.prepare(&message)?.deliver([Token::try_from("42")?], now(), 7);
/// let mut report = Report::new();
/// loop {
///     match delivery.poll(now()) {
///         Step::Send(call) => delivery.handle(call.ticket, transport(call.request), now()),
///         Step::Settle(done) => report.push(done),
///         Step::Wait(delay) => sleep(delay.unwrap_or(Duration::from_millis(50))),
///         Step::Finish => break,
///     }
/// }
/// assert_eq!(report.accepted().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    gate: Mutex<Gate>,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) route: WireRoute,
    pub(crate) credential: Option<Arc<dyn Credential>>,
    pub(crate) policy: RetryPolicy,
    pub(crate) pace: Option<Pace>,
    pub(crate) window: usize,
    pub(crate) batch: usize,
    pub(crate) linger: Duration,
}

/// The wire, with the route of its messages.
#[derive(Clone, Debug)]
pub(crate) enum WireRoute {
    Plaintext(legacy::Route),
    Json(legacy::Route),
    V1(v1::Route),
}

impl Gateway {
    /// Recipients in a delivery's window unless set. The window bounds memory; one of at least rate × share failing ×
    /// backoff keeps full speed.
    pub const WINDOW: usize = 65_536;

    /// How long a part batch waits for company unless set.
    pub const LINGER: Duration = Duration::from_millis(20);

    /// A gateway over FCM HTTP v1 to the devices of this account's project, [`RetryPolicy::V1`]: one target a request.
    ///
    /// For another project or another server: [`v1_with`](Self::v1_with), which takes any [`Credential`].
    pub fn v1(account: ServiceAccount) -> Self {
        Self::v1_with(v1::Route::new(account.project().clone()), account)
    }

    /// A gateway over FCM HTTP v1 with access tokens from this source, [`RetryPolicy::V1`]: one target a request.
    pub fn v1_with(route: v1::Route, credential: impl Credential + 'static) -> Self {
        Self::new(WireRoute::V1(route), RetryPolicy::V1).with_credential(credential)
    }

    /// A gateway over the legacy JSON wire, [`RetryPolicy::LEGACY`].
    pub fn legacy_json(route: legacy::Route) -> Self {
        Self::new(WireRoute::Json(route), RetryPolicy::LEGACY)
    }

    /// A gateway over the plaintext wire, [`RetryPolicy::LEGACY`]: one token a request.
    pub fn legacy_plaintext(route: legacy::Route) -> Self {
        Self::new(WireRoute::Plaintext(route), RetryPolicy::LEGACY)
    }

    /// With access tokens from this source. On a legacy wire they take the place of a key: see [`legacy::Route::without_key`].
    #[must_use]
    pub fn with_credential(self, credential: impl Credential + 'static) -> Self {
        self.with(|settings| settings.credential = Some(Arc::new(credential)))
    }

    /// With this policy.
    #[must_use]
    pub fn with_policy(self, policy: RetryPolicy) -> Self {
        self.with(|settings| settings.policy = policy)
    }

    /// At this pace.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        self.with(|settings| settings.pace = Some(pace))
    }

    /// With a window of so many recipients for each delivery: ready, in flight, waiting, and settled but not yet handed
    /// out all count. 0 is read as 1.
    #[must_use]
    pub fn with_window(self, recipients: usize) -> Self {
        self.with(|settings| settings.window = recipients.clamp(1, u32::MAX as usize / 2))
    }

    /// With at most so many recipients a request, where the wire has batches and the route's limits allow it. 0 is read
    /// as 1.
    #[must_use]
    pub fn with_batch(self, recipients: usize) -> Self {
        self.with(|settings| {
            settings.batch = recipients.clamp(1, settings.route.largest_batch());
        })
    }

    /// With another time for a part batch to wait for company, while other requests are in flight.
    #[must_use]
    pub fn with_linger(self, time: Duration) -> Self {
        self.with(|settings| settings.linger = time)
    }

    /// The wire it speaks.
    pub fn wire(&self) -> Wire {
        match self.settings().route {
            WireRoute::Plaintext(_) => Wire::Plaintext,
            WireRoute::Json(_) => Wire::Json,
            WireRoute::V1(_) => Wire::V1,
        }
    }

    /// Where it sends messages to. Access tokens may come from elsewhere.
    pub fn endpoint(&self) -> &Endpoint {
        match &self.settings().route {
            WireRoute::Plaintext(route) | WireRoute::Json(route) => route.endpoint(),
            WireRoute::V1(route) => route.endpoint(),
        }
    }

    /// Hands in an access token that was minted elsewhere, for instance with a remote signer.
    pub fn set_access_token(&self, token: TokenResponse, now: Now) {
        self.gate(|gate| gate.granted(token, None, now.mono, now.mono));
    }

    /// Whether the other is a clone of this one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// What is done at the gate, under its lock. Nothing that can panic runs there, so a poisoned one is as good as any; and
    /// whoever is woken is told afterwards, as a waker may do anything.
    pub(crate) fn gate<R>(&self, act: impl FnOnce(&mut Gate) -> R) -> R {
        let mut gate = self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut gate);
        if gate.has_woken() {
            let woken = gate.take_woken();
            drop(gate);
            woken.into_iter().for_each(Waker::wake);
        }
        result
    }

    fn new(route: WireRoute, policy: RetryPolicy) -> Self {
        Self::from_settings(Settings {
            batch: route.largest_batch(),
            route,
            credential: None,
            policy,
            pace: None,
            window: Self::WINDOW,
            linger: Self::LINGER,
        })
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.shared.settings.clone();
        change(&mut settings);
        Self::from_settings(settings)
    }

    fn from_settings(settings: Settings) -> Self {
        let gate = Mutex::new(Gate::new(&settings.policy, settings.pace));
        Self {
            shared: Arc::new(Shared { settings, gate }),
        }
    }
}

impl WireRoute {
    /// Recipients that one request may have, at most.
    fn largest_batch(&self) -> usize {
        match self {
            Self::Json(route) => route.limits().ids_per_request.max(1),
            Self::Plaintext(_) | Self::V1(_) => 1,
        }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { route, policy, .. } = self.settings();
        f.debug_struct("Gateway")
            .field("route", route)
            .field("policy", policy)
            .finish_non_exhaustive()
    }
}
