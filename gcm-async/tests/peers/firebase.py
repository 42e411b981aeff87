"""Sends with the package firebase-admin to the emulator, with an account whose assertions the emulator checks.

usage: firebase.py prepare FOLDER          makes the account and the emulator's script there
       firebase.py send FOLDER CLEAR TLS   sends to the emulators at these addresses

The package has no setting for the address: its private name `_MessagingService.FCM_URL` is replaced.
"""

import asyncio
import datetime
import json
import os
import sys

import firebase_admin
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from firebase_admin import credentials, exceptions, messaging

PROJECT = "demo-project"
EMAIL = f"peer@{PROJECT}.iam.gserviceaccount.com"
FAILING = {
    "gone": ("unregistered", messaging.UnregisteredError),
    "foreign": ({"error": "SENDER_ID_MISMATCH"}, messaging.SenderIdMismatchError),
    "busy": ({"error": "QUOTA_EXCEEDED"}, messaging.QuotaExceededError),
    "apns": ({"error": "THIRD_PARTY_AUTH_ERROR"}, messaging.ThirdPartyAuthError),
    "wrong": ("invalid", exceptions.InvalidArgumentError),
}


def prepare(folder):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    script = {
        "project": PROJECT,
        "accounts": {EMAIL: {"public_key": public.decode()}},
        "devices": {token: behaviour for token, (behaviour, _) in FAILING.items()},
    }
    account = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "1",
        "private_key": private.decode(),
        "client_email": EMAIL,
        "client_id": "1",
    }
    for name, value in (("script.json", script), ("account.json", account)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(value, file)


def messages():
    """One of everything that the package can say."""
    notification = messaging.Notification("Goal!", "3:1", "https://example.org/goal.png")
    alert = messaging.ApsAlert(
        title="Goal!", subtitle="Cup", body="3:1", loc_key="GOAL", loc_args=["3", "1"], title_loc_key="TITLE",
        title_loc_args=["Cup"], action_loc_key="OPEN", launch_image="goal.png", custom_data={"summary-arg": "one"},
    )
    lights = messaging.LightSettings("#11223344", 200, 300)
    return [
        messaging.Message(token="4", data={"score": "4x8"}),
        messaging.Message(fid="c1a2b3d4e5f6g7h8i9j0k1", notification=notification),
        messaging.Message(topic="news", notification=notification),
        messaging.Message(topic="/topics/news", data={"score": "4x8"}),
        messaging.Message(condition="'news' in topics && ('a' in topics || 'b' in topics)", data={"score": "4x8"}),
        messaging.Message(
            token="4",
            fcm_options=messaging.FCMOptions("campaign-1"),
            android=messaging.AndroidConfig(
                collapse_key="scores",
                priority="high",
                ttl=datetime.timedelta(seconds=3600.5),
                restricted_package_name="com.example.app",
                data={"more": "1"},
                direct_boot_ok=True,
                bandwidth_constrained_ok=True,
                restricted_satellite_ok=False,
                fcm_options=messaging.AndroidFCMOptions("campaign-2"),
                notification=messaging.AndroidNotification(
                    title="Goal!", body="3:1", icon="ball", color="#112233", sound="default", tag="score",
                    click_action="OPEN", body_loc_key="GOAL", body_loc_args=["3", "1"], title_loc_key="TITLE",
                    title_loc_args=["Cup"], channel_id="scores", image="https://example.org/goal.png", ticker="Goal",
                    sticky=True, event_timestamp=datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, datetime.timezone.utc),
                    local_only=False, priority="high", vibrate_timings_millis=[100, 50, 1500],
                    default_vibrate_timings=False, default_sound=True, light_settings=lights,
                    default_light_settings=False, visibility="secret", notification_count=3, proxy="if_priority_lowered",
                ),
            ),
        ),
        messaging.Message(
            token="4",
            apns=messaging.APNSConfig(
                headers={"apns-priority": "10", "apns-expiration": "1893456000"},
                live_activity_token="a-live-activity",
                fcm_options=messaging.APNSFCMOptions("campaign-3", "https://example.org/goal.png"),
                payload=messaging.APNSPayload(
                    messaging.Aps(
                        alert=alert, badge=3, sound=messaging.CriticalSound("alarm.caf", True, 0.5),
                        content_available=True, category="SCORE", thread_id="cup", mutable_content=True,
                        custom_data={"interruption-level": "time-sensitive"},
                    ),
                    match={"id": 4711},
                ),
            ),
        ),
        messaging.Message(
            token="4",
            apns=messaging.APNSConfig(payload=messaging.APNSPayload(messaging.Aps(alert="Goal!", sound="default"))),
        ),
        messaging.Message(
            token="4",
            webpush=messaging.WebpushConfig(
                headers={"TTL": "60", "Urgency": "high"},
                data={"more": "1"},
                fcm_options=messaging.WebpushFCMOptions("https://example.org/match"),
                notification=messaging.WebpushNotification(
                    title="Goal!", body="3:1", icon="https://example.org/ball.png",
                    actions=[messaging.WebpushNotificationAction("open", "Open", "https://example.org/open.png")],
                    badge="https://example.org/badge.png", data={"id": 4711}, direction="rtl",
                    image="https://example.org/goal.png", language="en-US", renotify=True, require_interaction=True,
                    silent=False, tag="score", timestamp_millis=1767323045678, vibrate=[100, 50, 100],
                    custom_data={"own": "one"},
                ),
            ),
        ),
    ]


