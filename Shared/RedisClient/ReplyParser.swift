import CHiredis

/// Takes the parts of replies in the order of the wire. A part that it refuses (false) ends the connection.
protocol ReplySink: AnyObject {
  func array(count: Int) -> Bool
  /// A bulk string, a status line or an error line. The bytes are valid during the call only.
  func text(_ kind: ReplyTextKind, _ bytes: UnsafeRawBufferPointer) -> Bool
  func integer(_ value: Int64) -> Bool
  func null() -> Bool
  /// The parts since the last call make one whole reply.
  func replyCompleted()
}

enum ReplyTextKind { case string, status, error }

/// hiredis' `redisReader`, one per connection and confined to its event loop. It parses; a `ReplySink` decides what becomes of the parts, so
/// no reply object is built that nobody wants. hiredis itself limits nesting to seven levels.
final class ReplyParser {
  private let reader: UnsafeMutablePointer<redisReader>
  private let functions: UnsafeMutablePointer<redisReplyObjectFunctions>
  private let sink: any ReplySink
  private let unparsedBytesMax: Int

  /// hiredis moves what is left of its buffer after each kilobyte that it has parsed: fed in slices, that stays cheap.
  private static let sliceBytes = 8192

  init(sink: any ReplySink, unparsedBytesMax: Int) {
    self.sink = sink
    self.unparsedBytesMax = unparsedBytesMax
    functions = .allocate(capacity: 1)
    functions.initialize(to: Self.callbacks)
    reader = redisReaderCreateWithFunctions(functions)
    reader.pointee.maxbuf = 0
    reader.pointee.privdata = Unmanaged.passUnretained(self).toOpaque()
  }

  deinit {
    redisReaderFree(reader)
    functions.deallocate()
  }

  /// Parses what has arrived. After an error, `RedisError` with `protocolViolation`, the stream cannot be read on.
  func feed(_ bytes: UnsafeRawBufferPointer) throws(RedisError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let slice = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.sliceBytes))
      rest = rest.dropFirst(slice.count)
      guard reader.pointee.len - reader.pointee.pos + slice.count <= unparsedBytesMax else {
        throw RedisError(.protocolViolation, "Redis sent a reply of more than \(unparsedBytesMax) bytes")
      }
      guard redisReaderFeed(reader, slice.baseAddress?.assumingMemoryBound(to: CChar.self), slice.count) == REDIS_OK else {
        throw unreadable
      }
      try drain()
    }
  }

  private func drain() throws(RedisError) {
    while true {
      var reply: UnsafeMutableRawPointer?
      guard redisReaderGetReply(reader, &reply) == REDIS_OK else { throw unreadable }
      if reply == nil { return }
      sink.replyCompleted()
    }
  }

  private var unreadable: RedisError {
    RedisError(.protocolViolation, "what Redis sent cannot be read as a reply, or is beyond the limits; is it a Redis server?")
  }

  /// What hiredis takes for the object that a callback made. Nothing is made, so that nothing has to be freed: any address but null will do.
  private static var callbacks: redisReplyObjectFunctions {
    redisReplyObjectFunctions(
      createString: { task, text, count in
        guard let task else { return nil }
        let kind: ReplyTextKind =
          switch task.pointee.type {
          case REDIS_REPLY_STATUS: .status
          case REDIS_REPLY_ERROR: .error
          default: .string
          }
        return ReplyParser.answer(task, ReplyParser.sink(task).text(kind, UnsafeRawBufferPointer(start: text, count: count)))
      },
      createArray: { task, count in task.flatMap { ReplyParser.answer($0, ReplyParser.sink($0).array(count: Int(count))) } },
      createInteger: { task, value in task.flatMap { ReplyParser.answer($0, ReplyParser.sink($0).integer(Int64(value))) } },
      createNil: { task in task.flatMap { ReplyParser.answer($0, ReplyParser.sink($0).null()) } },
      freeObject: { _ in }
    )
  }

  private static func sink(_ task: UnsafePointer<redisReadTask>) -> any ReplySink {
    Unmanaged<ReplyParser>.fromOpaque(task.pointee.privdata).takeUnretainedValue().sink
  }

  private static func answer(_ task: UnsafePointer<redisReadTask>, _ isAccepted: Bool) -> UnsafeMutableRawPointer? {
    isAccepted ? UnsafeMutableRawPointer(mutating: task) : nil
  }
}
