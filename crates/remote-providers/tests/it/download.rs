//! Downloads over real connections.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use guarded_http::{AllowedHost, Guard, GuardSettings, HeaderMap, HeaderName, HeaderValue};
use remote_providers::{DownloadError, DownloadLimits, ErrorKind, ProviderError, Source, download};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

const KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// Answers every connection with the same bytes, then closes it; returns its address and the request heads.
async fn serve(answer: impl Into<Vec<u8>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let (answer, heads) = (answer.into(), Arc::new(Mutex::new(Vec::new())));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap();
            seen.lock().unwrap().push(String::from_utf8_lossy(&head[..length]).to_ascii_lowercase());
            stream.write_all(&answer).await.unwrap();
        }
    });
    (address, heads)
}

async fn fetch(address: &str, limits: DownloadLimits, file: &Path) -> Result<u64, DownloadError> {
    let mut headers = HeaderMap::new();
    headers.insert(KEY, HeaderValue::from_static("a-secret"));
    let allow: Vec<AllowedHost> = vec!["127.0.0.1".parse().unwrap()];
    let port = |address: &str| address.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    // A redirect leads to the second server, which has another port, so every port is allowed.
    let guard = Guard::new(GuardSettings { allow, ports: (1..=u16::MAX).collect(), ..GuardSettings::default() });
    assert!(port(address) > 0);
    download("veo", Source::Url { url: format!("http://{address}/v/video.mp4?Signature=a-secret"), headers }, &guard, &limits, file).await
}

/// The provider's error.
fn of_provider(fetched: Result<u64, DownloadError>) -> ProviderError {
    match fetched {
        Err(DownloadError::Provider(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn answer(status: &str, head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\nConnection: close\r\n{head}\r\n").as_bytes(), body].concat()
}

#[tokio::test]
async fn a_video_is_complete_and_the_key_goes_to_its_own_origin_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("video.mp4");
    let body: Vec<u8> = (0..300_000_u32).map(|index| (index % 251) as u8).collect();
    let head = format!("Content-Type: video/mp4\r\nContent-Length: {}\r\n", body.len());
    let (video, at_video) = serve(answer("200 OK", &head, &body)).await;
    assert_eq!(fetch(&video, DownloadLimits::default(), &file).await.unwrap(), 300_000);
    assert_eq!(std::fs::read(&file).unwrap(), body);
    assert!(at_video.lock().unwrap()[0].contains("x-goog-api-key: a-secret"));

    let (first, at_first) = serve(answer("302 Found", &format!("Location: http://{video}/moved\r\n"), b"")).await;
    assert_eq!(fetch(&first, DownloadLimits::default(), &file).await.unwrap(), 300_000);
    assert!(at_first.lock().unwrap()[0].contains("a-secret"));
    let moved = at_video.lock().unwrap()[1].clone();
    assert!(moved.starts_with("get /moved") && !moved.contains("a-secret") && moved.contains("accept: video/mp4"), "{moved}");

    let bytes = Source::Bytes(vec![1, 2, 3]);
    assert_eq!(download("veo", bytes, &Guard::new(GuardSettings::default()), &DownloadLimits::default(), &file).await.unwrap(), 3);
    assert_eq!(std::fs::read(&file).unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn a_failed_download_leaves_no_file_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let small = DownloadLimits { max_bytes: 1000, ..DownloadLimits::default() };
    let hasty = DownloadLimits { timeout: Duration::from_millis(200), ..small };
    let table: [(&str, Vec<u8>, DownloadLimits, ErrorKind, bool); 8] = [
        ("announced too large", answer("200 OK", "Content-Length: 1001\r\n", &[0; 1001]), small, ErrorKind::TooLarge, false),
        ("counted too large", answer("200 OK", "", &[0; 5000]), small, ErrorKind::TooLarge, false),
        ("truncated", answer("200 OK", "Content-Length: 900\r\n", &[0; 500]), small, ErrorKind::Result, true),
        ("expired", answer("403 Forbidden", "Content-Length: 0\r\n", b""), small, ErrorKind::Result, false),
        ("a fault of the server's", answer("500 Oops", "Content-Length: 0\r\n", b""), small, ErrorKind::Result, true),
        ("a page", answer("200 OK", "Content-Type: text/html\r\nContent-Length: 1\r\n", b"x"), small, ErrorKind::Result, false),
        ("a way inside", answer("302 Found", "Location: http://10.0.0.1/x\r\n", b""), small, ErrorKind::Settings, false),
        ("no answer", Vec::new(), hasty, ErrorKind::Result, true),
    ];
    for (name, answer, limits, kind, retryable) in table {
        let file = folder.path().join("video.mp4");
        let (address, _) = serve(answer).await;
        let error = of_provider(fetch(&address, limits, &file).await);
        assert_eq!((error.kind, error.is_retryable()), (kind, retryable), "{name}: {error}");
        assert!(!file.exists(), "{name}");
        assert!(!format!("{error} {error:?}").contains("a-secret"), "{name}: {error:?}");
    }
    let large = Source::Bytes(vec![0; 1001]);
    let file = folder.path().join("large");
    let error = of_provider(download("veo", large, &Guard::new(GuardSettings::default()), &small, &file).await);
    assert!(error.kind == ErrorKind::TooLarge && error.to_string().contains("1000 bytes") && !file.exists(), "{error}");
}

#[tokio::test]
async fn an_address_that_is_forbidden_is_the_operators_to_allow() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("video.mp4");
    let (video, asked) = serve(answer("200 OK", "Content-Type: video/mp4\r\nContent-Length: 0\r\n", b"")).await;
    let source = Source::Url { url: format!("http://{video}/video.mp4?Signature=a-secret"), headers: HeaderMap::new() };
    let error = of_provider(download("veo", source, &Guard::new(GuardSettings::default()), &DownloadLimits::default(), &file).await);
    assert!(error.kind == ErrorKind::Settings && !error.is_retryable() && !error.to_string().contains("a-secret"), "{error}");
    assert!(error.reason.starts_with("the video may not be fetched from 127.0.0.1"), "{error}");
    assert!(asked.lock().unwrap().is_empty() && !file.exists());
}

#[tokio::test]
async fn an_unwritable_file_is_a_disk_error_not_a_provider_error() {
    let folder = tempfile::tempdir().unwrap();
    let (video, _) = serve(answer("200 OK", "Content-Type: video/mp4\r\nContent-Length: 300000\r\n", &[7; 300_000])).await;
    let file = folder.path().join("video.mp4");
    let missing = folder.path().join("gone").join("video.mp4");
    for (file, kind) in [(&file, io::ErrorKind::StorageFull), (&missing, io::ErrorKind::NotFound)] {
        for is_fetched in [true, false] {
            if kind == io::ErrorKind::StorageFull {
                // A device that accepts no data, like a full disk.
                std::os::unix::fs::symlink("/dev/full", file).unwrap();
            }
            let written = match is_fetched {
                true => fetch(&video, DownloadLimits::default(), file).await,
                false => {
                    let (source, guard) = (Source::Bytes(vec![7; 300_000]), Guard::new(GuardSettings::default()));
                    download("veo", source, &guard, &DownloadLimits::default(), file).await
                }
            };
            assert!(matches!(&written, Err(DownloadError::Disk(error)) if error.kind() == kind), "{is_fetched}: {written:?}");
            assert!(file.symlink_metadata().is_err(), "no file is left");
        }
    }
}
