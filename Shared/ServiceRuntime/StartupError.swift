import Glibc
import NIOCore

/// Why a service cannot start, in one sentence that names the thing and the remedy.
package struct StartupError: Error, Sendable, CustomStringConvertible {
  package enum Code: String, Sendable {
    case addressInUse, addressUnavailable, cannotListen
  }

  package let code: Code
  package let description: String

  /// A listener that cannot be opened.
  /// - Parameter variables: What sets the address, for the remedy: "MARTLET_HOST and MARTLET_PORT".
  package static func cannotListen(host: String, port: Int, variables: String, because error: any Error) -> StartupError {
    let place = "Cannot listen on \(host):\(port)"
    guard let cause = error as? IOError else {
      return StartupError(
        code: .cannotListen, description: "\(place): \(String(describing: error).prefix(200)); check \(variables).")
    }
    switch cause.errnoCode {
    case EADDRINUSE:
      return StartupError(
        code: .addressInUse, description: "\(place): another process does already; stop it, or choose another port with \(variables).")
    case EADDRNOTAVAIL:
      return StartupError(
        code: .addressUnavailable, description: "\(place): that is not an address of this machine; check \(variables).")
    default:
      return StartupError(code: .cannotListen, description: "\(place): \(systemText(cause.errnoCode)); check \(variables).")
    }
  }
}
