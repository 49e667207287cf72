//! A path and its methods: they are served, and listed in `Allow`.
//!
//! The invariants: a path with GET also has HEAD, with the same handler ([`crate::http::head_answer`] drops the body); every path answers
//! OPTIONS; an unsupported method is 405, as JSON. `Allow` is built from the added methods, so it lists nothing else.

use actix_web::{
    FromRequest, Handler, HttpResponse, Resource, Responder, Route,
    dev::{AppService, HttpServiceFactory},
    guard,
    http::{Method, header::ALLOW},
    web,
};

use crate::http::problem::Problem;

/// A path with its methods.
pub(crate) struct PathMethods {
    resource: Resource,
    methods: Vec<&'static str>,
}

/// A path without methods.
pub(crate) fn path(path: &str) -> PathMethods {
    PathMethods { resource: web::resource(path.to_owned()), methods: Vec::new() }
}

impl PathMethods {
    /// Adds GET, and HEAD with it.
    pub(crate) fn get<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with(&["GET", "HEAD"], web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler))
    }

    /// Adds POST.
    pub(crate) fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with(&["POST"], web::post().to(handler))
    }

    /// Adds PATCH.
    pub(crate) fn patch<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with(&["PATCH"], web::patch().to(handler))
    }

    /// Adds DELETE.
    pub(crate) fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with(&["DELETE"], web::delete().to(handler))
    }

    fn with(mut self, methods: &[&'static str], route: Route) -> Self {
        self.methods.extend(methods);
        Self { resource: self.resource.route(route), ..self }
    }
}

impl HttpServiceFactory for PathMethods {
    fn register(self, config: &mut AppService) {
        let Self { resource, mut methods } = self;
        methods.push("OPTIONS");
        let allow = methods.join(", ");
        let other = move |method: Method| {
            let allow = allow.clone();
            std::future::ready(match method {
                Method::OPTIONS => Ok(HttpResponse::NoContent().insert_header((ALLOW, allow)).finish()),
                _ => Err(Problem::method_not_allowed(allow)),
            })
        };
        resource.default_service(web::to(other)).register(config);
    }
}
