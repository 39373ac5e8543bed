package import NIOCore

/// Writes server frames: unmasked, unfragmented, with the shortest length (RFC 6455, section 5.2).
package enum FrameEncoder {
  /// The most that a frame's header takes, in bytes.
  package static let headerBytesMax = 10

  /// Appends a text frame to `output`. `text` must be UTF-8.
  package static func append(text: UnsafeRawBufferPointer, to output: inout ByteBuffer) {
    appendHeader(opcode: 0x1, length: text.count, to: &output)
    output.writeBytes(text)
  }

  /// - Parameter payload: what the pong is to carry, at most 125 bytes.
  static func ping(_ payload: [UInt8] = []) -> ByteBuffer { control(opcode: 0x9, payload) }

  /// - Parameter payload: what the ping carried, at most 125 bytes.
  static func pong(_ payload: [UInt8]) -> ByteBuffer { control(opcode: 0xA, payload) }

  private static func control(opcode: UInt8, _ payload: [UInt8]) -> ByteBuffer {
    var output = ByteBuffer()
    appendHeader(opcode: opcode, length: payload.count, to: &output)
    output.writeBytes(payload)
    return output
  }

  /// A Close frame; without a code when the code is none that may be on the wire. The reason is cut, at a character, to what fits.
  static func close(_ code: WebSocketCloseCode, reason: String) -> ByteBuffer {
    var output = ByteBuffer()
    guard code.mayBeOnTheWire else {
      appendHeader(opcode: 0x8, length: 0, to: &output)
      return output
    }
    var fitting = Substring(reason)
    while fitting.utf8.count > 123 { fitting = fitting.dropLast() }
    appendHeader(opcode: 0x8, length: 2 + fitting.utf8.count, to: &output)
    output.writeInteger(code.rawValue)
    output.writeSubstring(fitting)
    return output
  }

  private static func appendHeader(opcode: UInt8, length: Int, to output: inout ByteBuffer) {
    switch length {
    case ..<126: output.writeMultipleIntegers(0x80 | opcode, UInt8(length))
    case ..<65_536: output.writeMultipleIntegers(0x80 | opcode, 126 as UInt8, UInt16(length))
    default: output.writeMultipleIntegers(0x80 | opcode, 127 as UInt8, UInt64(length))
    }
  }
}
