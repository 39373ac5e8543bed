import AsyncHTTPClient
import Glibc
import Models
import NIOCore
import NIOSSL

/// Tells what kind of failure a client's error is, in our words: its own may hold addresses of this network.
enum NetworkFailure {
  static func explain(_ error: any Error) -> (WebhookFailure, String) {
    switch error {
    case let error as HTTPClientError: explain(error)
    case let error as IOError: explain(error)
    case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: (.tlsFailed, "No TLS connection: is the certificate valid for the name?")
    case is ChannelError: (.connectionLost, "The connection broke before an answer came")
    case is CancellationError: (.interrupted, "The service was stopped before an answer came")
    default: (.connectionLost, "The receiver's answer is no HTTP, or the connection broke")
    }
  }

  private static func explain(_ error: HTTPClientError) -> (WebhookFailure, String) {
    switch error {
    case .connectTimeout: (.connectionFailed, "No connection could be made in time")
    case .deadlineExceeded, .readTimeout, .writeTimeout, .getConnectionFromPoolTimeout: (.timeout, "The receiver did not answer in time")
    case .tlsHandshakeTimeout: (.tlsFailed, "The TLS connection was not made in time")
    case .cancelled: (.interrupted, "The service was stopped before an answer came")
    default: (.connectionLost, "The connection broke before an answer came")
    }
  }

  private static func explain(_ error: IOError) -> (WebhookFailure, String) {
    switch error.errnoCode {
    case ECONNREFUSED: (.connectionFailed, "Nobody accepts connections there")
    case EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL, ETIMEDOUT, EACCES, EPERM: (.connectionFailed, "There is no way to the address")
    default: (.connectionLost, "The connection broke before an answer came")
    }
  }
}
