internal import Glibc
package import NIOCore

/// One client's connection, from its first byte to its last: the handshake, the frames, the close.
///
/// Confined to its event loop: every member is for that loop only. It is the only handler of its channel, because a pipeline of several
/// costs each connection more memory and each delivery more time than the work itself.
package final class WebSocketConnection {
  enum Phase: Equatable {
    /// The request is being read.
    case handshaking
    case open
    /// Our Close is sent; the peer's is awaited.
    case closing
    /// Both Closes are exchanged; TCP ends when the socket took the last byte.
    case finishing
    /// The last word is sent to a peer that broke the rules. Input is thrown away until the peer ends, because closing on unread input
    /// would reset the connection and the peer might never see that word.
    case lingering
    case closed
  }

  let loop: WebSocketLoop
  /// Where this connection stands in the loop's array.
  var slot = -1
  var phase = Phase.handshaking
  /// When `phase` began, by the loop's coarse clock.
  var phaseBegan: NIODeadline
  var lastReceived: NIODeadline
  var lastPing: NIODeadline
  var context: ChannelHandlerContext?
  var handshake: Handshake?
  /// Set when the connection was accepted beyond a limit.
  let refusal: HandshakeRefusal?
  var decoder = FrameDecoder(messageBytesMax: 0)
  var limits = WebSocketLimits()
  var session: (any WebSocketSession)?

  /// The channel's descriptor while a `send` on it is possible, else -1.
  var descriptor: CInt = -1
  private var isHandingOver = false

  /// What the client's socket has not taken yet, in bytes.
  package private(set) var backlogBytes = 0

  init(loop: WebSocketLoop, refusal: HandshakeRefusal?) {
    self.loop = loop
    self.refusal = refusal
    handshake = Handshake(headBytesMax: loop.configuration.headBytesMax)
    phaseBegan = loop.now
    lastReceived = loop.now
    lastPing = loop.now
  }

  /// The loop's place among the server's loops, from 0.
  package var loopIndex: Int { loop.index }
  package var eventLoop: any EventLoop { loop.eventLoop }
  package var isOpen: Bool { phase == .open }
  /// Whether the client has taken all that was sent so far. A session that wants to spare its client sends nothing while it is false.
  package var isWritable: Bool { backlogBytes == 0 }

  /// Sends whole frames, as `FrameEncoder` wrote them. After the connection has closed it does nothing.
  ///
  /// A client that lets more than `outboundBytesMax` wait is closed with 1013.
  package func send(frames: ByteBuffer) {
    guard phase == .open else { return }
    write(frames)
    if backlogBytes > limits.outboundBytesMax { close(.tryAgainLater, reason: "The client does not keep up") }
  }

  /// Sends one text message. `text` must be UTF-8.
  package func send(text: [UInt8]) {
    var frame = ByteBufferAllocator().buffer(capacity: text.count + FrameEncoder.headerBytesMax)
    text.withUnsafeBytes { FrameEncoder.append(text: $0, to: &frame) }
    send(frames: frame)
  }

  /// Asks the client for a pong, which shows that it has all that was sent before (RFC 6455, section 5.5.3).
  ///
  /// - Parameter payload: what the pong will carry, at most 125 bytes; not empty, which is what pings of the server's own are.
  package func ping(_ payload: [UInt8]) { send(frames: FrameEncoder.ping(payload)) }

  /// Begins the closing handshake. The peer has `closeTimeout` to answer.
  package func close(_ code: WebSocketCloseCode, reason: String = "") {
    guard phase == .open else { return }
    leaveOpen(code, then: .closing)
    write(FrameEncoder.close(code, reason: reason))
  }

  /// Whether the client's socket is read. While it is not, TCP holds the client back, and its silence is not held against it. What was received by then
  /// still comes. A connection that closes is read again.
  package var isReading = true {
    didSet {
      guard isReading != oldValue else { return }
      lastReceived = loop.now
      try? context?.channel.syncOptions?.setOption(.autoRead, value: isReading)
    }
  }

  // MARK: Writing

  /// Gives bytes to the socket at once if nothing waits before them, and to NIO what the socket does not take.
  ///
  /// A `send` of our own costs a fraction of NIO's path, which is for the rare case: it keeps the bytes, waits for the socket and says
  /// when it is done. Order holds because nothing is sent directly while NIO holds anything.
  func write(_ bytes: ByteBuffer) {
    loop.statistics.bytesSent += bytes.readableBytes
    let sent = backlogBytes == 0 && descriptor >= 0 ? sendDirectly(bytes) : 0
    guard sent < bytes.readableBytes else { return }
    var rest = bytes
    rest.moveReaderIndex(forwardBy: sent)
    handOver(rest)
  }

  /// How many bytes the socket took. An error is NIO's to find: it meets the same one, and closes the channel.
  private func sendDirectly(_ bytes: ByteBuffer) -> Int {
    bytes.withUnsafeReadableBytes {
      max(0, Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)))
    }
  }

  private func handOver(_ rest: ByteBuffer) {
    guard let context else { return }
    let count = rest.readableBytes
    backlogBytes += count
    let written = context.eventLoop.makePromise(of: Void.self)
    written.futureResult.assumeIsolated().whenComplete { _ in self.handedOver(count) }
    // A write can close the channel or read from it before it returns: `isHandingOver` keeps that from the session, who is calling us.
    isHandingOver = true
    context.writeAndFlush(wrapOutboundOut(rest), promise: written)
    isHandingOver = false
  }

  private func handedOver(_ count: Int) {
    backlogBytes -= count
    if backlogBytes == 0, !isHandingOver { drained() }
  }

  /// Whether a call from NIO comes from inside a call that the session made.
  var isInsideWrite: Bool { isHandingOver }

  /// The socket has taken everything.
  func drained() {
    switch phase {
    case .open: session?.becameWritable()
    case .finishing: context?.close(promise: nil)
    case .lingering: context?.close(mode: .output, promise: nil)
    case .handshaking, .closing, .closed: break
    }
  }

  // MARK: Ending

  /// Ends the open phase: counts it, and tells the session in the loop's next turn, so that no caller is called back.
  func leaveOpen(_ code: WebSocketCloseCode, then next: Phase) {
    begin(next)
    isReading = true
    loop.statistics.connectionsOpen -= 1
    loop.statistics.closed[code, default: 0] += 1
    loop.eventLoop.assumeIsolated().execute {
      self.session?.closed(code)
      self.session = nil
    }
  }

  func begin(_ next: Phase) {
    phase = next
    phaseBegan = loop.now
  }

  /// Sends the last word to a peer that broke the rules, and waits for its end.
  func linger(after lastWord: ByteBuffer) {
    write(lastWord)
    if backlogBytes == 0, phase == .lingering { drained() }
  }
}
