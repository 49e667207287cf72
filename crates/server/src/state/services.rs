//! The providers beside this machine: the operator's routing, and the names that requests may use.
//!
//! It must not know any particular provider. The invariants: a request without a name is routed as the operator says; an unknown name is
//! reported with the known ones; parameters that a provider lacks are left out only if the answer says so.

use std::sync::Arc;

use generation::{Refusal, video::RemoteVideoSpec};
use remote_providers::{ErrorKind, Provider, ProviderError, VideoRequest};
use url::Url;

use crate::{http::Problem, webhooks::game::GameCallback};

/// The operator's providers and routing. By default there are none.
#[derive(Clone, Debug, Default)]
pub struct Services {
    /// The available services.
    pub services: Vec<Service>,
    /// The names of this machine's default models. A request may use them after "local/", or alone if no service has that name.
    pub local_models: Vec<String>,
    /// The names of this machine's other models. A request may use them with or without "local/". None is also a service's name.
    pub pool_models: Vec<String>,
    /// The model for videos from texts; `None`: this machine.
    pub text: Option<String>,
    /// The model for `i2v` requests.
    pub i2v: Option<String>,
    /// The model for character videos.
    pub characters: Option<String>,
    /// The model for video tasks.
    pub tasks: Option<String>,
    /// Whether an interrogator can read a prompt from an image.
    pub captions: bool,
    /// The callback of `i2v` requests.
    pub callback: Option<GameCallback>,
}

/// An available service.
#[derive(Clone, Debug)]
pub struct Service {
    /// The client of its provider.
    pub provider: Arc<dyn Provider>,
    /// The model for requests that name the service alone: "nova-reel".
    pub model: String,
}

impl Service {
    /// The full name of its model: "bedrock/nova-reel"; the service's name alone if it has no models.
    pub(crate) fn name(&self) -> String {
        match self.model.as_str() {
            "" => self.provider.name().to_owned(),
            model => format!("{}/{model}", self.provider.name()),
        }
    }
}

/// What makes a video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// This machine, with a model of the pool or the default one.
    Local(Option<String>),
    /// A model of a service: "bedrock/nova-reel", or the service's name alone.
    Remote(String),
}

impl Services {
    /// The maker with this name: "local", "local/" and a model of this machine, such a model alone, a service's name, or a service's and a
    /// model's.
    ///
    /// # Errors
    /// A sentence with the known names.
    pub(crate) fn maker(&self, name: &str) -> Result<Maker, String> {
        let name = name.trim();
        let own = name.strip_prefix("local/").unwrap_or(name);
        let is_default = self.local_models.iter().any(|model| model == own);
        match self.qualified_name(name) {
            _ if name == "local" || (is_default && own != name) => Ok(Maker::Local(None)),
            _ if self.pool_models.iter().any(|model| model == own) => Ok(Maker::Local(Some(own.to_owned()))),
            Some(model) => Ok(Maker::Remote(model)),
            None if is_default => Ok(Maker::Local(None)),
            None => Err(format!("there is no such model here; there are {}", self.names().join(", "))),
        }
    }

    /// The maker that a request's field `model` names.
    ///
    /// # Errors
    /// 404 with the known names.
    pub(crate) fn named(&self, model: &str) -> Result<Maker, Problem> {
        self.maker(model).map_err(|sentence| Problem::model_not_found(model, &sentence))
    }

    /// The model of this machine that a request names, for jobs that no service runs.
    ///
    /// # Errors
    /// 404 with the known names.
    pub(crate) fn local_model(&self, model: Option<&str>) -> Result<Option<String>, Problem> {
        let Some(model) = model else { return Ok(None) };
        match self.maker(model) {
            Ok(Maker::Local(name)) => Ok(name),
            Ok(Maker::Remote(_)) | Err(_) => {
                let sentence = format!("there is no such model on this machine; there are {}", self.own_names().join(", "));
                Err(Problem::model_not_found(model, &sentence))
            }
        }
    }

