internal import NIOCore

/// What a client's frames mean.
enum FrameEvent: Equatable, Sendable {
  /// A whole message, its fragments joined; valid UTF-8.
  case text([UInt8])
  case ping([UInt8])
  case pong([UInt8])
  /// A Close frame; `noStatus` when it carried no code.
  case close(WebSocketCloseCode)
  /// The stream is broken; nothing can be read from it any more.
  case violation(FrameViolation)
}

/// Turns a client's bytes into messages: RFC 6455, sections 5 and 8.1, without extensions and without binary.
///
/// A violation is told at the first byte that proves it, however the input is split, and a message over the limit by its header, before
/// any of it is kept. Between messages nothing is held.
struct FrameDecoder: Sendable {
  private enum Stage: Equatable {
    case first, second
    case length(bytesLeft: Int)
    case mask(bytesLeft: Int)
    case payload
    case ended
  }

  private enum Opcode: UInt8 {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    var isControl: Bool { rawValue & 0x8 != 0 }
  }

  private let messageBytesMax: Int
  private var stage = Stage.first

  private var opcode = Opcode.continuation
  private var isFinal = true
  /// The payload's length while the header is read, then what is left of the payload.
  private var length: UInt64 = 0
  private var lengthMinimum: UInt64 = 0
  /// The masking key, first byte lowest, turned so that its lowest byte is for the next byte of payload.
  private var mask: UInt32 = 0

  private var isInMessage = false
  private var message: [UInt8] = []
  private var control: [UInt8] = []
  private var validator = UTF8Validator()

  /// - Parameter messageBytesMax: the longest message, all fragments together.
  init(messageBytesMax: Int) { self.messageBytesMax = messageBytesMax }

  /// The next event that `input` completes, or nil when all of it is taken. After `close` and `violation` the rest is thrown away.
  mutating func next(_ input: inout ByteBuffer) -> FrameEvent? {
    do throws(FrameViolation) {
      while input.readableBytes > 0 || (stage == .payload && length == 0) {
        switch stage {
        case .ended:
          input.moveReaderIndex(to: input.writerIndex)
        case .payload:
          if let event = try takePayload(&input) { return event }
        case .first, .second, .length, .mask:
          if let byte: UInt8 = input.readInteger() { try takeHeader(byte) }
        }
      }
      return nil
    } catch {
      stage = .ended
      return .violation(error)
    }
  }

  // MARK: Header

  private mutating func takeHeader(_ byte: UInt8) throws(FrameViolation) {
    switch stage {
    case .first:
      try takeFirst(byte)
    case .second:
      try takeSecond(byte)
    case .length(let bytesLeft):
      length = length << 8 | UInt64(byte)
      if bytesLeft > 1 { stage = .length(bytesLeft: bytesLeft - 1) } else { try finishLength() }
    case .mask(let bytesLeft):
      mask = mask >> 8 | UInt32(byte) << 24
      stage = bytesLeft > 1 ? .mask(bytesLeft: bytesLeft - 1) : .payload
    case .payload, .ended: break
    }
  }

  private mutating func takeFirst(_ byte: UInt8) throws(FrameViolation) {
    guard byte & 0x70 == 0 else { throw .reservedBits }
    guard let opcode = Opcode(rawValue: byte & 0x0F) else { throw .reservedOpcode(byte & 0x0F) }
    self.opcode = opcode
    isFinal = byte & 0x80 != 0
    switch opcode {
    case .continuation where !isInMessage: throw .continuationWithoutStart
    case .text where isInMessage, .binary where isInMessage: throw .messageNotFinished
    case .binary: throw .binary
    case .close where !isFinal, .ping where !isFinal, .pong where !isFinal: throw .fragmentedControl
    default: stage = .second
    }
  }

