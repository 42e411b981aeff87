//! The words of a refusal: its sentence for people, a hint, and whose limit it is about.

use super::body::ErrorBody;
use super::{SingleResponse, apns};
use crate::exchange::refusal::Quota;
use crate::names::ProjectId;
use crate::outcome::Code;
use crate::target::Target;
use crate::text;

impl SingleResponse<'_> {
    /// What to do, where the service's own sentence does not say it: with the project and the URL that were asked.
    pub(super) fn hint(&self, code: &Code) -> Box<str> {
        let project = self.context.route.project();
        let role = |role: &str, project: &ProjectId| -> Box<str> {
            format!("is the project id right? then give this account the role {role} in the project {project}").into()
        };
        let may_send = || role("roles/firebasecloudmessaging.admin", project);
        let enable =
            || -> Box<str> { format!("enable the Firebase Cloud Messaging API in the project {project}").into() };
        let said = self.said.as_ref();
        match (code, said.and_then(|said| said.details.reason())) {
            (_, Some("IAM_PERMISSION_DENIED")) => may_send(),
            (_, Some("SERVICE_DISABLED")) => enable(),
            (_, Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT")) => {
                "the access token must be for the scope https://www.googleapis.com/auth/firebase.messaging".into()
            }
            (_, Some("CONSUMER_INVALID")) => format!("is the project id {project} right?").into(),
            (_, Some("USER_PROJECT_DENIED")) => {
                let payer = self.context.route.quota_project().unwrap_or(project);
                let role = role("roles/serviceusage.serviceUsageConsumer", payer);
                format!("{role}, which the header x-goog-user-project names").into()
            }
            (Code::Forbidden, _) => match said {
                Some(said) if said.message.contains("has not been used in project") => enable(),
                Some(said) if said.message.starts_with("Permission '") => may_send(),
                None if text::is_page(self.body) => {
                    let url = self.context.route.endpoint();
                    format!(
                        "a page and no response of the service: the address or region of this machine may be barred; {url} was asked"
                    )
                    .into()
                }
                _ => format!("is the project id {project} right, and may this account send for it?").into(),
            },
            (Code::EndpointGone, _) => {
                let url = self.context.route.endpoint();
                format!("are the project id and the endpoint right? {url} was asked").into()
            }
            (Code::MismatchSenderId, _) => {
                "the token was made for another project: use a service account of the one that the app belongs to"
                    .into()
            }
            (Code::InvalidApnsCredential, _) => self.apns().map_or(apns::KEY, apns::hint).into(),
            (Code::Unreachable, _) => "a proxy in between wants a password".into(),
            _ => "".into(),
        }
    }

    /// The service's sentence, and in brackets the field or the quota that it is about where it does not say that.
    pub(super) fn sentence(&self, said: &ErrorBody) -> Box<str> {
        let sentence = text::excerpt(said.message.as_bytes(), self.secrets.into_iter());
        let fields = said.details.violations.iter().map(|one| (&one.field, &one.description));
        let quotas = said.details.quota.iter().map(|one| (&one.subject, &one.description));
        let remark = fields.chain(quotas).find(|(_, what)| !sentence.contains(&***what));
        let Some((of, what)) = remark else {
            return sentence;
        };
        let begun = sentence.strip_suffix('.').unwrap_or(&sentence);
        let colon = if of.is_empty() { "" } else { ": " };
        let whole = format!("{begun} ({of}{colon}{what})");
        // A long remark is for programs.
        if whole.len() <= text::KEPT {
            whole.into()
        } else {
            sentence
        }
    }

    /// What a limit is counted for. The names are those of the documentation's three limits; what the service really writes
    /// there is not known. The project's own name is not looked at: it may hold any of them.
    pub(super) fn quota(&self) -> Quota {
        if matches!(self.context.target, Target::Topic(_) | Target::Condition(_)) {
            return Quota::Recipient;
        }
        let Some(said) = &self.said else {
            return Quota::Unnamed;
        };
        let of = |text: &str, words: &[&str]| {
            let text = text
                .replace(self.context.route.project().as_str(), "")
                .to_ascii_lowercase();
            words.iter().any(|word| text.contains(word))
        };
        let of_one = |text: &str| of(text, &["device", "topic", "token"]);
        let of_all = |text: &str| of(text, &["project"]);
        let quota = &said.details.quota;
        let is_narrow = quota
            .iter()
            .all(|one| of_one(&one.subject) || (!of_all(&one.subject) && of_one(&one.description)));
        let mut texts = quota.iter().flat_map(|one| [&*one.subject, &*one.description]);
        let mut info = said.details.info.iter().flat_map(|info| info.metadata.values());
        if (is_narrow && !quota.is_empty()) || (quota.is_empty() && of_one(&said.message)) {
            Quota::Recipient
        } else if of_all(&said.message) || texts.any(of_all) || info.any(|value| of_all(value)) {
            Quota::Project
        } else {
            Quota::Unnamed
        }
    }
}