    /// The name by which requests select a model of this machine: its own, or "local" for a default model to which the operator gave none.
    pub(crate) fn name_of<'a>(&self, model: &'a str) -> &'a str {
        let is_named = self.pool_models.iter().chain(&self.local_models).any(|name| name == model);
        if is_named && self.qualified_name(model).is_none() { model } else { "local" }
    }

    /// The maker of a request that names none, by the operator's route.
    pub(crate) fn default_maker(&self, route: Option<&String>) -> Maker {
        // An unavailable service is refused with the reason on submission.
        route.map_or(Maker::Local(None), |model| Maker::Remote(self.qualified_name(model).unwrap_or_else(|| model.clone())))
    }

    /// The name with the service's default model if it has no model, so that prices and records have one name for it; `None` if the service
    /// is not available.
    pub fn qualified_name(&self, name: &str) -> Option<String> {
        match name.split_once('/') {
            Some((service, model)) => (!model.is_empty()).then(|| self.service(service)).flatten().map(|_| name.to_owned()),
            None => self.service(name).map(Service::name),
        }
    }

    /// The model names that a request can use; a service may have more models than these.
    pub(crate) fn names(&self) -> Vec<String> {
        self.own_names().into_iter().chain(self.services.iter().map(Service::name)).collect()
    }

    fn own_names(&self) -> Vec<String> {
        let local = self.local_models.iter().map(|model| format!("local/{model}"));
        ["local".to_owned()].into_iter().chain(local).chain(self.pool_models.iter().cloned()).collect()
    }

    fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.provider.name() == name)
    }

    /// The request as its service accepts it, and remarks on the parameters that were left out for that.
    ///
    /// # Errors
    /// The service's refusal, if leaving parameters out does not help.
    pub(crate) fn fitted(&self, mut spec: RemoteVideoSpec) -> Result<(RemoteVideoSpec, Vec<String>), Problem> {
        // An unavailable service is refused with the reason on submission.
        let Some(service) = self.service(spec.provider()) else { return Ok((spec, Vec::new())) };
        let provider = service.provider.as_ref();
        let mut remarks = Vec::new();
        while let Err(error) = spec.check(provider) {
            let may_help = error.kind == ErrorKind::InvalidRequest;
            let left_out = || {
                OPTIONAL.iter().filter(|_| may_help).filter_map(|(name, leave_out)| {
                    let mut other = spec.clone();
                    leave_out(&mut other.request).then_some((*name, other))
                })
            };
            // The parameter at fault: without it there is no fault, or a different one. Otherwise the least important one.
            let is_to_blame = |other: &RemoteVideoSpec| other.check(provider).err().as_ref() != Some(&error);
            let Some((name, other)) = left_out().find(|(_, other)| is_to_blame(other)).or_else(|| left_out().next()) else {
                return Err(Refusal::Provider(error).into());
            };
            spec = other;
            remarks.push(format!("{name} is left out: {}", reason(&error)));
        }
        Ok((spec, remarks))
    }

    /// A fresh link to a service's finished video that works without a key; `None` if the service gives none.
    pub(crate) async fn link(&self, service: &str, id: &str) -> Option<Url> {
        let provider = &self.service(service)?.provider;
        provider.link(id).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "no link to a service's video");
            None
        })
    }
}

type LeaveOut = fn(&mut VideoRequest) -> bool;

/// The parameters that can be left out, least important first.
const OPTIONAL: [(&str, LeaveOut); 5] = [
    ("seed", |request| request.seed.take().is_some()),
    ("fps", |request| request.fps.take().is_some()),
    ("resolution", |request| request.size.take().is_some()),
    ("duration", |request| request.seconds.take().is_some()),
    ("negative_prompt", |request| request.negative_prompt.take().is_some()),
];

/// A provider's reason without its advice, which has been followed.
fn reason(error: &ProviderError) -> String {
    format!("{}: {}", error.provider, error.reason)
}
