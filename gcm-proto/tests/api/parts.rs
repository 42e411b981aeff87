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
        targets().into_iter().map(move |target| {
            let single = encoded.single(target, SystemTime::UNIX_EPOCH, None).unwrap();
            single.with_token(&access)
        })
    };
    encoded().into_iter().flat_map(each).collect()
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
        shown!("exchange/v1/reply.rs" Details, v1::Details, [v1::Details::default()]),
        shown!("exchange/v1/request.rs" Route, v1::Route, [route()]),
        shown!("exchange/v1/request.rs" Encoded, v1::Encoded, encoded()),
        shown!("exchange/v1/request.rs" Single, v1::Single, singles()),
    ]
}
