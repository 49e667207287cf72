//! Configuration from the environment: addresses, region, keys, profiles, roles and bearer tokens, as in every program on Amazon's SDKs.
//!
//! A process's environment cannot be changed while tests run in parallel, so each case runs this program again with only its own variables;
//! [`variables_lead_to_bedrock_and_s3`] is the test that the child runs.

use std::{
    env,
    io::{self, Write as _},
    process::Command,
    time::Duration,
};

use remote_fakes::{Recorded, Reply, Server, aws::Account};
use remote_providers::{Bedrock, BedrockSettings, DownloadLimits, Pace, Provider as _};
use serde_json::{Value, json};

use super::{BUCKET, World, fetch, fresh, text};

/// Marks a child process; its value is the settings as JSON.
const CHILD: &str = "FRAMEWRIGHT_TEST_BEDROCK_CHILD";

/// In the child: makes a video with only a bucket set, and prints the result.
async fn child(settings: &str) {
    let wanted: Value = serde_json::from_str(settings).unwrap();
    let pace = Pace {
        initial_wait: Duration::ZERO,
        interval: Duration::from_millis(2),
        max_interval: Duration::from_millis(2),
        deadline: Duration::from_secs(60),
    };
    let settings = BedrockSettings {
        profile: wanted["profile"].as_str().map(str::to_owned),
        bearer_over_http: wanted["bearer_over_http"] == true,
        pace,
        ..BedrockSettings::new(BUCKET)
    };
    let result = make(settings).await;
    let result = result.unwrap_or_else(|error| json!({"kind": format!("{:?}", error.kind), "error": error.to_string()}));
    // Starts a new line, because the test program has begun one.
    let mut out = io::stdout();
    writeln!(out, "\n{result}").unwrap();
}

async fn make(settings: BedrockSettings) -> remote_providers::Result<Value> {
    let provider = Bedrock::connect(settings).await?;
    // Only persists the state: this world's servers are not used.
    let world = World::new().await;
    let finished = world.run(&provider, &text(), fresh("job-1")).await?;
    let link = provider.link(&finished.id).await?.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let length = fetch(finished, &DownloadLimits::default(), file.path()).await?;
    Ok(json!({"length": length, "link": link.as_str()}))
}

/// Runs this program with only these variables, and returns the printed result.
async fn run(variables: &[(&str, &str)], settings: Value) -> Value {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "bedrock::environment::variables_lead_to_bedrock_and_s3", "--nocapture"]).env_clear();
    // Disables the machine's own files and its metadata service.
    let nothing = [
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        (CHILD, &settings.to_string()),
    ];
    command.envs(nothing).envs(variables.iter().copied());
    let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let shown = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{shown}");
    serde_json::from_str(shown.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{shown}"))).unwrap()
}

/// The variables with a world's addresses.
fn addresses(world: &World) -> [(String, String); 3] {
    [
        ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME".to_owned(), world.bedrock.url()),
        ("AWS_ENDPOINT_URL_S3".to_owned(), world.s3.url()),
        ("AWS_REGION".to_owned(), "us-east-1".to_owned()),
    ]
}

/// Runs a child with this world's addresses and further variables.
async fn run_in(world: &World, more: &[(&str, &str)], settings: Value) -> Value {
    let addresses = addresses(world);
    let mut variables: Vec<_> = addresses.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    variables.extend(more);
    run(&variables, settings).await
}

fn static_keys(account: &Account) -> [(&str, &str); 2] {
    [("AWS_ACCESS_KEY_ID", &account.access_key), ("AWS_SECRET_ACCESS_KEY", &account.secret_key)]
}

fn assert_made(world: &World, result: &Value) {
    assert!(result["length"].as_u64().is_some_and(|length| length > 0), "{result}");
    assert_eq!(world.bedrock.begun(), 1);
    assert!(!world.s3.requests().is_empty());
}

