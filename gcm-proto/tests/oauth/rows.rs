//! Rows of replies of a token endpoint: status, headers and body in, what they mean out.

use crate::common::{advice_name, reply};
use gcm_proto::{Endpoint, Exchange, Refusal, Scope, Secret, TokenResponse, oauth};
use serde::Deserialize;
use std::time::{Duration, SystemTime};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    id: String,
    what: String,
    source: String,
    /// Which file has it, when no reply shows it.
    elsewhere: Option<String>,
    #[serde(default)]
    ask: Ask,
    status: Option<u16>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    expect: Option<Expect>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    #[default]
    Assertion,
    Refresh,
    Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Granted {
        token: String,
        seconds: u64,
    },
    Refused {
        code: String,
        advice: String,
        retriable: bool,
        /// What is said to do, where the row is about that.
        hint: Option<String>,
    },
    Unreadable {},
}

impl Row {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn name(&self) -> String {
        format!("{} ({}; {})", self.id, self.what, self.source)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let (Some(status), Some(expect)) = (self.status, &self.expect) else {
            let elsewhere = self.elsewhere.as_deref().ok_or("it has neither a reply nor a place")?;
            let crate_dir = env!("CARGO_MANIFEST_DIR");
            let places = [
                format!("{crate_dir}/tests/{elsewhere}"),
                format!("{crate_dir}/src/{elsewhere}"),
            ];
            let source = places.iter().find_map(|path| std::fs::read_to_string(path).ok());
            let found = source.is_some_and(|source| source.contains(&format!("fn {}_", self.id)));
            return found.then_some(()).ok_or(format!("{elsewhere} has no test of it"));
        };
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let read = self.mint().read_response(reply(status, &headers, &self.body));
        match (read, expect) {
            (Ok(grant), Expect::Granted { token, seconds }) => granted(&grant, token, *seconds),
            (
                Err(refusal @ Refusal::Refused(_)),
                Expect::Refused {
                    code,
                    advice,
                    retriable,
                    hint,
                },
            ) => {
                if hint.as_ref().is_some_and(|hint| hint != refusal.hint()) {
                    return Err(format!("it says {:?}", refusal.hint()));
                }
                let failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
                let said = (
                    refusal.code().to_string(),
                    advice_name(&failure.advice()).to_owned(),
                    refusal.is_retriable(),
                    refusal.scope(),
                );
                let expected = (code.clone(), advice.clone(), *retriable, Scope::Project);
                (said == expected).then_some(()).ok_or(format!("{said:?}"))
            }
            (Err(Refusal::Unreadable(_)), Expect::Unreadable {}) => Ok(()),
            (other, _) => Err(format!("{other:?}")),
        }
    }

    fn mint(&self) -> oauth::Mint {
        match self.ask {
            Ask::Assertion => oauth::Mint::assertion(Endpoint::google_token(), Secret::new("eyJh.eyJp.c2ln")),
            Ask::Refresh => {
                let (secret, refresh) = (Secret::new("d-FL95Q19q7MQ"), Secret::new("1//0gRefresh"));
                oauth::Mint::refresh(Endpoint::google_token(), "764.apps", secret, refresh)
            }
            Ask::Metadata => oauth::Mint::metadata("http://127.0.0.1/token".parse().unwrap()),
        }
    }
}

fn granted(grant: &TokenResponse, token: &str, seconds: u64) -> Result<(), String> {
    let right = grant.token == token.try_into().unwrap() && grant.lifetime == Some(Duration::from_secs(seconds));
    right.then_some(()).ok_or(format!("{grant:?}"))
}
