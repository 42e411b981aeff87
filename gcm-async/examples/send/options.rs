//! What the command line asks for, and the files, the key and the client that it means.

use gcm_async::{Client, ClientBuilder, Proxy, Roots};
use gcm_proto::{ApiKey, Endpoint, KeyFileError, Message, ServiceAccount, Token};
use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const USAGE: &str = "\
Sends one notification to a list of devices, and says what to do with each.

usage: send [--script FILE] [OPTIONS]
       send --service-account FILE [--endpoint URL] [--token-endpoint URL] [OPTIONS]
       send --endpoint URL [OPTIONS]

The first serves an emulator to itself, the second sends over FCM HTTP v1, the third over GCM's legacy JSON wire.

  --script FILE           how the emulator behaves, JSON
  --service-account FILE  a key file: Firebase console, Project settings, Service accounts
  --endpoint URL          a server to send to: with a service account one that speaks FCM HTTP v1, in place of
                          https://fcm.googleapis.com, else a GCM-compatible one, whose key is read from GCM_API_KEY
  --token-endpoint URL    where to ask for access tokens, if not where the key file says
  --message FILE          the message, JSON
  --tokens FILE           the registration tokens, one a line; lines with # are left out
  --proxy URL             an HTTP proxy for https endpoints
  --roots FILE            the certificates to trust, PEM, in place of the web's
  --give-up-after SECONDS how long to wait for a service that does not work; 30 unless given

The script, the message and the tokens have a default beside the example's source.

It exits with 0 when every device has a verdict, with 1 when some are left who could be sent to again or something is wrong,
with 130 after Ctrl-C. What the emulator does by its script counts as done.";

/// How long the service may fail, unless told otherwise: whoever tries something out has mistyped an address more often than
/// met an outage. A program that has something to deliver has more patience, as the policies have.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);

/// The variable that holds the server key.
pub(crate) const KEY: &str = "GCM_API_KEY";

/// What some editors on Windows put before a text.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What the command line asks for.
pub(crate) struct Options {
    pub(crate) service_account: Option<PathBuf>,
    pub(crate) endpoint: Option<String>,
    pub(crate) token_endpoint: Option<String>,
    proxy: Option<String>,
    roots: Option<PathBuf>,
    pub(crate) script: PathBuf,
    pub(crate) message: PathBuf,
    tokens: PathBuf,
    pub(crate) give_up_after: Duration,
}

impl Options {
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/send");
        let mut options = Self {
            service_account: None,
            endpoint: None,
            token_endpoint: None,
            proxy: None,
            roots: None,
            script: folder.join("script.json"),
            message: folder.join("message.json"),
            tokens: folder.join("tokens.txt"),
            give_up_after: GIVE_UP_AFTER,
        };
        while let Some(option) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{option} needs a value, see --help"))
            };
            match option.as_str() {
                "--service-account" => options.service_account = Some(value()?.into()),
                "--endpoint" => options.endpoint = Some(value()?),
                "--token-endpoint" => options.token_endpoint = Some(value()?),
                "--proxy" => options.proxy = Some(value()?),
                "--roots" => options.roots = Some(value()?.into()),
                "--script" => options.script = value()?.into(),
                "--message" => options.message = value()?.into(),
                "--tokens" => options.tokens = value()?.into(),
                "--give-up-after" => {
                    let text = value()?;
                    let seconds = text.parse().map_err(|error| format!("{option} {text}: {error}"))?;
                    options.give_up_after = Duration::from_secs(seconds);
                }
                _ => return Err(format!("there is no option {option}, see --help")),
            }
        }
        if options.token_endpoint.is_some() && options.service_account.is_none() {
            return Err("--token-endpoint is for a --service-account".to_owned());
        }
        Ok(options)
    }

    pub(crate) fn message(&self) -> Result<Message, String> {
        let path = &self.message;
        let text = read(path)?;
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
        serde_json::from_slice(text).map_err(|error| {
            let name = shown(path);
            let (line, column) = (error.line(), error.column());
            let text = error.to_string();
            match text.strip_suffix(&format!(" at line {line} column {column}")) {
                Some(text) if line > 0 => format!("{name}, line {line}, column {column}: {text}"),
                _ => format!("{name}: {text}"),
            }
        })
    }

    pub(crate) fn tokens(&self) -> Result<Vec<Token>, String> {
        let path = &self.tokens;
        let text = read(path)?;
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
        let mut tokens = Vec::new();
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let token = std::str::from_utf8(line)
                .map_err(|error| error.to_string())
                .and_then(|line| Token::try_from(line).map_err(|error| error.to_string()))
                .map_err(|error| format!("{}, line {}: {error}", shown(path), index + 1))?;
            tokens.push(token);
        }
        if tokens.is_empty() {
            return Err(format!("{} has no registration token in it", shown(path)));
        }
        Ok(tokens)
    }

    /// The settings of the way there.
    pub(crate) fn client(&self) -> Result<ClientBuilder, String> {
        let mut client = Client::builder();
        if let Some(url) = &self.proxy {
            let proxy: Proxy = url.parse().map_err(|error| format!("--proxy: {error}"))?;
            client = client.proxy(proxy);
        }
        if let Some(path) = &self.roots {
            let roots = Roots::from_pem(&read(path)?).map_err(|error| format!("{}: {error}", shown(path)))?;
            client = client.roots(roots);
        }
        Ok(client)
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

pub(crate) fn read_account(path: &Path, token_endpoint: Option<&str>) -> Result<ServiceAccount, String> {
    const WHERE: &str = "Firebase console, Project settings, Service accounts, Generate new private key";
    let json = fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{}: there is no such file; make a key file: {WHERE}", shown(path)),
        _ => format!("{}: {error}", shown(path)),
    })?;
    let account = match token_endpoint {
        Some(url) => ServiceAccount::from_json_at(json, endpoint("--token-endpoint", url)?),
        None => ServiceAccount::from_json(json),
    };
    account.map_err(|error| match error {
        KeyFileError::OtherKind { .. } => format!("{}: {error}; make a key file: {WHERE}", shown(path)),
        error => format!("{}: {}", shown(path), chain(&error)),
    })
}

pub(crate) fn read_key(default: Option<&str>) -> Result<ApiKey, String> {
    let key = match (env::var(KEY), default) {
        (Ok(key), _) => key,
        (Err(env::VarError::NotUnicode(_)), _) => return Err(format!("{KEY} is no text")),
        (Err(env::VarError::NotPresent), Some(default)) => default.to_owned(),
        (Err(env::VarError::NotPresent), None) => return Err(format!("{KEY} is not set: it holds the server key")),
    };
    key.parse().map_err(|error| format!("{KEY}: {error}"))
}

pub(crate) fn endpoint(option: &str, url: &str) -> Result<Endpoint, String> {
    url.parse().map_err(|error| {
        if url.contains(['@', '?']) {
            // There may be a password or a key in it.
            format!("{option}: {error}")
        } else {
            format!("{option} {url}: {error}")
        }
    })
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", shown(path)))
}

/// A path as seen from here.
pub(crate) fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// An error and its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