fn assert_refused(world: &World, result: &Value, kind: &str, words: &[&str]) {
    assert_eq!(result["kind"], kind, "{result}");
    let error = result["error"].as_str().unwrap();
    assert!(words.iter().all(|words| error.contains(words)), "{error}");
    assert_eq!(world.bedrock.requests().len(), 0);
}

#[tokio::test]
async fn variables_lead_to_bedrock_and_s3() {
    if let Ok(settings) = env::var(CHILD) {
        return child(&settings).await;
    }
    let account = Account::default();
    let world = World::new().await;
    assert_made(&world, &run_in(&world, &static_keys(&account), json!({})).await);

    // One address for all services applies to those without an address of their own.
    let world = World::new().await;
    let (bedrock, s3) = (world.bedrock.url(), world.s3.url());
    let addresses = [("AWS_ENDPOINT_URL", bedrock.as_str()), ("AWS_ENDPOINT_URL_S3", &s3), ("AWS_REGION", "us-east-1")];
    let variables = [addresses.as_slice(), &static_keys(&account)].concat();
    assert_made(&world, &run(&variables, json!({})).await);

    let world = World::new().await;
    let result = run(&static_keys(&account), json!({})).await;
    assert_refused(&world, &result, "Settings", &["no region", "AWS_REGION"]);
    let result = run_in(&world, &[], json!({})).await;
    assert_refused(&world, &result, "Credentials", &["no credentials are set"]);
}

#[tokio::test]
async fn a_profile_has_keys_region_and_addresses() {
    let account = Account::default();
    for by_variable in [true, false] {
        let world = World::new().await;
        let folder = tempfile::tempdir().unwrap();
        let (config, credentials) = (folder.path().join("config"), folder.path().join("credentials"));
        let services = format!("bedrock_runtime =\n  endpoint_url = {}\ns3 =\n  endpoint_url = {}\n", world.bedrock.url(), world.s3.url());
        std::fs::write(&config, format!("[profile reel]\nregion = us-east-1\nservices = local\n[services local]\n{services}")).unwrap();
        let keys = format!("aws_access_key_id = {}\naws_secret_access_key = {}\n", account.access_key, account.secret_key);
        std::fs::write(&credentials, format!("[reel]\n{keys}")).unwrap();
        let mut variables =
            vec![("AWS_CONFIG_FILE", config.to_str().unwrap()), ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap())];
        let settings = if by_variable { json!({}) } else { json!({"profile": "reel"}) };
        if by_variable {
            variables.push(("AWS_PROFILE", "reel"));
        }
        assert_made(&world, &run(&variables, settings).await);
    }
}

/// An account with temporary keys.
fn temporary() -> Account {
    Account { access_key: "ASIATEMPORARY".to_owned(), session_token: Some("a-session-token/+=".to_owned()), ..Account::default() }
}

fn in_minutes(minutes: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A fake of Amazon's Security Token Service with the calls that a role needs.
async fn sts() -> Server {
    let account = temporary();
    let answer = move |request: &Recorded| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let action = if body.contains("Action=AssumeRoleWithWebIdentity") { "AssumeRoleWithWebIdentity" } else { "AssumeRole" };
        let right = body.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freel");
        if !right || (action == "AssumeRole" && request.header("authorization").is_none()) {
            return Reply::bytes(403, "text/xml", "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>");
        }
        let (id, secret, token) = (&account.access_key, &account.secret_key, account.session_token.as_deref().unwrap());
        let keys =
            format!("<AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>");
        let user =
            "<AssumedRoleUser><AssumedRoleId>A:b</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/reel/b</Arn></AssumedRoleUser>";
        let end = in_minutes(60);
        Reply::bytes(
            200,
            "text/xml",
            format!(
                "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>{user}<Credentials>{keys}\
                 <Expiration>{end}</Expiration></Credentials></{action}Result></{action}Response>"
            ),
        )
    };
    Server::start(answer).await.unwrap()
}

