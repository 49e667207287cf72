//! Videos of scenes and pictures in motion, in the answer itself; and the files of stored videos.

pub(crate) mod animate;
pub(crate) mod generate_video;
pub(crate) mod scenes;
pub mod scenes_body;
pub(crate) mod stored_video;
pub(crate) mod wire;

use actix_web::web::ServiceConfig;

use crate::http::path;

/// Adds the routes.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(path("/generate-video").post(generate_video::generate_video))
        .service(path("/generate-video/info").post(scenes::video_info))
        .service(path("/animate").post(animate::animate))
        .service(path("/videos/{name}").get(stored_video::video));
}
