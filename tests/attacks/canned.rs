//! A Gitea that answers what a case says, and a second address that must never be asked. It keeps every request
//! with its head, so that a credential that travelled where it must not is seen.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::data::Canned;
use crate::fill::to_bytes;

/// Two listeners.
pub struct Playback {
    pub url: String,
    heard: Arc<Mutex<Vec<String>>>,
    trapped: Arc<Mutex<Vec<String>>>,
    tasks: [JoinHandle<()>; 2],
}

impl Playback {
    pub async fn start(answers: &[Canned]) -> Self {
        let (gitea, url) = listen().await;
        let (other, trap) = listen().await;
        let place = |text: &str| text.replace("[[trap]]", &trap).replace("[[gitea]]", &url);
        let answers: Vec<Canned> = answers
            .iter()
            .cloned()
            .map(|mut answer| {
                answer.headers.iter_mut().for_each(|(_, value)| *value = place(value));
                answer
            })
            .collect();
        let (heard, trapped) = (Arc::default(), Arc::default());
        let everything = Canned {
            on: String::new(),
            status: 200,
            headers: Vec::new(),
            body: "{}".to_owned(),
            times: None,
        };
        let tasks = [
            tokio::spawn(serve(gitea, Arc::new(answers), Arc::clone(&heard))),
            tokio::spawn(serve(other, Arc::new(vec![everything]), Arc::clone(&trapped))),
        ];
        Self { url, heard, trapped, tasks }
    }

    /// Request lines so far, `METHOD target`.
    pub fn requests(&self) -> Vec<String> {
        let lines = |head: &String| head.lines().next().unwrap_or_default().replace(" HTTP/1.1", "");
        self.heard.lock().expect("not poisoned").iter().map(lines).collect()
    }

    pub fn forget(&self) {
        self.heard.lock().expect("not poisoned").clear();
    }

    /// What was asked at the other address.
    pub fn trapped(&self) -> Vec<String> {
        self.trapped.lock().expect("not poisoned").clone()
    }
}

impl Drop for Playback {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    (listener, url)
}

async fn serve(listener: TcpListener, answers: Arc<Vec<Canned>>, heard: Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (answers, heard) = (Arc::clone(&answers), Arc::clone(&heard));
        tokio::spawn(async move {
            // The reader may stop when it has had enough.
            let _ended = one(stream, &answers, &heard).await;
        });
    }
}

async fn one(mut stream: TcpStream, answers: &[Canned], heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !read.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            count => read.extend_from_slice(&buffer[..count]),
        }
    }
    let head = String::from_utf8_lossy(&read).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    heard.lock().expect("not poisoned").push(head);
    let Some(answer) = answers.iter().find(|answer| target.contains(&answer.on)) else {
        return stream
            .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await;
    };
    let lines: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let body = to_bytes(&answer.body);
    let length = match answer.times {
        None => format!("content-length: {}\r\n", body.len()),
        Some(_) => String::new(),
    };
    let head = format!("HTTP/1.1 {} X\r\n{lines}{length}connection: close\r\n\r\n", answer.status);
    stream.write_all(head.as_bytes()).await?;
    for _ in 0..answer.times.unwrap_or(1) {
        stream.write_all(&body).await?;
    }
    stream.shutdown().await
}
