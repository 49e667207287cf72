//! Amazon Bedrock with only a bucket set: keys, region and addresses come from the environment, as in boto3.

use std::sync::Arc;

use remote_providers::{Bedrock, BedrockSettings, Provider};

pub(super) async fn connect() -> anyhow::Result<Arc<dyn Provider>> {
    let settings = BedrockSettings { prefix: Some("clips".to_owned()), ..BedrockSettings::new("wire-bucket") };
    Ok(Arc::new(Bedrock::connect(settings).await?))
}
