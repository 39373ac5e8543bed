import NIOCore

/// One command with its arguments, encoded into RESP as it is built: `*<count>` and then each argument as a bulk string.
package struct RedisCommand: Sendable {
  private(set) var argumentCount = 0
  private(set) var body: ByteBuffer

  /// `name` is the first argument; a subcommand (`FUNCTION LOAD`) is given as the second.
  package init(_ name: String, _ arguments: any RedisArgument..., reservingBytes bytes: Int = 64) {
    body = ByteBufferAllocator().buffer(capacity: bytes)
    append(name)
    for argument in arguments { argument.append(to: &self) }
  }

  package mutating func append(_ text: String) {
    beginArgument(byteCount: text.utf8.count)
    body.writeString(text)
    body.writeStaticString("\r\n")
  }

  package mutating func append(_ bytes: [UInt8]) {
    beginArgument(byteCount: bytes.count)
    body.writeBytes(bytes)
    body.writeStaticString("\r\n")
  }

  package mutating func append(_ bytes: UnsafeRawBufferPointer) {
    beginArgument(byteCount: bytes.count)
    body.writeBytes(bytes)
    body.writeStaticString("\r\n")
  }

  package mutating func append(_ integer: some BinaryInteger) { append(String(integer)) }

  /// How many bytes the command takes on the wire, but for its short head.
  package var byteCount: Int { body.readableBytes }

  private mutating func beginArgument(byteCount: Int) {
    argumentCount += 1
    body.writeStaticString("$")
    body.writeString(String(byteCount))
    body.writeStaticString("\r\n")
  }

  func encode(into buffer: inout ByteBuffer) {
    buffer.writeStaticString("*")
    buffer.writeString(String(argumentCount))
    buffer.writeStaticString("\r\n")
    buffer.writeImmutableBuffer(body)
  }
}

/// What can stand as an argument of a `RedisCommand`.
package protocol RedisArgument {
  func append(to command: inout RedisCommand)
}

extension String: RedisArgument { package func append(to command: inout RedisCommand) { command.append(self) } }
extension Int: RedisArgument { package func append(to command: inout RedisCommand) { command.append(self) } }
extension Int64: RedisArgument { package func append(to command: inout RedisCommand) { command.append(self) } }
extension Array: RedisArgument where Element == UInt8 { package func append(to command: inout RedisCommand) { command.append(self) } }
