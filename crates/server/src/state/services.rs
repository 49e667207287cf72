//! Who makes what beside this machine: the operator's routes, and the names that requests may give.
//!
//! It must not know any service. The invariants: a request that names nobody goes where the operator says; a name that is unknown is told
//! with those that are known; what a service has no word for is left out only where the answer says so.

use std::sync::Arc;

use generation::{Refusal, video::RemoteVideoSpec};
use remote_providers::{ErrorKind, Provider, ProviderError, VideoRequest};
use url::Url;

use crate::{http::Problem, webhooks::game::GameCallback};

/// Who makes what beside this machine; the operator's choice. By default nobody.
#[derive(Clone, Debug, Default)]
pub struct Services {
    /// Those that are set up.
    pub services: Vec<Service>,
    /// The names of this machine's default models, which a request may name behind "local/", or alone where no service has that name.
    pub local_models: Vec<String>,
    /// The names of this machine's other models, which a request may name with "local/" before them or without. None is a service's.
    pub pool_models: Vec<String>,
    /// The model that makes videos from texts; none: this machine does.
    pub text: Option<String>,
    /// The model that sets images in motion that are called back for.
    pub i2v: Option<String>,
    /// The model that makes videos of characters.
    pub characters: Option<String>,
    /// The model that makes the videos of tasks.
    pub tasks: Option<String>,
    /// Whether a prompt can be read from an image.
    pub captions: bool,
    /// Where the end of an image in motion is told.
    pub callback: Option<GameCallback>,
}

/// A service that is set up.
#[derive(Clone, Debug)]
pub struct Service {
    /// How it is asked.
    pub provider: Arc<dyn Provider>,
    /// The name of the model that it uses where a request names the service alone: "nova-reel".
    pub model: String,
}

impl Service {
    /// The whole name of its model: "bedrock/nova-reel"; the service's alone where it has none.
    fn name(&self) -> String {
        match self.model.as_str() {
            "" => self.provider.name().to_owned(),
            model => format!("{}/{model}", self.provider.name()),
        }
    }
}

/// Who makes a video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// This machine, with a model of the pool or with its default one.
    Local(Option<String>),
    /// A model of a service: "bedrock/nova-reel", or the service's name alone.
    Remote(String),
}

impl Services {
    /// Who makes something by the name that a request gives: "local", "local/" and a model of this machine, such a model alone, a service's
    /// name, or a service's and a model's.
    ///
    /// # Errors
    /// A sentence with the names that there are.
    pub(crate) fn maker(&self, name: &str) -> Result<Maker, String> {
        let name = name.trim();
        let own = name.strip_prefix("local/").unwrap_or(name);
        let is_default = self.local_models.iter().any(|model| model == own);
        match self.whole_name(name) {
            _ if name == "local" || (is_default && own != name) => Ok(Maker::Local(None)),
            _ if self.pool_models.iter().any(|model| model == own) => Ok(Maker::Local(Some(own.to_owned()))),
            Some(model) => Ok(Maker::Remote(model)),
            None if is_default => Ok(Maker::Local(None)),
            None => Err(format!("there is no such model here; there are {}", self.names().join(", "))),
        }
    }

    /// The same of the field `model` of a request.
    ///
    /// # Errors
    /// 404 with the names that there are.
    pub(crate) fn named(&self, model: &str) -> Result<Maker, Problem> {
        self.maker(model).map_err(|sentence| Problem::model_not_found(model, &sentence))
    }

    /// The model of this machine that a request names for what no service makes.
    ///
    /// # Errors
    /// 404 with the names that there are.
    pub(crate) fn named_here(&self, model: Option<&str>) -> Result<Option<String>, Problem> {
        let Some(model) = model else { return Ok(None) };
        match self.maker(model) {
            Ok(Maker::Local(name)) => Ok(name),
            Ok(Maker::Remote(_)) | Err(_) => {
                let sentence = format!("there is no such model on this machine; there are {}", self.own_names().join(", "));
                Err(Problem::model_not_found(model, &sentence))
            }
        }
    }

    /// Who makes a video where the request names nobody and the operator says so.
    pub(crate) fn default_maker(&self, route: Option<&String>) -> Maker {
        // One that is not set up is refused with the reason when the job is handed in.
        route.map_or(Maker::Local(None), |model| Maker::Remote(self.whole_name(model).unwrap_or_else(|| model.clone())))
    }

    /// The name with the model that its service stands for where it names no other, so that prices and records know one name of it; `None`
    /// if its service is not set up.
    pub fn whole_name(&self, name: &str) -> Option<String> {
        match name.split_once('/') {
            Some((service, model)) => (!model.is_empty()).then(|| self.service(service)).flatten().map(|_| name.to_owned()),
            None => self.service(name).map(Service::name),
        }
    }

    /// The names of models that a request can give; a service may know more models than the one that stands here.
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

    /// The request as its service takes it, and remarks on what was left out for that.
    ///
    /// # Errors
    /// The service's refusal, if leaving out does not help.
    pub(crate) fn fitted(&self, mut spec: RemoteVideoSpec) -> Result<(RemoteVideoSpec, Vec<String>), Problem> {
        // A job for a service that is not set up is refused with the reason when it is handed in.
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
            // The one that is to blame: without it there is no fault, or another. Else the one that matters least.
            let is_to_blame = |other: &RemoteVideoSpec| other.check(provider).err().as_ref() != Some(&error);
            let Some((name, other)) = left_out().find(|(_, other)| is_to_blame(other)).or_else(|| left_out().next()) else {
                return Err(Refusal::Provider(error).into());
            };
            spec = other;
            remarks.push(format!("{name} is left out: {}", reason(&error)));
        }
        Ok((spec, remarks))
    }

    /// A link to a service's finished video that works without a key, made anew; `None` where there is none.
    pub(crate) async fn link(&self, service: &str, id: &str) -> Option<Url> {
        let provider = &self.service(service)?.provider;
        provider.link(id).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "no link to a service's video");
            None
        })
    }
}

type LeaveOut = fn(&mut VideoRequest) -> bool;

/// What can be left out of a request, what matters least first.
const OPTIONAL: [(&str, LeaveOut); 5] = [
    ("seed", |request| request.seed.take().is_some()),
    ("fps", |request| request.fps.take().is_some()),
    ("resolution", |request| request.size.take().is_some()),
    ("duration", |request| request.seconds.take().is_some()),
    ("negative_prompt", |request| request.negative_prompt.take().is_some()),
];

/// A provider's reason without what a person can do, which is done already.
fn reason(error: &ProviderError) -> String {
    format!("{}: {}", error.provider, error.reason)
}
