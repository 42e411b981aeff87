// For the examples of the documentation: a service that responds to every request alike.

/// Where it is.
pub async fn endpoint(response: &'static str) -> gcm_proto::Endpoint {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                stream.read_buf(&mut request).await.unwrap();
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", response.len());
            stream.write_all((head + response).as_bytes()).await.unwrap();
        }
    });
    format!("http://{address}/gcm/send").parse().unwrap()
}
