//! The documentation pages: Swagger UI at `/docs` and Redoc at `/redoc`.
//!
//! Both work without a network: their scripts are compiled into the program (Swagger UI's by utoipa-swagger-ui, Redoc's by aide), and a
//! content security policy keeps the browser from contacting other hosts.

use std::sync::{Arc, OnceLock};

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ContentType, LOCATION},
    web::{Bytes, Path},
};

use crate::http::Problem;

/// Scripts and styles from this server only; Redoc searches in a worker that it creates from a blob.
const POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'";

const SWAGGER_PAGE: &str = r##"<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Framewright - Swagger UI</title>
    <link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script>
      SwaggerUIBundle({
        url: "/openapi.json",
        dom_id: "#swagger-ui",
        deepLinking: true,
        tryItOutEnabled: true,
        defaultModelsExpandDepth: 0,
        validatorUrl: null,
        // An attachment is offered for download; here the picture is to be seen.
        responseInterceptor: (response) => {
          if (response.headers) delete response.headers["content-disposition"];
          return response;
        },
      });
    </script>
  </body>
</html>
"##;

pub(crate) async fn swagger_page() -> HttpResponse {
    page(Bytes::from_static(SWAGGER_PAGE.as_bytes()))
}

pub(crate) async fn swagger_file(file: Path<String>) -> Result<HttpResponse, Problem> {
    let config = Arc::new(utoipa_swagger_ui::Config::from("/openapi.json"));
    let file = utoipa_swagger_ui::serve(&file, config).map_err(|_| Problem::internal())?.ok_or_else(Problem::not_found)?;
    let mut response = HttpResponse::Ok();
    if file.gzpipped {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(response.content_type(file.content_type).body(file.bytes.into_owned()))
}

pub(crate) async fn redoc_page() -> HttpResponse {
    static PAGE: OnceLock<Bytes> = OnceLock::new();
    let html = PAGE.get_or_init(|| {
        // A megabyte of script: built once, then shared by reference. The footer's logo is on another host, so it is hidden.
        let html = aide::redoc::Redoc::new("/openapi.json").with_title("Framewright - Redoc").html();
        let style = "<style>body { margin: 0 } img[src^=\"https:\"] { display: none }</style>";
        let icon = "<link rel=\"icon\" type=\"image/png\" href=\"/docs/favicon-32x32.png\">";
        let html = html.replacen("</head>", &format!("{style}\n    {icon}\n  </head>"), 1);
        // The template reserves space for a bar on top, which this page does not have.
        Bytes::from(html.replacen("scrollYOffset: 50", "scrollYOffset: 0, requiredPropsFirst: true", 1))
    });
    page(html.clone())
}

pub(crate) fn redirect(to: &'static str) -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((LOCATION, to)).finish()
}

pub(crate) fn page(html: Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::html()).insert_header((CONTENT_SECURITY_POLICY, POLICY)).body(html)
}
