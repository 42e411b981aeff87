//! The messages of the inputs, as a program builds them: every option of firebase-admin by the method that sets it here.

use gcm_proto::{
    Android, AndroidNotification, Apns, Aps, ApsAlert, Color, Condition, CriticalSound, Fid, LightSettings, Message,
    MessageBuilder, Notification, NotificationPriority, NotificationProxy, Priority, Target, TextDirection, Token,
    Topic, Visibility, WebAction, WebNotification, Webpush,
};
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Or why there is no such message: an error of the library, or no such value in its types.
type Built<T> = Result<T, String>;

/// A message and its target, from the options of firebase-admin's `Message`.
pub(crate) fn built(options: &Value, dry_run: bool) -> Built<(Message, Target)> {
    let mut targets: Vec<Target> = Vec::new();
    let builder = Message::builder().dry_run(dry_run);
    let builder = each(builder, options, |builder, name, value| {
        Ok(match name {
            "data" => pairs(builder, value, MessageBuilder::data)?,
            "notification" => builder.notification(notification(value)?),
            "android" => builder.android(android(value)?),
            "webpush" => builder.webpush(webpush(value)?),
            "apns" => builder.apns(apns(value)?),
            "fcm_options" => each(builder, value, |builder, name, value| match name {
                "analytics_label" => Ok(builder.analytics_label(text(value)?)),
                _ => unknown(name),
            })?,
            _ => {
                targets.push(target(name, value)?);
                builder
            }
        })
    })?;
    let message = builder.build().map_err(said)?;
    let [target] = <[Target; 1]>::try_from(targets).map_err(|_| no_such("a message has one target"))?;
    Ok((message, target))
}

fn target(kind: &str, value: &Value) -> Built<Target> {
    let name = text(value)?;
    match kind {
        "token" => Token::try_from(name).map(Target::from).map_err(said),
        "fid" => Fid::try_from(name).map(Target::from).map_err(said),
        "topic" => Topic::try_from(name).map(Target::from).map_err(said),
        "condition" => name.parse().map(|condition: Condition| condition.into()).map_err(said),
        _ => unknown(kind),
    }
}

fn notification(options: &Value) -> Built<Notification> {
    each(Notification::new(), options, |part, name, value| {
        Ok(match name {
            "title" => part.title(text(value)?),
            "body" => part.body(text(value)?),
            "image" => part.image(text(value)?),
            _ => unknown(name),
        })
    })
}

fn android(options: &Value) -> Built<Android> {
    each(Android::new(), options, |part, name, value| {
        Ok(match name {
            "collapse_key" => part.collapse_key(text(value)?),
            "priority" => part.priority(match text(value)? {
                "normal" => Priority::Normal,
                "high" => Priority::High,
                _ => return Err(no_such("Priority")),
            }),
            "ttl" => part.ttl(duration(value, 1.0)?),
            "restricted_package_name" => part.restricted_package_name(text(value)?),
            "data" => pairs(part, value, Android::data)?,
            "notification" => part.notification(android_notification(value)?),
            "fcm_options" => each(part, value, |part, name, value| match name {
                "analytics_label" => Ok(part.analytics_label(text(value)?)),
                _ => unknown(name),
            })?,
            "direct_boot_ok" => part.direct_boot_ok(flag(value)?),
            "bandwidth_constrained_ok" => part.bandwidth_constrained_ok(flag(value)?),
            "restricted_satellite_ok" => part.restricted_satellite_ok(flag(value)?),
            _ => unknown(name),
        })
    })
}

fn android_notification(options: &Value) -> Built<AndroidNotification> {
    each(AndroidNotification::new(), options, |part, name, value| {
        Ok(match name {
            "title" => part.title(text(value)?),
            "body" => part.body(text(value)?),
            "icon" => part.icon(text(value)?),
            "color" => part.color(text(value)?),
            "sound" => part.sound(text(value)?),
            "tag" => part.tag(text(value)?),
            "click_action" => part.click_action(text(value)?),
            "body_loc_key" => part.body_loc_key(text(value)?),
            "body_loc_args" => part.body_loc_args(list(value, text)?),
            "title_loc_key" => part.title_loc_key(text(value)?),
            "title_loc_args" => part.title_loc_args(list(value, text)?),
            "channel_id" => part.channel_id(text(value)?),
            "image" => part.image(text(value)?),
            "ticker" => part.ticker(text(value)?),
            "sticky" => part.sticky(flag(value)?),
            "event_timestamp" => part.event_time(moment(value)?),
            "local_only" => part.local_only(flag(value)?),
            "priority" => part.notification_priority(match text(value)? {
                "min" => NotificationPriority::Min,
                "low" => NotificationPriority::Low,
                "default" => NotificationPriority::Default,
                "high" => NotificationPriority::High,
                "max" => NotificationPriority::Max,
                _ => return Err(no_such("NotificationPriority")),
            }),
            "vibrate_timings_millis" => part.vibrate_timings(list(value, |time| duration(time, 1e-3))?),
            "default_vibrate_timings" => part.default_vibrate_timings(flag(value)?),
            "default_sound" => part.default_sound(flag(value)?),
            "light_settings" => part.light_settings(light_settings(value)?),
            "default_light_settings" => part.default_light_settings(flag(value)?),
            "visibility" => part.visibility(match text(value)? {
                "private" => Visibility::Private,
                "public" => Visibility::Public,
                "secret" => Visibility::Secret,
                _ => return Err(no_such("Visibility")),
            }),
            "notification_count" => part.notification_count(number(value)?),
            "proxy" => part.proxy(match text(value)? {
                "allow" => NotificationProxy::Allow,
                "deny" => NotificationProxy::Deny,
                "if_priority_lowered" => NotificationProxy::IfPriorityLowered,
                _ => return Err(no_such("NotificationProxy")),
            }),
            _ => unknown(name),
        })
    })
}

