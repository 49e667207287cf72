//! The route table: every API's routes behind one gate.
//!
//! A path answers a method that it lacks with 405 and an `Allow` header ([`crate::http::path_methods`]); every other path is 404, both as
//! JSON.

use actix_web::{
    middleware::from_fn,
    web::{self, Data, ServiceConfig},
};

use crate::{
    access,
    api::{characters, images, service, tasks, text_video, videos},
    http::{head_answer, other_protocols, problem::Problem, request_metrics, request_notes},
    state::ApiState,
};

/// Adds the routes to an actix app, each of them behind the gate.
pub fn configure(config: &mut ServiceConfig, state: ApiState) {
    // The last that is wrapped around stands first: what the gate refuses is counted, and told in the envelope too.
    let all = web::scope("")
        .configure(tasks::configure)
        .configure(images::configure)
        .configure(videos::configure)
        .configure(characters::configure)
        .configure(text_video::configure)
        .configure(service::configure)
        .default_service(web::to(not_found))
        .wrap(from_fn(access::gate))
        .wrap(from_fn(request_notes::add))
        .wrap(from_fn(tasks::envelope::add))
        .wrap(from_fn(head_answer::leave_body_out))
        .wrap(from_fn(other_protocols::decline))
        .wrap(from_fn(request_metrics::count));
    config.app_data(Data::from(state.access.clone())).app_data(Data::new(state.requests.clone())).app_data(Data::new(state)).service(all);
}

async fn not_found() -> Result<&'static str, Problem> {
    std::future::ready(Err(Problem::not_found())).await
}