def fail(text):
    sys.exit(f"error: firebase-admin {firebase_admin.__version__}: {text}")


def check(replies, what):
    for number, reply in enumerate(replies):
        if not reply.success:
            fail(f"{what}, message {number}: {reply.exception!r}: {reply.exception.http_response.text}")
        if not reply.message_id.startswith(f"projects/{PROJECT}/messages/"):
            fail(f"{what}, message {number} is called {reply.message_id}")


def open_app(folder, origin):
    with open(os.path.join(folder, "account.json"), encoding="utf-8") as file:
        account = json.load(file)
    account["token_uri"] = origin + "/token"
    messaging._MessagingService.FCM_URL = origin + "/v1/projects/{0}/messages:send"
    return firebase_admin.initialize_app(credentials.Certificate(account), name=origin)


def send_blocking(app):
    check(messaging.send_each(messages(), app=app).responses, "send_each")
    check(messaging.send_each(messages(), dry_run=True, app=app).responses, "send_each, dry run")
    tokens = [f"t{number}" for number in range(100)]
    batch = messaging.MulticastMessage(tokens=tokens, data={"score": "4x8"})
    check(messaging.send_each_for_multicast(batch, app=app).responses, "send_each_for_multicast")
    for token, (_, error) in FAILING.items():
        try:
            messaging.send(messaging.Message(token=token), app=app)
        except error:
            continue
        except exceptions.FirebaseError as other:
            fail(f"{token} is told {other!r}, not {error.__name__}")
        fail(f"{token} accepts")


async def send_async(app, expected):
    service = messaging._get_messaging_service(app)
    versions = set()

    async def note(response):
        versions.add(response.http_version)

    service._async_client._async_client.event_hooks = {"response": [note]}
    check((await messaging.send_each_async(messages(), app=app)).responses, "send_each_async")
    tokens = [f"t{number}" for number in range(100)]
    batch = messaging.MulticastMessage(tokens=tokens, data={"score": "4x8"})
    check((await messaging.send_each_for_multicast_async(batch, app=app)).responses, "send_each_for_multicast_async")
    failing = [messaging.Message(token=token) for token in FAILING]
    replies = (await messaging.send_each_async(failing, app=app)).responses
    for reply, (token, (_, error)) in zip(replies, FAILING.items()):
        if not isinstance(reply.exception, error):
            fail(f"{token} is told {reply.exception!r}, not {error.__name__}")
    if versions != {expected}:
        fail(f"{versions} was spoken, not {expected}")


def send(folder, clear, tls):
    for origin, version in ((clear, "HTTP/1.1"), (tls, "HTTP/2")):
        app = open_app(folder, origin)
        send_blocking(app)
        asyncio.run(send_async(app, version))
    print(f"firebase-admin {firebase_admin.__version__}: {len(messages())} kinds of messages over HTTP/1.1, and HTTP/2 under TLS")


if sys.argv[1] == "prepare":
    prepare(*sys.argv[2:])
else:
    send(*sys.argv[2:])