  private mutating func takeSecond(_ byte: UInt8) throws(FrameViolation) {
    guard byte & 0x80 != 0 else { throw .unmasked }
    let short = UInt64(byte & 0x7F)
    guard short <= 125 || !opcode.isControl else { throw .controlTooLong }
    switch short {
    case 126: (length, lengthMinimum, stage) = (0, 126, .length(bytesLeft: 2))
    case 127: (length, lengthMinimum, stage) = (0, 65_536, .length(bytesLeft: 8))
    default:
      (length, lengthMinimum) = (short, 0)
      try finishLength()
    }
  }

  private mutating func finishLength() throws(FrameViolation) {
    guard length >= lengthMinimum, length >> 63 == 0 else { throw .lengthNotMinimal }
    if !opcode.isControl, length > UInt64(messageBytesMax - message.count) { throw .messageTooBig(bytesMax: messageBytesMax) }
    stage = .mask(bytesLeft: 4)
  }

  // MARK: Payload

  private mutating func takePayload(_ input: inout ByteBuffer) throws(FrameViolation) -> FrameEvent? {
    let count = Int(min(length, UInt64(input.readableBytes)))
    if count > 0 {
      guard input.withUnsafeReadableBytes({ take(UnsafeRawBufferPointer(rebasing: $0[..<count])) }) else { throw .invalidUTF8 }
      input.moveReaderIndex(forwardBy: count)
      length -= UInt64(count)
    }
    guard length == 0 else { return nil }
    stage = .first
    return opcode.isControl ? try finishControl() : try finishData()
  }

  /// False when the text is not valid UTF-8.
  private mutating func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if opcode.isControl {
      Self.appendUnmasked(bytes, mask: &mask, to: &control)
      return true
    }
    let start = message.count
    Self.appendUnmasked(bytes, mask: &mask, to: &message)
    return message.withUnsafeBytes { validator.accept(UnsafeRawBufferPointer(rebasing: $0[start...])) }
  }

  private mutating func finishData() throws(FrameViolation) -> FrameEvent? {
    isInMessage = !isFinal
    guard isFinal else { return nil }
    guard validator.isComplete else { throw .invalidUTF8 }
    let whole = message
    message = []
    return .text(whole)
  }

  private mutating func finishControl() throws(FrameViolation) -> FrameEvent {
    let payload = control
    control = []
    switch opcode {
    case .ping: return .ping(payload)
    case .pong: return .pong(payload)
    default:
      let code = try Self.closeCode(payload)
      stage = .ended
      return .close(code)
    }
  }

  private static func closeCode(_ payload: [UInt8]) throws(FrameViolation) -> WebSocketCloseCode {
    if payload.isEmpty { return .noStatus }
    guard payload.count >= 2 else { throw .invalidClose }
    let code = WebSocketCloseCode(rawValue: UInt16(payload[0]) << 8 | UInt16(payload[1]))
    guard code.mayBeOnTheWire else { throw .invalidClose }
    var validator = UTF8Validator()
    let isValid = payload.withUnsafeBytes { validator.accept(UnsafeRawBufferPointer(rebasing: $0[2...])) }
    guard isValid, validator.isComplete else { throw .invalidUTF8 }
    return code
  }

  /// Appends `bytes` with the mask taken off (RFC 6455, section 5.3), eight at a time, and turns `mask` to where the next piece begins.
  private static func appendUnmasked(_ bytes: UnsafeRawBufferPointer, mask: inout UInt32, to output: inout [UInt8]) {
    let start = output.count
    output.append(contentsOf: bytes)
    let wide = UInt64(mask) | UInt64(mask) << 32
    var key = mask
    output.withUnsafeMutableBytes { all in
      var index = start
      while index + 8 <= all.count {
        let word = UInt64(littleEndian: all.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ wide
        all.storeBytes(of: word.littleEndian, toByteOffset: index, as: UInt64.self)
        index += 8
      }
      while index < all.count {
        all[index] ^= UInt8(truncatingIfNeeded: key)
        key = key >> 8 | key << 24
        index += 1
      }
    }
    mask = key
  }
}
