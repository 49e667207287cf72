//! Every setting, from every source, and the errors for invalid values.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use diffusion_core::weights::VaeChoice;
use secrecy::ExposeSecret as _;
use server::access::{AllowedHosts, AllowedOrigins, ApiKey};

use super::{layers, provider_variables, *};

fn variables(pairs: &[(&str, &str)]) -> Result<Vec<Layer>, SettingsError> {
    environment_layers(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

pub(super) fn from_environment(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::resolve(None, variables(pairs)?)
}

/// The access settings that the server gets.
fn access(settings: &Settings) -> server::access::AccessSettings {
    settings.access.resolved(None).unwrap()
}

fn key(text: &str) -> ApiKey {
    ApiKey::new("default", text).unwrap()
}

/// Every setting as text, with the hub's and the client's secrets in the clear.
fn shown(settings: &Settings) -> String {
    let secrets = [&settings.hub.token, &settings.client.api_key];
    let secrets = secrets.map(|secret| secret.as_ref().map(|secret| secret.expose_secret().to_owned()));
    format!("{settings:?} secrets={secrets:?}")
}

/// A variable, a value, and a check of the resulting settings.
type Row = (&'static str, &'static str, fn(&Settings) -> bool);

/// Every variable of a table has an effect, and counts as absent if it is empty.
pub(super) fn acts(table: &[Row]) {
    let without = shown(&from_environment(&[]).unwrap());
    for (name, value, acts) in table {
        let with = from_environment(&[(name, value)]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(acts(&with), "{name}={value} gave {with:?}");
        assert_ne!(shown(&with), without, "{name}={value} changed nothing");
        let empty = from_environment(&[(name, "")]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(shown(&empty), without, "an empty {name} counts as absent");
    }
}

#[test]
fn every_variable_has_an_effect() {
    let table: [Row; 66] = [
        ("PORT", "8123", |s| s.server.port == 8123),
        ("HF_TOKEN", "hf_1", |s| s.hub.token.as_ref().unwrap().expose_secret() == "hf_1"),
        ("HUGGING_FACE_TOKEN", "hf_2", |s| s.hub.token.as_ref().unwrap().expose_secret() == "hf_2"),
        ("HOME", "/home/a", |s| s.hub.cache_dir.as_deref() == Some(Path::new("/home/a/.cache/huggingface/hub"))),
        ("XDG_CACHE_HOME", "/xdg", |s| s.hub.cache_dir.as_deref() == Some(Path::new("/xdg/huggingface/hub"))),
        ("HF_HOME", "/hf", |s| s.hub.cache_dir.as_deref() == Some(Path::new("/hf/hub"))),
        ("HF_HUB_CACHE", "/cache", |s| s.hub.cache_dir.as_deref() == Some(Path::new("/cache"))),
        ("HF_ENDPOINT", "http://127.0.0.1:1", |s| s.hub.endpoint.as_deref() == Some("http://127.0.0.1:1")),
        ("HF_HUB_OFFLINE", "1", |s| s.hub.offline),
        ("FRAMEWRIGHT__MODEL__NAME", "2024", |s| s.model.name == "2024"),
        ("FRAMEWRIGHT__MODEL__MOTION", "2025", |s| s.model.motion == "2025"),
        ("FRAMEWRIGHT__MODEL__TEXT_ENCODER", "clip_l", |s| s.model.text_encoder == Some("clip_l".into())),
        ("FRAMEWRIGHT__MODEL__TEXT_ENCODER_2", "clip_g", |s| s.model.text_encoder_2 == Some("clip_g".into())),
        ("FRAMEWRIGHT__MODEL__VAE", "full", |s| s.model.vae == Some(VaeSetting::Named(VaeChoice::Full))),
        ("FRAMEWRIGHT__MODEL__UNKNOWN_FIELDS", "refuse", |s| s.model.unknown_fields == UnknownFields::Refuse),
        ("FRAMEWRIGHT__COMPUTE__DEVICE", "cpu", |s| s.compute.device == DeviceChoice::Cpu),
        ("FRAMEWRIGHT__COMPUTE__PRECISION", "bf16", |s| s.compute.precision == Precision::Bf16),
        ("FRAMEWRIGHT__COMPUTE__THREADS", "3", |s| s.compute.threads == Some(3)),
        ("FRAMEWRIGHT__COMPUTE__CPU_LEVEL", "portable", |s| s.compute.cpu_level == Some(Level::Portable)),
        ("FRAMEWRIGHT__POOL__BUDGET", "4000000000", |s| s.pool.budget == Some(4_000_000_000)),
        ("FRAMEWRIGHT__POOL__IDLE_SECONDS", "300", |s| s.pool.idle_seconds == Some(300)),
        ("FRAMEWRIGHT__COMPUTE__MEMORY_LIMIT", "8000000000", |s| s.compute.memory_limit == Some(8_000_000_000)),
        ("FRAMEWRIGHT__SERVER__HOST", "0.0.0.0", |s| s.server.host == IpAddr::from([0, 0, 0, 0])),
        ("FRAMEWRIGHT__SERVER__PORT", "1", |s| s.server.port == 1),
        ("FRAMEWRIGHT__SERVER__QUEUE_CAPACITY", "2", |s| s.server.queue_capacity == 2),
        ("FRAMEWRIGHT__SERVER__BODY_TIMEOUT_SECONDS", "5", |s| s.server.body_timeout_seconds == 5),
        ("FRAMEWRIGHT__SERVER__PUBLIC_URL", "https://a.example/x", |s| s.server.public_url.as_ref().unwrap().path() == "/x"),
        ("FRAMEWRIGHT__SERVER__LOG", "info", |s| s.server.log == "info"),
        ("FRAMEWRIGHT__ACCESS__API_KEY", "1234567890123456", |s| access(s).keys == [key("1234567890123456")]),
        ("FRAMEWRIGHT__ACCESS__API_KEY_FILE", "Cargo.toml", |s| s.access.api_key_file.as_deref() == Some(Path::new("Cargo.toml"))),
        ("FRAMEWRIGHT__ACCESS__ALLOW_PUBLIC_WITHOUT_KEY", "true", |s| access(s).allow_public_without_key),
        ("FRAMEWRIGHT__ACCESS__ALLOWED_HOSTS", "a.example, 10.0.0.1", |s| {
            access(s).allowed_hosts == AllowedHosts::parse(&["a.example", "10.0.0.1"]).unwrap()
        }),
        ("FRAMEWRIGHT__ACCESS__ALLOWED_ORIGINS", "https://a.example", |s| {
            access(s).allowed_origins == AllowedOrigins::parse(&["https://a.example"]).unwrap()
        }),
        ("FRAMEWRIGHT__ACCESS__REQUESTS_PER_MINUTE", "5", |s| access(s).key_limits.requests_per_minute.unwrap().get() == 5),
        ("FRAMEWRIGHT__ACCESS__BURST", "6", |s| access(s).key_limits.burst.get() == 6),
        ("FRAMEWRIGHT__ACCESS__CONCURRENT_REQUESTS", "7", |s| access(s).key_limits.concurrent_requests.unwrap().get() == 7),
        ("FRAMEWRIGHT__ACCESS__LINK_SECONDS", "60", |s| access(s).link_lifetime.as_secs() == 60),
        ("FRAMEWRIGHT__ACCESS__LINK_SECRET", "12345678901234567890123456789012", |s| s.access.link_secret.is_some()),
        ("FRAMEWRIGHT__UPLOADS__MAX_BYTES", "8", |s| s.uploads.max_bytes == 8),
        ("FRAMEWRIGHT__UPLOADS__KEEP_DAYS", "9", |s| s.uploads.keep_days == 9),
        ("FRAMEWRIGHT__UPLOADS__KEEP_BYTES", "10", |s| s.uploads.keep_bytes == 10),
        ("FRAMEWRIGHT__TASKS__REPAINT_STRENGTH", "0.25", |s| s.tasks.repaint_strength == 0.25),
        ("FRAMEWRIGHT__WEBHOOKS__SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", |s| s.webhooks.secret.is_some()),
        ("FRAMEWRIGHT__ADAPTERS__FOLDER", "/loras", |s| s.adapters.folder.as_deref() == Some(Path::new("/loras"))),
        ("FRAMEWRIGHT__UPSCALERS__FOLDER", "/esrgan", |s| s.upscalers.folder.as_deref() == Some(Path::new("/esrgan"))),
        ("FRAMEWRIGHT__CONTROLNETS__FOLDER", "/nets", |s| s.controlnets.folder.as_deref() == Some(Path::new("/nets"))),
        ("FRAMEWRIGHT__ADAPTERS__EMBEDDINGS", "/words", |s| s.adapters.embeddings.as_deref() == Some(Path::new("/words"))),
        ("FRAMEWRIGHT__REQUESTS__ALLOWED_HOSTS", "nas.example:9000,10.0.0.0/8", |s| s.requests.allowed_hosts.len() == 2),
        ("XDG_DATA_HOME", "/data", |s| s.jobs.data_dir.as_deref() == Some(Path::new("/data/framewright"))),
        ("FRAMEWRIGHT__JOBS__DATA_DIR", "/jobs", |s| s.jobs.data_dir.as_deref() == Some(Path::new("/jobs"))),
        ("FRAMEWRIGHT__JOBS__KEEP_DAYS", "30", |s| s.jobs.keep_days == 30),
        ("FRAMEWRIGHT__JOBS__KEEP_BYTES", "1000", |s| s.jobs.keep_bytes == 1000),
        ("FRAMEWRIGHT__JOBS__PARTS_BYTES", "0", |s| s.jobs.parts_bytes == 0),
        ("FRAMEWRIGHT__JOBS__WAITING_PER_KEY", "3", |s| s.jobs.waiting_per_key == Some(3)),
        ("FRAMEWRIGHT__JOBS__SHUTDOWN_SECONDS", "60", |s| s.jobs.shutdown_seconds == 60),
        ("FRAMEWRIGHT__PROVENANCE__C2PA", "on", |s| s.provenance.c2pa == C2pa::On),
        ("FRAMEWRIGHT__PROVENANCE__CERTIFICATE", "/chain.pem", |s| s.provenance.certificate == Some("/chain.pem".into())),
        ("FRAMEWRIGHT__PROVENANCE__PRIVATE_KEY", "/key.pem", |s| s.provenance.private_key == Some("/key.pem".into())),
        ("FRAMEWRIGHT__HUB__TOKEN", "12345", |s| s.hub.token.as_ref().unwrap().expose_secret() == "12345"),
        ("FRAMEWRIGHT__HUB__ENDPOINT", "https://hub", |s| s.hub.endpoint.as_deref() == Some("https://hub")),
        ("FRAMEWRIGHT__HUB__CACHE_DIR", "/c", |s| s.hub.cache_dir.as_deref() == Some(Path::new("/c"))),
        ("FRAMEWRIGHT__HUB__OFFLINE", "true", |s| s.hub.offline),
        ("FRAMEWRIGHT__SERVER__LOG_FORMAT", "json", |s| s.server.log_format == LogFormat::Json),
        ("FRAMEWRIGHT__CHARACTERS__REPAINT_STRENGTH", "0.25", |s| s.characters.repaint_strength == 0.25),
        ("FRAMEWRIGHT__CLIENT__SERVER", "http://10.0.0.1:8000", |s| s.client.server == "http://10.0.0.1:8000"),
        ("FRAMEWRIGHT__CLIENT__API_KEY", "k", |s| s.client.api_key.as_ref().unwrap().expose_secret() == "k"),
    ];
    acts(&table);
    let rows: Vec<_> = table.iter().chain(&provider_variables::TABLE).map(|(name, ..)| *name).collect();
    for variable in layers::variables() {
        assert!(rows.contains(&variable.as_str()), "no test shows that {variable} acts");
    }
}

#[test]
fn later_layers_win() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "[server]\nport = 1\nhost = \"::1\"\n[compute]\nthreads = 7\n").unwrap();
    let port = |environment: &[(&str, &str)], flags: Vec<Layer>| {
        let mut layers = variables(environment).unwrap();
        layers.extend(flags);
        Settings::resolve(Some(&file), layers).unwrap().server.port
    };
    assert_eq!(Settings::resolve(None, []).unwrap().server.port, 8000);
    assert_eq!(port(&[], vec![]), 1);
    assert_eq!(port(&[("PORT", "2")], vec![]), 2);
    assert_eq!(port(&[("FRAMEWRIGHT__SERVER__PORT", "3"), ("PORT", "2")], vec![]), 3);
    assert_eq!(port(&[("FRAMEWRIGHT__SERVER__PORT", "3"), ("PORT", "2")], vec![Layer::flag("--port", "server.port", 4)]), 4);
    let rest = Settings::resolve(Some(&file), variables(&[("PORT", "2")]).unwrap()).unwrap();
    assert_eq!((rest.server.host.to_string().as_str(), rest.compute.threads), ("::1", Some(7)));
}

#[test]
fn the_cpu_level_must_be_available_on_this_machine() {
    let level = |environment: &[(&str, &str)], flags: Vec<Layer>| {
        let mut layers = variables(environment).unwrap();
        layers.extend(flags);
        Settings::resolve(None, layers).map(|settings| settings.compute.cpu_level)
    };
    for known in Level::ALL {
        let name = known.name();
        match level(&[("FRAMEWRIGHT__COMPUTE__CPU_LEVEL", name)], vec![]) {
            Ok(taken) => assert!(known.is_available() && taken == Some(known), "{name} gave {taken:?}"),
            Err(refused) => {
                let start = format!("setting compute.cpu_level: this machine lacks \"{name}\"; it has portable");
                let refused = refused.to_string();
                assert!(!known.is_available() && refused.starts_with(&start), "{refused}");
                assert!(refused.ends_with(" (from FRAMEWRIGHT__COMPUTE__CPU_LEVEL)"), "{refused}");
            }
        }
    }
    let back = Layer::flag("--cpu-level", "compute.cpu_level", "auto");
    assert_eq!(level(&[("FRAMEWRIGHT__COMPUTE__CPU_LEVEL", "portable")], vec![back]).unwrap(), None);
}

#[test]
fn bf16_that_is_asked_for_keeps_its_weights_in_bf16_where_the_machine_can() {
    let level = |file: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("framewright.toml");
        std::fs::write(&path, file).unwrap();
        Settings::resolve(Some(&path), vec![]).unwrap().cpu_level()
    };
    for other in ["", "[compute]\nprecision = \"f32\"\n", "[[models]]\nname = \"a\"\nsource = \"nano-sd\"\nprecision = \"f16\"\n"] {
        assert_eq!(level(other), None, "{other}");
    }
    let can = Level::ALL.into_iter().any(|level| level.is_available() && level.has_bf16());
    for asks in ["[compute]\nprecision = \"bf16\"\n", "[[models]]\nname = \"a\"\nsource = \"nano-sd\"\nprecision = \"bf16\"\n"] {
        let taken = level(asks).unwrap_or_else(Level::detect);
        assert!(taken >= Level::detect() && taken.has_bf16() == can, "{asks}: {taken:?}");
    }
    assert_eq!(level("[compute]\nprecision = \"bf16\"\ncpu_level = \"portable\"\n"), Some(Level::Portable));
}

#[test]
fn among_shared_variables_the_more_specific_wins() {
    let all = [
        ("HF_HUB_CACHE", "/cache"),
        ("HF_HOME", "/hf"),
        ("XDG_CACHE_HOME", "/xdg"),
        ("HOME", "/home/a"),
        ("HF_TOKEN", "new"),
        ("HUGGING_FACE_TOKEN", "old"),
    ];
    let settings = from_environment(&all).unwrap();
    assert_eq!(settings.hub.cache_dir.as_deref(), Some(Path::new("/cache")));
    assert_eq!(settings.hub.token.unwrap().expose_secret(), "new");
    assert_eq!(from_environment(&all[1..]).unwrap().hub.cache_dir.as_deref(), Some(Path::new("/hf/hub")));
}

#[test]
fn an_error_names_setting_value_limit_and_origin() {
    let refused = |name: &str, value: &str| from_environment(&[(name, value)]).unwrap_err().to_string();
    assert_eq!(refused("PORT", "99999"), "setting server.port: 99999 is outside 0..=65535 (from PORT)");
    assert_eq!(
        refused("FRAMEWRIGHT__SERVER__PORT", "http"),
        "setting server.port: invalid type: found string \"http\", expected i64 (from FRAMEWRIGHT__SERVER__PORT)"
    );
    assert_eq!(
        refused("FRAMEWRIGHT__COMPUTE__DEVICE", "gpu"),
        "setting compute.device: device: \"gpu\" is none of auto, cpu, cuda, metal (from FRAMEWRIGHT__COMPUTE__DEVICE)"
    );
    assert_eq!(
        refused("FRAMEWRIGHT__COMPUTE__CPU_LEVEL", "sse"),
        "setting compute.cpu_level: \"sse\" is none of auto, portable, avx2, avx512, avx512bf16, amx \
         (from FRAMEWRIGHT__COMPUTE__CPU_LEVEL)"
    );
    assert_eq!(
        refused("FRAMEWRIGHT__CHARACTERS__REPAINT_STRENGTH", "1.5"),
        "setting characters.repaint_strength: 1.5 is outside 0..=1 (from FRAMEWRIGHT__CHARACTERS__REPAINT_STRENGTH)"
    );
    assert_eq!(
        refused("FRAMEWRIGHT__MODEL__UNKNOWN_FIELDS", "1"),
        "setting model.unknown_fields: \"1\" is none of warn, refuse (from FRAMEWRIGHT__MODEL__UNKNOWN_FIELDS)"
    );
    assert_eq!(
        refused("FRAMEWRIGHT__TASKS__REPAINT_STRENGTH", "0.03"),
        "setting tasks.repaint_strength: 0.03 of 25 steps leaves no step to run; the smallest strength that works is 0.04, or 0 \
         (from FRAMEWRIGHT__TASKS__REPAINT_STRENGTH)"
    );
    assert_eq!(
        refused("FRAMEWRIGHT__SERVER__LOG_FORMAT", "xml"),
        "setting server.log_format: \"xml\" is none of text, json (from FRAMEWRIGHT__SERVER__LOG_FORMAT)"
    );
    assert_eq!(refused("HF_ENDPOINT", "hub"), "setting hub.endpoint: \"hub\" is not an http:// or https:// address (from HF_ENDPOINT)");
    assert!(
        refused("FRAMEWRIGHT__SERVR__PORT", "1")
            .starts_with("FRAMEWRIGHT__SERVR__PORT names no setting; there are FRAMEWRIGHT__MODEL__NAME")
    );
    assert!(refused("FRAMEWRIGHT__SERVER", "1").starts_with("FRAMEWRIGHT__SERVER names no setting"));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    let refused = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Settings::resolve(Some(&file), []).unwrap_err().to_string()
    };
    let path = file.display();
    assert_eq!(refused("[compute]\nthreads = 0\n"), format!("setting compute.threads: 0 is outside 1..=1024 (from {path})"));
    assert!(refused("[server]\nprot = 1\n").contains("unknown field: found `prot`"), "{}", refused("[server]\nprot = 1\n"));
    let syntax = refused("[server\n");
    assert!(syntax.contains(&path.to_string()) && !syntax.contains('\n'), "{syntax}");
    assert!(Settings::resolve(Some(Path::new("/nowhere.toml")), []).unwrap_err().to_string().contains("/nowhere.toml"));
}

#[test]
fn secrets_are_never_printed() {
    for name in ["HF_TOKEN", "FRAMEWRIGHT__CLIENT__API_KEY"] {
        let settings = from_environment(&[(name, "hf_secret")]).unwrap();
        assert!(!format!("{settings:?}").contains("hf_secret"), "{name}");
    }
    let secrets = [
        ("HF_TOKEN", "hf_secret"),
        ("FRAMEWRIGHT__ACCESS__API_KEY", "a-key-that-is-hf_secret"),
        ("FRAMEWRIGHT__ACCESS__LINK_SECRET", "what-links-are-signed-with-is-hf_secret"),
    ];
    let settings = from_environment(&secrets).unwrap();
    assert!(!format!("{settings:?}").contains("hf_secret"));
    let refused = from_environment(&[("FRAMEWRIGHT__ACCESS__API_KEY", "hf_secret")]).unwrap_err().to_string();
    let expected = "setting access.api_key: the key \"default\" has 9 characters, which is outside 16..=512";
    assert_eq!(refused, format!("{expected} (from FRAMEWRIGHT__ACCESS__API_KEY)"));
}
