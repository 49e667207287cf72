//! The route table: every API's routes behind one gate.
//!
//! A known path answers an unsupported method with 405 and an `Allow` header (`http::path_methods`); every other path is 404, both as JSON.

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::{Next, from_fn},
    web::{self, Data, ServiceConfig},
};

use crate::{
    access,
    api::{a1111, characters, i2v, images, models, openai, service, tasks, text_video, videos},
    http::{HeadRenderer, Problem, Renderer, head_answer, holding, other_protocols, request_metrics, request_notes},
    state::ApiState,
};

/// The APIs with their own format of problems, by path prefix; all others use FastAPI's.
const RENDERERS: [(&str, Renderer, HeadRenderer); 4] = [
    ("/api/v1/", tasks::problems::render, |_, _| {}),
    ("/v1/", openai::problems::render, openai::problems::adapt_head),
    (a1111::PREFIX, a1111::problems::render, |_, _| {}),
    (a1111::EXTENSION_PREFIX, a1111::problems::render, |_, _| {}),
];

/// Adds the routes to an actix app, each of them behind the gate.
pub fn configure(config: &mut ServiceConfig, state: ApiState) {
    // The last wrapper is the outermost: refusals of the gate are counted, and rendered in their API's format.
    let all = web::scope("")
        .configure(tasks::configure)
        .configure(images::configure)
        .configure(videos::configure)
        .configure(characters::configure)
        .configure(text_video::configure)
        .configure(i2v::configure)
        .configure(models::configure)
        .configure(openai::configure)
        .configure(a1111::configure)
        .configure(service::configure)
        .default_service(web::to(not_found))
        .wrap(from_fn(access::gate))
        .wrap(from_fn(request_notes::add))
        .wrap(from_fn(render_problems))
        .wrap(from_fn(a1111::process_time::add))
        .wrap(from_fn(head_answer::leave_body_out))
        .wrap(from_fn(other_protocols::decline))
        .wrap(from_fn(request_metrics::count));
    config.app_data(Data::from(state.access.clone())).app_data(Data::new(state.requests.clone())).app_data(Data::new(state)).service(all);
}

/// Renders problems in the format of the request's API, whether they come from a handler, the gate or an unknown path.
async fn render_problems(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, Error> {
    let renderer = RENDERERS.iter().find(|(start, ..)| request.path().starts_with(start));
    let mut response = next.call(request).await?.map_into_boxed_body();
    let problem: Option<Problem> = response.response().extensions().get().cloned();
    let rendered = renderer.zip(problem).map(|((_, body, head), problem)| {
        head(&problem, response.response_mut().head_mut());
        body(&problem)
    });
    Ok(match rendered {
        // Keeps the resources of the old body (the rest of a request's body, a caller's permit) until the answer is sent.
        Some(body) => response.map_body(|_, held| holding(BoxBody::new(body.to_string()), held)),
        None => response,
    })
}

async fn not_found() -> Result<&'static str, Problem> {
    std::future::ready(Err(Problem::not_found())).await
}
