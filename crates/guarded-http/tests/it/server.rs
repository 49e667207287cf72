//! A scripted server on loopback, byte for byte, that records its visitors.

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

/// A step of an answer, after the head of a request was read.
#[derive(Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Repeats until the peer closes the connection.
    SendForever(Vec<u8>),
    /// Repeats with this pause in between.
    Trickle(Vec<u8>, Duration),
    /// Waits until the peer closes the connection.
    Hold,
}

/// Upper bound of every wait; a test that gets here fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    arrived: watch::Receiver<Vec<SocketAddr>>,
    /// The test's own connections, made to see who connected before.
    probes: Mutex<Vec<SocketAddr>>,
}

impl Server {
    /// Answers each request with the steps for its path.
    pub(crate) async fn start(answer: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), answer)
    }

    pub(crate) fn on(listener: TcpListener, answer: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (arrival, arrived) = watch::channel(Vec::new());
        let (answer, kept) = (Arc::new(answer), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                arrival.send_modify(|arrived| arrived.push(from));
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                tokio::spawn(async move { serve(stream, &*answer, &kept).await });
            }
        });
        Self { address, requests, arrived, probes: Mutex::default() }
    }

    /// A server that no request may reach.
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

    /// Fails if any other client has connected: connections are accepted in order, so earlier ones are recorded by the time the test's own
    /// is.
    pub(crate) async fn is_untouched(&self, why: &str) {
        let own = TcpStream::connect(self.address).await.unwrap().local_addr().unwrap();
        self.probes.lock().unwrap().push(own);
        let mut arrived = self.arrived.clone();
        let arrived = tokio::time::timeout(PATIENCE, arrived.wait_for(|arrived| arrived.contains(&own))).await.unwrap().unwrap().clone();
        assert_eq!(arrived, *self.probes.lock().unwrap(), "{why}: a client reached the trap");
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

/// The head of a request, and its body if it has a length; `None` for TLS.
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
