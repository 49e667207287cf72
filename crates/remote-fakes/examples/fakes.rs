//! Starts fakes of Bedrock with S3, a Veo relay, Pika's web form, Replicate and Hugging Face on free ports, and prints the environment
//! variables that point a server to them:
//!
//! ```sh
//! cargo run -p remote-fakes --example fakes > fakes.env &
//! env $(cat fakes.env) framewright serve
//! ```
//!
//! It runs until it is stopped. Nothing is generated or paid for: every video is the same half second.

use std::{
    error::Error,
    io::{self, Write as _},
};

use remote_fakes::{HuggingFaceFake, PikaWebFake, RelayOptions, ReplicateFake, VeoRelayFake, aws::Account, bedrock::Bedrock, s3::S3};

const BUCKET: &str = "videos";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let account = Account::default();
    let s3 = S3::start(account.clone(), &[BUCKET]).await?;
    let bedrock = Bedrock::start(account.clone(), &s3).await?;
    let relay = RelayOptions::default();
    let (relay_key, relay) = (relay.key.clone(), VeoRelayFake::start(relay).await?);
    let pika = PikaWebFake::start("pika-4c1d").await?;
    let replicate = ReplicateFake::start("r8_5d0c").await?;
    let hugging_face = HuggingFaceFake::start("hf_9be2").await?;
    let variables = [
        ("AWS_ACCESS_KEY_ID", account.access_key),
        ("AWS_SECRET_ACCESS_KEY", account.secret_key),
        ("AWS_REGION", account.region),
        ("S3_BUCKET_NAME", BUCKET.to_owned()),
        ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", bedrock.url()),
        ("AWS_ENDPOINT_URL_S3", s3.url()),
        ("VEO3_API_KEY", relay_key),
        ("VEO3_BASE_URL", relay.server.url()),
        // The relay reports its videos' location: here a private address, which must be allowed.
        ("FRAMEWRIGHT__REQUESTS__ALLOWED_HOSTS", relay.storage.url().replace("http://", "")),
        ("PIKAPI_BEARER_TOKEN", "pika-4c1d".to_owned()),
        ("PIKAPI_BASE_URL", pika.base_url()),
        ("REPLICATE_API_TOKEN", "r8_5d0c".to_owned()),
        ("REPLICATE_BASE_URL", replicate.server.url()),
        ("HF_TOKEN", "hf_9be2".to_owned()),
        ("FRAMEWRIGHT__PROVIDERS__HUGGINGFACE__BASE_URL", hugging_face.server.url()),
    ];
    let mut out = io::stdout().lock();
    for (name, value) in variables {
        writeln!(out, "{name}={value}")?;
    }
    out.flush()?;
    drop(out);
    std::future::pending().await
}
