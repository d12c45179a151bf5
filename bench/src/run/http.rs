//! One plain HTTP question to this machine: readiness and metrics of a gateway's admin port.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const WAIT_MAX: Duration = Duration::from_secs(2);

/// Status and body of `GET path`.
pub fn get(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut socket = TcpStream::connect_timeout(&address, WAIT_MAX)?;
    socket.set_read_timeout(Some(WAIT_MAX))?;
    socket.set_write_timeout(Some(WAIT_MAX))?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    status.zip(body).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// The sum of all samples called `name` in a Prometheus text; none where there is no such metric.
pub fn sum_of(metrics: &str, name: &str) -> Option<f64> {
    let samples = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.as_bytes().first()? {
            b'{' => rest.split_once("} ")?.1,
            b' ' => &rest[1..],
            _ => return None,
        };
        value.trim().parse::<f64>().ok()
    });
    samples.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels_and_told_from_longer_names() {
        let text = "# TYPE a_total counter\na_total{shard=\"0\"} 3\na_total{shard=\"1\"} 4\n\
            a_total_x 9\nb 1\n";
        assert_eq!(sum_of(text, "a_total"), Some(7.0));
        assert_eq!(sum_of(text, "b"), Some(1.0));
        assert_eq!(sum_of(text, "c"), None);
    }
}
