/// A client frame made by hand, legal or not.
package struct ClientFrame: Sendable {
  package var first: UInt8
  package var payload: [UInt8]
  package var mask: [UInt8]?
  /// How the length is written: nil for the shortest way, else in 2 or 8 bytes.
  package var lengthBytes: Int?

  package init(first: UInt8, payload: [UInt8], mask: [UInt8]? = [0x37, 0xFA, 0x21, 0x3D], lengthBytes: Int? = nil) {
    self.first = first
    self.payload = payload
    self.mask = mask
    self.lengthBytes = lengthBytes
  }

  package static func text(_ text: String, isFinal: Bool = true) -> Self { Self(first: isFinal ? 0x81 : 0x01, payload: Array(text.utf8)) }
  package static func text(_ bytes: [UInt8], isFinal: Bool = true) -> Self { Self(first: isFinal ? 0x81 : 0x01, payload: bytes) }
  package static func continuation(_ text: String, isFinal: Bool) -> Self { Self(first: isFinal ? 0x80 : 0x00, payload: Array(text.utf8)) }
  package static func continuation(_ bytes: [UInt8], isFinal: Bool) -> Self { Self(first: isFinal ? 0x80 : 0x00, payload: bytes) }
  package static func ping(_ payload: [UInt8] = []) -> Self { Self(first: 0x89, payload: payload) }
  package static func pong(_ payload: [UInt8] = []) -> Self { Self(first: 0x8A, payload: payload) }
  package static func close(_ payload: [UInt8] = []) -> Self { Self(first: 0x88, payload: payload) }
  package static func close(_ code: UInt16, _ reason: String = "") -> Self {
    Self(first: 0x88, payload: [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8))
  }

  package var encoded: [UInt8] {
    let masked: UInt8 = mask == nil ? 0 : 0x80
    let width = lengthBytes ?? (payload.count < 126 ? 1 : payload.count < 65_536 ? 2 : 8)
    var output: [UInt8] = [first]
    switch width {
    case 1: output.append(masked | UInt8(payload.count))
    default:
      output.append(masked | (width == 2 ? 126 : 127))
      for shift in (0..<width).reversed() { output.append(UInt8(truncatingIfNeeded: payload.count >> (8 * shift))) }
    }
    guard let mask else { return output + payload }
    output += mask
    output += payload.enumerated().map { $0.element ^ mask[$0.offset % 4] }
    return output
  }
}

extension [ClientFrame] {
  package var encoded: [UInt8] { flatMap(\.encoded) }
}