fn light_settings(options: &Value) -> Built<LightSettings> {
    let color: Color = text(&options["color"])?.parse().map_err(said)?;
    let on = duration(&options["light_on_duration_millis"], 1e-3)?;
    let off = duration(&options["light_off_duration_millis"], 1e-3)?;
    Ok(LightSettings::new(color, on, off))
}

fn webpush(options: &Value) -> Built<Webpush> {
    each(Webpush::new(), options, |part, name, value| {
        Ok(match name {
            "headers" => pairs(part, value, Webpush::header)?,
            "data" => pairs(part, value, Webpush::data)?,
            "notification" => part.notification(web_notification(value)?),
            "fcm_options" => each(part, value, |part, name, value| match name {
                "link" => Ok(part.link(text(value)?)),
                _ => unknown(name),
            })?,
            _ => unknown(name),
        })
    })
}

fn web_notification(options: &Value) -> Built<WebNotification> {
    each(WebNotification::new(), options, |part, name, value| {
        Ok(match name {
            "title" => part.title(text(value)?),
            "body" => part.body(text(value)?),
            "icon" => part.icon(text(value)?),
            "actions" => list(value, action)?.into_iter().fold(part, WebNotification::action),
            "badge" => part.badge(text(value)?),
            "data" => part.data(value.clone()),
            "direction" => part.dir(match text(value)? {
                "auto" => TextDirection::Auto,
                "ltr" => TextDirection::Ltr,
                "rtl" => TextDirection::Rtl,
                _ => return Err(no_such("TextDirection")),
            }),
            "image" => part.image(text(value)?),
            "language" => part.lang(text(value)?),
            "renotify" => part.renotify(flag(value)?),
            "require_interaction" => part.require_interaction(flag(value)?),
            "silent" => part.silent(flag(value)?),
            "tag" => part.tag(text(value)?),
            "timestamp_millis" => {
                let millis = value.as_i64().ok_or_else(|| no_such("a time in milliseconds"))?;
                part.timestamp(from_1970(Duration::from_millis(millis.unsigned_abs()), millis < 0))
            }
            "vibrate" => part.vibrate(list(value, number)?),
            "custom_data" => customs(part, value, |part, key, value| Ok(part.custom(key, value)))?,
            _ => unknown(name),
        })
    })
}

fn action(options: &Value) -> Built<WebAction> {
    each(WebAction::new(), options, |part, name, value| {
        Ok(match name {
            "action" => part.action(text(value)?),
            "title" => part.title(text(value)?),
            "icon" => part.icon(text(value)?),
            _ => unknown(name),
        })
    })
}

fn apns(options: &Value) -> Built<Apns> {
    each(Apns::new(), options, |part, name, value| {
        Ok(match name {
            "headers" => pairs(part, value, Apns::header)?,
            // `aps`, and all others are the app's own.
            "payload" => customs(part, value, |part, key, value| {
                Ok(match key.as_str() {
                    "aps" => part.aps(aps(&value)?),
                    _ => part.custom(key, value),
                })
            })?,
            "fcm_options" => each(part, value, |part, name, value| {
                Ok(match name {
                    "analytics_label" => part.analytics_label(text(value)?),
                    "image" => part.image(text(value)?),
                    _ => unknown(name),
                })
            })?,
            "live_activity_token" => part.live_activity_token(text(value)?),
            _ => unknown(name),
        })
    })
}

fn aps(options: &Value) -> Built<Aps> {
    each(Aps::new(), options, |part, name, value| {
        Ok(match name {
            "alert" if value.is_string() => part.alert(text(value)?),
            "alert" => part.alert(alert(value)?),
            "badge" => part.badge(value.as_u64().ok_or_else(|| no_such("a u64"))?),
            "sound" if value.is_object() => part.sound(sound(value)?),
            "sound" => part.sound(text(value)?),
            "content_available" => part.content_available(flag(value)?),
            "category" => part.category(text(value)?),
            "thread_id" => part.thread_id(text(value)?),
            "mutable_content" => part.mutable_content(flag(value)?),
            "custom_data" => customs(part, value, |part, key, value| Ok(part.custom(key, value)))?,
            _ => unknown(name),
        })
    })
}

