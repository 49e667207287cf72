//! A server on loopback that says what it is told to, byte for byte, and remembers who came.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What a server does once it has read the head of a request.
#[derive(Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// The same again until nobody listens.
    SendForever(Vec<u8>),
    /// The same again, with this pause between.
    Trickle(Vec<u8>, Duration),
    /// Waits until the other side goes.
    Hold,
}

/// Nobody waits longer than this; a test that gets here fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    came: watch::Receiver<Vec<SocketAddr>>,
    /// Connections that a test made itself, to see who came before.
    probes: Mutex<Vec<SocketAddr>>,
}

impl Server {
    /// Answers each request with the steps that are found for its path.
    pub(crate) async fn start(answer: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), answer)
    }

    pub(crate) fn on(listener: TcpListener, answer: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (arrival, came) = watch::channel(Vec::new());
        let (answer, kept) = (Arc::new(answer), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                arrival.send_modify(|came| came.push(from));
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                tokio::spawn(async move { serve(stream, &*answer, &kept).await });
            }
        });
        Self { address, requests, came, probes: Mutex::default() }
    }

    /// A server that nobody may come to.
    pub(crate) async fn trap() -> Self {
        Self::start(|_| vec![Step::Send(ok("image/png", b"caught"))]).await
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The heads and bodies of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Fails if anybody else has connected: connections are taken in order, so those before the one made here have been seen by then.
    pub(crate) async fn is_untouched(&self, why: &str) {
        let own = TcpStream::connect(self.address).await.unwrap().local_addr().unwrap();
        self.probes.lock().unwrap().push(own);
        let mut came = self.came.clone();
        let came = tokio::time::timeout(PATIENCE, came.wait_for(|came| came.contains(&own))).await.unwrap().unwrap().clone();
        assert_eq!(came, *self.probes.lock().unwrap(), "{why}: somebody came to the trap");
    }
}

async fn serve(mut stream: TcpStream, answer: &(dyn Fn(&str) -> Vec<Step> + Send + Sync), kept: &Mutex<Vec<String>>) {
    let Some(request) = read_request(&mut stream).await else { return };
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    kept.lock().unwrap().push(request);
    for step in answer(&path) {
        let went = match step {
            Step::Send(bytes) => stream.write_all(&bytes).await,
            Step::SendForever(bytes) => loop {
                if let Err(error) = stream.write_all(&bytes).await {
                    break Err(error);
                }
            },
            Step::Trickle(bytes, pause) => loop {
                tokio::time::sleep(pause).await;
                if let Err(error) = stream.write_all(&bytes).await {
                    break Err(error);
                }
            },
            Step::Hold => stream.read(&mut [0; 1]).await.map(|_| ()),
        };
        if went.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

/// The head of a request, and its body if it has a length; nothing if it is TLS.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
        if bytes[0] == 0x16 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            return Some(text);
        }
    }
}

pub(crate) fn ok(media_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(crate) fn redirect(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}
