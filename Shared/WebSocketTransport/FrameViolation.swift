/// How a client's frames break RFC 6455 or a limit of ours. Each decides the close code and the sentence that goes with it.
enum FrameViolation: Error, Equatable, Sendable {
  case reservedBits
  case reservedOpcode(UInt8)
  case unmasked
  case fragmentedControl
  case controlTooLong
  case lengthNotMinimal
  case continuationWithoutStart
  case messageNotFinished
  case binary
  case invalidUTF8
  case messageTooBig(bytesMax: Int)
  case invalidClose

  var code: WebSocketCloseCode {
    switch self {
    case .binary: .unsupportedData
    case .invalidUTF8: .invalidPayload
    case .messageTooBig: .messageTooBig
    default: .protocolError
    }
  }

  /// At most 123 bytes, which is what a Close frame has room for.
  var reason: String {
    switch self {
    case .reservedBits: "Reserved bits are set but no extension was negotiated"
    case .reservedOpcode(let opcode): "Opcode \(opcode) is reserved"
    case .unmasked: "Client frames must be masked"
    case .fragmentedControl: "Control frames must not be fragmented"
    case .controlTooLong: "Control frames carry at most 125 bytes"
    case .lengthNotMinimal: "The length is not in its shortest form"
    case .continuationWithoutStart: "A continuation frame without a message to continue"
    case .messageNotFinished: "A new message before the last one was finished"
    case .binary: "Only text frames are accepted"
    case .invalidUTF8: "The text is not valid UTF-8"
    case .messageTooBig(let bytesMax): "Messages carry at most \(bytesMax) bytes"
    case .invalidClose: "The Close frame carries no legal code"
    }
  }
}
