internal import Glibc
internal import NIOCore

/// Why a server could not start.
package struct WebSocketServerError: Error, Sendable, CustomStringConvertible {
  package enum Code: Sendable, Equatable {
    case addressInUse
    case cannotListen
  }

  package let code: Code
  package let description: String

  init(binding configuration: WebSocketServerConfiguration, failed error: any Error) {
    let address = "\(configuration.host):\(configuration.port)"
    if let error = error as? IOError, error.errnoCode == EADDRINUSE {
      code = .addressInUse
      description = "\(address) is already in use: stop what listens there, or choose another port"
    } else {
      code = .cannotListen
      description = "Cannot listen on \(address): \(error)"
    }
  }
}