fn alert(options: &Value) -> Built<ApsAlert> {
    each(ApsAlert::new(), options, |part, name, value| {
        Ok(match name {
            "title" => part.title(text(value)?),
            "subtitle" => part.subtitle(text(value)?),
            "body" => part.body(text(value)?),
            "loc_key" => part.loc_key(text(value)?),
            "loc_args" => part.loc_args(list(value, text)?),
            "title_loc_key" => part.title_loc_key(text(value)?),
            "title_loc_args" => part.title_loc_args(list(value, text)?),
            "action_loc_key" => part.action_loc_key(text(value)?),
            "launch_image" => part.launch_image(text(value)?),
            // Two of these are options here, and not there.
            "custom_data" => customs(part, value, |part, key, value| {
                Ok(match key.as_str() {
                    "subtitle-loc-key" => part.subtitle_loc_key(text(&value)?),
                    "subtitle-loc-args" => part.subtitle_loc_args(list(&value, text)?),
                    _ => part.custom(key, value),
                })
            })?,
            _ => unknown(name),
        })
    })
}

fn sound(options: &Value) -> Built<CriticalSound> {
    let sound = CriticalSound::new(text(&options["name"])?).critical(false);
    each(sound, options, |sound, name, value| {
        Ok(match name {
            "name" => sound,
            "critical" => sound.critical(flag(value)?),
            #[allow(clippy::cast_possible_truncation)] // the wire's numbers are no wider
            "volume" => sound.volume(value.as_f64().ok_or_else(|| no_such("a number"))? as f32),
            _ => unknown(name),
        })
    })
}

/// Sets every option that is given. `None` there is an option that is left out.
fn each<P>(part: P, options: &Value, mut set: impl FnMut(P, &str, &Value) -> Built<P>) -> Built<P> {
    let options = options.as_object().ok_or_else(|| no_such("an object"))?;
    let mut given = options.iter().filter(|(_, value)| !value.is_null());
    given.try_fold(part, |part, (name, value)| set(part, name, value))
}

fn pairs<P>(part: P, pairs: &Value, add: impl Fn(P, String, String) -> P) -> Built<P> {
    let pairs = pairs.as_object().ok_or_else(|| no_such("pairs"))?;
    let mut pairs = pairs.iter();
    pairs.try_fold(part, |part, (key, value)| {
        Ok(add(part, key.clone(), text(value)?.to_owned()))
    })
}

/// Free keys: among these, `None` is a value.
fn customs<P>(part: P, keys: &Value, add: impl Fn(P, String, Value) -> Built<P>) -> Built<P> {
    let keys = keys.as_object().ok_or_else(|| no_such("keys"))?;
    let mut keys = keys.iter();
    keys.try_fold(part, |part, (key, value)| add(part, key.clone(), value.clone()))
}

fn list<'a, T>(values: &'a Value, item: impl Fn(&'a Value) -> Built<T>) -> Built<Vec<T>> {
    let values = values.as_array().ok_or_else(|| no_such("a list"))?;
    values.iter().map(item).collect()
}

fn text(value: &Value) -> Built<&str> {
    value.as_str().ok_or_else(|| no_such("a text"))
}

fn flag(value: &Value) -> Built<bool> {
    value.as_bool().ok_or_else(|| no_such("a bool"))
}

fn number(value: &Value) -> Built<u32> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| no_such("a u32"))
}

/// A number of this unit, in seconds, or the parts of a `timedelta`.
fn duration(value: &Value, unit: f64) -> Built<Duration> {
    let Some(parts) = value.as_object() else {
        let seconds = value.as_f64().map(|number| number * unit);
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        return duration.ok_or_else(|| no_such("a Duration"));
    };
    parts.iter().try_fold(Duration::ZERO, |sum, (unit, number)| {
        let number = u64::from(self::number(number)?);
        Ok(sum
            + match unit.as_str() {
                "days" => Duration::from_secs(number * 86_400),
                "hours" => Duration::from_secs(number * 3600),
                "seconds" => Duration::from_secs(number),
                "milliseconds" => Duration::from_millis(number),
                "microseconds" => Duration::from_micros(number),
                _ => unknown(unit),
            })
    })
}

/// A point in time, in whatever zone.
fn moment(value: &Value) -> Built<SystemTime> {
    let seconds = value["seconds"].as_i64().ok_or_else(|| no_such("a SystemTime"))?;
    let micros = value["microseconds"].as_u64().unwrap_or(0);
    let whole = from_1970(Duration::from_secs(seconds.unsigned_abs()), seconds < 0);
    Ok(whole + Duration::from_micros(micros))
}

fn from_1970(time: Duration, before: bool) -> SystemTime {
    if before { UNIX_EPOCH - time } else { UNIX_EPOCH + time }
}

fn said(error: impl std::error::Error) -> String {
    error.to_string()
}

/// The types have no such value.
fn no_such(what: &str) -> String {
    format!("by type: {what}")
}

fn unknown<T>(name: &str) -> T {
    panic!("no option {name}")
}
