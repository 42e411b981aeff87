"""Encodes every input with the package firebase-admin, and prints the bodies that it would send.

usage: encode.py INPUTS > messages.golden

The first line of the output names the package and its version. Each further line is the body of one input, or why the
package refuses it. An option of the package that no input sets is an error: a newer version may have more.
"""

import datetime
import inspect
import json
import sys
import warnings
from importlib.metadata import version

from firebase_admin import messaging


def moment(seconds, microseconds=0, offset_minutes=None):
    """A point in time from 1970, in a time zone or, without one, naive."""
    since = datetime.timedelta(seconds=seconds, microseconds=microseconds)
    if offset_minutes is None:
        return datetime.datetime(1970, 1, 1) + since
    zone = datetime.timezone(datetime.timedelta(minutes=offset_minutes))
    return (datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + since).astimezone(zone)


# What an object stands for, by the class whose option it is.
PARTS = {
    messaging.Message: {
        "notification": messaging.Notification,
        "android": messaging.AndroidConfig,
        "webpush": messaging.WebpushConfig,
        "apns": messaging.APNSConfig,
        "fcm_options": messaging.FCMOptions,
    },
    messaging.AndroidConfig: {
        "notification": messaging.AndroidNotification,
        "fcm_options": messaging.AndroidFCMOptions,
        "ttl": datetime.timedelta,
    },
    messaging.AndroidNotification: {
        "light_settings": messaging.LightSettings,
        "event_timestamp": moment,
    },
    messaging.LightSettings: {
        "light_on_duration_millis": datetime.timedelta,
        "light_off_duration_millis": datetime.timedelta,
    },
    messaging.WebpushConfig: {
        "notification": messaging.WebpushNotification,
        "fcm_options": messaging.WebpushFCMOptions,
    },
    messaging.WebpushNotification: {"actions": messaging.WebpushNotificationAction},
    messaging.APNSConfig: {
        "payload": messaging.APNSPayload,
        "fcm_options": messaging.APNSFCMOptions,
    },
    messaging.APNSPayload: {"aps": messaging.Aps},
    messaging.Aps: {"alert": messaging.ApsAlert, "sound": messaging.CriticalSound},
}

used = set()


def build(kind, options):
    """An object of this class with these options."""
    parts = PARTS.get(kind, {})
    used.update((kind, name) for name, value in options.items() if value is not None)
    return kind(**{name: value_of(parts.get(name), value) for name, value in options.items()})


def value_of(kind, value):
    if kind and isinstance(value, dict):
        return build(kind, value)
    if kind and isinstance(value, list):
        return [value_of(kind, item) for item in value]
    return value


def encode(row):
    """A line of the output."""
    try:
        message = build(messaging.Message, row["message"])
        # As `messaging.send` does it, but for an app with a credential, which the method does not look at.
        body = messaging._MessagingService._message_data(None, message, row.get("dry_run", False))
        json.dumps(body, allow_nan=False)
    except ValueError as error:
        return {"id": row["id"], "refused": str(error)}
    return {"id": row["id"], "body": body}


def unused():
    """The options of the package that no input sets."""
    kinds = {messaging.Message} | {kind for parts in PARTS.values() for kind in parts.values()}
    for kind in kinds - {datetime.timedelta, moment}:
        for name, parameter in inspect.signature(kind).parameters.items():
            if parameter.kind is not parameter.VAR_KEYWORD and (kind, name) not in used:
                yield f"{kind.__name__}.{name}"


def main():
    # The package would rather have installation ids than tokens.
    warnings.simplefilter("ignore", DeprecationWarning)
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = json.load(file)
    print(json.dumps({"package": "firebase-admin", "version": version("firebase-admin")}))
    for row in rows:
        print(json.dumps(encode(row)))
    missing = sorted(unused())
    if missing:
        sys.exit(f"no input sets {', '.join(missing)}")


main()
