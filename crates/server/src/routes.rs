//! The route table: every API's routes behind one gate.
//!
//! A path answers a method that it lacks with 405 and an `Allow` header (`http::path_methods`); every other path is 404, both as
//! JSON.

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    web::{self, Data, ServiceConfig},
};

use crate::{
    access,
    api::{characters, i2v, images, models, service, tasks, text_video, videos},
    http::{Problem, Renderer, head_answer, holding, other_protocols, request_metrics, request_notes},
    state::ApiState,
};

/// The APIs that say problems in a shape of their own, by where their paths begin; all others do as FastAPI does.
const RENDERERS: [(&str, Renderer); 1] = [("/api/v1/", tasks::problems::rendered)];

/// Adds the routes to an actix app, each of them behind the gate.
pub fn configure(config: &mut ServiceConfig, state: ApiState) {
    // The last that is wrapped around stands first: what the gate refuses is counted, and rendered as its API does.
    let all = web::scope("")
        .configure(tasks::configure)
        .configure(images::configure)
        .configure(videos::configure)
        .configure(characters::configure)
        .configure(text_video::configure)
        .configure(i2v::configure)
        .configure(models::configure)
        .configure(service::configure)
        .default_service(web::to(not_found))
        .wrap(from_fn(access::gate))
        .wrap(from_fn(request_notes::add))
        .wrap(from_fn(render_problems))
        .wrap(from_fn(head_answer::leave_body_out))
        .wrap(from_fn(other_protocols::decline))
        .wrap(from_fn(request_metrics::count));
    config.app_data(Data::from(state.access.clone())).app_data(Data::new(state.requests.clone())).app_data(Data::new(state)).service(all);
}

/// Says problems as the API of the request does, wherever they come from: a handler, the gate before it, or a path that there is not.
async fn render_problems(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, Error> {
    let renderer = RENDERERS.iter().find(|(start, _)| request.path().starts_with(start)).map(|(_, rendered)| rendered);
    let response = next.call(request).await?.map_into_boxed_body();
    let rendered = renderer.and_then(|rendered| response.response().extensions().get().map(rendered));
    Ok(match rendered {
        // What the answer holds on to (the rest of a request's body, a caller's place) it holds on to still.
        Some(body) => response.map_body(|_, held| holding(BoxBody::new(body.to_string()), held)),
        None => response,
    })
}

async fn not_found() -> Result<&'static str, Problem> {
    std::future::ready(Err(Problem::not_found())).await
}
