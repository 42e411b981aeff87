//! The parts of a message for one platform and the exchange of the v1 wire. A Live Activity's token is a device's too.

use crate::probe::{KEY, LONG, MIDDLE, Shown};
use crate::samples::targets;
use crate::shown;
use gcm_proto::*;
use std::time::{Duration, SystemTime};

fn apns(activity: &str) -> Apns {
    Apns::new().live_activity_token(activity).aps(aps())
}

fn aps() -> Aps {
    Aps::new()
        .alert(ApsAlert::new().title("Goal!"))
        .sound(CriticalSound::new("n"))
}

fn light() -> LightSettings {
    LightSettings::new(Color::default(), Duration::ZERO, Duration::ZERO)
}

/// A message with this token of a Live Activity.
pub(crate) fn message(activity: &str) -> Message {
    let builder = Message::builder().time_to_live(Duration::from_secs(60));
    builder.apns(apns(activity)).build().unwrap()
}

fn route() -> v1::Route {
    let endpoint = format!("https://push.example.org/?key={KEY}").parse().unwrap();
    v1::Route::new("my-project".parse().unwrap()).with_endpoint(&endpoint)
}

fn encoded() -> Vec<v1::Encoded> {
    let encode = |activity| v1::Encoded::new(&route(), &message(activity)).unwrap();
    [LONG, MIDDLE].map(encode).into()
}

fn singles() -> Vec<v1::Single> {
    let access = AccessToken::try_from(KEY).unwrap();
    let each = |encoded: v1::Encoded| {
        let access = access.clone();
        // The token of a Live Activity goes beside a device only.
        targets().into_iter().filter_map(move |target| {
            let single = encoded.single(target, SystemTime::UNIX_EPOCH, None).ok()?;
            Some(single.with_token(&access))
        })
    };
    encoded().into_iter().flat_map(each).collect()
}

/// What requests of this wire bring back when the service repeats all it was sent.
fn details() -> Vec<v1::Details> {
    refusals().iter().filter_map(|one| one.details().cloned()).collect()
}

pub(crate) fn refusals() -> Vec<Refusal> {
    let kind = |name: &str| format!("type.googleapis.com/{name}");
    let echo = |text: &str| {
        let error = serde_json::json!({
            "message": text, "status": text, "details": [
                {"@type": kind("google.firebase.fcm.v1.FcmError"), "errorCode": text},
                {"@type": kind("google.firebase.fcm.v1.ApnsError"), "statusCode": 400, "reason": text},
                {"@type": kind("google.rpc.BadRequest"), "fieldViolations": [{"field": text, "description": text}]},
                {"@type": kind("google.rpc.QuotaFailure"), "violations": [{"subject": text, "description": text}]},
                {"@type": kind("google.rpc.ErrorInfo"), "reason": text, "domain": text, "metadata": {text: text}},
                {"@type": kind("google.rpc.Help"), "links": [{"description": text, "url": text}]},
            ]
        });
        serde_json::json!({ "error": error }).to_string()
    };
    let texts = [
        KEY.to_owned(),
        LONG.to_owned(),
        MIDDLE.to_owned(),
        format!("of {KEY}, {MIDDLE}/{LONG}"),
    ];
    let answer = |text: &String| http::Response::builder().status(400).body(echo(text)).unwrap();
    let refuse = |single: &v1::Single| {
        let refused = |text| single.read_response(answer(text)).unwrap_err();
        texts.iter().map(refused).collect::<Vec<_>>()
    };
    let is_for_middle = |one: &&v1::Single| matches!(one.target(), Target::Token(token) if token.as_str() == MIDDLE);
    singles().iter().filter(is_for_middle).flat_map(refuse).collect()
}

pub(crate) fn all() -> Vec<Shown> {
    let shown = AndroidNotification::new().title("Goal!").light_settings(light());
    let remote = RemoteNotification::new().notification(shown.clone());
    let web = WebNotification::new().action(WebAction::new().title("Show"));
    vec![
        shown!("message/android.rs" Android, Android, [Android::new().notification(shown.clone())]),
        shown!("message/android.rs" AndroidV2, AndroidV2, [AndroidV2::new().remote_notification(remote.clone())]),
        shown!("message/android.rs" RemoteNotification, RemoteNotification, [remote]),
        shown!("message/android/notification.rs" AndroidNotification, AndroidNotification, [shown]),
        shown!("message/android/notification.rs" LightSettings, LightSettings, [light()]),
        shown!("message/android/notification.rs" NotificationPriority, NotificationPriority, [NotificationPriority::Max]),
        shown!("message/android/notification.rs" NotificationProxy, NotificationProxy, [NotificationProxy::Deny]),
        shown!("message/android/notification.rs" Visibility, Visibility, [Visibility::Private]),
        shown!("message/apns.rs" Apns, Apns, [apns(LONG), apns(MIDDLE)]),
        shown!("message/apns.rs" Aps, Aps, [aps()]),
        shown!("message/apns/alert.rs" Alert, Alert, [Alert::from("Goal!"), ApsAlert::new().into()]),
        shown!("message/apns/alert.rs" ApsAlert, ApsAlert, [ApsAlert::new().title("Goal!")]),
        shown!("message/apns/sound.rs" CriticalSound, CriticalSound, [CriticalSound::new("n")]),
        shown!("message/apns/sound.rs" Sound, Sound, [Sound::from("n"), CriticalSound::new("n").into()]),
        shown!("message/color.rs" Color, Color, [Color::default()]),
        shown!("message/webpush.rs" Webpush, Webpush, [Webpush::new().notification(web.clone())]),
        shown!("message/webpush/notification.rs" TextDirection, TextDirection, [TextDirection::Auto]),
        shown!("message/webpush/notification.rs" WebAction, WebAction, [WebAction::new().title("Show")]),
        shown!("message/webpush/notification.rs" WebNotification, WebNotification, [web]),
        shown!("outcome/details.rs" Details, v1::Details, details()),
        shown!("outcome/details.rs" ApnsError, v1::ApnsError, details().into_iter().filter_map(|one| one.apns).collect::<Vec<_>>()),
        shown!("outcome/details.rs" ErrorInfo, v1::ErrorInfo, details().into_iter().filter_map(|one| one.info).collect::<Vec<_>>()),
        shown!("outcome/details.rs" FieldViolation, v1::FieldViolation, details().into_iter().flat_map(|one| one.violations).collect::<Vec<_>>()),
        shown!("outcome/details.rs" QuotaViolation, v1::QuotaViolation, details().into_iter().flat_map(|one| one.quota).collect::<Vec<_>>()),
        shown!("exchange/v1/route.rs" Route, v1::Route, [route()]),
        shown!("exchange/v1/request.rs" Encoded, v1::Encoded, encoded()),
        shown!("exchange/v1/request.rs" Single, v1::Single, singles()),
    ]
}
