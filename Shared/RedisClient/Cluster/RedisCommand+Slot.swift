import NIOCore

extension RedisCommand {
  /// The slot of the command's first key, or of the channel that it publishes to; nil for one that any node can answer. Read from the encoded command, so
  /// that nobody who builds one has to say it.
  var slot: Int? {
    var arguments = Arguments(rest: body.readableBytesView)
    guard let name = arguments.next() else { return nil }
    switch String(decoding: name, as: UTF8.self) {
    case "PING", "ECHO", "TIME", "INFO", "WAIT", "CLIENT", "FUNCTION", "CLUSTER", "ASKING": return nil
    case "FCALL":
      _ = arguments.next()
      if arguments.next()?.elementsEqual("0".utf8) == true { return nil }
    case "XREAD", "XREADGROUP":
      while let option = arguments.next(), !option.elementsEqual("STREAMS".utf8) {}
    case "XINFO", "XGROUP": _ = arguments.next()
    default: break
    }
    return arguments.next().map(HashSlot.of)
  }

  /// The arguments of an encoded command, one after the other.
  private struct Arguments {
    var rest: ByteBufferView

    mutating func next() -> ByteBufferView? {
      guard rest.popFirst() == UInt8(ascii: "$") else { return nil }
      var length = 0
      while let digit = rest.popFirst(), digit != UInt8(ascii: "\r") { length = length * 10 + Int(digit) - 48 }
      let argument = rest.dropFirst().prefix(length)
      rest = rest.dropFirst(1 + length + 2)
      return argument
    }
  }
}
