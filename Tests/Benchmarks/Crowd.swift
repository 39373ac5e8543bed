import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// What all clients together have seen.
final class Tally: Sendable {
  private struct State {
    var events = 0
    var subscribed = 0
    var latencies_us: [Int] = []
  }

  private let state = Mutex(State())

  var events: Int { state.withLock { $0.events } }
  var latencies_us: [Int] { state.withLock { $0.latencies_us } }

  static func now_us() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
  }

  func add(events: Int, subscribed: Int, latencies_us: [Int]) {
    state.withLock {
      $0.events += events
      $0.subscribed += subscribed
      $0.latencies_us += latencies_us
    }
  }

  func wait(events: Int) async throws { try await wait("events") { $0.events >= events } }
  func wait(subscribed: Int) async throws { try await wait("subscriptions") { $0.subscribed >= subscribed } }

  private func wait(_ what: String, until isEnough: @Sendable (State) -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    while !state.withLock({ isEnough($0) }) {
      guard .now < deadline else { throw BenchError(description: "not all \(what) came in 120 s: \(events) events so far") }
      try await Task.sleep(for: .milliseconds(2))
    }
  }
}

/// Many WebSocket clients of one appliance, as light as can be, so that they cost the machine little besides the gateway.
final class Crowd: Sendable {
  let tally = Tally()
  private let port: Int
  private let request: ByteBuffer
  private let subscribe: ByteBuffer
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let channels = Mutex<[any Channel]>([])

  init(port: Int, token: String, appliance: String) {
    self.port = port
    request = ByteBuffer(
      string: "GET /ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer \(token)\r\n\r\n")
    let text = Array(#"{"type":"subscribe","appliance_id":"\#(appliance)"}"#.utf8)
    // Masked with zeros (RFC 6455, section 5.3): the text as it is.
    subscribe = ByteBuffer(bytes: [0x81, 0x80 | UInt8(text.count), 0, 0, 0, 0] + text)
  }

  /// Connects and subscribes so many, a hundred at a time.
  func open(_ count: Int) async throws {
    var opened = 0
    while opened < count {
      let step = min(100, count - opened)
      try await withThrowingTaskGroup(of: (any Channel).self) { tasks in
        for index in 0..<step {
          let measures = (opened + index) % 100 == 0
          tasks.addTask { [self] in try await connect(measures: measures) }
        }
        for try await channel in tasks { channels.withLock { $0.append(channel) } }
      }
      opened += step
      try await tally.wait(subscribed: opened)
    }
  }

  private func connect(measures: Bool) async throws -> any Channel {
    let channel = try await ClientBootstrap(group: group)
      .channelInitializer { [tally, subscribe] channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Listener(tally: tally, subscribe: subscribe, measures: measures))
        }
      }
      .connect(host: "127.0.0.1", port: port).get()
    try await channel.writeAndFlush(request)
    return channel
  }

  func close() async throws {
    for channel in channels.withLock({ $0 }) { channel.close(promise: nil) }
    try await group.shutdownGracefully()
  }
}

/// Counts what one client hears.
private final class Listener: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let tally: Tally
  private let subscribe: ByteBuffer
  private let measures: Bool
  private var isOpen = false
  private var rest = ByteBuffer()

  init(tally: Tally, subscribe: ByteBuffer, measures: Bool) {
    (self.tally, self.subscribe, self.measures) = (tally, subscribe, measures)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var input = unwrapInboundIn(data)
    if rest.readableBytes > 0 {
      rest.writeBuffer(&input)
      input = rest
      rest = ByteBuffer()
    }
    if !isOpen {
      guard let end = input.readableBytesView.firstRange(of: Array("\r\n\r\n".utf8)) else { return rest = input }
      input.moveReaderIndex(to: end.upperBound)
      isOpen = true
      context.writeAndFlush(NIOAny(subscribe), promise: nil)
    }
    count(&input)
    if input.readableBytes > 0 { rest = ByteBuffer(bytes: input.readableBytesView) }
  }

  private func count(_ input: inout ByteBuffer) {
    var (events, subscribed, latencies) = (0, 0, [Int]())
    while let payload = nextPayload(&input) {
      let kind = payload.dropFirst(9).prefix(8)
      if kind.elementsEqual("cooking:".utf8) || kind.elementsEqual("applianc".utf8) {
        events += 1
        if measures, let sent = number(after: "\"sent_us\":", in: payload) { latencies.append(Tally.now_us() - sent) }
      } else if kind.elementsEqual("subscrib".utf8) {
        subscribed += 1
      }
    }
    if events + subscribed > 0 { tally.add(events: events, subscribed: subscribed, latencies_us: latencies) }
  }

  /// The next whole frame's payload; the gateway's frames are not masked.
  private func nextPayload(_ input: inout ByteBuffer) -> ByteBufferView? {
    let view = input.readableBytesView
    guard view.count >= 2 else { return nil }
    let short = Int(view[view.startIndex + 1] & 0x7F)
    let header = short == 126 ? 4 : 2
    guard view.count >= header else { return nil }
    let length = short == 126 ? Int(view[view.startIndex + 2]) << 8 | Int(view[view.startIndex + 3]) : short
    guard view.count >= header + length else { return nil }
    input.moveReaderIndex(forwardBy: header + length)
    return view.dropFirst(header).prefix(length)
  }

  private func number(after name: String, in payload: ByteBufferView) -> Int? {
    guard let range = payload.firstRange(of: Array(name.utf8)) else { return nil }
    return Int(String(decoding: payload[range.upperBound...].prefix { (48...57).contains($0) }, as: UTF8.self))
  }
}