#[tokio::test]
async fn a_profiles_role_is_assumed() {
    let (world, sts) = (World::with(temporary()).await, sts().await);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let role = "[profile reel]\nrole_arn = arn:aws:iam::123456789012:role/reel\nsource_profile = base\n";
    std::fs::write(&config, format!("{role}[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = base-secret\n")).unwrap();
    let variables = [("AWS_CONFIG_FILE", config.to_str().unwrap()), ("AWS_PROFILE", "reel"), ("AWS_ENDPOINT_URL_STS", &sts.url())];
    let result = run_in(&world, &variables, json!({})).await;
    assert_made(&world, &result);
    assert!(sts.requests()[0].header("authorization").unwrap().contains("AKIDBASE/"));
    assert!(world.starts()[0].header("x-amz-security-token").is_some());
    assert!(result["link"].as_str().unwrap().contains("X-Amz-Security-Token=a-session-token%2F%2B%3D"), "{result}");
}

#[tokio::test]
async fn a_role_is_assumed_with_a_token_from_a_file() {
    let (world, sts) = (World::with(temporary()).await, sts().await);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a-web-identity").unwrap();
    let variables = [
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reel"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.path().to_str().unwrap()),
        ("AWS_ENDPOINT_URL_STS", &sts.url()),
    ];
    assert_made(&world, &run_in(&world, &variables, json!({})).await);
    assert!(String::from_utf8_lossy(&sts.requests()[0].body).contains("WebIdentityToken=a-web-identity"));
}

#[tokio::test]
async fn links_expire_with_a_containers_role() {
    let world = World::with(temporary()).await;
    let account = temporary();
    let container = Server::start(move |request| {
        if request.header("authorization") != Some("a-container") {
            return Reply::empty(401);
        }
        let keys = json!({"AccessKeyId": account.access_key, "SecretAccessKey": account.secret_key, "Token": account.session_token,
            "Expiration": in_minutes(20)});
        Reply::json(200, &keys)
    });
    let container = container.await.unwrap();
    let address = format!("{}/role", container.url());
    let variables = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", address.as_str()), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a-container")];
    let result = run_in(&world, &variables, json!({})).await;
    assert_made(&world, &result);
    // The keys expire in twenty minutes, so a link must not claim an hour.
    let link = url::Url::parse(result["link"].as_str().unwrap()).unwrap();
    let life: u64 = link.query_pairs().find(|(name, _)| name == "X-Amz-Expires").unwrap().1.parse().unwrap();
    assert!((600..=1200).contains(&life), "{life}");
}

#[tokio::test]
async fn the_environments_bearer_token_wins_and_is_not_sent_over_plain_http() {
    let account = Account { bearer: Some("a-bearer-token".to_owned()), ..Account::default() };
    let world = World::with(account.clone()).await;
    let [id, secret] = static_keys(&account);
    let bearer = ("AWS_BEARER_TOKEN_BEDROCK", "a-bearer-token");
    let result = run_in(&world, &[id, secret, bearer], json!({})).await;
    assert_refused(&world, &result, "Settings", &["AWS_BEARER_TOKEN_BEDROCK", "plain-http endpoint", "https"]);

    // Without keys, the video would be billed but could not be fetched.
    let result = run_in(&world, &[bearer], json!({"bearer_over_http": true})).await;
    assert_refused(&world, &result, "Credentials", &["S3", "access keys are needed beside it"]);

    let result = run_in(&world, &[id, secret, bearer], json!({"bearer_over_http": true})).await;
    assert_made(&world, &result);
    assert!(world.bedrock.requests().iter().all(|request| request.bearer() == Some("a-bearer-token")));

    let world = World::new().await;
    let result = run_in(&world, &[id, secret, ("AWS_BEARER_TOKEN_BEDROCK", "")], json!({})).await;
    assert_made(&world, &result);
    assert!(world.starts()[0].header("authorization").unwrap().starts_with("AWS4-HMAC-SHA256 "));
}
