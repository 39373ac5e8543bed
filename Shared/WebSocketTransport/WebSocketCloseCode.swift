/// Why a WebSocket was closed: RFC 6455, section 7.4, and the IANA registry that it founded.
package struct WebSocketCloseCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  package let rawValue: UInt16

  package init(rawValue: UInt16) { self.rawValue = rawValue }

  package static let normal = Self(rawValue: 1000)
  /// The server shuts down, or nobody was heard for too long: come back.
  package static let goingAway = Self(rawValue: 1001)
  package static let protocolError = Self(rawValue: 1002)
  package static let unsupportedData = Self(rawValue: 1003)
  /// The peer's Close carried no code. Never on the wire.
  package static let noStatus = Self(rawValue: 1005)
  /// The connection was lost without a Close. Never on the wire.
  package static let abnormal = Self(rawValue: 1006)
  package static let invalidPayload = Self(rawValue: 1007)
  package static let policyViolation = Self(rawValue: 1008)
  package static let messageTooBig = Self(rawValue: 1009)
  package static let internalError = Self(rawValue: 1011)
  /// The client does not keep up with what it asked for.
  package static let tryAgainLater = Self(rawValue: 1013)

  package var description: String { String(rawValue) }

  /// Whether a peer may put this code in a Close frame: the registered codes, and 3000 to 4999 for libraries and applications.
  package var mayBeOnTheWire: Bool {
    switch rawValue {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }
}
