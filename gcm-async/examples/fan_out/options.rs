//! What the command line asks for, and the gateway and the client that it means.

use gcm_async::{Client, ClientBuilder, Proxy, Roots};
use gcm_proto::{Endpoint, Gateway, Message, RetryPolicy, ServiceAccount, Wire, legacy, v1};
use std::ffi::OsString;
use std::time::Duration;
use std::{env, fs};

pub(crate) const USAGE: &str = "usage: fan_out --tokens FILE [--service-account FILE [--token-endpoint URL]] \
                                [--endpoint URL] [--message FILE] [--window RECIPIENTS] [--connections N] [--http2] \
                                [--proxy URL] [--roots FILE] [--give-up-after SECONDS]";

pub(crate) const EXIT_CODES: &str = "exit codes:
  0    everybody has a verdict and somebody was accepted, or there was nobody; single failures are in the outcomes
  1    somebody is left who could be sent to again: the service failed for longer than --give-up-after (600 seconds),
       or refused the key or the message; or nobody was accepted, or something is wrong with a file
  130  Ctrl-C";

/// The variable that holds the server key.
const KEY: &str = "GCM_API_KEY";

/// The key for a server on this machine, when none is set.
const LOCAL_KEY: &str = "fan-out-key";

/// Recipients in the window, unless told otherwise. Over the legacy wire up to a thousand go in one request, whose body and
/// reply are in memory while it is on its way: this allows four, that are all in use soon, in a short file as in a long one.
const WINDOW: usize = 4096;

/// What some editors on Windows put before a text.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) tokens: String,
    service_account: Option<String>,
    endpoint: Option<String>,
    token_endpoint: Option<String>,
    message: Option<String>,
    window: Option<usize>,
    connections: Option<usize>,
    /// HTTP/2 to plain http endpoints, without asking.
    http2: bool,
    proxy: Option<String>,
    roots: Option<String>,
    give_up_after: Option<Duration>,
}

impl Options {
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(option) = arguments.next() {
            if option == "--http2" {
                options.http2 = true;
                continue;
            }
            let value = arguments.next().ok_or(format!("{option} wants a value; {USAGE}"))?;
            let number = || value.parse::<usize>().map_err(|error| format!("{option}: {error}"));
            match option.as_str() {
                "--window" => options.window = Some(number()?),
                "--connections" => options.connections = Some(number()?),
                "--give-up-after" => {
                    let seconds = value.parse().map_err(|error| format!("{option}: {error}"))?;
                    options.give_up_after = Some(Duration::from_secs(seconds));
                }
                "--tokens" => options.tokens = value,
                "--service-account" => options.service_account = Some(value),
                "--endpoint" => options.endpoint = Some(value),
                "--token-endpoint" => options.token_endpoint = Some(value),
                "--message" => options.message = Some(value),
                "--proxy" => options.proxy = Some(value),
                "--roots" => options.roots = Some(value),
                _ => return Err(format!("{option} is no option; {USAGE}")),
            }
        }
        if options.tokens.is_empty() {
            return Err(USAGE.to_owned());
        }
        if options.token_endpoint.is_some() && options.service_account.is_none() {
            return Err("--token-endpoint is for a --service-account".to_owned());
        }
        Ok(options)
    }

    pub(crate) fn message(&self) -> Result<Message, String> {
        let Some(path) = &self.message else {
            let message = Message::builder().data("news", "1").build();
            return message.map_err(|error| error.to_string());
        };
        let text = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
        serde_json::from_slice(text).map_err(|error| format!("{path}: {error}"))
    }

    /// Where the options say to send; `None` when they say nothing.
    pub(crate) fn gateway(&self) -> Result<Option<Gateway>, String> {
        match (&self.service_account, &self.endpoint) {
            (Some(file), url) => self.v1(file, url.as_deref()).map(Some),
            (None, Some(url)) => self.legacy(url).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Over the legacy JSON wire.
    pub(crate) fn legacy(&self, url: &str) -> Result<Gateway, String> {
        let endpoint = endpoint("--endpoint", url)?;
        let key = match env::var(KEY) {
            Ok(key) => key,
            // Whoever may be reached over plain http is on this machine.
            Err(_) if endpoint.uri().scheme_str() == Some("http") => LOCAL_KEY.to_owned(),
            Err(_) => return Err(format!("{KEY} is not set: it holds the server key")),
        };
        let key = key.parse().map_err(|error| format!("{KEY}: {error}"))?;
        Ok(self.set(Gateway::legacy_json(legacy::Route::new(endpoint, key))))
    }

    pub(crate) fn client(&self) -> Result<ClientBuilder, String> {
        let mut client = Client::builder().http2_prior_knowledge(self.http2);
        if let Some(connections) = self.connections {
            client = client.connections(connections);
        }
        if let Some(url) = &self.proxy {
            let proxy: Proxy = url.parse().map_err(|error| format!("--proxy: {error}"))?;
            client = client.proxy(proxy);
        }
        if let Some(path) = &self.roots {
            let pem = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
            client = client.roots(Roots::from_pem(&pem).map_err(|error| format!("{path}: {error}"))?);
        }
        Ok(client)
    }

    /// Over FCM HTTP v1 as the account of a key file.
    fn v1(&self, file: &str, base: Option<&str>) -> Result<Gateway, String> {
        let json = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        let account = match &self.token_endpoint {
            Some(url) => ServiceAccount::from_json_at(json, endpoint("--token-endpoint", url)?),
            None => ServiceAccount::from_json(json),
        };
        let account = account.map_err(|error| format!("{file}: {error}"))?;
        let mut route = v1::Route::new(account.project().clone());
        if let Some(url) = base {
            route = route.with_endpoint(&endpoint("--endpoint", url)?);
        }
        Ok(self.set(Gateway::v1_with(route, account)))
    }

    fn set(&self, gateway: Gateway) -> Gateway {
        let gateway = gateway.with_window(self.window.unwrap_or(WINDOW));
        let Some(time) = self.give_up_after else { return gateway };
        let mut policy = match gateway.wire() {
            Wire::V1 => RetryPolicy::V1,
            _ => RetryPolicy::LEGACY,
        };
        policy.give_up_after = time;
        gateway.with_policy(policy)
    }
}

/// What the command line says. `env::args` panics at what is no Unicode.
pub(crate) fn arguments() -> Result<Vec<String>, String> {
    let text = |argument: OsString| {
        let named = |argument: OsString| format!("{} is no Unicode", argument.to_string_lossy());
        argument.into_string().map_err(named)
    };
    env::args_os().skip(1).map(text).collect()
}

fn endpoint(option: &str, url: &str) -> Result<Endpoint, String> {
    url.parse().map_err(|error| {
        if url.contains(['@', '?']) {
            // There may be a password or a key in it.
            format!("{option}: {error}")
        } else {
            format!("{option} {url}: {error}")
        }
    })
}
