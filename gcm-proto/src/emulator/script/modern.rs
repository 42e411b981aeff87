//! The parts of a script for the v1 wire and the token endpoint.

use super::Script;
use crate::emulator::access::{Api, Permission, TokenLife};
use crate::emulator::oauth::client::Client;
use crate::emulator::oauth::key::Account;
use crate::emulator::scripted_response::ScriptedResponse;

impl Script {
    /// Sets the only project that messages may be sent in.
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.0.project = Some(project.into());
        self
    }

    /// Sets whether the project has the API switched on.
    pub fn api(mut self, api: Api) -> Self {
        self.0.api = api;
        self
    }

    /// Sets whether the account may send in the project.
    pub fn permission(mut self, permission: Permission) -> Self {
        self.0.permission = permission;
        self
    }

    /// Adds an access token that is known from the start.
    pub fn access_token(mut self, token: impl Into<String>, life: TokenLife) -> Self {
        self.0.access_tokens.insert(token.into(), life);
        self
    }

    /// Adds a service account by its e-mail address, `iss` in its assertions.
    pub fn account(mut self, email: impl Into<String>, account: Account) -> Self {
        self.0.accounts.insert(email.into(), account);
        self
    }

    /// Adds a refresh token and the client that may use it.
    pub fn refresh_token(
        mut self,
        token: impl Into<String>,
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
    ) -> Self {
        let client = Client {
            id: client_id.into(),
            secret: client_secret.into(),
        };
        self.0.refresh_tokens.insert(token.into(), client);
        self
    }

    /// Sets after how many requests an access token that is issued here has expired.
    pub fn expire_after(mut self, requests: u32) -> Self {
        self.0.expire_after = Some(requests);
        self
    }

    /// Sets the `expires_in` of issued tokens, in seconds.
    pub fn token_lifetime(mut self, seconds: u64) -> Self {
        self.0.token_lifetime = seconds;
        self
    }

    /// Sets the path of the token endpoint, which begins with a slash.
    pub fn token_path(mut self, path: impl Into<String>) -> Self {
        self.0.token_path = path.into();
        self
    }

    /// Sets the only audience that assertions may have.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.0.audience = Some(audience.into());
        self
    }

    /// Adds a whole response at the end of the token endpoint's own queue.
    pub fn token_response(mut self, response: ScriptedResponse) -> Self {
        self.0.token_responses.push(response);
        self
    }
}
