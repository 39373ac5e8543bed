/// Why something between this process and the MQTT broker did not happen.
///
/// `code` is for programs, `message` is one sentence for people that names the thing and the remedy. Neither ever holds a password or a
/// payload.
package struct MQTTError: Error, Hashable, CustomStringConvertible {
  package enum Code: String, Sendable {
    /// A setting cannot work, whatever the broker does.
    case configuration
    /// No TCP connection, or no CONNACK in time.
    case unreachable
    /// The TLS handshake failed, for the most part because the certificate was not trusted.
    case tls
    /// The broker did not accept the user name or the password.
    case authentication
    /// The broker answered with another refusal; `reasonCode` tells which.
    case refused
    /// An established connection ended.
    case connectionLost = "connection_lost"
    /// A deadline passed. Of a publish it means: the outcome is unknown.
    case timeout
    /// A bound is reached; nothing was sent.
    case overloaded
    /// A message that MQTT cannot carry, or that the protocol version in use cannot.
    case invalidMessage = "invalid_message"
    /// The handler of a batch failed, so its messages were not acknowledged.
    case handler
    /// What has to be done before a connection failed; none was tried.
    case unprepared
    /// The client was shut down.
    case closed
  }

  package let code: Code
  package let message: String
  /// The broker's own code (MQTT 5, table 2-6), where it sent one.
  package let reasonCode: UInt8?

  package init(_ code: Code, _ message: String, reasonCode: UInt8? = nil) {
    self.code = code
    self.message = message
    self.reasonCode = reasonCode
  }

  package var description: String { "\(message) [mqtt_\(code.rawValue)]" }

  /// Whether trying again unchanged cannot help. Decides only about the first connection: a service that was once connected goes on trying.
  var isPermanent: Bool {
    switch code {
    case .configuration, .tls, .authentication, .refused: true
    default: false
    }
  }
}
