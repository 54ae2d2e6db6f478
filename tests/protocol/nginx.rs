//! Behind nginx, which reads HTTP by a parser that shares nothing with the server's. `make proxy-test` runs this with an
//! nginx of its own; `AEGIS_TEST_NGINX` is the program.

use std::path::Path;
use std::process::{Child, Command};

use aegis_tests::server::{Folder, KEY, Server, free_port};

use crate::ground::Ground;
use crate::proxied::{answered, behind, corpus, from};

/// An nginx before a server, in a directory of its own; it is ended when dropped.
struct Nginx {
    authority: String,
    folder: Folder,
    process: Child,
}

impl Nginx {
    /// `buffers`: read a body whole before it is passed on, which is nginx's default, or pass on what comes.
    async fn before(server: &Server, buffers: bool) -> Self {
        let program = std::env::var("AEGIS_TEST_NGINX").expect("AEGIS_TEST_NGINX names an nginx");
        let folder = Folder::new();
        let authority = format!("127.0.0.1:{}", free_port());
        let behind = server.url.trim_start_matches("http://");
        let text = configuration(&folder.0, &authority, behind, buffers);
        std::fs::write(folder.0.join("nginx.conf"), text).expect("written");
        let process = Command::new(program)
            .args(["-p".as_ref(), folder.0.as_os_str(), "-c".as_ref(), "nginx.conf".as_ref()])
            .args(["-e", "error.log"])
            .spawn()
            .expect("nginx starts");
        let mut nginx = Self { authority, folder, process };
        while tokio::net::TcpStream::connect(&nginx.authority).await.is_err() {
            assert_eq!(nginx.process.try_wait().expect("its state"), None, "nginx goes on");
            tokio::task::yield_now().await;
        }
        nginx
    }

    /// End it in order, so that its log is whole; how many requests it passed on.
    fn passed_on(mut self) -> usize {
        let quit = Command::new("kill").args(["-QUIT", &self.process.id().to_string()]).status();
        assert!(quit.expect("kill runs").success());
        self.process.wait().expect("nginx ends");
        let log = std::fs::read_to_string(self.folder.0.join("access.log")).expect("a log");
        log.lines().filter(|upstream| *upstream != "-").count()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// As operators write it: HTTP/1.1 to a pool of kept-alive connections, the peer in `X-Forwarded-For`.
fn configuration(dir: &Path, authority: &str, behind: &str, buffers: bool) -> String {
    let dir = dir.display();
    let buffers = if buffers { "on" } else { "off" };
    format!(
        "daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;
        events {{ worker_connections 256; }}
        http {{
            client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3;
            uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;
            log_format upstream '$upstream_status'; access_log {dir}/access.log upstream;
            upstream aegis {{ server {behind}; keepalive 1; }}
            server {{
                listen {authority};
                location / {{
                    proxy_pass http://aegis; proxy_http_version 1.1; proxy_next_upstream off;
                    proxy_set_header Host $http_host; proxy_set_header Connection '';
                    proxy_set_header X-Forwarded-For $remote_addr; proxy_request_buffering {buffers};
                }}
            }}
        }}"
    )
}

#[tokio::test]
#[ignore = "needs nginx: make proxy-test"]
async fn nginx_and_server_count_the_same_requests_however_they_are_framed() {
    for buffers in [true, false] {
        let ground = Ground::with(behind).await;
        let before = answered(&ground.server).await;
        let nginx = Nginx::before(&ground.server, buffers).await;
        for (number, (lines, body)) in corpus().into_iter().enumerate() {
            let mut connection = from(5, &nginx.authority).await;
            let last =
                format!("GET /health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", nginx.authority);
            let head = format!(
                "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n",
                nginx.authority
            );
            connection.send(format!("{head}{lines}\r\n{body}{last}").as_bytes()).await;
            let answers = connection.rest().await;
            assert!(number > 1 || answers.len() == 2, "{lines:?}: {answers:?}");
            assert!(!format!("{answers:?}").contains("list_issues"), "{lines:?} smuggled a request");
            // Over the kept-alive connection that all of this went: the next client gets its own answer.
            let mut next = from(6, &nginx.authority).await;
            next.send(format!("GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", nginx.authority).as_bytes()).await;
            let healthy = next.answer().await.expect("an answer");
            assert!(healthy.status == 200 && healthy.body.contains("healthy"), "{lines:?}: {healthy:?}");
        }
        let passed = nginx.passed_on();
        assert!(passed >= corpus().len() + 4, "{passed}");
        // The first question about the count is counted by the second.
        assert_eq!(answered(&ground.server).await - before - 1, passed, "buffers: {buffers}");
        ground.assert_nothing_upstream();
    }
}
