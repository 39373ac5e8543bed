/// Where the events come from just now.
public enum ConnectionState: String, Hashable, Sendable {
  /// A connection is being made, for the first time or again.
  case connecting
  /// Events come live.
  case websocket
  /// No WebSocket gets through: the API is asked every 1.5 seconds, and the WebSocket tried again beside that.
  case polling
  /// ``MartletClient/run()`` has ended.
  case closed
}

/// Why a client cannot begin, or does not go on.
public struct MartletError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What a program goes by.
  public enum Code: String, Hashable, Sendable {
    /// An address, or the file of authorities, that the client was made with.
    case configuration
    /// ``MartletClient/run()`` is under way already.
    case alreadyRunning
    /// Only signing in anew helps.
    case signedOut
    /// The server would close this client's connection again, whatever its token: see the description.
    case refused
  }

  public let code: Code
  /// A sentence for the person.
  public let message: String

  init(_ code: Code, _ message: String) { (self.code, self.message) = (code, message) }

  public var description: String { message }
}

/// What a ``MartletClient/TokenSource`` throws when it has no token to give any more, so that only signing in anew helps. After any
/// other error the client asks again.
public struct SignedOut: Error, Hashable, Sendable, CustomStringConvertible {
  public init() {}

  public var description: String { "The login has ended: sign in again." }
}
