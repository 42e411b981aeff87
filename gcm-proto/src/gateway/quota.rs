//! The 429s of a gateway: those that concern everybody, and the time for which they do.

use std::time::Duration;

/// The seconds that are looked back on.
const WINDOW: usize = 10;
/// Recipients who must have met a 429 that names nothing before it concerns everybody, and one response in how many.
const RECIPIENTS: usize = 3;
const SHARE: u64 = 100;
/// The longest hold without a header.
const LONGEST: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(super) struct QuotaWatch {
    seconds: [Second; WINDOW],
    /// Who met a 429 that names nothing, the last few, and when.
    met: [Option<(u64, Duration)>; RECIPIENTS],
    /// The last hold: how long it was, and its end.
    last: Option<(Duration, Duration)>,
    /// 429s of the project since the last good sign.
    said: u32,
}

#[derive(Clone, Copy, Default)]
struct Second {
    at: u64,
    responses: u64,
    limited: u64,
}

impl QuotaWatch {
    /// A response came.
    pub(super) fn response(&mut self, now: Duration) {
        if let Some(second) = self.second(now) {
            second.responses += 1;
        }
    }

    /// A 429 that names nothing came for this recipient. True when it is the project's, by what others met.
    pub(super) fn unnamed(&mut self, who: u64, now: Duration) -> bool {
        if let Some(second) = self.second(now) {
            second.limited += 1;
        }
        let first = now.saturating_sub(Duration::from_secs(WINDOW as u64));
        if let Some(known) = self.met.iter_mut().flatten().find(|(met, _)| *met == who) {
            known.1 = now;
        } else if let Some(oldest) = self.met.iter_mut().min_by_key(|met| met.map(|(_, at)| at)) {
            *oldest = Some((who, now));
        }
        let many = self.met.iter().flatten().filter(|(_, at)| *at >= first).count() >= RECIPIENTS;
        let from = first.as_secs();
        let recent = self.seconds.iter().filter(|second| second.at >= from);
        let (responses, limited) = recent.fold((0, 0), |(responses, limited), second| {
            (responses + second.responses, limited + second.limited)
        });
        many && limited.saturating_mul(SHARE) >= responses
    }

    /// The project's quota is used up: how long nobody leaves. `again` says that a request met it that left after the last
    /// hold had begun.
    pub(super) fn length(&mut self, asked: Option<Duration>, least: Duration, again: bool, now: Duration) -> Duration {
        self.said = self.said.saturating_add(1);
        // No time at all is no answer to "when?": everybody would meet the same.
        let length = asked.filter(|asked| !asked.is_zero()).unwrap_or(match self.last {
            Some((length, end)) if again && now <= end.saturating_add(length) => {
                length.saturating_mul(2).min(LONGEST.max(least))
            }
            _ => least,
        });
        self.last = Some((length, now.saturating_add(length)));
        length
    }

    /// Whether more than one request was told so since something went well.
    pub(super) fn is_confirmed(&self) -> bool {
        self.said >= 2
    }

    pub(super) fn good(&mut self) {
        self.said = 0;
    }

    fn second(&mut self, now: Duration) -> Option<&mut Second> {
        let at = now.as_secs();
        let index = usize::try_from(at % WINDOW as u64).unwrap_or(0);
        let second = self.seconds.get_mut(index)?;
        if second.at != at {
            *second = Second {
                at,
                ..Second::default()
            };
        }
        Some(second)
    }
}

#[cfg(test)]
mod tests {
    use super::QuotaWatch;
    use std::time::Duration;

    const SECOND: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn one_recipient_alone_is_not_everybody() {
        let mut quota = QuotaWatch::default();
        for second in 0..100 {
            quota.response(SECOND(second));
            assert!(!quota.unnamed(7, SECOND(second)));
        }
    }

    #[test]
    fn three_within_ten_seconds_are() {
        let mut quota = QuotaWatch::default();
        quota.response(SECOND(100));
        assert!(!quota.unnamed(1, SECOND(100)));
        assert!(!quota.unnamed(2, SECOND(111)));
        assert!(!quota.unnamed(3, SECOND(112)));
        assert!(quota.unnamed(4, SECOND(120)));
    }

    #[test]
    fn three_of_four_hundred_are_not() {
        let mut quota = QuotaWatch::default();
        for n in 0..400 {
            quota.response(SECOND(100 + n / 50));
        }
        assert!(![1, 2, 3].into_iter().any(|who| quota.unnamed(who, SECOND(107))));
        assert!(quota.unnamed(4, SECOND(107)), "one in a hundred");
    }

    #[test]
    fn no_time_at_all_is_read_as_no_header() {
        let mut quota = QuotaWatch::default();
        let (none, minute) = (Some(Duration::ZERO), SECOND(60));
        assert_eq!(quota.length(none, minute, false, SECOND(0)), minute);
        assert_eq!(quota.length(none, minute, true, SECOND(62)), SECOND(120));
        assert_eq!(quota.length(Some(SECOND(1)), minute, true, SECOND(200)), SECOND(1));
    }

    #[test]
    fn a_hold_without_a_header_doubles_when_it_is_met_again_soon() {
        let mut quota = QuotaWatch::default();
        let minute = SECOND(60);
        assert_eq!(quota.length(None, minute, false, SECOND(0)), minute);
        // Those in flight say the same.
        assert_eq!(quota.length(None, minute, false, SECOND(1)), minute);
        assert_eq!(quota.length(None, minute, true, SECOND(62)), SECOND(120));
        assert_eq!(quota.length(None, minute, true, SECOND(183)), SECOND(240));
        assert_eq!(quota.length(None, minute, true, SECOND(424)), SECOND(480));
        assert_eq!(quota.length(None, minute, true, SECOND(905)), SECOND(600));
        assert_eq!(quota.length(None, minute, true, SECOND(3000)), minute, "long after");
        assert_eq!(quota.length(Some(SECOND(7)), minute, true, SECOND(3061)), SECOND(7));
    }
}
