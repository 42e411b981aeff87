//! Options of the program.

use std::env;
use std::ffi::OsString;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;

pub(crate) const USAGE: &str = "\
Sends one message to each token of a file, in constant memory, and counts what became of them.

usage: stream --tokens FILE [OPTIONS]
       stream --tokens FILE --service-account FILE [--endpoint URL] [--token-endpoint URL] [OPTIONS]
       stream --tokens FILE --endpoint URL [OPTIONS]

The first sends to an emulator that it starts, the second over FCM HTTP v1, the third over GCM's legacy JSON wire.

  --tokens FILE           the registration tokens, one a line; lines with # are left out
  --service-account FILE  a key file: Firebase console, Project settings, Service accounts
  --endpoint URL          a server to send to: with a service account one that speaks FCM HTTP v1, in place of
                          https://fcm.googleapis.com, else a GCM-compatible one, whose key is read from GCM_API_KEY
  --token-endpoint URL    where to ask for access tokens, if not where the key file says
  --message FILE          the message, JSON
  --window RECIPIENTS     how many are in memory at once; 65536 unless given
  --threads N             requests on their way at once; 4 unless given
  --give-up-after SECONDS how long the service may fail before those who are left are handed back; 600 unless given

It exits with 0 when everybody in the file has a verdict and the service accepted the message for somebody, or the file
has nobody; with 1 when somebody is left who could be sent to again, when the message was accepted for nobody, and when
something else is wrong; with 130 after Ctrl-C.";

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) tokens: String,
    pub(crate) service_account: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) token_endpoint: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) window: Option<usize>,
    pub(crate) threads: Option<usize>,
    pub(crate) give_up_after: Option<Duration>,
}

/// `env::args` panics at what is no Unicode.
pub(crate) fn arguments() -> Result<Vec<String>, String> {
    let text = |argument: OsString| {
        let named = |argument: OsString| format!("{} is no Unicode", argument.to_string_lossy());
        argument.into_string().map_err(named)
    };
    env::args_os().skip(1).map(text).collect()
}

impl Options {
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{option} needs a value, see --help"));
            match option.as_str() {
                "--tokens" => options.tokens = value()?,
                "--service-account" => options.service_account = Some(value()?),
                "--endpoint" => options.endpoint = Some(value()?),
                "--token-endpoint" => options.token_endpoint = Some(value()?),
                "--message" => options.message = Some(value()?),
                "--threads" => options.threads = Some(number(&option, &value()?)?),
                "--window" => options.window = Some(number(&option, &value()?)?),
                "--give-up-after" => {
                    options.give_up_after = Some(Duration::from_secs(number(&option, &value()?)?));
                }
                _ => return Err(format!("there is no option {option}, see --help")),
            }
        }
        if options.tokens.is_empty() {
            return Err("--tokens is missing, see --help".to_owned());
        }
        if options.token_endpoint.is_some() && options.service_account.is_none() {
            return Err("--token-endpoint is for a --service-account".to_owned());
        }
        Ok(options)
    }
}

fn number<T: FromStr<Err = ParseIntError>>(option: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{option} {text}: {error}"))
}
