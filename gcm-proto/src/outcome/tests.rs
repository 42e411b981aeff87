use super::{
    Accepted, Advice, ApnsError, Code, Details, ErrorInfo, Failure, FieldViolation, Outcome, QuotaViolation, Reach,
    Report, Settled,
};
use crate::{Sent, Token};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::time::Duration;

#[test]
fn an_id_is_shown_on_one_line() {
    let accepted = Accepted::new(Some("1:08\r\n\u{1b}[31m"));
    assert_eq!(accepted.to_string(), "accepted as 1:08\\r\\n\\u{1b}[31m");
    assert_eq!(accepted.message_id(), Some("1:08\r\n\u{1b}[31m"));
}

fn read<T: DeserializeOwned>(json: &Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(json.clone()).and_then(|_: T| serde_json::from_str(&json.to_string()))
}

#[track_caller]
fn same<T: DeserializeOwned + PartialEq + Debug>(json: &Value, expected: &T) {
    assert_eq!(&read::<T>(json).unwrap(), expected, "{json}");
}

#[track_caller]
fn refused<T: DeserializeOwned + Debug>(json: &Value) {
    let read = read::<T>(json);
    assert!(read.is_err(), "{json} was read as {read:?}");
}

#[test]
fn trial_v15_of_what_is_stored_null_is_absent() {
    let failure = Failure::new(Code::Unavailable, Sent::Responded);
    let stored = json!({
        "code": "Unavailable", "sent": "responded", "attempts": 1, "unsent": null, "contradicted": null, "cause": null,
        "status": null, "retry_after": null, "message": null, "details": null, "group": null, "doubted": null,
    });
    same(&stored, &failure);
    same(
        &json!({"failed": stored, "accepted": null}),
        &Outcome::Failed(failure.clone()),
    );
    same(
        &json!({"message_id": null, "canonical": null, "group": null}),
        &Accepted::default(),
    );
    same(
        &json!({"accepted": {}, "failed": null}),
        &Outcome::Accepted(Accepted::default()),
    );
    same(
        &json!({
            "fcm_code": null, "status": null, "apns": null, "violations": null, "quota": null, "info": null,
            "retry_delay": null, "other": null,
        }),
        &Details::default(),
    );
    same(&json!({"status": null, "reason": null}), &ApnsError::default());
    same(&json!({"field": null, "description": null}), &FieldViolation::default());
    same(
        &json!({"subject": null, "description": null}),
        &QuotaViolation::default(),
    );
    same(
        &json!({"reason": null, "domain": null, "metadata": null}),
        &ErrorInfo::default(),
    );
    same(&json!({"retry": null}), &Advice::Retry(None));
    let settled: Settled = read(&json!({
        "position": 4, "target": {"token": "42", "topic": null}, "outcome": {"accepted": {"message_id": "1"}}, "attempts": 1,
        "multicast_id": null,
    }))
    .unwrap();
    assert_eq!((settled.position.get(), settled.multicast_id), (4, None));
    for needed in [
        json!({}),
        json!({"code": null, "sent": "responded", "attempts": 1}),
        json!({"code": "Unavailable"}),
    ] {
        refused::<Failure>(&needed);
    }
}

