//! Where the requests of this wire go, and for whose project.

use crate::limits::Limits;
use crate::names::{Endpoint, ProjectId};

/// The project, the endpoint and the limits that requests of the v1 wire share.
///
/// ```
/// use gcm_proto::v1;
///
/// let route = v1::Route::new("my-project".parse()?);
/// let url = "https://fcm.googleapis.com/v1/projects/my-project/messages:send";
/// assert_eq!(route.endpoint().to_string(), url);
/// # Ok::<(), gcm_proto::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    project: ProjectId,
    /// The whole URL of the send call.
    endpoint: Endpoint,
    limits: Limits,
    quota_project: Option<ProjectId>,
}

impl Route {
    /// Requests to Google's endpoint for this project.
    pub fn new(project: ProjectId) -> Self {
        Self {
            endpoint: send_call(&Endpoint::fcm(), &project),
            project,
            limits: Limits::V1,
            quota_project: None,
        }
    }

    /// To another server that speaks this wire: `base` is what its URLs begin with, up to `/v1/projects/…`.
    #[must_use]
    pub fn with_endpoint(mut self, base: &Endpoint) -> Self {
        self.endpoint = send_call(base, &self.project);
        self
    }

    /// With the limits of another gateway. There is one target a request, whatever they say.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Counted for this project's quota, which a user's own login needs: see [`AuthorizedUser`](crate::AuthorizedUser).
    #[must_use]
    pub fn with_quota_project(mut self, project: &ProjectId) -> Self {
        self.quota_project = Some(project.clone());
        self
    }

    /// Whose devices are reached.
    pub fn project(&self) -> &ProjectId {
        &self.project
    }

    /// Where requests go.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What the gateway takes.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whose quota counts, where it is not the project's.
    pub(super) fn quota_project(&self) -> Option<&ProjectId> {
        self.quota_project.as_ref()
    }
}

fn send_call(base: &Endpoint, project: &ProjectId) -> Endpoint {
    base.below(&format!("/v1/projects/{project}/messages:send"))
}