#[test]
fn trial_v15_of_what_is_stored_only_an_object_is_one() {
    let failure = json!({"code": "Unavailable", "sent": "responded", "attempts": 1});
    let with = |field: &str, value: Value| {
        let mut failure = failure.clone();
        failure[field] = value;
        failure
    };
    assert!(read::<Failure>(&failure).is_ok());
    for array in [
        json!(["Unavailable", "responded", 1]),
        json!([]),
        json!(null),
        json!("Unavailable"),
        with("retry_after", json!([120, 0])),
        with("details", json!([])),
        with("details", json!(["UNREGISTERED"])),
        with("details", json!({"apns": [410, "Unregistered"]})),
        with("details", json!({"info": ["reason", "domain", {}]})),
        with("details", json!({"violations": [["message.token", "x"]]})),
        with("details", json!({"quota": [[]]})),
        with("details", json!({"retry_delay": [1, 0]})),
        with("group", json!([0, []])),
        with("code", json!(["DOH!"])),
        with("cause", json!([{"other": "DOH!"}])),
    ] {
        refused::<Failure>(&array);
        refused::<Outcome>(&json!({"failed": array}));
    }
    for array in [
        json!([]),
        json!(["1:08"]),
        json!({"group": [1, []]}),
        json!(null),
        json!("1:08"),
    ] {
        refused::<Accepted>(&array);
        refused::<Outcome>(&json!({"accepted": array}));
    }
    for none in [
        json!([]),
        json!([{}]),
        json!({}),
        json!("accepted"),
        json!(["accepted", {}]),
        json!({"accepted": null}),
        json!({"accepted": {}, "failed": failure}),
    ] {
        refused::<Outcome>(&none);
    }
    refused::<Settled>(&json!([4, {"token": "42"}, {"accepted": {}}, 1, null]));
    refused::<Settled>(&json!({"position": 4, "target": ["token", "42"], "outcome": {"accepted": {}}, "attempts": 1}));
    refused::<Advice>(&json!({"retry": [120, 0]}));
    refused::<Advice>(&json!(["remove"]));
    refused::<Code>(&json!(["NotRegistered"]));
    refused::<Code>(&json!({"other": null}));
    refused::<Reach>(&json!([1, ["4"]]));
    refused::<Details>(&json!([]));
    refused::<ErrorInfo>(&json!(["reason"]));
}

#[test]
fn what_is_stored_is_read_as_it_was() {
    let details = Details {
        fcm_code: Some("DOH!".into()),
        apns: Some(ApnsError {
            status: Some(410),
            reason: "Unregistered".into(),
        }),
        violations: vec![FieldViolation {
            field: "message.token".into(),
            description: "d".into(),
        }],
        quota: vec![QuotaViolation {
            subject: "s".into(),
            description: "d".into(),
        }],
        info: Some(ErrorInfo {
            metadata: [("fcmOptions".into(), "kept".into())].into(),
            ..ErrorInfo::default()
        }),
        retry_delay: Some(Duration::new(1, 500_000_000)),
        other: vec!["{}".into()],
        ..Details::default()
    };
    let reach = Reach {
        reached: 0,
        unreached: vec![Token::try_from("4").unwrap()],
    };
    let failure = Failure::new(Code::Other("DOH!".into()), Sent::MaybeSent)
        .with_retry_after(Duration::from_secs(120))
        .with_unsent(2)
        .contradicted()
        .with_cause(Code::Unavailable)
        .with_doubted(Code::NotRegistered)
        .with_reach(reach.clone())
        .with_message("line")
        .with_details(details);
    let failed = Outcome::Failed(failure);
    let accepted = Accepted::new(Some("1:08"))
        .with_canonical(Token::try_from("8").unwrap())
        .with_reach(reach);
    for outcome in [
        failed,
        Outcome::Accepted(accepted),
        Outcome::Accepted(Accepted::default()),
    ] {
        let stored = serde_json::to_string(&outcome).unwrap();
        assert_eq!(serde_json::from_str::<Outcome>(&stored).unwrap(), outcome, "{stored}");
    }
}

#[test]
fn a_report_is_stored_as_the_list_of_its_recipients() {
    let stored = json!([
        {"position": 0, "target": {"token": "4"}, "outcome": {"accepted": {}}, "attempts": 1},
        {"position": 1, "target": {"topic": "news"}, "outcome": {"accepted": {}}, "attempts": 2, "multicast_id": "108"},
    ]);
    let report: Report = read(&stored).unwrap();
    assert_eq!(report.len(), 2);
    assert_eq!(report.multicast_ids().len(), 1);
    let again: Report = read(&serde_json::to_value(&report).unwrap()).unwrap();
    assert_eq!(again, report);
    refused::<Report>(&json!({}));
    refused::<Report>(&json!([{"position": 0}]));
}
